//! Squared error: `(x - target)^2`.
//!
//! # Shape
//! `x`, `target`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! As PyTorch's `mse_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::mse::mse, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = mse(&mut draft, x, target, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::subtract;
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::square;
use crate::sample::Sample;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("mse_loss", build), ("mse", build)];

fn build(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let Some(weight) = case.optional("weight") else {
        return Ok(vec![mse(case, x, target, total)]);
    };
    // PyTorch's weighed mean is over the sum of the weights.
    let losses = mse(case, x, target, Total::Each);
    Ok(vec![total.weighed(case, losses, weight)])
}

/// The squared distance of `x` and `target`.
pub fn mse(draft: &mut Draft, x: Wire, target: Wire, total: Total) -> Wire {
    let apart = draft.apply(subtract(), &[x, target]);
    let losses = draft.apply(square(), &[apart]);
    total.of(draft, losses)
}

/// As every loss of pairs.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "mse",
        build: |draft: &mut Draft, wires: &[Wire], total| mse(draft, wires[0], wires[1], total),
        inputs: &[|x| x, |x| x],
        expected: |x| x[0] * x[0] - 2.0 * x[0] * x[1] + x[1] * x[1],
    };
    let mut samples = pointwise.samples();
    samples.extend([pointwise.literal("NaN", &[&[f32::NAN, 1.0], &[1.0, 1.0]]), pointwise.mixed()]);
    samples
}
