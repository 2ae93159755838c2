//! Negative logarithm of the likelihood of a target by a normal distribution: `(log v + (x - t)^2 /
//! v) / 2` with mean `x` and variance `v`. Nix and Weigend, "Estimating the mean and variance of
//! the target probability distribution", 1994.
//!
//! # Shape
//! `x`, target `t`, `variance`: `f32` or `f64`, broadcast to each other -> the same extents, or a
//! scalar.
//!
//! # Gradient
//! That of its parts, by every input; none by a variance below `epsilon`, where PyTorch's goes on
//! as if it were not raised.
//!
//! # Numerics
//! A variance is at least `epsilon`. The constant term `log(2 pi) / 2` is left out, as PyTorch's
//! `gaussian_nll_loss` does unless it is asked for.
//!
//! # Example
//! ```
//! use synfire_ops::{loss::gaussian_nll::gaussian_nll, losses::Total};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let inputs = ["x", "target", "variance"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let loss = gaussian_nll(&mut draft, inputs, 1e-6, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::value::Value;

use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::binary::{add, divide, subtract};
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{clamp, log, scale, shift, square};
use crate::route::pace::pace;
use crate::sample::Sample;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("gaussian_nll_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-6)?;
    let variance = variance(case, x)?;
    let mut losses = gaussian_nll(case, [x, target, variance], epsilon, Total::Each);
    if case.flag("full", false)? {
        losses = case.apply(shift(0.5 * (2.0 * std::f64::consts::PI).ln()), &[losses]);
    }
    Ok(vec![total.of(case, losses)])
})];

/// One number, or as many as `x` has, or one for all along its last axis.
fn variance(case: &mut Case<'_>, x: Wire) -> Result<Wire, String> {
    let names = ["var", "variance", "v"];
    let Some(variance) = case.either(&names) else {
        let value = case.number(case.spelling(&names), 1.0)?;
        return Ok(case.constant("variance_of_all", Value::new(&[], &[value as f32])));
    };
    let (own, whole) = (case.spec_of(variance)?, case.spec_of(x)?);
    if own.rank() > 0 && own.rank() + 1 == whole.rank() {
        let mut column: Vec<Extent> = own.bounds().into_iter().map(Extent::Is).collect();
        column.push(Extent::Is(1));
        return Ok(case.apply(reshape(&column), &[variance]));
    }
    Ok(variance)
}

/// The loss of a mean, a target and a variance, which is at least `epsilon`.
pub fn gaussian_nll(
    draft: &mut Draft,
    [x, target, variance]: [Wire; 3],
    epsilon: f64,
    total: Total,
) -> Wire {
    // A variance may be a constant, of which nothing alone is computed.
    let variance = draft.apply(pace(), &[variance, x]);
    let variance = draft.apply(clamp(epsilon, f64::INFINITY), &[variance]);
    let apart = draft.apply(subtract(), &[x, target]);
    let squares = draft.apply(square(), &[apart]);
    let ratio = draft.apply(divide(), &[squares, variance]);
    let width = draft.apply(log(), &[variance]);
    let both = draft.apply(add(), &[ratio, width]);
    let losses = draft.apply(scale(0.5), &[both]);
    total.of(draft, losses)
}

/// As every loss of elements, and of a variance that is raised.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "gaussian_nll",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            gaussian_nll(draft, [wires[0], wires[1], wires[2]], 1e-2, total)
        },
        inputs: &[|x| x, |t| t, |v| v.abs() + 0.02],
        expected: |x| {
            let deviation = x[2].max(1e-2).sqrt();
            deviation.ln() + 0.5 * ((x[0] - x[1]) / deviation).powi(2)
        },
    };
    let mut samples = pointwise.samples();
    samples.push(pointwise.literal("raised", &[&[1.0, 2.0], &[1.5, 2.0], &[0.0, 1e-3]]));
    samples.push(pointwise.mixed());
    samples
}
