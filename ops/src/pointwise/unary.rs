//! Pointwise functions of one input: `y = f(x)` for each element.
//!
//! Each function is one row of the table below: its documentation, its formula, and for the
//! samples the same function written another way. [`relu`], [`gelu`], [`clamp`] and the others are
//! the constructors.
//!
//! # Shape
//! `x`: any, floats -> `y`: the same. In place, and for `f32` a stage of fused pieces. Floats of 16
//! bits are computed in `f32` and rounded once.
//!
//! # Gradient
//! `dx = f'(x) * dy`, element by element; zero where a function is flat (`sign`, `step`, `floor`,
//! `ceil`, `round`, [`within`], [`between`]). At kinks as PyTorch: 0 for `relu` and `abs` at 0
//! and for [`clamp`] at its bounds.
//!
//! # Numerics
//! As PyTorch's function of the same name, in NaN, infinities and zeros too: NaN stays NaN but in
//! [`sign`] and [`step`], which give 0 for it. For `f32`, `exp`, `expm1`, `tanh` and `erf` are off
//! by at most 1 ulp, and the formulas over them are rounded at every step, as they are written.
//! Parameters are rounded to the element type.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::unary::{leaky_relu, relu};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[3], &[-2.0_f32, 0.0, 3.0])];
//! assert_eq!(fire_once(&relu(), &x)?[0].elements::<f32>(), [0.0, 0.0, 3.0]);
//! assert_eq!(fire_once(&leaky_relu(0.5), &x)?[0].elements::<f32>(), [-1.0, 0.0, 3.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use synfire_runtime::operator::Operator;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::marks::Affine;
use crate::sample::{Sample, bounded_first, noise};

#[cfg(feature = "cube")]
mod cube; // the formulas on accelerators
pub(crate) mod family; // the operator behind all rows
mod names; // what PyTorch calls them
pub(crate) mod table; // how rows are written
pub use family::Unary;
pub(crate) mod onnx; // what ONNX calls them
pub use names::TORCH;
pub(crate) use names::{as_float, float, number, operand, same};
pub use onnx::ONNX;
use table::{Example, rows};

