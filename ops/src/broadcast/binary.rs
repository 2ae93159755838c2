//! Pointwise functions of two inputs that are broadcast to each other: `y = f(a, b)`.
//!
//! Each function is one row of the table below: its documentation, its formula, and for the
//! samples the same function written another way. [`add`], [`less`], [`logical_and`] and the others
//! are the constructors.
//!
//! # Shape
//! `a`, `b`: of one element type, aligned at their last dimension, each dimension equal or 1 ->
//! `y`: the larger of each. A bounded dimension matches only an equal bounded dimension or a fixed
//! 1; two bounded dimensions must have the same actual extents, else the firing fails. Comparisons
//! give `bool`. The output takes the place of `a` where its spec is that of `a`; with a constant
//! `b`, arithmetic is a stage of fused pieces.
//!
//! # Gradient
//! `da = f_a(a, b) * dy` and `db = f_b(a, b) * dy`, each summed over the axes that it was repeated
//! along. Of two equal inputs of `minimum` and `maximum` each gets half. [`power`] of 0 has the
//! gradient 0 by an exponent that is not negative, and by the base where the exponent is 0.
//! [`floor_divide`] has zeros; integers, comparisons and logic have none.
//!
//! # Numerics
//! As PyTorch's function of the same name. Integers wrap. `minimum` and `maximum` are NaN where an
//! input is; comparisons with NaN are false but for `not_equal`. `divide`, `power` and `atan2` take
//! floats only, so that no integer is rounded unasked. Integer [`remainder`], [`fmod`] and
//! [`floor_divide`] by 0 fail the firing on the host, and are any number on an accelerator. Floats
//! of 16 bits are computed in `f32` and rounded once.
//!
//! # Example
//! ```
//! use synfire_ops::broadcast::binary::{add, less};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let column = Value::new(&[2, 1], &[1.0_f32, 2.0]);
//! let row = Value::new(&[3], &[0.0_f32, 10.0, 20.0]);
//! let sum = fire_once(&add(), &[column.clone(), row.clone()])?;
//! assert_eq!(sum[0].elements::<f32>(), [1.0, 11.0, 21.0, 2.0, 12.0, 22.0]);
//! assert_eq!(fire_once(&less(), &[column, row])?[0].elements::<u8>(), [0, 1, 1, 0, 1, 1]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::gradient::Term;
use crate::host::number::{Number, Rounded};
use crate::marks::Sum;
use crate::pointwise::elementary::trunc;
use crate::pointwise::unary::{floor, log, sigmoid, sign};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // the formulas on accelerators
mod family; // the operator behind all rows
mod names; // what PyTorch calls them
mod table; // how rows are written
pub use family::Binary;
use family::{Kind, Part, Row, judge, update};
mod onnx; // what ONNX calls it
pub use names::TORCH;
pub use onnx::ONNX;
use table::{Example, element_of, part, parts, rows};

rows! {
    /// `a + b`.
    add Arithmetic numbers: |a, b| a.plus(b), |a, b| b - (0.0 - a),
        |_a, _b, _y, dy| (dy, dy) => Sum;
    /// `a - b`.
    subtract Arithmetic numbers: |a, b| a.minus(b), |a, b| -b + a,
        |_a, _b, _y, dy| (dy, -dy);
    /// `a * b`.
    multiply Arithmetic numbers: |a, b| a.times(b), |a, b| a.mul_add(b, 0.0),
        |a, b, _y, dy| (dy * b, dy * a);
    /// `a / b`.
    divide Arithmetic floats: |a, b| a / b, |a, b| a * b.powi(-1),
        |_a, b, y, dy| (dy / b, -(dy * y / b));
    /// `a - floor(a / b) * b`: the rest has the sign of `b`.
    remainder Division numbers: |a, b| a.modulo(b), |a, b| a - (a / b).floor() * b,
        |a, b, _y, dy| (dy, -(dy * (a / b).to(floor())));
    /// The smaller one; NaN where one is.
    minimum Arithmetic numbers: |a, b| if a < b || a.is_nan() { a } else { b },
        |a, b| 0.5 * (a + b - (a - b).abs()),
        |a, b, _y, dy| (dy * share(b, a), dy * share(a, b));
    /// The larger one; NaN where one is.
    maximum Arithmetic numbers: |a, b| if a > b || a.is_nan() { a } else { b },
        |a, b| 0.5 * (a + b + (a - b).abs()),
        |a, b, _y, dy| (dy * share(a, b), dy * share(b, a));
    /// `a` to the power `b`; NaN for a negative `a` and a `b` that is no whole number.
    power Arithmetic floats: |a, b| a.powf(b), |a, b| (b * a.ln()).exp(),
        |a, b, y, dy| (
            b.with(equal(), &[b.zeros()]).choose(dy.zeros(), dy * b * a.with(power(), &[b - 1.0])),
            a.with(equal(), &[a.zeros()])
                .with(logical_and(), &[b.with(greater_equal(), &[b.zeros()])])
                .choose(dy.zeros(), dy * y * a.to(log()))
        );
    /// The angle of the point `(b, a)` in radians, from -pi to pi.
    atan2 Arithmetic floats: |a, b| a.atan2(b), |a, b| 2.0 * (a / (a.hypot(b) + b)).atan(),
        |a, b, _y, dy| (
            dy * b / (a.squared() + b.squared()),
            -(dy * a / (a.squared() + b.squared()))
        );
    /// `a - trunc(a / b) * b`: the rest has the sign of `a`.
    fmod Division numbers: |a, b| a.rest(b), |a, b| a - (a / b).trunc() * b,
        |a, b, _y, dy| (dy, -(dy * (a / b).to(trunc())));
    /// The largest whole number that is not above `a / b`.
    floor_divide Division numbers: |a, b| a.quotient(b), |a, b| (a / b).floor(),
        |_a, _b, _y, dy| (dy.zeros(), dy.zeros());
    /// `sqrt(a^2 + b^2)`, without overflow on the way.
    hypot Arithmetic floats: |a, b| a.hypot(b), |a, b| (a * a + b * b).sqrt(),
        |a, b, y, dy| (dy * a / y, dy * b / y);
    /// `log(e^a + e^b)`, without overflow on the way.
    logaddexp Arithmetic floats: |a, b| {
        let high = if a > b || a.is_nan() { a } else { b };
        if a == b && a.is_infinite() { a } else { high + (-(a - b).abs()).exp().ln_1p() }
    }, |a, b| (a.exp() + b.exp()).ln(),
        |a, b, _y, dy| (dy * (a - b).to(sigmoid()), dy * (b - a).to(sigmoid()));
    /// `a` where `b` is above 0, else 0, whatever `a` is: the gradient of
    /// [`relu`](crate::pointwise::unary::relu).
    gate Arithmetic floats: |a, b| if b > 0.0 { a } else { 0.0 },
        |a, b| if b.max(0.0) == 0.0 { 0.0 } else { a },
        |_a, b, _y, dy| (dy.with(gate(), &[b]), dy.zeros());
    /// Whether `a = b`.
    equal Comparison ordered: |a, b| a == b, |a, b| (a - b).abs() <= 0.0;
    /// Whether `a` differs from `b`.
    not_equal Comparison ordered: |a, b| a != b, |a, b| (a - b).abs() > 0.0;
    /// Whether `a < b`.
    less Comparison ordered: |a, b| a < b, |a, b| b - a > 0.0;
    /// Whether `a <= b`.
    less_equal Comparison ordered: |a, b| a <= b, |a, b| b - a >= 0.0;
    /// Whether `a > b`.
    greater Comparison ordered: |a, b| a > b, |a, b| b - a < 0.0;
    /// Whether `a >= b`.
    greater_equal Comparison ordered: |a, b| a >= b, |a, b| b - a <= 0.0;
    /// Whether both are true.
    logical_and Logic truths: |a, b| a & b, |a, b| a * b;
    /// Whether one is true, or both.
    logical_or Logic truths: |a, b| a | b, |a, b| a + b - a * b;
    /// Whether exactly one is true. With a true constant it is *not*.
    logical_xor Logic truths: |a, b| a ^ b, |a, b| (a - b).abs();
}

