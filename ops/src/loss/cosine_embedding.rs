//! Embedding loss by angles: `1 - cos` for pairs that belong together (target 1), `max(0, cos -
//! margin)` for those that do not (target -1), along the last axis.
//!
//! # Shape
//! `a`, `b`: `f32` or `f64`, `[.., feature]` of equal extents; target: without the last axis -> as
//! the target, or a scalar.
//!
//! # Gradient
//! That of its parts, by `a` and `b`.
//!
//! # Numerics
//! As PyTorch's `cosine_embedding_loss`: 1e-12 is added to each squared length, and a target that
//! is neither 1 nor -1 has no loss.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::cosine_embedding::cosine_embedding, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [a, b] = ["a", "b"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let target = draft.feed("target", Spec::f32([8]));
//! let loss = cosine_embedding(&mut draft, [a, b, target], 0.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{add, divide, equal, multiply, subtract};
use crate::broadcast::select::where_;
use crate::losses::{FIRST, SECOND, TARGET, Total, floats};
use crate::pointwise::unary::{clamp, fill, neg, shift, sqrt, square};
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("cosine_embedding_loss", |case| {
    let (a, b) = (case.operand(FIRST)?, case.operand(SECOND)?);
    let target = case.operand(TARGET)?;
    let (margin, total) = (case.number("margin", 0.0)?, Total::of_case(case)?);
    let target = floats(case, target, a);
    Ok(vec![cosine_embedding(case, [a, b, target], margin, total)])
})];

/// What is added to a squared length.
const LEAST: f64 = 1e-12;

/// The loss of the vectors `a` and `b` for a target of 1 or -1.
pub fn cosine_embedding(
    draft: &mut Draft,
    [a, b, target]: [Wire; 3],
    margin: f64,
    total: Total,
) -> Wire {
    let last = draft.spec(a).map_or(0, Spec::rank).saturating_sub(1);
    let over = |draft: &mut Draft, x: Wire| draft.apply(sum(&[last], Keep::Nothing), &[x]);
    let products = draft.apply(multiply(), &[a, b]);
    let products = over(draft, products);
    let lengths = [a, b].map(|x| {
        let squares = draft.apply(square(), &[x]);
        let squares = over(draft, squares);
        draft.apply(shift(LEAST), &[squares])
    });
    let lengths = draft.apply(multiply(), &lengths);
    let lengths = draft.apply(sqrt(), &[lengths]);
    let cosine = draft.apply(divide(), &[products, lengths]);
    let together = draft.apply(neg(), &[cosine]);
    let together = draft.apply(shift(1.0), &[together]);
    let apart = draft.apply(shift(-margin), &[cosine]);
    let apart = draft.apply(clamp(0.0, f64::INFINITY), &[apart]);
    let zero = draft.apply(subtract(), &[target, target]);
    let parts = [(1.0, together), (-1.0, apart)].map(|(wanted, loss)| {
        let wanted = draft.apply(fill(wanted), &[target]);
        let is_wanted = draft.apply(equal(), &[target, wanted]);
        draft.apply(where_(), &[is_wanted, loss, zero])
    });
    let losses = draft.apply(add(), &parts);
    total.of(draft, losses)
}

/// Each total, vectors alone, a target that is neither, bounded; other extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |total: Total| {
        move |draft: &mut Draft, wires: &[Wire]| {
            vec![cosine_embedding(draft, [wires[0], wires[1], wires[2]], 0.25, total)]
        }
    };
    let case = |name: &str, x: &[usize], total: Total| {
        let (_, outer) = x.split_last().expect("there is a feature axis");
        let signs = noise(3, outer).elements::<f32>().into_iter().map(f32::signum);
        let signs = Value::new(outer, &signs.collect::<Vec<_>>());
        let inputs = vec![noise(1, x), noise(2, x), signs];
        let expect = reference(move |inputs| vec![total.of_tensor(by_definition(inputs))]);
        Sample::composite(name, "cosine_embedding", build(total), inputs, expect)
    };
    let mut neither = case("neither", &[2, 3], Total::Each);
    neither.inputs[2] = Some(Value::new(&[2], &[0.0_f32, 1.0]));
    let pair = bounded_first(Element::F32, 9, &[3]);
    let bounded = vec![pair.clone(), pair, bounded_first(Element::F32, 9, &[])];
    let specs = vec![Spec::f32([3, 2]), Spec::f32([3, 4]), Spec::f32([3])];
    vec![
        case("apart", &[7, 5], Total::Each),
        case("mean", &[11, 3], Total::Mean),
        case("sum", &[2, 3, 5], Total::Sum),
        case("one vector", &[5], Total::Mean),
        case("bounded", &[4, 3], Total::Mean).with_specs(bounded),
        neither,
        Sample::composite_rejected("mismatch", "cosine_embedding", build(Total::Sum), specs),
    ]
}

/// Vector by vector.
fn by_definition(inputs: &[Tensor]) -> Tensor {
    let (a, b, target) = (&inputs[0], &inputs[1], &inputs[2]);
    let features = *a.extents.last().expect("there is a feature axis");
    let pairs = a.data.chunks(features).zip(b.data.chunks(features)).zip(&target.data);
    let losses = pairs.map(|((a, b), target)| {
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = inner(a, b) / inner(a, a).sqrt() / inner(b, b).sqrt();
        match target {
            1.0 => 1.0 - cosine,
            -1.0 => (cosine - 0.25).max(0.0),
            _ => 0.0,
        }
    });
    Tensor::new(&target.extents, losses.collect())
}
