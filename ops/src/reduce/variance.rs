//! Variance and standard deviation: `sum (x - mean x)^2 / (n - correction)` over some axes, and its
//! square root.
//!
//! # Shape
//! `x`: `f32` or `f64`, any -> `y`: as a [reduction] of the axes.
//!
//! # Gradient
//! By its parts: `dx = 2 (x - mean x) / (n - correction) * dy`. The deviation's is 0 where it is 0,
//! as PyTorch's.
//!
//! # Numerics
//! In two passes, so equal elements give 0 whatever their size. The correction is 1 for the
//! variance of a sample, 0 for that of all there is. Where `n` does not exceed it, the result is
//! NaN or infinite, as PyTorch's `var` and `std`.
//!
//! # Example
//! ```
//! use synfire_ops::reduce::{reduction::Keep, variance::variance};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let y = variance(&mut draft, x, &[1], Keep::Axes, 1.0);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 1])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::reduction::{self, Keep, count, mean, sum};
use crate::broadcast::binary::{divide, equal, subtract};
use crate::broadcast::select::where_;
use crate::pointwise::unary::{fill, relu, scale, shift, sqrt, square};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("var", |case| Ok(vec![named(case, variance)?])),
    ("std", |case| Ok(vec![named(case, deviation)?])),
    ("var_mean", |case| Ok(vec![named(case, variance)?, named_mean(case)?])),
    ("std_mean", |case| Ok(vec![named(case, deviation)?, named_mean(case)?])),
];

type Spread = fn(&mut Draft, Wire, &[usize], Keep, f64) -> Wire;

fn named(case: &mut Case<'_>, spread: Spread) -> Result<Wire, String> {
    let x = case.input("x")?;
    let (axes, keep) = (reduction::axes(case, x)?, reduction::keep(case)?);
    let is_unbiased = case.flag("unbiased", true)?;
    let given = if is_unbiased { 1.0 } else { 0.0 };
    let correction = case.number("correction", case.number("ddof", given)?)?;
    Ok(spread(case, x, &axes, keep, correction))
}

fn named_mean(case: &mut Case<'_>) -> Result<Wire, String> {
    let x = case.input("x")?;
    let (axes, keep) = (reduction::axes(case, x)?, reduction::keep(case)?);
    Ok(case.apply(mean(&axes, keep), &[x]))
}

/// The variance over `axes`; `correction` is taken from the number of elements.
pub fn variance(draft: &mut Draft, x: Wire, axes: &[usize], keep: Keep, correction: f64) -> Wire {
    draft.scope("variance", |draft| {
        let center = draft.apply(mean(axes, Keep::Axes), &[x]);
        let apart = draft.apply(subtract(), &[x, center]);
        let squares = draft.apply(square(), &[apart]);
        let total = draft.apply(sum(axes, keep), &[squares]);
        let Some(spec) = draft.spec(x).cloned() else { return total };
        if axes.iter().any(|&axis| axis >= spec.rank()) {
            return total;
        }
        if let Some(count) = count(&spec, axes) {
            if count == 0 {
                return draft.apply(fill(f64::NAN), &[total]);
            }
            let freedom = (count as f64 - correction).max(0.0);
            return draft.apply(scale(1.0 / freedom), &[total]);
        }
        let ones = draft.apply(fill(1.0), &[x]);
        let count = draft.apply(sum(axes, keep), &[ones]);
        let freedom = draft.apply(shift(-correction), &[count]);
        let freedom = draft.apply(relu(), &[freedom]);
        draft.apply(divide(), &[total, freedom])
    })
}

/// The standard deviation over `axes`, the root of [`variance`].
pub fn deviation(draft: &mut Draft, x: Wire, axes: &[usize], keep: Keep, correction: f64) -> Wire {
    draft.scope("deviation", |draft| {
        let variance = variance(draft, x, axes, keep, correction);
        root(draft, variance)
    })
}

/// The square root of what is not negative, with the gradient 0 at 0.
pub(super) fn root(draft: &mut Draft, x: Wire) -> Wire {
    at_other_than_zero(draft, x, 0.0, |draft, x| draft.apply(sqrt(), &[x]))
}

/// `function` of what is not negative; at 0 it is `at_zero` with the gradient 0.
pub(super) fn at_other_than_zero(
    draft: &mut Draft,
    x: Wire,
    at_zero: f64,
    function: impl FnOnce(&mut Draft, Wire) -> Wire,
) -> Wire {
    let [zeros, ones, others] = [0.0, 1.0, at_zero].map(|value| draft.apply(fill(value), &[x]));
    // Not of NaN, which stays itself.
    let is_zero = draft.apply(equal(), &[x, zeros]);
    let safe = draft.apply(where_(), &[is_zero, ones, x]);
    let y = function(draft, safe);
    draft.apply(where_(), &[is_zero, others, y])
}

/// Axes, corrections, equal and large elements, one, none, `f64`, bounded, and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let both = [("variance", variance as Spread), ("deviation", deviation as Spread)];
    let cases = both.into_iter().flat_map(|(composite, spread)| {
        let case = move |name: &str, axes: &'static [usize], correction: f64, x: Value| {
            let build = move |draft: &mut Draft, x: &[Wire]| {
                vec![spread(draft, x[0], axes, Keep::Axes, correction)]
            };
            let is_root = composite == "deviation";
            let expect = reference(move |x| vec![by_pairs(&x[0], axes, correction, is_root)]);
            Sample::composite(name, composite, build, vec![x], expect)
        };
        let mut missing = case("missing axis", &[1], 0.0, noise(1, &[2]));
        missing.expect = Expect::Rejected { port: "x", dimension: None };
        missing.inputs.clear();
        let large: Vec<f32> = (0..7_u8).map(|k| 30_000.0 + f32::from(k)).collect();
        [
            case("last axis", &[1], 1.0, noise(1, &[5, 13])),
            case("first axis", &[0], 0.0, noise(2, &[5, 13])),
            case("two apart", &[0, 2], 1.0, noise(3, &[2, 3, 5])),
            case("half", &[0], 0.5, noise(3, &[5])),
            case("equal", &[0], 1.0, Value::new(&[3], &[0.1_f32; 3])),
            case("large", &[0], 1.0, Value::new(&[7], &large)),
            case("one element", &[0], 1.0, noise(4, &[1])),
            case("one element of all", &[0], 0.0, noise(4, &[1])),
            case("empty", &[0], 1.0, noise(5, &[0, 3])),
            case("of f64", &[0, 1], 1.0, wide(&noise(6, &[3, 7]))),
            case("bounded", &[0], 1.0, noise(7, &[4, 3])).with_specs(vec![bounded_first(
                Element::F32,
                9,
                &[3],
            )]),
            missing,
        ]
    });
    cases.collect()
}

/// The expectation: half the mean of the squares of all differences of two elements.
fn by_pairs(x: &Tensor, axes: &[usize], correction: f64, is_root: bool) -> Tensor {
    let ones = x.extents.iter().enumerate();
    let ones: Vec<usize> = ones.map(|(a, &n)| if axes.contains(&a) { 1 } else { n }).collect();
    Tensor::from_fn(&ones, |index| {
        let row = super::reduction::rows_of(x, index, axes);
        let n = row.len() as f64;
        let squares = row.iter().flat_map(|a| row.iter().map(move |b| (a - b).powi(2)));
        let variance = squares.sum::<f64>() / (2.0 * n) / (n - correction).max(0.0);
        if is_root { variance.sqrt() } else { variance }
    })
}
