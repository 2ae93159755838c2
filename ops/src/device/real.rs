//! Functions of `f32` that devices lack or compute too roughly for the contracts.

use std::f32::consts::LOG2_E;

use cubecl::prelude::*;

/// `ln 2` in two parts; a whole number times the first is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `e^x = 2^n e^r` with `n = round(x / ln 2)`: devices round `x / ln 2` once, and lose as many bits
/// as `n` has.
#[cube]
pub(crate) fn exp(x: f32) -> f32 {
    let n = clamp((x * LOG2_E + 0.5).floor(), -200.0, 200.0);
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // In two steps, for results below the normal numbers.
    let half = (n * 0.5).floor();
    r.exp() * two_to(half) * two_to(n - half)
}

/// `2^n` for a whole `n` from -126 to 127.
#[cube]
fn two_to(n: f32) -> f32 {
    f32::reinterpret(u32::cast_from(n + 127.0) << 23)
}

/// `e^x - 1` after Kahan: the rounding error of `e^x` cancels against that of its logarithm.
#[cube]
pub(crate) fn expm1(x: f32) -> f32 {
    let power = exp(x);
    let near = select(power == 1.0, x, (power - 1.0) * x / power.ln());
    select(x.abs() < 0.5, near, power - 1.0)
}

/// `log(1 + x)`, likewise.
#[cube]
pub(crate) fn log1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let near = select(sum == 1.0, x, sum.ln() * x / (sum - 1.0));
    select(x.abs() < 0.5, near, sum.ln())
}

/// `x^power`; 1 for a power of 0 or an `x` of 1, else NaN where either is.
#[cube]
pub(crate) fn power(x: f32, power: f32) -> f32 {
    let of_numbers = select(is_nan(power), power, x.powf(power));
    let of_any = select(is_nan(x), x, of_numbers);
    select(x == 1.0 || power == 0.0, 1.0, of_any)
}

/// `x - floor(x / divisor) * divisor`: the rest has the sign of the divisor.
#[cube]
pub(crate) fn remainder(x: f32, divisor: f32) -> f32 {
    let rest = x - (x / divisor).trunc() * divisor;
    let rest = select(x.abs() < divisor.abs(), x, rest);
    let other_side = rest != 0.0 && (rest < 0.0) != (divisor < 0.0);
    select(other_side, rest + divisor, rest)
}

/// Whether it is not a number, by its bits: compilers may take numbers for granted.
#[cube]
pub(crate) fn is_nan(x: f32) -> bool {
    u32::reinterpret(x) & 0x7fff_ffff > 0x7f80_0000
}

/// The nearest whole number; the even one of two.
#[cube]
pub(crate) fn round_ties_even(x: f32) -> f32 {
    let below = x.floor();
    let above = below + 1.0;
    let rest = x - below;
    let even = select((below * 0.5).floor() == below * 0.5, below, above);
    select(rest < 0.5, below, select(rest > 0.5, above, even))
}