rows! {
    /// `-x`.
    neg() EXACT: |x| -x, |x| 0.0 - x,
        |_x, _y| -1.0;
    /// `|x|`.
    abs() EXACT: |x| x.abs(), |x| x.max(-x),
        |x, _y| x.to(sign());
    /// -1, 0 or 1 by the sign of `x`; 0 for both zeros and for NaN.
    sign() EXACT: |x| if x > R::of(0.0) { R::of(1.0) } else if x < R::of(0.0) { R::of(-1.0) }
        else { R::of(0.0) },
        |x| x.partial_cmp(&0.0).map_or(0.0, |order| f64::from(order as i8)),
        |_x, _y| 0.0;
    /// `e^x`.
    exp() CLOSE: |x| x.exp(), |x| std::f64::consts::E.powf(x),
        |_x, y| y;
    /// `e^x - 1`, exact near 0.
    expm1() CLOSE: |x| x.exp_m1(), |x| x.exp() - 1.0,
        |_x, y| y + 1.0;
    /// The natural logarithm; NaN below 0.
    log() CLOSE: |x| x.ln(), |x| x.log2() * std::f64::consts::LN_2,
        |x, _y| x.to(recip());
    /// `log(1 + x)`, exact near 0.
    log1p() CLOSE: |x| x.ln_1p(), |x| (1.0 + x).ln(),
        |x, _y| (x + 1.0).to(recip());
    /// The square root; NaN below 0.
    sqrt() CLOSE: |x| x.sqrt(), |x| (0.5 * x.ln()).exp(),
        |_x, y| 0.5 / y;
    /// `1 / sqrt(x)`; infinite at 0, with its sign.
    rsqrt() CLOSE: |x| R::of(1.0) / x.sqrt(),
        |x| if x == 0.0 { x.powi(-1) } else { (-0.5 * x.ln()).exp() },
        |_x, y| y.squared() * y * -0.5;
    /// `1 / x`.
    recip() CLOSE: |x| R::of(1.0) / x, |x| x.powi(-1),
        |_x, y| -y.squared();
    /// `x * x`.
    square() CLOSE: |x| x * x, |x| x.abs().powf(2.0),
        |x, _y| 2.0 * x;
    /// `value`, whatever `x` is: a constant of the extents of a stream.
    fill(value = 0.5) EXACT: |_x| value, |_x| value,
        |_x, _y| 0.0 => Affine { slope: 0.0, offset: value };
    /// The sine, `x` in radians.
    sin() CLOSE: |x| x.sin(), |x| 2.0 * (0.5 * x).sin() * (0.5 * x).cos(),
        |x, _y| x.to(cos());
    /// The cosine, `x` in radians.
    cos() CLOSE: |x| x.cos(), |x| 1.0 - 2.0 * (0.5 * x).sin().powi(2),
        |x, _y| -x.to(sin());
    /// The tangent, `x` in radians.
    tan() CLOSE: |x| x.tan(), |x| x.sin() / x.cos(),
        |_x, y| y.squared() + 1.0;
    /// The hyperbolic tangent.
    tanh() CLOSE: |x| x.tanh(), |x| 1.0 - 2.0 / ((2.0 * x).exp() + 1.0),
        |_x, y| 1.0 - y.squared();
    /// `1 / (1 + e^-x)`.
    sigmoid() CLOSE: |x| R::of(1.0) / (R::of(1.0) + (-x).exp()), |x| 0.5 + 0.5 * (0.5 * x).tanh(),
        |_x, y| y * (1.0 - y);
    /// `x` where it is above 0, else 0.
    relu() EXACT: |x| if x <= R::of(0.0) { R::of(0.0) } else { x }, |x| nan_or(x, x.max(0.0)),
        |_x, y| Slope::Gate(y);
    /// `x` where it is above 0, else `slope * x`.
    leaky_relu(slope = 0.25) CLOSE: |x| if x > R::of(0.0) { x } else { x * slope },
        |x| nan_or(x, x.max(0.0) + slope * x.min(0.0)),
        |x, _y| x.above(0.0) * (1.0 - slope) + slope;
    /// `x` where it is above 0, else `alpha * (e^x - 1)`.
    elu(alpha = 0.7) CLOSE: |x| if x > R::of(0.0) { x } else { alpha * x.exp_m1() },
        |x| nan_or(x, x.max(0.0) + alpha * (x.min(0.0).exp() - 1.0)),
        |x, y| x.above(0.0).choose(x.to(fill(1.0)), y + alpha);
    /// `x * P(x)` with `P` the normal distribution: `x / 2 * (1 + erf(x / sqrt 2))`; NaN at -inf.
    gelu() CLOSE: |x| x * R::of(0.5) * (R::of(1.0) + (x * R::of(FRAC_1_SQRT_2)).erf()),
        |x| 0.5 * x * (1.0 + erf_by_integral(x / SQRT_2)),
        |x, _y| {
        let density = (x.squared() * -0.5).to(exp()) * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
        (x * FRAC_1_SQRT_2).to(erf()) * 0.5 + 0.5 + x * density
    };
    /// The approximation of [`gelu`] by `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`.
    gelu_tanh() CLOSE: |x| {
        let inner = R::of(FRAC_2_SQRT_PI * FRAC_1_SQRT_2) * (x + R::of(0.044_715) * (x * x * x));
        R::of(0.5) * x * (R::of(1.0) + inner.tanh())
    }, |x| {
        let inner = (8.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        x / (1.0 + (-inner).exp())
    },
        |x, _y| {
        let factor = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
        let square = x.squared();
        let bent = (x * (square * 0.044_715 + 1.0) * factor).to(tanh());
        let inner = (square * (3.0 * 0.044_715) + 1.0) * factor;
        (bent + 1.0 + x * (1.0 - bent.squared()) * inner) * 0.5
    };
    /// `x / (1 + e^-x)`, also known as swish; NaN at -inf.
    silu() CLOSE: |x| x / (R::of(1.0) + (-x).exp()), |x| x * (0.5 + 0.5 * (0.5 * x).tanh()),
        |x, y| {
        let gate = x.to(sigmoid());
        gate + y * (1.0 - gate)
    };
    /// `log(1 + e^x)`, or `x` where that is above 20.
    softplus() CLOSE: |x| if x > R::of(20.0) { x } else { x.exp().ln_1p() },
        |x| nan_or(x, x.max(0.0) + (1.0 + (-x.abs()).exp()).ln()),
        |x, _y| x.to(sigmoid());
    /// `x * min(max(x + 3, 0), 6) / 6`; NaN at -inf.
    hard_swish() CLOSE: |x| {
        let gate = x + R::of(3.0);
        let gate = if gate < R::of(0.0) { R::of(0.0) } else { gate };
        x * (if gate > R::of(6.0) { R::of(6.0) } else { gate }) / R::of(6.0)
    }, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        |x, _y| {
        x.to(between(-3.0, 3.0)).choose(x * (1.0 / 3.0) + 0.5, x.above(0.0))
    };
    /// The error function.
    erf() CLOSE: |x| x.erf(), |x| erf_by_integral(x),
        |x, _y| (-x.squared()).to(exp()) * FRAC_2_SQRT_PI;
    /// The largest whole number that is not above `x`.
    floor() EXACT: |x| x.floor(), |x| -(-x).ceil(),
        |_x, _y| 0.0;
    /// The smallest whole number that is not below `x`.
    ceil() EXACT: |x| x.ceil(), |x| -(-x).floor(),
        |_x, _y| 0.0;
    /// The nearest whole number; the even one of two.
    round() EXACT: |x| x.round_ties_even(),
        |x| (x.abs() + 2.0_f64.powi(52) - 2.0_f64.powi(52)).copysign(x),
        |_x, _y| 0.0;
    /// `min(max(x, low), high)`: `high` where `low` is above it. Bounds are no NaN.
    clamp(low = -0.5, high = 1.25) EXACT: |x| {
        let raised = if x < low { low } else { x };
        if raised > high { high } else { raised }
    }, |x| nan_or(x, x.max(low).min(high)),
        |x, _y| x.to(between(low, high));
    /// 1 where `x` is above 0, else 0, for NaN too.
    step() EXACT: |x| if x > R::of(0.0) { R::of(1.0) } else { R::of(0.0) },
        |x| f64::from(u8::from(x > 0.0)),
        |_x, _y| 0.0;
    /// `factor * x`.
    scale(factor = -1.5) CLOSE: |x| x * factor, |x| x / (1.0 / factor),
        |_x, _y| factor => Affine { slope: factor, offset: 0.0 };
    /// `x + offset`.
    shift(offset = 0.75) CLOSE: |x| x + offset, |x| x - (0.0 - offset),
        |_x, _y| 1.0;
    /// `x^power`; NaN for a negative `x` and a `power` that is no whole number.
    pow_scalar(power = 3.0) CLOSE: |x| x.powf(power), |x| x.powi(power as i32),
        |x, _y| match power {
        0.0 => Slope::Constant(0.0),
        1.0 => Slope::Constant(1.0),
        _ => Slope::Each(x.to(pow_scalar(power - 1.0)) * power),
    };
    /// 1 where `low <= x <= high`, else 0, for NaN too.
    within(low = -0.5, high = 1.25) EXACT: |x| R::of(f64::from(x >= low && x <= high)),
        |x| f64::from(x.clamp(low, high) == x), |_x, _y| 0.0;
    /// 1 where `low < x < high`, else 0, for NaN too.
    between(low = -0.5, high = 1.25) EXACT: |x| R::of(f64::from(x > low && x < high)),
        |x| f64::from((x - low) * (high - x) > 0.0), |_x, _y| 0.0;
}

/// For each row: plain in `f32` and `f64`, special values, one element, none, and more than one
/// piece; a bounded port; halves; integers are rejected.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = examples().iter().flat_map(Example::samples).collect();
    let bounded = vec![bounded_first(Element::F32, 9, &[2])];
    samples.push(examples()[0].sample("bounded", noise(6, &[5, 2])).with_specs(bounded));
    let narrow = noise(7, &[3, 111]).elements::<f32>();
    let f16 = narrow.iter().map(|&x| half::f16::from_f32(x)).collect::<Vec<_>>();
    let bf16 = narrow.iter().map(|&x| half::bf16::from_f32(x)).collect::<Vec<_>>();
    let squares = examples().into_iter().find(|row| row.operator.contract().name == "square");
    let squares = squares.expect("the table has it");
    samples.push(squares.sample("f16", Value::new(&[3, 111], &f16)));
    samples.push(squares.sample("bf16", Value::new(&[3, 111], &bf16)));
    let integers = Spec::new(Element::I32, [Dimension::Fixed(2)]);
    samples.push(Sample::rejected("integers", relu(), vec![integers], "x", None));
    samples
}

/// NaN where `x` is, else `y`.
fn nan_or(x: f64, y: f64) -> f64 {
    if x.is_nan() { x } else { y }
}

/// The error function by Simpson's rule; 1 beyond 6, as in `f64`.
fn erf_by_integral(x: f64) -> f64 {
    const INTERVALS: u32 = 1000;
    if x.abs() > 6.0 {
        return x.signum();
    }
    let width = x / f64::from(INTERVALS);
    let density = |k: u32| (-(width * f64::from(k)).powi(2)).exp();
    let inner: f64 = (1..INTERVALS).map(|k| density(k) * f64::from(2 + k % 2 * 2)).sum();
    FRAC_2_SQRT_PI * (density(0) + inner + density(INTERVALS)) * width / 3.0
}
