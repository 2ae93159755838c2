//! Reductions of a set of axes: sum, mean, maximum, minimum, product, log-sum-exp, any, all.
//!
//! # Shape
//! `x`: any -> `y`: the axes named are of extent 1 ([`Keep::Axes`]) or gone ([`Keep::Nothing`]). An
//! axis named twice counts once; no axis at all leaves each element a reduction of its own.
//!
//! `sum` and `prod` give `f32` and `f64` for their like and `i64` for integers and `bool`, so the
//! sum of a `bool` counts; `mean` and `logsumexp` take floats; `max` and `min` floats and integers;
//! `any` and `all` `bool`.
//!
//! # Gradient
//! `sum`: `dx = dy`, repeated along the axes; `mean`: the same divided by their extent; `max` and
//! `min`: `dy` to the elements that are equal to `y`, in equal parts (as PyTorch's `amax`); `prod`:
//! `dy` times the product of all other elements, so zeros are no exception; `logsumexp`:
//! `dx = dy * exp(x - y)`, NaN where all are `-inf`. `any` and `all` have none.
//!
//! # Numerics
//! Over no elements, `sum` is 0, `prod` 1, `mean` NaN, `logsumexp` `-inf`, `any` false and `all`
//! true; `max` and `min` are rejected, or fail the firing where a bounded axis is empty. A NaN
//! makes `max` and `min` NaN, as in PyTorch. Floats are summed and multiplied in `f64`, in an order
//! that depends on the extents only: eight sums take turns, in blocks of 1024. A sum of `f32` is
//! rounded to `f32` once. Sums and products of integers wrap in `i64`. `logsumexp` subtracts the
//! largest element so far.
//!
//! # Example
//! ```
//! use synfire_ops::reduce::reduction::{Keep, max, sum};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[2, 3], &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])];
//! let rows = fire_once(&sum(&[1], Keep::Axes), &x)?;
//! assert_eq!(rows[0], Value::new(&[2, 1], &[6.0_f32, 15.0]));
//! assert_eq!(fire_once(&max(&[0, 1], Keep::Nothing), &x)?[0].elements::<f32>(), [6.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::operator::Tolerance;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // the formulas on accelerators
mod family; // the operator behind all rows
mod folds; // what each row does with an element
mod slopes; // the gradient of each row
mod names; // PyTorch's names
pub(crate) use family::extent;
use family::{Empty, Row};
pub use family::{Keep, Reduction};
pub(crate) use folds::{Addend, log_sum_exp};
mod onnx; // what ONNX calls it
pub use names::TORCH;
pub(crate) use names::{axes, keep, one_axis};
pub use onnx::ONNX;
pub(crate) use slopes::count;

/// A row is `name: fold TOLERANCE Empty slope, expectation`; the expectation is over `f64`.
macro_rules! rows {
    ($($(#[$doc:meta])*
    $name:ident: $fold:ident $tolerance:ident $empty:ident $slope:expr, $expected:expr;)+) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(axes: &[usize], keep: Keep) -> Reduction {
            const ROW: &Row = &Row {
                name: stringify!($name),
                tolerance: Tolerance::$tolerance,
                empty: Empty::$empty,
                part: folds::$fold,
                slope: $slope,
            };
            Reduction::new(ROW, axes, keep)
        })+

        /// Every row with its loops and its expectation.
        const EXAMPLES: &[Example] = &[$(Example {
            operator: $name,
            takes: |element| folds::$fold(element).is_some(),
            empty: Empty::$empty,
            expected: $expected,
        },)+];
    };
}

