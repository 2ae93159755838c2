//! Absolute error: `|x - target|`.
//!
//! # Shape
//! `x`, `target`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs; 0 where they are equal.
//!
//! # Numerics
//! As PyTorch's `l1_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::l1::l1, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = l1(&mut draft, x, target, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::subtract;
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::abs;
use crate::sample::Sample;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("l1_loss", build), ("l1", build)];

fn build(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let Some(weight) = case.optional("weight") else {
        return Ok(vec![l1(case, x, target, total)]);
    };
    // PyTorch's weighed mean is over the sum of the weights.
    let losses = l1(case, x, target, Total::Each);
    Ok(vec![total.weighed(case, losses, weight)])
}

/// The distance of `x` and `target`.
pub fn l1(draft: &mut Draft, x: Wire, target: Wire, total: Total) -> Wire {
    let apart = draft.apply(subtract(), &[x, target]);
    let losses = draft.apply(abs(), &[apart]);
    total.of(draft, losses)
}

/// As every loss of pairs, and equal inputs.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "l1",
        build: |draft: &mut Draft, wires: &[Wire], total| l1(draft, wires[0], wires[1], total),
        inputs: &[|x| x, |x| x],
        expected: |x| x[0].max(x[1]) - x[0].min(x[1]),
    };
    let mut samples = pointwise.samples();
    samples.extend([pointwise.literal("equal", &[&[2.0, 1.0], &[2.0, 3.0]]), pointwise.mixed()]);
    samples
}
