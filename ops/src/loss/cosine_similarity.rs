//! Cosine of the angle between vectors along an axis: `sum a * b / (|a| * |b|)`, each length at
//! least `epsilon`.
//!
//! # Shape
//! `a`, `b`: `f32` or `f64`, broadcast to each other -> `y`: without the axis.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! As PyTorch's `cosine_similarity`; shorter than `epsilon`, PyTorch's gradient takes the length to
//! change, this one does not.
//!
//! # Example
//! ```
//! use synfire_ops::loss::cosine_similarity::cosine_similarity;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [a, b] = ["a", "b"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let y = cosine_similarity(&mut draft, a, b, 1, 1e-8);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([8])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::multiply;
use crate::gradient::expand_like;
use crate::losses::{FIRST, SECOND};
use crate::normalize::lp_normalise::lp_normalise;
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("cosine_similarity", |case| {
    let (a, b) = (case.operand(FIRST)?, case.operand(SECOND)?);
    let ranks = (case.spec_of(a)?.rank(), case.spec_of(b)?.rank());
    let longer = if ranks.0 < ranks.1 { b } else { a };
    let axis = case.axis(case.spelling(&["dim", "axis"]), longer, 1)?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-8)?;
    Ok(vec![cosine_similarity(case, a, b, axis, epsilon)])
})];

/// The cosine of the angle between the vectors of `a` and `b` along `axis`, which is one of the
/// extents that they are broadcast to.
pub fn cosine_similarity(draft: &mut Draft, a: Wire, b: Wire, axis: usize, epsilon: f64) -> Wire {
    let mut pair = [a, b];
    if draft.spec(a).map(|spec| &spec.dimensions) != draft.spec(b).map(|spec| &spec.dimensions) {
        let both = draft.apply(multiply(), &pair);
        if draft.spec(both).is_none() {
            return both;
        }
        pair = pair.map(|wire| expand_like(draft, wire, both));
    }
    let pair = pair.map(|wire| lp_normalise(draft, wire, 2.0, axis, epsilon));
    let products = draft.apply(multiply(), &pair);
    draft.apply(sum(&[axis], Keep::Nothing), &[products])
}

/// Rows, columns, one vector for all, zeros, bounded; other extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |axis: usize| {
        move |draft: &mut Draft, wires: &[Wire]| {
            vec![cosine_similarity(draft, wires[0], wires[1], axis, 1e-3)]
        }
    };
    let case = |name: &str, a: &[usize], b: &[usize], axis: usize| {
        let inputs = vec![noise(1, a), noise(2, b)];
        let expect = reference(move |inputs| vec![by_angles(&inputs[0], &inputs[1], axis)]);
        Sample::composite(name, "cosine_similarity", build(axis), inputs, expect)
    };
    let zeros = vec![Value::new(&[1, 2], &[0.0_f32; 2]), Value::new(&[1, 2], &[1.0_f32, 2.0])];
    let zero = Expect::Outputs(vec![Tensor::new(&[1], vec![0.0])]);
    let bounded = vec![bounded_first(Element::F32, 9, &[3]); 2];
    let apart = vec![Spec::f32([3, 2]), Spec::f32([3, 4])];
    vec![
        case("rows", &[5, 7], &[5, 7], 1),
        case("columns", &[3, 5, 2], &[3, 5, 2], 1),
        case("one for all", &[5, 7], &[1, 7], 1),
        case("one number for all", &[5, 7], &[5, 1], 1),
        case("bounded", &[4, 3], &[4, 3], 1).with_specs(bounded),
        Sample::composite("zeros", "cosine_similarity", build(1), zeros, zero),
        Sample::composite_rejected("mismatch", "cosine_similarity", build(1), apart),
    ]
}

/// By the law of cosines.
fn by_angles(a: &Tensor, b: &Tensor, axis: usize) -> Tensor {
    let mut outer = a.extents.clone();
    let length = outer.remove(axis);
    Tensor::from_fn(&outer, |at| {
        let (mut of_a, mut of_b, mut apart) = (0.0, 0.0, 0.0);
        for k in 0..length {
            let mut own = at.to_vec();
            own.insert(axis, k);
            let x = a.at(&own);
            own.iter_mut().zip(&b.extents).for_each(|(i, n)| *i %= n);
            let y = b.at(&own);
            (of_a, of_b, apart) = (of_a + x * x, of_b + y * y, apart + (x - y).powi(2));
        }
        (of_a + of_b - apart) / (2.0 * (of_a * of_b).sqrt())
    })
}