rows! {
    /// The sum over `axes`.
    sum: sum SUM Identity Some(slopes::sum), |x| descending(x).fold(0.0, |sum, x| sum + x);
    /// The arithmetic mean over `axes`.
    mean: mean SUM Identity Some(slopes::mean), |x| {
        let first = x.first().copied().unwrap_or(f64::NAN);
        first + descending(x).map(|x| x - first).sum::<f64>() / x.len() as f64
    };
    /// The largest element over `axes`.
    max: largest EXACT Rejected Some(slopes::extreme), |x| descending(x).next().unwrap_or(f64::NAN);
    /// The smallest element over `axes`.
    min: smallest EXACT Rejected Some(slopes::extreme), |x| {
        descending(x).last().unwrap_or(f64::NAN)
    };
    /// The product over `axes`.
    prod: product SUM Identity Some(slopes::product), |x| {
        descending(x).fold(1.0, |product, x| product * x)
    };
    /// `log sum e^x` over `axes`.
    logsumexp: logsumexp SUM Identity Some(slopes::logsumexp), |x| {
        let top = descending(x).next().unwrap_or(f64::NEG_INFINITY);
        let sum = descending(x).map(|x| (x - top.max(f64::MIN)).exp()).sum::<f64>();
        top + if sum.is_finite() { sum.ln() } else { 0.0 }
    };
    /// Whether an element over `axes` is true.
    any: any EXACT Identity None, |x| f64::from(x.iter().sum::<f64>() > 0.0);
    /// Whether all elements over `axes` are true.
    all: all EXACT Identity None, |x| f64::from(x.iter().sum::<f64>() >= x.len() as f64);
}

/// The elements from the largest to the smallest.
fn descending(x: &[f64]) -> impl Iterator<Item = f64> {
    let mut sorted = x.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.into_iter()
}

/// A row for the samples.
struct Example {
    operator: fn(&[usize], Keep) -> Reduction,
    takes: fn(Element) -> bool,
    empty: Empty,
    expected: fn(&[f64]) -> f64,
}

impl Example {
    fn sample(&self, name: &str, x: Value, axes: &'static [usize], keep: Keep) -> Sample {
        let expected = self.expected;
        let expect = reference(move |inputs| {
            let (x, inside) = (&inputs[0], |axis: &usize| axes.contains(axis));
            let ones: Vec<usize> = x
                .extents
                .iter()
                .enumerate()
                .map(|(a, &n)| if inside(&a) { 1 } else { n })
                .collect();
            let y = Tensor::from_fn(&ones, |index| expected(&rows_of(x, index, axes)));
            let left =
                ones.iter().enumerate().filter(|(axis, _)| keep == Keep::Axes || !inside(axis));
            vec![Tensor::new(&left.map(|(_, &n)| n).collect::<Vec<_>>(), y.data.clone())]
        });
        Sample::new(name, (self.operator)(axes, keep), vec![x], expect)
    }