/// The share of `a` in the gradient of the larger of `a` and `b`: 1, 0, or half where they are
/// equal.
fn share<'a>(a: Term<'a>, b: Term<'a>) -> Term<'a> {
    (a - b).to(sign()) * 0.5 + 0.5
}

/// For each row every path and element type; NaN, wrapping, bounded ports, and what does not match.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let nan = || [Value::new(&[2], &[f32::NAN, 1.0]), Value::new(&[2], &[1.0, f32::NAN])];
    let literal = |y: [f64; 2]| Expect::Outputs(vec![Tensor::new(&[2], y.to_vec())]);
    let pair = |name: &str, operator: Binary, [a, b]: [Value; 2], y| {
        Sample::new(name, operator, vec![a, b], literal(y))
    };
    let wrapped = [Value::new(&[2], &[i32::MAX, 1]), Value::new(&[], &[1])];
    let signs = [Value::new(&[2], &[-7, 7]), Value::new(&[2], &[3, -3])];
    let up_to = |n, rest: &[usize]| bounded_first(Element::F32, n, rest);
    let bounded = pair("bounded", add(), [noise(5, &[2]), noise(6, &[2])], [0.0; 2]);
    let bounded = Sample {
        expect: reference(|x| {
            let sums = x[0].data.iter().zip(&x[1].data).map(|(a, b)| a + b);
            vec![Tensor::new(&x[0].extents, sums.collect())]
        }),
        ..bounded.with_specs(vec![up_to(9, &[]), up_to(9, &[])])
    };
    let integers = || Spec::new(Element::I64, [Dimension::Fixed(3)]);
    let mut samples: Vec<Sample> = EXAMPLES.iter().flat_map(Example::samples).collect();
    samples.extend([
        pair("NaN", maximum(), nan(), [f64::NAN; 2]),
        pair("NaN", minimum(), nan(), [f64::NAN; 2]),
        pair("NaN", less_equal(), nan(), [0.0; 2]),
        pair("NaN", not_equal(), nan(), [1.0; 2]),
        pair("wrapping", add(), wrapped, [f64::from(i32::MIN), 2.0]),
        pair("signs", remainder(), signs, [2.0, -2.0]),
        bounded,
        Sample::rejected(
            "mismatch",
            add(),
            two(Spec::f32([4, 3]), Spec::f32([2, 3])),
            "b",
            Some(0),
        ),
        Sample::rejected("bounds", add(), two(up_to(9, &[]), up_to(8, &[])), "b", Some(0)),
        Sample::rejected(
            "bound and fixed",
            add(),
            two(up_to(9, &[]), Spec::f32([9])),
            "b",
            Some(0),
        ),
        Sample::rejected("mixed elements", add(), two(Spec::f32([3]), integers()), "b", None),
        Sample::rejected("integer quotient", divide(), two(integers(), integers()), "a", None),
        Sample::rejected("numbers", logical_and(), two(integers(), integers()), "a", None),
    ]);
    samples
}

fn two(a: Spec, b: Spec) -> Vec<Spec> {
    vec![a, b]
}
