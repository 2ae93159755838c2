//! Huber loss: `d^2 / 2` of the distance `d = x - target` up to `delta`, `delta * (|d| - delta /
//! 2)` beyond. Huber, "Robust estimation of a location parameter", 1964.
//!
//! With `m` the distance cut at `delta` to both sides it is `m * (d - m / 2)`.
//!
//! # Shape
//! `x`, `target`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts: `m`, by both inputs.
//!
//! # Numerics
//! As PyTorch's `huber_loss`. `delta` is above 0.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::huber::huber, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = huber(&mut draft, x, target, 1.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::{multiply, subtract};
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{clamp, scale};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("huber_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let delta = case.number(case.spelling(&["delta", "beta"]), 1.0)?;
    let Some(weight) = case.optional("weight") else {
        return Ok(vec![huber(case, x, target, delta, total)]);
    };
    // Unlike its other losses, PyTorch does not divide this one by the sum of the weights.
    let losses = huber(case, x, target, delta, Total::Each);
    let losses = case.apply(multiply(), &[losses, weight]);
    Ok(vec![total.of(case, losses)])
})];

/// The distance of `x` and `target`, as a parabola up to `delta`, as a line beyond.
pub fn huber(draft: &mut Draft, x: Wire, target: Wire, delta: f64, total: Total) -> Wire {
    let apart = draft.apply(subtract(), &[x, target]);
    let cut = draft.apply(clamp(-delta, delta), &[apart]);
    let half = draft.apply(scale(0.5), &[cut]);
    let rest = draft.apply(subtract(), &[apart, half]);
    let losses = draft.apply(multiply(), &[cut, rest]);
    total.of(draft, losses)
}

/// As every loss of pairs, and both sides of the bend.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "huber",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            huber(draft, wires[0], wires[1], 0.75, total)
        },
        inputs: &[|x| x, |x| x],
        expected: |x| match (x[0] - x[1]).abs() {
            apart if apart < 0.75 => 0.5 * apart.powi(2),
            apart => 0.75 * (apart - 0.375),
        },
    };
    let mut samples = pointwise.samples();
    let far =
        pointwise.literal("far", &[&[1e6, -f32::INFINITY, f32::NAN, 0.5], &[0.0, 0.0, 0.0, 0.5]]);
    samples.extend([far, pointwise.mixed()]);
    samples
}
