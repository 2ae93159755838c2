//! Norms: `(sum |x|^p)^(1/p)` over some axes; the largest or smallest `|x|` for an infinite `p`,
//! and how many elements are not 0 for `p = 0`.
//!
//! # Shape
//! `x`: `f32` or `f64`, any -> `y`: as a [reduction] of the axes; those of an
//! infinite `p` are not empty.
//!
//! # Gradient
//! By its parts: `dx = sign(x) * (|x| / y)^(p - 1) * dy`, and 0 where `y` or, for `p < 2`, `x` is
//! 0, as PyTorch's. The largest and smallest share it among equal magnitudes.
//!
//! # Numerics
//! As PyTorch's `vector_norm`. Squares of large elements overflow in their type.
//!
//! # Example
//! ```
//! use synfire_ops::reduce::{norm::norm, reduction::Keep};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let y = norm(&mut draft, x, &[1], Keep::Nothing, 2.0);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::reduction::{self, Keep, max, min, sum};
use super::variance::{at_other_than_zero, root};
use crate::broadcast::cast::cast;
use crate::pointwise::unary::{abs, pow_scalar, square};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::{Attribute, Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("norm", named),
    ("vector_norm", named),
    ("linalg_vector_norm", named),
    ("linalg_norm", named),
    ("count_nonzero", |case| {
        let x = case.input("x")?;
        let (axes, keep) = (reduction::axes(case, x)?, reduction::keep(case)?);
        Ok(vec![count_nonzero(case, x, &axes, keep)])
    }),
];

fn named(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.input("x")?;
    let (axes, keep) = (reduction::axes(case, x)?, reduction::keep(case)?);
    let name = if case.attribute("ord").is_some() { "ord" } else { "p" };
    let p = match case.attribute(name) {
        Some(Attribute::Text(text)) => match text.as_str() {
            "fro" => 2.0,
            "inf" | "Infinity" => f64::INFINITY,
            "-inf" | "-Infinity" => f64::NEG_INFINITY,
            other => return Err(format!("a norm `{other}` is none of vectors")),
        },
        _ => case.number(name, 2.0)?,
    };
    Ok(vec![norm(case, x, &axes, keep, p)])
}

/// The `p`-norm over `axes`.
pub fn norm(draft: &mut Draft, x: Wire, axes: &[usize], keep: Keep, p: f64) -> Wire {
    draft.scope("norm", |draft| {
        if p == 2.0 {
            let squares = draft.apply(square(), &[x]);
            let total = draft.apply(sum(axes, keep), &[squares]);
            return root(draft, total);
        }
        if p == 0.0 {
            let is_other = is_not_zero(draft, x);
            let Some(element) = draft.spec(x).map(|spec| spec.element) else { return is_other };
            let ones = draft.apply(cast(element), &[is_other]);
            return draft.apply(sum(axes, keep), &[ones]);
        }
        let sizes = draft.apply(abs(), &[x]);
        if p.is_infinite() {
            let extreme = if p > 0.0 { max } else { min };
            return draft.apply(extreme(axes, keep), &[sizes]);
        }
        if p == 1.0 {
            return draft.apply(sum(axes, keep), &[sizes]);
        }
        let power = |p: f64| move |draft: &mut Draft, x| draft.apply(pow_scalar(p), &[x]);
        // Infinite slopes at 0 do not count.
        let powers = match p {
            ..0.0 => at_other_than_zero(draft, sizes, f64::INFINITY, power(p)),
            0.0..2.0 => at_other_than_zero(draft, sizes, 0.0, power(p)),
            _ => draft.apply(pow_scalar(p), &[sizes]),
        };
        let total = draft.apply(sum(axes, keep), &[powers]);
        if p < 0.0 {
            return draft.apply(pow_scalar(1.0 / p), &[total]);
        }
        at_other_than_zero(draft, total, 0.0, power(1.0 / p))
    })
}

