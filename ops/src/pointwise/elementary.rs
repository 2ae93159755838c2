//! Further elementary functions, `y = f(x)` for each element: hyperbolic and inverse functions,
//! logarithms and powers of other bases, and the parts of a number.
//!
//! # Shape
//! As the [functions of one input](super::unary), of which these are more rows.
//!
//! # Gradient
//! `dx = f'(x) * dy`; zero for [`trunc`].
//!
//! # Numerics
//! As PyTorch's function of the same name; NaN outside of its domain. The platform's functions, for
//! `f32` those of `f32`.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::elementary::{log2, trunc};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[2], &[8.0_f32, 0.25])];
//! assert_eq!(fire_once(&log2(), &x)?[0].elements::<f32>(), [3.0, -2.0]);
//! let x = [Value::new(&[2], &[1.75_f32, -1.75])];
//! assert_eq!(fire_once(&trunc(), &x)?[0].elements::<f32>(), [1.0, -1.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use std::f64::consts::{LN_2, LN_10};

use synfire_runtime::spec::{Element, Spec};

use super::unary::table::{Example, rows};
use super::unary::{recip, rsqrt};
use crate::sample::Sample;

mod names; // what PyTorch calls them
mod onnx; // what ONNX calls it
pub use names::TORCH;
pub use onnx::ONNX;

rows! {
    /// The whole number next to `x` on the side of 0.
    trunc() EXACT: |x| x.trunc(), |x| x.abs().floor().copysign(x), |_x, _y| 0.0;
    /// `x - trunc(x)`, with the sign of `x`.
    frac() EXACT: |x| x - x.trunc(), |x| x % 1.0, |_x, _y| 1.0;
    /// `2^x`.
    exp2() CLOSE: |x| x.exp2(), |x| (x * LN_2).exp(), |_x, y| y * LN_2;
    /// The logarithm of base 2; NaN below 0.
    log2() CLOSE: |x| x.log2(), |x| x.ln() / LN_2, |x, _y| x.to(recip()) * (1.0 / LN_2);
    /// The logarithm of base 10; NaN below 0.
    log10() CLOSE: |x| x.log10(), |x| x.ln() / LN_10, |x, _y| x.to(recip()) * (1.0 / LN_10);
    /// The hyperbolic sine.
    sinh() CLOSE: |x| x.sinh(), |x| 0.5 * (x.exp() - (-x).exp()), |x, _y| x.to(cosh());
    /// The hyperbolic cosine.
    cosh() CLOSE: |x| x.cosh(), |x| 0.5 * (x.exp() + (-x).exp()), |x, _y| x.to(sinh());
    /// The angle in -pi/2..pi/2 whose sine is `x`.
    asin() CLOSE: |x| x.asin(), |x| 2.0 * (x / (1.0 + (1.0 - x * x).sqrt())).atan(),
        |x, _y| (1.0 - x.squared()).to(rsqrt());
    /// The angle in 0..pi whose cosine is `x`.
    acos() CLOSE: |x| x.acos(), |x| 2.0 * (1.0 - x * x).sqrt().atan2(1.0 + x),
        |x, _y| -(1.0 - x.squared()).to(rsqrt());
    /// The angle in -pi/2..pi/2 whose tangent is `x`.
    atan() CLOSE: |x| x.atan(), |x| x.atan2(1.0), |x, _y| (x.squared() + 1.0).to(recip());
    /// The inverse of [`sinh`].
    asinh() CLOSE: |x| x.asinh(), |x| (x.abs() + (x * x + 1.0).sqrt()).ln().copysign(x),
        |x, _y| (x.squared() + 1.0).to(rsqrt());
    /// The inverse of [`cosh`] from 1 on; NaN below.
    acosh() CLOSE: |x| x.acosh(), |x| (x + (x * x - 1.0).sqrt()).ln(),
        |x, _y| (x.squared() - 1.0).to(rsqrt());
    /// The inverse of [`tanh`](super::unary::tanh) in -1..1; NaN elsewhere.
    atanh() CLOSE: |x| {
        let far = x.abs();
        let y = R::of(0.5) * ((far + far) / (R::of(1.0) - far)).ln_1p();
        if x < R::of(0.0) { -y } else { y }
    }, |x| 0.5 * ((1.0 + x) / (1.0 - x)).ln(),
        |x, _y| (1.0 - x.squared()).to(recip());
}

/// What every row has.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let integers = Spec::new(Element::I64, [2]);
    let mut samples: Vec<Sample> = examples().iter().flat_map(Example::samples).collect();
    samples.push(Sample::rejected("integers", sinh(), vec![integers], "x", None));
    samples
}
