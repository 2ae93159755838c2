//! Binary cross-entropy of a logit: `-(pos_weight * t * log s + (1 - t) * log(1 - s))` with `s` the
//! sigmoid of `x`.
//!
//! Computed as `(1 - t) * x + (pos_weight * t + 1 - t) * softplus(-x)`, which no logit overflows.
//!
//! # Shape
//! `x`, target `t`: `f32` or `f64`, of equal extents; `weight`, `pos_weight`: broadcast to them ->
//! the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by every input.
//!
//! # Numerics
//! As PyTorch's `binary_cross_entropy_with_logits`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::bce_with_logits::{Weights, bce_with_logits};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = bce_with_logits(&mut draft, x, target, Weights::default(), Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::{add, multiply};
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{neg, shift, softplus};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("binary_cross_entropy_with_logits", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let weight = match case.either(&["weight", "w"]) {
        Some(weight) => Some(weight),
        None => case.vector("weight")?,
    };
    let positive = match case.either(&["pos_weight", "pw", "p"]) {
        Some(positive) => Some(positive),
        None => case.vector("pos_weight")?,
    };
    Ok(vec![bce_with_logits(case, x, target, Weights { weight, positive }, total)])
})];

/// What losses are multiplied by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights {
    /// The whole loss.
    pub weight: Option<Wire>,
    /// The part for targets of 1.
    pub positive: Option<Wire>,
}

/// The cross-entropy of the sigmoid of `x` and a target from 0 to 1. The mean is over the elements,
/// whatever their weights.
pub fn bce_with_logits(
    draft: &mut Draft,
    x: Wire,
    target: Wire,
    weights: Weights,
    total: Total,
) -> Wire {
    let against = draft.apply(neg(), &[target]);
    let against = draft.apply(shift(1.0), &[against]);
    let line = draft.apply(multiply(), &[against, x]);
    let opposite = draft.apply(neg(), &[x]);
    let mut bend = draft.apply(softplus(), &[opposite]);
    if let Some(positive) = weights.positive {
        let along = draft.apply(multiply(), &[target, positive]);
        let factor = draft.apply(add(), &[along, against]);
        bend = draft.apply(multiply(), &[bend, factor]);
    }
    let mut losses = draft.apply(add(), &[line, bend]);
    if let Some(weight) = weights.weight {
        losses = draft.apply(multiply(), &[losses, weight]);
    }
    total.of(draft, losses)
}

/// As every loss of pairs, with weights, and of large logits.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let plain = Pointwise {
        name: "bce_with_logits",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            bce_with_logits(draft, wires[0], wires[1], Weights::default(), total)
        },
        inputs: &[|x| 2.0 * x, |t| 0.25 * t + 0.5],
        expected: |x| {
            let probability = 1.0 / (1.0 + (-x[0]).exp());
            -x[1] * probability.ln() - (1.0 - x[1]) * (1.0 - probability).ln()
        },
    };
    let weighed = Pointwise {
        name: "bce_with_logits",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            let weights = Weights { weight: Some(wires[2]), positive: Some(wires[3]) };
            bce_with_logits(draft, wires[0], wires[1], weights, total)
        },
        inputs: &[|x| 2.0 * x, |t| 0.25 * t + 0.5, |w| w.abs(), |w| w.abs()],
        expected: |x| {
            let probability = 1.0 / (1.0 + (-x[0]).exp());
            let positive = x[3] * x[1] * probability.ln();
            x[2] * (-positive - (1.0 - x[1]) * (1.0 - probability).ln())
        },
    };
    let large = Pointwise {
        expected: |x| (1.0 - x[1]) * x[0] + f64::max(-x[0], 0.0) + (-x[0].abs()).exp().ln_1p(),
        ..plain
    };
    let mut samples = plain.samples();
    samples.extend(weighed.samples());
    let logits: &[f32] = &[1e4, -1e4, 30.0, -30.0, 0.0];
    samples.push(large.literal("large", &[logits, &[1.0, 1.0, 0.0, 0.0, 1.0]]));
    samples.push(plain.mixed());
    samples
}
