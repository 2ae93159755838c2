//! Philox4x32-10 on a device, bit for bit that of the host, and functions of its words in `f32`
//! by formulas of their own, since those of devices are rough.

use std::f32::consts::{FRAC_PI_2, LN_2};

use cubecl::prelude::*;

use crate::host::philox::{FACTORS, ROUNDS, STEPS};

/// Four random words.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    pub(crate) d: u32,
}

/// The words of block `block` in the firing `step_low`, `step_high`; devices have less than 2^32
/// elements.
#[cube]
pub(crate) fn words(
    key_low: u32,
    key_high: u32,
    block: u32,
    step_low: u32,
    step_high: u32,
) -> Words {
    let mut a = block;
    let mut b = RuntimeCell::<u32>::new(0u32).read();
    let mut c = step_low;
    let mut d = step_high;
    let mut left = key_low;
    let mut right = key_high;
    #[unroll]
    for _ in 0..ROUNDS {
        let high_0 = u32::mul_hi(comptime!(FACTORS[0]), a);
        let low_0 = a * comptime!(FACTORS[0]);
        let high_1 = u32::mul_hi(comptime!(FACTORS[1]), c);
        let low_1 = c * comptime!(FACTORS[1]);
        a = high_1 ^ b ^ left;
        b = low_1;
        c = high_0 ^ d ^ right;
        d = low_0;
        left += comptime!(STEPS[0]);
        right += comptime!(STEPS[1]);
    }
    Words { a, b, c, d }
}

/// A number in 0..1: the upper 24 bits.
#[cube]
pub(crate) fn unit(word: u32) -> f32 {
    f32::cast_from(word >> 8) / 16_777_216.0
}

/// A number above 0 and at most 1.
#[cube]
pub(crate) fn unit_above(word: u32) -> f32 {
    f32::cast_from((word >> 8) + 1) / 16_777_216.0
}

/// A number between 0 and 1, neither of the two: the middles of 2^23 parts.
#[cube]
pub(crate) fn unit_between(word: u32) -> f32 {
    f32::cast_from((word >> 9) * 2 + 1) / 16_777_216.0
}

/// The logarithm of a normal number above 0, with a small error even near 1.
#[cube]
pub(crate) fn logarithm(x: f32) -> f32 {
    let bits = u32::reinterpret(x);
    // A mantissa between the roots of 1/2 and 2.
    let shifted = bits - 0x3f35_04f3;
    let exponent = i32::reinterpret(shifted) >> 23;
    let mantissa = f32::reinterpret((shifted & 0x007f_ffff) + 0x3f35_04f3);
    // log m = 2 artanh((m - 1) / (m + 1)).
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = 1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0 + square * (1.0 / 9.0)));
    f32::cast_from(exponent) * LN_2 + 2.0 * (s + s * square * series)
}

/// The cosine of `turn` whole turns, for a `turn` in 0..1 of 24 bits.
#[cube]
pub(crate) fn cosine(turn: f32) -> f32 {
    let quarters = turn * 4.0;
    let quarter = (quarters + 0.5).floor();
    // Exact: the rest within half a quarter.
    let angle = (quarters - quarter) * FRAC_PI_2;
    let square = angle * angle;
    let cosine =
        1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square / 40320.0)));
    let sine = angle
        * (1.0
            + square
                * (-1.0 / 6.0
                    + square * (1.0 / 120.0 + square * (-1.0 / 5040.0 + square / 362_880.0))));
    let place = u32::cast_from(quarter) % 4;
    let part = select(place % 2 == 0, cosine, sine);
    select(place == 1 || place == 2, -part, part)
}
