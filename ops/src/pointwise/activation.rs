//! Further activations, `y = f(x)` for each element.
//!
//! # Shape
//! As the [functions of one input](super::unary), of which these are more rows.
//!
//! # Gradient
//! `dx = f'(x) * dy`. At kinks as PyTorch: nothing passes at the bounds of [`hard_tanh`],
//! [`hard_sigmoid`], [`soft_shrink`], [`hard_shrink`] and [`threshold`]; [`selu`] and [`celu`] have
//! the slope from the left at 0.
//!
//! # Numerics
//! As PyTorch's function of the same name.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::activation::{relu6, soft_shrink};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[3], &[-2.0_f32, 0.25, 7.0])];
//! assert_eq!(fire_once(&relu6(), &x)?[0].elements::<f32>(), [0.0, 0.25, 6.0]);
//! assert_eq!(fire_once(&soft_shrink(0.5), &x)?[0].elements::<f32>(), [-1.5, 0.0, 6.5]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use super::unary::table::{Example, rows};
use super::unary::{Unary, abs, between, fill, recip, sigmoid, softplus, square, tanh, within};
use crate::sample::Sample;

mod names; // what PyTorch calls them
mod onnx; // what ONNX calls it
pub use names::TORCH;
pub use onnx::ONNX;

/// What [`selu`] is scaled by, and its slope below 0 over that. Klambauer et al.,
/// "Self-normalizing neural networks", 2017.
const SELU: [f64; 2] = [1.050_700_987_355_480_5, 1.673_263_242_354_377_2];

/// `min(max(x, 0), 6)`.
#[must_use]
pub fn relu6() -> Unary {
    hard_tanh(0.0, 6.0)
}

rows! {
    /// `min(max(x, low), high)`, as [`clamp`](super::unary::clamp) but for the gradient at `low`
    /// and `high`, which is 0.
    hard_tanh(low = -0.5, high = 1.25) EXACT: |x| {
        let raised = if x < low { low } else { x };
        if raised > high { high } else { raised }
    }, |x| nan_or(x, x.max(low).min(high)), |x, _y| x.to(between(low, high));
    /// `min(max(x + 3, 0), 6) / 6`.
    hard_sigmoid() CLOSE: |x| {
        let gate = x + R::of(3.0);
        let gate = if gate < R::of(0.0) { R::of(0.0) } else { gate };
        (if gate > R::of(6.0) { R::of(6.0) } else { gate }) / R::of(6.0)
    }, |x| (x / 6.0 + 0.5).clamp(0.0, 1.0), |x, _y| x.to(between(-3.0, 3.0)) * (1.0 / 6.0);
    /// `log(1 + e^(beta x)) / beta`, or `x` where `beta x` is above `threshold`.
    softplus_beta(beta = 1.5, threshold = 20.0) CLOSE: |x| {
        let scaled = x * beta;
        if scaled > threshold { x } else { scaled.exp().ln_1p() / beta }
    }, |x| nan_or(x, {
        let scaled = beta * x;
        let soft = (scaled.max(0.0) + (1.0 + (-scaled.abs()).exp()).ln()) / beta;
        if scaled > threshold { x } else { soft }
    }), |x, _y| {
        (x * beta).above(threshold).choose(x.to(fill(1.0)), (x * beta).to(sigmoid()))
    };
    /// `x * tanh(log(1 + e^x))`. Misra, "Mish: a self regularized non-monotonic activation
    /// function", 2019.
    mish() CLOSE: |x| x * x.exp().ln_1p().tanh(), |x| {
        let grown = x.exp() * (x.exp() + 2.0);
        if x > 50.0 { x } else { x * grown / (grown + 2.0) }
    }, |x, _y| {
        let gate = x.to(softplus()).to(tanh());
        gate + x * x.to(sigmoid()) * (1.0 - gate.squared())
    };
    /// `scale * x` above 0, else `scale * alpha * (e^x - 1)`, with the two numbers that keep mean 0
    /// and variance 1.
    selu() CLOSE: |x| {
        let [scale, alpha] = SELU;
        if x > R::of(0.0) { x * R::of(scale) } else { R::of(scale * alpha) * x.exp_m1() }
    }, |x| nan_or(x, SELU[0] * (x.max(0.0) + SELU[1] * (x.min(0.0).exp() - 1.0))), |x, y| {
        let [scale, alpha] = SELU;
        x.above(0.0).choose(x.to(fill(scale)), y + scale * alpha)
    };
    /// `x` above 0, else `alpha * (e^(x / alpha) - 1)`.
    celu(alpha = 0.7) CLOSE: |x| if x > R::of(0.0) { x } else { alpha * (x / alpha).exp_m1() },
        |x| nan_or(x, x.max(0.0) + alpha * ((x.min(0.0) / alpha).exp() - 1.0)),
        |x, y| x.above(0.0).choose(x.to(fill(1.0)), y * (1.0 / alpha) + 1.0);
    /// `log(1 / (1 + e^-x))`.
    log_sigmoid() CLOSE: |x| {
        let low = if x < R::of(0.0) { x } else { R::of(0.0) };
        low - (-x.abs()).exp().ln_1p()
    }, |x| -(1.0 + (-x).exp()).ln(), |x, _y| (-x).to(sigmoid());
    /// `x / (1 + |x|)`; NaN for infinities.
    soft_sign() CLOSE: |x| x / (R::of(1.0) + x.abs()),
        |x| x.signum() * (1.0 - 1.0 / (1.0 + x.abs())) + 0.0 * x,
        |x, _y| (x.to(abs()) + 1.0).to(square()).to(recip());
    /// `x - tanh(x)`.
    tanh_shrink() CLOSE: |x| x - x.tanh(), |x| x - 1.0 + 2.0 / ((2.0 * x).exp() + 1.0),
        |x, _y| x.to(tanh()).to(square());
    /// `x` nearer to 0 by `lambda`, 0 where it is within `lambda` of it.
    soft_shrink(lambda = 0.5) CLOSE: |x| {
        if x > lambda { x - lambda } else if x < -lambda { x + lambda } else { x * R::of(0.0) }
    }, |x| x - x.clamp(-lambda, lambda), |x, _y| 1.0 - x.to(within(-lambda, lambda));
    /// 0 where `x` is within `lambda` of it, else `x`.
    hard_shrink(lambda = 0.5) EXACT: |x| if x >= -lambda && x <= lambda { R::of(0.0) } else { x },
        |x| nan_or(x, if x.abs() > lambda { x } else { 0.0 }),
        |x, _y| 1.0 - x.to(within(-lambda, lambda));
    /// `x` where it is above `bound`, else `value`.
    threshold(bound = 0.25, value = -1.5) EXACT: |x| if x <= bound { value } else { x },
        |x| nan_or(x, if x > bound { x } else { value }), |x, _y| x.above(bound);
}

/// NaN where `x` is, else `y`.
fn nan_or(x: f64, y: f64) -> f64 {
    if x.is_nan() { x } else { y }
}

/// What every row has.
#[must_use]
pub fn samples() -> Vec<Sample> {
    examples().iter().flat_map(Example::samples).collect()
}
