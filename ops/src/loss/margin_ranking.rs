//! Ranking loss: `max(0, margin - t * (a - b))`, where a target `t` of 1 wants `a` above `b`, one
//! of -1 below.
//!
//! # Shape
//! `a`, `b`, target: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts; at the hinge that of the slope.
//!
//! # Numerics
//! As PyTorch's `margin_ranking_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::margin_ranking::margin_ranking, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let inputs = ["a", "b", "target"].map(|name| draft.feed(name, Spec::f32([8])));
//! let loss = margin_ranking(&mut draft, inputs, 0.5, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::{multiply, subtract};
use crate::losses::{FIRST, Pointwise, SECOND, TARGET, Total, floats};
use crate::pointwise::unary::{clamp, neg, shift};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("margin_ranking_loss", |case| {
    let (a, b) = (case.operand(FIRST)?, case.operand(SECOND)?);
    let target = case.operand(TARGET)?;
    let (margin, total) = (case.number("margin", 0.0)?, Total::of_case(case)?);
    let target = floats(case, target, a);
    Ok(vec![margin_ranking(case, [a, b, target], margin, total)])
})];

/// What the distance of `a` over `b` misses of the margin, for a target of 1 or -1.
pub fn margin_ranking(
    draft: &mut Draft,
    [a, b, target]: [Wire; 3],
    margin: f64,
    total: Total,
) -> Wire {
    let apart = draft.apply(subtract(), &[a, b]);
    let missing = draft.apply(multiply(), &[apart, target]);
    let missing = draft.apply(neg(), &[missing]);
    let missing = draft.apply(shift(margin), &[missing]);
    let losses = draft.apply(clamp(0.0, f64::INFINITY), &[missing]);
    total.of(draft, losses)
}

/// As every loss of elements.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "margin_ranking",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            margin_ranking(draft, [wires[0], wires[1], wires[2]], 0.75, total)
        },
        inputs: &[|a| a, |b| b, |t| t.signum()],
        expected: |x| f64::max(0.75 + x[2] * x[1] - x[2] * x[0], 0.0),
    };
    let mut samples = pointwise.samples();
    samples.push(pointwise.mixed());
    samples
}