/// How many elements over `axes` are not 0, as `i64`.
pub fn count_nonzero(draft: &mut Draft, x: Wire, axes: &[usize], keep: Keep) -> Wire {
    draft.scope("count_nonzero", |draft| {
        let is_other = is_not_zero(draft, x);
        draft.apply(sum(axes, keep), &[is_other])
    })
}

/// Whether elements differ from 0, for any element type.
fn is_not_zero(draft: &mut Draft, x: Wire) -> Wire {
    draft.apply(cast(Element::Bool), &[x])
}

/// Each kind of `p`, zeros, axes, one element, none, `f64`, bounded, and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: String, axes: &'static [usize], p: f64, x: Value| {
        let build =
            move |draft: &mut Draft, x: &[Wire]| vec![norm(draft, x[0], axes, Keep::Axes, p)];
        let expect = reference(move |x| vec![by_logarithms(&x[0], axes, p)]);
        Sample::composite(name, "norm", build, vec![x], expect)
    };
    let orders = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, -1.0, f64::INFINITY, f64::NEG_INFINITY];
    // The second derivative of |x|^1.5 is infinite at 0: there only a row of zeros.
    let first = |p: f64| if p == 1.5 { 0.5 } else { 0.0 };
    let zeros = |p: f64| Value::new(&[2, 3], &[first(p) as f32, 3.0, -4.0, 0.0, 0.0, 0.0]);
    let every = orders.into_iter().flat_map(|p| {
        [
            case(format!("p {p}"), &[1], p, noise(1, &[5, 13])),
            case(format!("p {p} of zeros"), &[1], p, zeros(p)),
        ]
    });
    let counts = |name: &str, x: Value, y: f64| {
        let build =
            |draft: &mut Draft, x: &[Wire]| vec![count_nonzero(draft, x[0], &[0], Keep::Nothing)];
        let expect = Expect::Outputs(vec![Tensor::new(&[], vec![y])]);
        Sample::composite(name, "count_nonzero", build, vec![x], expect)
    };
    let mut missing = case("missing axis".into(), &[1], 2.0, noise(1, &[2]));
    missing.expect = Expect::Rejected { port: "x", dimension: None };
    missing.inputs.clear();
    let more = [
        case("two apart".into(), &[0, 2], 2.0, noise(3, &[2, 3, 5])),
        case("one element".into(), &[0], 2.0, noise(4, &[1])),
        case("empty".into(), &[0], 2.0, noise(5, &[0, 3])),
        case("of f64".into(), &[0, 1], 3.0, wide(&noise(6, &[3, 7]))),
        case("bounded".into(), &[0], 2.0, noise(7, &[4, 3])).with_specs(vec![bounded_first(
            Element::F32,
            9,
            &[3],
        )]),
        counts("NaN", Value::new(&[4], &[0.0_f32, -0.0, f32::NAN, 2.0]), 2.0),
        counts("of i64", Value::new(&[4], &[0_i64, -1, 5, 0]), 2.0),
        missing,
    ];
    every.chain(more).collect()
}

/// The expectation, by way of logarithms.
fn by_logarithms(x: &Tensor, axes: &[usize], p: f64) -> Tensor {
    let ones = x.extents.iter().enumerate();
    let ones: Vec<usize> = ones.map(|(a, &n)| if axes.contains(&a) { 1 } else { n }).collect();
    Tensor::from_fn(&ones, |index| {
        let row = super::reduction::rows_of(x, index, axes);
        let logarithms = row.iter().map(|x| x.abs().ln());
        if p == 0.0 {
            logarithms.filter(|log| log.is_finite()).count() as f64
        } else if p == f64::INFINITY {
            logarithms.fold(f64::NEG_INFINITY, f64::max).exp()
        } else if p == f64::NEG_INFINITY {
            logarithms.fold(f64::INFINITY, f64::min).exp()
        } else {
            (logarithms.map(|log| (p * log).exp()).sum::<f64>().ln() / p).exp()
        }
    })
}
