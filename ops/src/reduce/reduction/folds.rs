//! How each reduction takes an element, merges and finishes, for each element type.

use std::marker::PhantomData;

use synfire_runtime::spec::{Element, Scalar};

use super::family::Part;
use crate::host::fold::{Fold, fold};
use crate::host::number::Number;

/// An element type with the wider type that its sums are carried in.
pub(crate) trait Addend: Number {
    type Wide: Number;
    type Total: Scalar;
    const ZERO: Self::Wide;
    const ONE: Self::Wide;
    const LOWEST: Self;
    const HIGHEST: Self;
    fn widen(self) -> Self::Wide;
    fn total(wide: Self::Wide) -> Self::Total;
}

macro_rules! addends {
    ($($number:ty: $wide:ty => $total:ty, $lowest:expr, $highest:expr;)+) => {
        $(impl Addend for $number {
            type Wide = $wide;
            type Total = $total;
            const ZERO: $wide = 0 as $wide;
            const ONE: $wide = 1 as $wide;
            const LOWEST: Self = $lowest;
            const HIGHEST: Self = $highest;
            #[inline]
            fn widen(self) -> $wide {
                <$wide>::from(self)
            }
            #[inline]
            fn total(wide: $wide) -> $total {
                wide as $total
            }
        })+
    };
}
addends! {
    f32: f64 => f32, f32::NEG_INFINITY, f32::INFINITY;
    f64: f64 => f64, f64::NEG_INFINITY, f64::INFINITY;
    i32: i64 => i64, i32::MIN, i32::MAX;
    i64: i64 => i64, i64::MIN, i64::MAX;
    u8: i64 => i64, u8::MIN, u8::MAX;
}

/// A fold over `$type`: what it starts from, how it steps, merges and finishes.
macro_rules! folds {
    ($($fold:ident: $wide:ty => $out:ty $(where Wide = $bound:ty)?, $start:expr,
        |$sum:ident, $x:ident| $step:expr, |$a:ident, $b:ident| $merge:expr,
        |$total:ident, $count:ident| $finish:expr;)+) => {
        $(pub(super) struct $fold<T>(PhantomData<T>);

        impl<T: Addend$(<Wide = $bound>)?> Fold for $fold<T> {
            type In = T;
            type Sum = $wide;
            type Out = $out;
            const START: $wide = $start;
            #[inline]
            fn step($sum: $wide, $x: T) -> $wide {
                $step
            }
            #[inline]
            fn merge($a: $wide, $b: $wide) -> $wide {
                $merge
            }
            #[inline]
            fn finish($total: $wide, $count: usize) -> $out {
                $finish
            }
        })+
    };
}
folds! {
    Sum: T::Wide => T::Total, T::ZERO,
        |sum, x| sum.plus(x.widen()), |a, b| a.plus(b), |total, _count| T::total(total);
    Mean: f64 => T::Total where Wide = f64, 0.0,
        |sum, x| sum + x.widen(), |a, b| a + b, |total, count| T::total(total / count as f64);
    Product: T::Wide => T::Total, T::ONE,
        |sum, x| sum.times(x.widen()), |a, b| a.times(b), |total, _count| T::total(total);
    LogSumExp: (f64, f64) => T::Total where Wide = f64, (f64::NEG_INFINITY, 0.0),
        |sum, x| log_sum_exp(sum, (x.widen(), 1.0)), |a, b| log_sum_exp(a, b),
        |total, _count| T::total(total.0 + total.1.ln());
    Largest: T => T, T::LOWEST,
        |sum, x| larger(sum, x), |a, b| larger(a, b), |total, _count| total;
    Smallest: T => T, T::HIGHEST,
        |sum, x| smaller(sum, x), |a, b| smaller(a, b), |total, _count| total;
}

/// Sums of exponentials as `(top, sum)`, which is `e^top * sum`, with a `top` that is no NaN.
#[inline]
pub(crate) fn log_sum_exp(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    if a.0 == b.0 {
        (a.0, a.1 + b.1)
    } else if b.0 > a.0 {
        (b.0, a.1 * (a.0 - b.0).exp() + b.1)
    } else {
        // A NaN in `b` becomes one of the sum.
        (a.0, a.1 + b.1 * (b.0 - a.0).exp())
    }
}

#[inline]
fn larger<T: Number>(a: T, b: T) -> T {
    if a > b || a.is_nan() { a } else { b }
}

#[inline]
fn smaller<T: Number>(a: T, b: T) -> T {
    if a < b || a.is_nan() { a } else { b }
}

/// Folds of truth values, which are 0 and 1: the larger is *or*, the smaller is *and*.
macro_rules! truths {
    ($($name:ident: $fold:ident, $empty:literal;)+) => {
        $(pub(super) struct $name;

        impl Fold for $name {
            type In = u8;
            type Sum = u8;
            type Out = u8;
            const START: u8 = $empty;
            #[inline]
            fn step(sum: u8, x: u8) -> u8 {
                $fold(sum, x)
            }
            #[inline]
            fn merge(sum: u8, other: u8) -> u8 {
                $fold(sum, other)
            }
            #[inline]
            fn finish(sum: u8, _count: usize) -> u8 {
                sum
            }
        })+
    };
}
truths! {
    Any: larger, 0;
    All: smaller, 1;
}

/// `name: Fold: Element => scalar, ...`: which fold a reduction is for an element type.
macro_rules! dispatch {
    ($($name:ident: $fold:ident: $($($element:ident)|+ => $scalar:ty),+;)+) => {
        $(
            /// The output element and the loop, when the element type has them.
            pub(super) fn $name(element: Element) -> Option<(Element, Part)> {
                match element {
                    $($(Element::$element)|+ => part::<$fold<$scalar>>(),)+
                    _ => None,
                }
            }
        )+
    };
}
dispatch! {
    sum: Sum: F32 => f32, F64 => f64, I32 => i32, I64 => i64, U8 | Bool => u8;
    mean: Mean: F32 => f32, F64 => f64;
    logsumexp: LogSumExp: F32 => f32, F64 => f64;
    product: Product: F32 => f32, F64 => f64, I32 => i32, I64 => i64, U8 | Bool => u8;
    largest: Largest: F32 => f32, F64 => f64, I32 => i32, I64 => i64, U8 => u8;
    smallest: Smallest: F32 => f32, F64 => f64, I32 => i32, I64 => i64, U8 => u8;
}

fn part<F: Fold>() -> Option<(Element, Part)> {
    Some((F::Out::ELEMENTS[0], fold::<F>))
}

/// As the others, over truth values.
pub(super) fn any(element: Element) -> Option<(Element, Part)> {
    (element == Element::Bool).then_some((Element::Bool, fold::<Any> as Part))
}

/// As the others, over truth values.
pub(super) fn all(element: Element) -> Option<(Element, Part)> {
    (element == Element::Bool).then_some((Element::Bool, fold::<All> as Part))
}