    fn samples(&self) -> Vec<Sample> {
        let element = if (self.takes)(Element::F32) { Element::F32 } else { Element::Bool };
        let cases: [(&str, &[usize], &'static [usize], Keep); 10] = [
            ("last axis", &[5, 37], &[1], Keep::Axes),
            ("first axis", &[5, 37], &[0], Keep::Nothing),
            ("inner axis", &[3, 11, 7], &[1], Keep::Axes),
            ("two apart", &[3, 5, 7, 2], &[2, 0], Keep::Nothing),
            ("every other", &[2, 3, 2, 3, 2], &[0, 2, 4], Keep::Axes),
            ("all axes", &[3, 13], &[0, 1], Keep::Nothing),
            ("no axis", &[3, 2], &[], Keep::Axes),
            ("axes of one", &[1, 3, 1], &[0, 2, 0], Keep::Nothing),
            ("none kept", &[0, 3], &[1], Keep::Axes),
            ("scalar", &[], &[], Keep::Nothing),
        ];
        let mut samples: Vec<Sample> = cases
            .into_iter()
            .map(|(name, extents, axes, keep)| self.sample(name, of(element, extents), axes, keep))
            .collect();
        let elements = [Element::F64, Element::I32, Element::I64, Element::U8, Element::Bool];
        samples.extend(elements.into_iter().filter(|&element| (self.takes)(element)).map(
            |element| {
                self.sample(&format!("of {element}"), of(element, &[4, 3]), &[1], Keep::Nothing)
            },
        ));
        let empty = "no elements";
        samples.push(match self.empty {
            Empty::Identity => self.sample(empty, of(element, &[0, 300]), &[0], Keep::Nothing),
            Empty::Rejected => {
                let operator = (self.operator)(&[0], Keep::Nothing);
                Sample::rejected(empty, operator, vec![Spec::new(element, [0, 3])], "x", Some(0))
            }
        });
        let missing = (self.operator)(&[2], Keep::Nothing);
        let missing_in = vec![Spec::new(element, [2, 2])];
        samples.push(Sample::rejected("missing axis", missing, missing_in, "x", None));
        samples
    }
}

/// The elements of `x` that are reduced to the one of `index`, whose reduced axes have extent 1.
pub(super) fn rows_of(x: &Tensor, index: &[usize], axes: &[usize]) -> Vec<f64> {
    let member = |other: &[usize]| {
        let fits = |axis: usize| axes.contains(&axis) || other[axis] == index[axis];
        (0..index.len()).all(fits)
    };
    let members = Tensor::from_fn(&x.extents, |other| f64::from(member(other)));
    let pairs = x.data.iter().zip(&members.data);
    pairs.filter(|(_, member)| **member > 0.0).map(|(&x, _)| x).collect()
}

/// Noise of an element type; small numbers where it is no float.
fn of(element: Element, extents: &[usize]) -> Value {
    let noise = noise(7, extents);
    let values = noise.elements::<f32>();
    let whole = values.iter().map(|x| (x * 4.0) as i8);
    match element {
        Element::F32 => noise,
        Element::F64 => Value::new(extents, &values.into_iter().map(f64::from).collect::<Vec<_>>()),
        Element::I32 => Value::new(extents, &whole.map(i32::from).collect::<Vec<_>>()),
        Element::I64 => Value::new(extents, &whole.map(i64::from).collect::<Vec<_>>()),
        Element::U8 => Value::new(extents, &whole.map(|n| n.unsigned_abs()).collect::<Vec<_>>()),
        _ => Value::from_bytes(element, extents, whole.map(|n| u8::from(n > -4)).collect()),
    }
}

/// For each row every path, element type and emptiness; then NaN, large sums, a bounded axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let literal = |name: &str, operator: Reduction, x: Value, y: &[f64]| {
        let expect = Expect::Outputs(vec![Tensor::new(&[y.len()], y.to_vec())]);
        Sample::new(name, operator, vec![x], expect)
    };
    let nan = || Value::new(&[2, 3], &[1.0_f32, f32::NAN, 3.0, f32::NEG_INFINITY, 0.0, 2.0]);
    let many = || Value::new(&[3, 16_411], &vec![0.1_f32; 3 * 16_411]);
    let truths = Value::from_bytes(Element::Bool, &[1, 4], vec![1, 0, 1, 1]);
    let integers = vec![Spec::new(Element::I32, [Dimension::Fixed(3)])];
    let mut samples: Vec<Sample> = EXAMPLES.iter().flat_map(Example::samples).collect();
    samples.extend([
        literal("NaN", max(&[1], Keep::Nothing), nan(), &[f64::NAN, 2.0]),
        literal("NaN", min(&[1], Keep::Nothing), nan(), &[f64::NAN, f64::NEG_INFINITY]),
        literal("long rows", sum(&[1], Keep::Nothing), many(), &[1641.1; 3]),
        literal("long columns", mean(&[0], Keep::Nothing), many(), &[0.1; 16_411]),
        literal("count", sum(&[1], Keep::Nothing), truths, &[3.0]),
        Sample::rejected("integers", mean(&[0], Keep::Axes), integers, "x", None),
    ]);
    let bounded = vec![bounded_first(Element::F32, 9, &[2])];
    samples.push(
        EXAMPLES[0].sample("bounded", noise(8, &[5, 2]), &[0], Keep::Axes).with_specs(bounded),
    );
    samples
}
