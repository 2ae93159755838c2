//! Divergence of Kullback and Leibler: `t * (log t - x)` for a logarithm `x` of probabilities and a
//! target `t`, which may be given as its logarithm.
//!
//! # Shape
//! `x`, target `t`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! A target of 0 has a loss of 0, and a gradient by it of `-x`, where PyTorch gives NaN for the
//! latter. Otherwise as PyTorch's `kl_div`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::kl_div::{Target, kl_div};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = kl_div(&mut draft, x, target, Target::Probability, Total::Sum);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::{equal, multiply, subtract};
use crate::broadcast::select::where_;
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{exp, fill, log};
use crate::reduce::reduction::{Keep, mean, sum};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("kl_div", |case| {
    let (x, wire) = (predicted(case)?, wanted(case)?);
    let is_log = case.flag("log_target", false)?;
    let target = if is_log { Target::Logarithm } else { Target::Probability };
    if case.text("reduction", "mean")? != "batchmean" {
        let total = Total::of_case(case)?;
        return Ok(vec![kl_div(case, x, wire, target, total)]);
    }
    // The sum over all but the batch, and the mean over that.
    let losses = kl_div(case, x, wire, target, Total::Each);
    let rank = case.spec_of(losses)?.rank();
    let inner: Vec<usize> = (1..rank).collect();
    let items = case.apply(sum(&inner, Keep::Nothing), &[losses]);
    Ok(vec![case.apply(mean(&[0], Keep::Nothing), &[items])])
})];

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A probability.
    Probability,
    /// The logarithm of one.
    Logarithm,
}

/// The divergence of the logarithm `x` of a distribution from a target.
pub fn kl_div(draft: &mut Draft, x: Wire, target: Wire, kind: Target, total: Total) -> Wire {
    let (probability, logarithm) = match kind {
        Target::Logarithm => (draft.apply(exp(), &[target]), target),
        Target::Probability => {
            let [zero, one] = [0.0, 1.0].map(|value| draft.apply(fill(value), &[target]));
            let is_zero = draft.apply(equal(), &[target, zero]);
            let apart = draft.apply(where_(), &[is_zero, one, target]);
            (target, draft.apply(log(), &[apart]))
        }
    };
    let distance = draft.apply(subtract(), &[logarithm, x]);
    let losses = draft.apply(multiply(), &[probability, distance]);
    total.of(draft, losses)
}

/// As every loss of pairs, for both kinds of targets, and of impossible ones.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let plain = Pointwise {
        name: "kl_div",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            kl_div(draft, wires[0], wires[1], Target::Probability, total)
        },
        inputs: &[|x| x - 2.0, |t| 0.25 * t + 0.501],
        expected: |x| if x[1] == 0.0 { 0.0 } else { x[1] * (x[1].ln() - x[0]) },
    };
    let in_logarithms = Pointwise {
        name: "kl_div",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            kl_div(draft, wires[0], wires[1], Target::Logarithm, total)
        },
        inputs: &[|x| x - 2.0, |t| t - 2.0],
        expected: |x| x[1].exp() * x[1] - x[1].exp() * x[0],
    };
    let mut samples = plain.samples();
    samples.extend(in_logarithms.samples());
    samples.push(plain.literal("impossible", &[&[-1.0, -2.0], &[0.0, 1.0]]));
    samples.push(plain.mixed());
    samples
}
