//! Logistic loss of a margin: `log(1 + exp(-t * x))` for a target `t` of 1 or -1.
//!
//! # Shape
//! `x`, target `t`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! No margin overflows; otherwise as PyTorch's `soft_margin_loss`, which gives infinity below -88.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::soft_margin::soft_margin, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = soft_margin(&mut draft, x, target, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::multiply;
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{neg, softplus};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("soft_margin_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    Ok(vec![soft_margin(case, x, target, total)])
})];

/// The loss of `x` for a target of 1 or -1.
pub fn soft_margin(draft: &mut Draft, x: Wire, target: Wire, total: Total) -> Wire {
    let margin = draft.apply(multiply(), &[x, target]);
    let opposite = draft.apply(neg(), &[margin]);
    let losses = draft.apply(softplus(), &[opposite]);
    total.of(draft, losses)
}

/// As every loss of pairs, and of large margins.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "soft_margin",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            soft_margin(draft, wires[0], wires[1], total)
        },
        inputs: &[|x| x, |t| t.signum()],
        expected: |x| {
            let margin = x[0] * x[1];
            f64::max(-margin, 0.0) + (1.0 + (-margin.abs()).exp()).ln()
        },
    };
    let mut samples = pointwise.samples();
    samples.push(pointwise.literal("large", &[&[1e4, 1e4, 0.0], &[1.0, -1.0, 1.0]]));
    samples.push(pointwise.mixed());
    samples
}
