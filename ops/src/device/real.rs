//! Functions of `f32` that devices lack or compute too roughly for the contracts.

use std::f32::consts::{FRAC_PI_2, LN_2, LOG2_E};

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

/// `2^x`, by the whole part and the rest of `x`.
#[cube]
pub(crate) fn exp2(x: f32) -> f32 {
    let whole = clamp((x + 0.5).floor(), -200.0, 200.0);
    let rest = ((x - whole) * LN_2).exp();
    // In two steps, for results below the normal numbers.
    let half = (whole * 0.5).floor();
    rest * two_to(half) * two_to(whole - half)
}

/// The hyperbolic sine; by its series near 0, where exponentials cancel.
#[cube]
pub(crate) fn sinh(x: f32) -> f32 {
    let square = x * x;
    let near = x * (1.0 + square * (1.0 / 6.0 + square * (1.0 / 120.0 + square / 5040.0)));
    let half = exp(x.abs() - LN_2);
    copysign(select(x.abs() < 0.5, near.abs(), half - 0.25 / half), x)
}

/// The angle whose sine is `x`, by that of the nearer end of the quarter circle.
#[cube]
pub(crate) fn asin(x: f32) -> f32 {
    let far = x.abs();
    let rest = ((1.0 - far) * (1.0 + far)).sqrt();
    let angle = select(far < 0.7, atan(far / rest), FRAC_PI_2 - atan(rest / far));
    nan_where(far > 1.0 || is_nan(x), x, copysign(angle, x))
}

/// The angle whose tangent is `x`: an eighth of the circle by a polynomial (Moshier, "Methods and
/// Programs for Mathematical Functions", 1989), the rest by symmetry. Devices' own are off by 3e-6.
#[cube]
pub(crate) fn atan(x: f32) -> f32 {
    let far = x.abs();
    let is_steep = far > 2.414_213_6;
    let is_even = far > 0.414_213_57;
    let turned = select(is_even, (far - 1.0) / (far + 1.0), far);
    let turned = select(is_steep, -1.0 / far, turned);
    let start = select(is_steep, FRAC_PI_2, select(is_even, FRAC_PI_2 * 0.5, 0.0));
    let z = turned * turned;
    let sum = ((0.080_537_446 * z - 0.138_776_86) * z + 0.199_777_1) * z - 0.333_329_5;
    copysign(start + (sum * z * turned + turned), x)
}

/// `y`, or NaN where it is undefined. Its bits come from `x`: compilers refuse a constant NaN.
#[cube]
pub(crate) fn nan_where(undefined: bool, x: f32, y: f32) -> f32 {
    select(undefined, f32::reinterpret(u32::reinterpret(x) | 0x7fc0_0000u32), y)
}

/// The angle whose cosine is `x`.
#[cube]
pub(crate) fn acos(x: f32) -> f32 {
    FRAC_PI_2 - asin(x)
}

/// The magnitude of `x` with the sign of `sign`.
#[cube]
pub(crate) fn copysign(x: f32, sign: f32) -> f32 {
    let magnitude = u32::reinterpret(x) & 0x7fff_ffff;
    f32::reinterpret(magnitude | (u32::reinterpret(sign) & 0x8000_0000u32))
}

/// `2^n` for a whole `n` from -126 to 127.
#[cube]
fn two_to(n: f32) -> f32 {
    f32::reinterpret(u32::cast_from(n + 127.0) << 23)
}

/// `e^x - 1`. Near 0 by its series to `x^8`: what is left out is below `x^8 / 9!` of it. Kahan's
/// way over the logarithm would need one that is exact near 1, where Vulkan allows an error of
/// 2^-21.
#[cube]
pub(crate) fn expm1(x: f32) -> f32 {
    let tail = 1.0 + x / 6.0 * (1.0 + x / 7.0 * (1.0 + x / 8.0));
    let near = x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * tail))));
    select(x.abs() < 0.5, near, exp(x) - 1.0)
}

/// `log(1 + x)`. Near 0 it is `2 artanh(x / (2 + x))`, by its series: for the same reason.
#[cube]
pub(crate) fn log1p(x: f32) -> f32 {
    let part = x / (2.0 + x);
    let square = part * part;
    let tail = 1.0 / 9.0 + square * (1.0 / 11.0 + square * (1.0 / 13.0 + square / 15.0));
    let sum = 1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0 + square * tail));
    let near = 2.0 * part * (1.0 + square * sum);
    select(x.abs() < 0.5, near, (1.0 + x).ln())
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

/// `x - trunc(x / divisor) * divisor`: the rest has the sign of `x`.
#[cube]
pub(crate) fn rest(x: f32, divisor: f32) -> f32 {
    let rest = x - (x / divisor).trunc() * divisor;
    select(x.abs() < divisor.abs(), x, rest)
}

/// `floor(x / divisor)`, as if the quotient were exact.
#[cube]
pub(crate) fn quotient(x: f32, divisor: f32) -> f32 {
    let left = rest(x, divisor);
    let exact = (x - left) / divisor;
    let other_side = left != 0.0 && (left < 0.0) != (divisor < 0.0);
    let exact = select(other_side, exact - 1.0, exact);
    let below = exact.floor();
    let whole = select(exact - below > 0.5, below + 1.0, below);
    select(divisor == 0.0, x / divisor, whole)
}

/// `sqrt(a^2 + b^2)` by the ratio of the two, which does not overflow.
#[cube]
pub(crate) fn hypot(a: f32, b: f32) -> f32 {
    let (a, b) = (a.abs(), b.abs());
    let (low, high) = (select(a < b, a, b), select(a < b, b, a));
    let ratio = low / high;
    select(high == 0.0, high, high * (1.0 + ratio * ratio).sqrt())
}

/// `log(e^a + e^b)`.
#[cube]
pub(crate) fn logaddexp(a: f32, b: f32) -> f32 {
    let high = select(a > b || is_nan(a), a, b);
    let apart = select(a == b, 0.0, (a - b).abs());
    high + log1p(exp(-apart))
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
