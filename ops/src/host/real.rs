//! The two real number types that pointwise formulas are written over, `f32` and `f64`.
//!
//! A formula is one generic function over [`Real`]; its loop over a slice is compiled for each
//! type. Functions that standard hardware lacks are, for `f32`, computed in `f64` without calls or
//! branches, so that their loops become vector instructions, and rounded once. For `f64` they are
//! the platform's, but for `erf`.
//!
//! Largest errors: `exp`, `expm1`, `tanh`, `erf` of `f32` 1 ulp (the tests below hold them to
//! that); `erf` of `f64` 1e-15. The rest is as good as the platform.

use std::ops::{Add, Div, Mul, Neg, Sub};

use synfire_runtime::spec::Scalar;

/// A real number type. Its functions are named and behave as those of the standard library.
pub(crate) trait Real:
    Scalar
    + PartialOrd
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    fn of(constant: f64) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn round_ties_even(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tan(self) -> Self;
    fn powf(self, power: Self) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    fn asin(self) -> Self;
    fn acos(self) -> Self;
    fn atan(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn asinh(self) -> Self;
    fn acosh(self) -> Self;
    fn exp2(self) -> Self;
    fn log2(self) -> Self;
    fn log10(self) -> Self;
    fn trunc(self) -> Self;
}

/// A float of 16 bits, which is computed with as `f32`.
pub(crate) trait Half: Scalar {
    fn widen(self) -> f32;
    fn narrow(wide: f32) -> Self;
}

macro_rules! halves {
    ($($half:ty)+) => {
        $(impl Half for $half {
            #[inline]
            fn widen(self) -> f32 {
                self.to_f32()
            }
            #[inline]
            fn narrow(wide: f32) -> Self {
                Self::from_f32(wide)
            }
        })+
    };
}
halves!(half::f16 half::bf16);

/// What both types take from the standard library.
macro_rules! standard {
    ($real:ty) => {
        #[inline]
        fn of(constant: f64) -> Self {
            constant as Self
        }
        standard!($real: abs sqrt floor ceil round_ties_even trunc ln ln_1p sin cos tan asin acos
            atan sinh cosh asinh acosh exp2 log2 log10);
        #[inline]
        fn powf(self, power: Self) -> Self {
            <$real>::powf(self, power)
        }
    };
    ($real:ty: $($function:ident)+) => {
        $(#[inline]
        fn $function(self) -> Self {
            <$real>::$function(self)
        })+
    };
}

impl Real for f64 {
    standard!(f64);
    standard!(f64: exp exp_m1 tanh);
    fn erf(self) -> Self {
        erf_exact(self)
    }
}

impl Real for f32 {
    standard!(f32);
    #[inline]
    fn exp(self) -> Self {
        exp_wide(f64::from(self)) as Self
    }
    #[inline]
    fn exp_m1(self) -> Self {
        let x = f64::from(self);
        let near_zero = x * (1.0 + 0.5 * x);
        (if x.abs() < 1e-4 { near_zero } else { exp_wide(x) - 1.0 }) as Self
    }
    #[inline]
    fn tanh(self) -> Self {
        let x = f64::from(self);
        let square = x * x;
        let near_zero = x * (1.0 + square * (2.0 / 15.0 * square - 1.0 / 3.0));
        let elsewhere = 1.0 - 2.0 / (exp_wide(2.0 * x) + 1.0);
        (if x.abs() < 0.01 { near_zero } else { elsewhere }) as Self
    }
    #[inline]
    fn erf(self) -> Self {
        erf_wide(f64::from(self)) as Self
    }
}

/// `e^x` within 3e-10, relative, where the result is an `f32`; infinite or 0 as `f32` elsewhere.
///
/// `e^x = 2^n e^r` with `n = round(x / ln 2)`, so `|r| <= ln 2 / 2`: eight terms of the series.
#[inline]
fn exp_wide(x: f64) -> f64 {
    /// Adding it rounds to whole numbers, which then stand in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
    let x = if x < -150.0 { -150.0 } else { x };
    let x = if x > 150.0 { 150.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let r = x - (shifted - ROUND) * std::f64::consts::LN_2;
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let series = series.iter().fold(1.0 / 40320.0, |sum, term| sum * r + term);
    series * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

/// `erf x` within 3e-11, relative: a polynomial for `erf(x) / x` in `x^2 / 8 - 1`, which is the
/// Chebyshev interpolation over `|x| <= 4`; beyond, `erf` rounds to 1 in `f32`.
#[inline]
fn erf_wide(x: f64) -> f64 {
    let x = if x < -4.0 { -4.0 } else { x };
    let x = if x > 4.0 { 4.0 } else { x };
    let s = x * x * 0.125 - 1.0;
    x * ERF.iter().fold(0.0, |sum, coefficient| sum * s + coefficient)
}

/// Highest power first.
const ERF: [f64; 21] = [
    1.2874054698224224e-05,
    -3.668360645354812e-05,
    3.2979383818983124e-05,
    -7.246152144638048e-05,
    0.0002951384370466126,
    -0.0006727975797938545,
    0.001277072805758373,
    -0.0025306721064139617,
    0.004861257452313889,
    -0.008629832983801853,
    0.014347216896437105,
    -0.022466263707243098,
    0.03306107366347555,
    -0.045766463466210563,
    0.059886860225133925,
    -0.07472772837517466,
    0.0902089961907006,
    -0.1077104489095233,
    0.13167511686631903,
    -0.1765762332142376,
    0.35353099564340495,
];

/// `erf x` to about the last bit: below 3 by the series of positive terms (Abramowitz and Stegun
/// 7.1.6), above by the continued fraction of `1 - erf x` (7.1.14), cut at a fixed depth.
fn erf_exact(x: f64) -> f64 {
    const TERMS: u32 = 80;
    const DEPTH: u32 = 60;
    let magnitude = x.abs();
    let square = magnitude * magnitude;
    let scale = std::f64::consts::FRAC_2_SQRT_PI * (-square).exp();
    if magnitude < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..TERMS {
            term *= 2.0 * square / f64::from(2 * n + 1);
            sum += term;
        }
        scale * sum
    } else if magnitude < 6.0 {
        let fraction =
            (1..=DEPTH).rev().fold(magnitude, |tail, k| magnitude + 0.5 * f64::from(k) / tail);
        (1.0 - 0.5 * scale / fraction).copysign(x)
    } else if x.is_nan() {
        x
    } else {
        1.0_f64.copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, the function as `f32` has it, and the exact one.
    type Check = (&'static str, fn(f32) -> f32, fn(f64) -> f64);

    /// The largest error of `found` in units of the last place over a fine sweep, both signs.
    fn ulps(found: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let sweep = (0..400_000).map(|k| f32::from_bits(0x3000_0000 + k * 0x2A1));
        let mut worst = 0.0_f64;
        for x in sweep.flat_map(|x| [x, -x]) {
            let (found, exact) = (found(x), exact(f64::from(x)));
            let rounded = exact as f32;
            if found == rounded {
                continue;
            }
            let ulp = f64::from(f32::from_bits(rounded.abs().to_bits() + 1) - rounded.abs());
            worst = worst.max((f64::from(found) - exact).abs() / ulp);
        }
        worst
    }

    #[test]
    fn functions_of_f32_are_within_one_ulp() {
        let checks: [Check; 4] = [
            ("exp", Real::exp, f64::exp),
            ("exp_m1", Real::exp_m1, f64::exp_m1),
            ("tanh", Real::tanh, f64::tanh),
            ("erf", Real::erf, erf_exact),
        ];
        for (name, found, exact) in checks {
            let worst = ulps(found, exact);
            assert!(worst <= 0.6, "{name} is off by {worst} ulp");
        }
    }

    #[test]
    fn special_values_go_through() {
        assert_eq!(Real::exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(Real::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(Real::exp(89.0_f32), f32::INFINITY);
        assert_eq!(Real::exp(-103.0_f32), f32::from_bits(1));
        assert_eq!(Real::exp_m1(f32::NEG_INFINITY), -1.0);
        assert_eq!(Real::tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(Real::erf(f32::INFINITY), 1.0);
        for zero in [0.0_f32, -0.0] {
            for found in [Real::exp_m1(zero), Real::tanh(zero), Real::erf(zero)] {
                assert_eq!(found.to_bits(), zero.to_bits());
            }
        }
        for found in [Real::exp(f32::NAN), Real::exp_m1(f32::NAN), Real::tanh(f32::NAN)] {
            assert!(found.is_nan());
        }
        assert!(Real::erf(f32::NAN).is_nan() && Real::erf(f64::NAN).is_nan());
    }

    #[test]
    fn erf_of_f64_is_exact_to_the_last_digits() {
        // mpmath, 17 digits.
        let known = [
            (1e-9_f64, 1.1283791670955127e-09),
            (0.3_f64, 0.32862675945912745),
            (1.0_f64, 0.8427007929497149),
            (1.7_f64, 0.9837904585907745),
            (2.9_f64, 0.9999589021219005),
            (3.0_f64, 0.9999779095030014),
            (3.5_f64, 0.9999992569016276),
            (5.5_f64, 0.9999999999999927),
        ];
        for (x, erf) in known {
            assert!((Real::erf(x) - erf).abs() < 1e-15 * erf, "erf {x}");
            assert_eq!(Real::erf(-x), -Real::erf(x));
        }
    }
}
