//! Negative logarithm of the likelihood of a count by a Poisson distribution of rate `r`: `r - t *
//! log r`, where `x` is `r` or its logarithm.
//!
//! # Shape
//! `x`, target `t`: `f32` or `f64`, broadcast to each other -> the same extents, or a scalar.
//!
//! # Gradient
//! That of its parts, by both inputs.
//!
//! # Numerics
//! The term of the target alone, `log t!`, is left out, or by Stirling's formula where `t` is above
//! 1: [`PoissonNll::full`]. As PyTorch's `poisson_nll_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::poisson_nll::{PoissonNll, poisson_nll};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let [x, target] = ["x", "target"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let rate = PoissonNll { rate_epsilon: None, full: false };
//! let loss = poisson_nll(&mut draft, x, target, rate, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};

use crate::broadcast::binary::{add, greater, multiply, subtract};
use crate::broadcast::select::where_;
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{exp, fill, log, scale, shift};
use crate::sample::Sample;
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("poisson_nll_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-8)?;
    let rate_epsilon = (!case.flag("log_input", true)?).then_some(epsilon);
    let rate = PoissonNll { rate_epsilon, full: case.flag("full", false)? };
    Ok(vec![poisson_nll(case, x, target, rate, total)])
})];

/// The parameters of [`poisson_nll`].
#[derive(Clone, Copy, Debug)]
pub struct PoissonNll {
    /// What is added to a rate before its logarithm is taken; none where `x` is the logarithm.
    pub rate_epsilon: Option<f64>,
    /// With the term of the target alone.
    pub full: bool,
}

/// The loss of the rate `x`, or its logarithm, for a count.
pub fn poisson_nll(
    draft: &mut Draft,
    x: Wire,
    target: Wire,
    rate: PoissonNll,
    total: Total,
) -> Wire {
    let (rate_wire, logarithm) = match rate.rate_epsilon {
        None => (draft.apply(exp(), &[x]), x),
        Some(epsilon) => {
            let above = draft.apply(shift(epsilon), &[x]);
            (x, draft.apply(log(), &[above]))
        }
    };
    let weighed = draft.apply(multiply(), &[target, logarithm]);
    let mut losses = draft.apply(subtract(), &[rate_wire, weighed]);
    if rate.full {
        let factorial = stirling(draft, target);
        losses = draft.apply(add(), &[losses, factorial]);
    }
    total.of(draft, losses)
}

/// `t log t - t + log(2 pi t) / 2` where `t` is above 1, else 0.
fn stirling(draft: &mut Draft, target: Wire) -> Wire {
    let [zero, one] = [0.0, 1.0].map(|value| draft.apply(fill(value), &[target]));
    let is_large = draft.apply(greater(), &[target, one]);
    let large = draft.apply(where_(), &[is_large, target, one]);
    let logarithm = draft.apply(log(), &[large]);
    let product = draft.apply(multiply(), &[large, logarithm]);
    let product = draft.apply(subtract(), &[product, large]);
    let circle = draft.apply(shift((2.0 * std::f64::consts::PI).ln()), &[logarithm]);
    let circle = draft.apply(scale(0.5), &[circle]);
    let factorial = draft.apply(add(), &[product, circle]);
    draft.apply(where_(), &[is_large, factorial, zero])
}

/// As every loss of pairs, for both kinds of inputs.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let plain = Pointwise {
        name: "poisson_nll",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            let rate = PoissonNll { rate_epsilon: None, full: false };
            poisson_nll(draft, wires[0], wires[1], rate, total)
        },
        inputs: &[|x| x, |t| t.abs()],
        expected: |x| std::f64::consts::E.powf(x[0]) - x[1] * x[0],
    };
    let full = Pointwise {
        name: "poisson_nll",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            let rate = PoissonNll { rate_epsilon: Some(1e-3), full: true };
            poisson_nll(draft, wires[0], wires[1], rate, total)
        },
        inputs: &[|x| x.abs(), |t| 2.0 * t.abs()],
        expected: |x| {
            let circle = (2.0 * std::f64::consts::PI * x[1]).sqrt();
            let stirling = ((x[1] / std::f64::consts::E).powf(x[1]) * circle).ln();
            x[0] - x[1] * (x[0] + 1e-3).ln() + if x[1] > 1.0 { stirling } else { 0.0 }
        },
    };
    let mut samples = plain.samples();
    samples.extend(full.samples());
    samples.push(plain.mixed());
    samples
}
