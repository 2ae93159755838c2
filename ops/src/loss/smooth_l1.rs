//! Smooth absolute error: [`huber`] over `beta`: `d^2 / (2 beta)` of the distance `d = x - target`
//! up to `beta`, `|d| - beta / 2` beyond. Girshick, "Fast R-CNN", 2015.
//!
//! # Shape
//! `x`, `target`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! As PyTorch's `smooth_l1_loss`; with `beta` 0 it is [`l1`].
//!
//! # Example
//! ```
//! use synfire_ops::{loss::smooth_l1::smooth_l1, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = smooth_l1(&mut draft, x, target, 1.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use super::{huber::huber, l1::l1};
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::scale;
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("smooth_l1_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let beta = case.number(case.spelling(&["beta", "delta"]), 1.0)?;
    Ok(vec![smooth_l1(case, x, target, beta, total)])
})];

/// The distance of `x` and `target`, as a parabola up to `beta`, as a line of slope 1 beyond.
pub fn smooth_l1(draft: &mut Draft, x: Wire, target: Wire, beta: f64, total: Total) -> Wire {
    if beta == 0.0 {
        return l1(draft, x, target, total);
    }
    let loss = huber(draft, x, target, beta, total);
    draft.apply(scale(1.0 / beta), &[loss])
}

/// As every loss of pairs, and without a parabola.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "smooth_l1",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            smooth_l1(draft, wires[0], wires[1], 0.75, total)
        },
        inputs: &[|x| x, |x| x],
        expected: |x| match (x[0] - x[1]).abs() {
            apart if apart < 0.75 => apart.powi(2) / 1.5,
            apart => apart - 0.375,
        },
    };
    let sharp = Pointwise {
        name: "smooth_l1",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            smooth_l1(draft, wires[0], wires[1], 0.0, total)
        },
        inputs: &[|x| x, |x| x],
        expected: |x| (x[0] - x[1]).abs(),
    };
    let mut samples = pointwise.samples();
    samples.extend([sharp.literal("sharp", &[&[1.0, 2.0], &[3.0, 1.0]]), pointwise.mixed()]);
    samples
}
