//! Hinge loss of distances: `x` for pairs that belong together (target 1), `max(0, margin - x)` for
//! those that do not (target -1).
//!
//! # Shape
//! `x`, target: `f32` or `f64`, of equal extents -> the same, or a scalar.
//!
//! # Gradient
//! That of its parts, by `x`.
//!
//! # Numerics
//! As PyTorch's `hinge_embedding_loss`: a target that is neither counts as both, and at the hinge
//! the gradient is that of the slope.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::hinge_embedding::hinge_embedding, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8])));
//! let loss = hinge_embedding(&mut draft, x, target, 1.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::{add, equal};
use crate::broadcast::select::where_;
use crate::losses::{Pointwise, Total, floats, predicted, wanted};
use crate::pointwise::unary::{clamp, fill, neg, shift};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("hinge_embedding_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let target = floats(case, target, x);
    let margin = case.number("margin", 1.0)?;
    Ok(vec![hinge_embedding(case, x, target, margin, total)])
})];

/// The loss of a distance `x` for a target of 1 or -1.
pub fn hinge_embedding(
    draft: &mut Draft,
    x: Wire,
    target: Wire,
    margin: f64,
    total: Total,
) -> Wire {
    let zero = draft.apply(fill(0.0), &[x]);
    let missing = draft.apply(neg(), &[x]);
    let missing = draft.apply(shift(margin), &[missing]);
    let missing = draft.apply(clamp(0.0, f64::INFINITY), &[missing]);
    let parts = [(1.0, missing), (-1.0, x)].map(|(excluded, loss)| {
        let excluded = draft.apply(fill(excluded), &[target]);
        let is_excluded = draft.apply(equal(), &[target, excluded]);
        draft.apply(where_(), &[is_excluded, zero, loss])
    });
    let losses = draft.apply(add(), &parts);
    total.of(draft, losses)
}

/// As every loss of pairs, and at the hinge.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "hinge_embedding",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            hinge_embedding(draft, wires[0], wires[1], 0.75, total)
        },
        inputs: &[|x| x, |t| t.signum()],
        expected: |x| match x[1] {
            1.0 => x[0],
            -1.0 => (0.75 - x[0]).max(0.0),
            _ => x[0] + (0.75 - x[0]).max(0.0),
        },
    };
    let mut samples = pointwise.samples();
    let hinge = pointwise.literal("at the hinge", &[&[0.75, 2.0, 0.5], &[-1.0, -1.0, 0.5]]);
    samples.extend([hinge, pointwise.mixed()]);
    samples
}
