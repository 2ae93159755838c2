//! The number types of binary operators and reductions: `f32`, `f64`, `i32`, `i64`, `u8`.

use synfire_runtime::spec::Scalar;

/// A number type with the arithmetic of PyTorch: integers wrap, a remainder has the divisor's sign.
pub(crate) trait Number: Scalar + PartialOrd {
    /// `self + other`, wrapping.
    fn plus(self, other: Self) -> Self;
    /// `self - other`, wrapping.
    fn minus(self, other: Self) -> Self;
    /// `self * other`, wrapping.
    fn times(self, other: Self) -> Self;
    /// `self - floor(self / divisor) * divisor`; an integer divisor must not be 0.
    fn modulo(self, divisor: Self) -> Self;
    /// `self - trunc(self / divisor) * divisor`; an integer divisor must not be 0.
    fn rest(self, divisor: Self) -> Self;
    /// `floor(self / divisor)`, as if the quotient were exact; an integer divisor must not be 0.
    fn quotient(self, divisor: Self) -> Self;
    /// Whether it is not a number; never for integers.
    fn is_nan(self) -> bool;
}

macro_rules! float {
    ($($number:ty)+) => {
        $(impl Number for $number {
            #[inline]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline]
            fn minus(self, other: Self) -> Self {
                self - other
            }
            #[inline]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline]
            fn modulo(self, divisor: Self) -> Self {
                let rest = self % divisor;
                if rest != 0.0 && (rest < 0.0) != (divisor < 0.0) { rest + divisor } else { rest }
            }
            #[inline]
            fn rest(self, divisor: Self) -> Self {
                self % divisor
            }
            #[inline]
            fn quotient(self, divisor: Self) -> Self {
                if divisor == 0.0 {
                    return self / divisor;
                }
                let rest = self % divisor;
                let exact = (self - rest) / divisor;
                let other_side = rest != 0.0 && (rest < 0.0) != (divisor < 0.0);
                let exact = if other_side { exact - 1.0 } else { exact };
                if exact == 0.0 {
                    return (0.0 as Self).copysign(self / divisor);
                }
                let below = exact.floor();
                if exact - below > 0.5 { below + 1.0 } else { below }
            }
            #[inline]
            fn is_nan(self) -> bool {
                self != self
            }
        })+
    };
}
float!(f32 f64);

macro_rules! integer {
    ($($number:ty)+) => {
        $(impl Number for $number {
            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline]
            fn modulo(self, divisor: Self) -> Self {
                let rest = self.wrapping_rem(divisor);
                let other_side = rest != 0 && (rest > 0) != (divisor > 0);
                if other_side { rest.wrapping_add(divisor) } else { rest }
            }
            #[inline]
            fn rest(self, divisor: Self) -> Self {
                self.wrapping_rem(divisor)
            }
            #[inline]
            fn quotient(self, divisor: Self) -> Self {
                let (quotient, rest) = (self.wrapping_div(divisor), self.wrapping_rem(divisor));
                let other_side = rest != 0 && (rest > 0) != (divisor > 0);
                if other_side { quotient.wrapping_sub(1) } else { quotient }
            }
            #[inline]
            fn is_nan(self) -> bool {
                false
            }
        })+
    };
}
integer!(i32 i64 u8);

/// What a computation in `f32` leaves of a float of 16 bits: truth values as they are.
pub(crate) trait Rounded<T> {
    type Output;
    fn rounded(wide: T) -> Self::Output;
}

macro_rules! rounded {
    ($($half:ty)+) => {
        $(impl Rounded<f32> for $half {
            type Output = Self;
            #[inline]
            fn rounded(wide: f32) -> Self {
                Self::from_f32(wide)
            }
        }
        impl Rounded<bool> for $half {
            type Output = bool;
            #[inline]
            fn rounded(wide: bool) -> bool {
                wide
            }
        })+
    };
}
rounded!(half::f16 half::bf16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_has_the_sign_of_the_divisor() {
        assert_eq!([7_i32, -7, 7, -7].map(|n| n.modulo(3)), [1, 2, 1, 2]);
        assert_eq!([7_i32, -7, 6, -6].map(|n| n.modulo(-3)), [-2, -1, 0, 0]);
        assert_eq!(i64::MIN.modulo(-1), 0);
        assert_eq!(200_u8.modulo(7), 4);
        assert_eq!([5.5_f32, -5.5].map(|n| n.modulo(2.0)), [1.5, 0.5]);
        assert_eq!((-1.0_f64).modulo(f64::INFINITY), f64::INFINITY);
        assert!(1.0_f64.modulo(0.0).is_nan());
    }

    #[test]
    fn a_quotient_is_rounded_down() {
        assert_eq!([7_i32, -7, 6, -6].map(|n| n.quotient(3)), [2, -3, 2, -2]);
        assert_eq!([7_i32, -7].map(|n| n.quotient(-3)), [-3, 2]);
        assert_eq!([5.5_f32, -5.5].map(|n| n.quotient(2.0)), [2.0, -3.0]);
        assert_eq!(1.0_f32.quotient(0.1), 9.0);
        assert_eq!(1.0_f64.quotient(0.0), f64::INFINITY);
    }
}
