//! Sums with a product: [`lerp`], `a + weight * (b - a)`; [`addcmul`], `x + value * a * b`; and
//! [`addcdiv`], `x + value * a / b`. Composites.
//!
//! # Shape
//! All inputs of one float type, broadcast to each other as by [`add`](super::binary::add).
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's functions of the same names, up to rounding.
//!
//! # Example
//! ```
//! use synfire_ops::broadcast::combine::lerp;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let a = draft.feed("a", Spec::f32([2, 3]));
//! let b = draft.feed("b", Spec::f32([3]));
//! let weight = draft.feed("weight", Spec::f32::<usize>([]));
//! let y = lerp(&mut draft, a, b, weight);
//! assert_eq!(draft.spec(y), draft.spec(a));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;

use crate::gradient::formula;
use crate::pointwise::unary::fill;
use crate::sample::{Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("lerp", |case| {
        let a = case.operand(&["x", "input", "start", "self", "a"])?;
        let b = case.operand(&["y", "end", "other", "b"])?;
        if let Some(weight) = case.either(&["weight", "w", "z", "t"]) {
            return Ok(vec![lerp(case, a, b, weight)]);
        }
        let weight = case.number(case.spelling(&["weight", "w", "t"]), 0.5)?;
        let weight = case.apply(fill(weight), &[a]);
        Ok(vec![lerp(case, a, b, weight)])
    }),
    ("addcmul", |case| three(case, addcmul)),
    ("addcdiv", |case| three(case, addcdiv)),
];

type Combination = fn(&mut Draft, Wire, [Wire; 2], f64) -> Wire;

fn three(case: &mut Case<'_>, combination: Combination) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let a = case.operand(&["tensor1", "t1", "x1", "a", "y"])?;
    let b = case.operand(&["tensor2", "t2", "x2", "b", "z"])?;
    let value = case.number("value", 1.0)?;
    Ok(vec![combination(case, x, [a, b], value)])
}

/// From `a` to `b`, as far as `weight`.
pub fn lerp(draft: &mut Draft, a: Wire, b: Wire, weight: Wire) -> Wire {
    formula(draft, [a, b, weight], |[a, b, weight]| (a + weight * (b - a)).wire)
}

/// `x + value * a * b`.
pub fn addcmul(draft: &mut Draft, x: Wire, [a, b]: [Wire; 2], value: f64) -> Wire {
    formula(draft, [x, a, b], |[x, a, b]| (x + a * b * value).wire)
}

/// `x + value * a / b`.
pub fn addcdiv(draft: &mut Draft, x: Wire, [a, b]: [Wire; 2], value: f64) -> Wire {
    formula(draft, [x, a, b], |[x, a, b]| (x + a / b * value).wire)
}

/// Equal shapes, broadcast ones, one element, none, and shapes that do not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    type Row = (&'static str, fn(&mut Draft, [Wire; 3]) -> Wire, fn([f64; 3]) -> f64);
    let rows: [Row; 3] = [
        ("lerp", |draft, [a, b, w]| lerp(draft, a, b, w), |[a, b, w]| (1.0 - w) * a + w * b),
        (
            "addcmul",
            |draft, [x, a, b]| addcmul(draft, x, [a, b], -0.5),
            |[x, a, b]| x - a * b / 2.0,
        ),
        ("addcdiv", |draft, [x, a, b]| addcdiv(draft, x, [a, b], 3.0), |[x, a, b]| 3.0 / b * a + x),
    ];
    let mut samples = Vec::new();
    for (row, build, expected) in rows {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![build(draft, [x[0], x[1], x[2]])];
        let case = |name: &str, extents: [&[usize]; 3]| {
            let inputs = [1, 2, 3].map(|key| noise(key, extents[key as usize - 1])).to_vec();
            let expect = reference(move |inputs| {
                // The first input is as large as the output.
                let y = Tensor::from_fn(&inputs[0].extents, |at| {
                    expected([0, 1, 2].map(|port: usize| {
                        let own = &inputs[port];
                        let at = &at[at.len() - own.extents.len()..];
                        let at = at.iter().zip(&own.extents).map(|(&i, &n)| i.min(n - 1));
                        own.at(&at.collect::<Vec<_>>())
                    }))
                });
                vec![y]
            });
            Sample::composite(name, row, build, inputs, expect)
        };
        samples.extend([
            case("equal shapes", [&[3, 7]; 3]),
            case("broadcast", [&[2, 3, 5], &[3, 1], &[]]),
            case("one element", [&[]; 3]),
            case("none", [&[0, 3], &[0, 3], &[1]]),
            Sample::composite_rejected(
                "mismatch",
                row,
                build,
                vec![Spec::f32([3]), Spec::f32([2]), Spec::f32([1])],
            ),
        ]);
    }
    samples
}
