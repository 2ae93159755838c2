//! Quantisation to bytes, a composite: `y = min(max(round(x / scale) + zero, 0), 255)` as `u8`.
//!
//! Signed bytes are bytes with a zero point that is 128 higher: see
//! [`integer_matmul`](super::integer_matmul).
//!
//! # Shape
//! `x`: `f32` or `f64`, any; `scale`: of its type, `zero`: `i32`, both `[]`, or for an axis
//! `[channel]`. `y`: `u8`, as `x`.
//!
//! # Gradient
//! None: for training there is [`fake_quantise`](super::fake_quantise).
//!
//! # Numerics
//! Halves are rounded to the even number; NaN becomes 0. As PyTorch's `quantize_per_tensor` and
//! `quantize_per_channel` to `quint8`.
//!
//! # Example
//! ```
//! use synfire_ops::quantise::to_bytes::to_bytes;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let scale = draft.feed("scale", Spec::f32([3]));
//! let zero = draft.feed("zero", Spec::new(Element::I32, [3]));
//! let y = to_bytes(&mut draft, x, [scale, zero], Some(1));
//! assert_eq!(draft.spec(y), Some(&Spec::new(Element::U8, [2, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{add, multiply};
use crate::broadcast::cast::cast;
use crate::pointwise::unary::{clamp, recip, round};
use crate::quantise::fake_quantise::channels;
use crate::reject::reject;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, noise, reference};

/// `x` as bytes, by one scale and zero point, or one for each place of `axis`.
///
/// Inputs that do not fit are a fault of the draft.
pub fn to_bytes(draft: &mut Draft, x: Wire, scale: [Wire; 2], axis: Option<usize>) -> Wire {
    let [scale, zero] = scale;
    let element = match parameters(draft, x, [scale, zero], axis) {
        Ok(element) => element,
        Err(error) => return reject(draft, "to_bytes", ("x", &[x, scale, zero]), error),
    };
    let rank = draft.spec(x).map_or(0, Spec::rank);
    let zero = draft.apply(cast(element), &[zero]);
    let [scale, zero] = [scale, zero].map(|wire| channels::beside(draft, wire, axis, rank));
    let inverse = draft.apply(recip(), &[scale]);
    let y = draft.apply(multiply(), &[x, inverse]);
    let y = draft.apply(round(), &[y]);
    let y = draft.apply(add(), &[y, zero]);
    let y = draft.apply(clamp(0.0, 255.0), &[y]);
    draft.apply(cast(Element::U8), &[y])
}

/// The type of `scale`, when that and `zero` fit `x`, as `x1` and `x2`.
pub(crate) fn parameters(
    draft: &Draft,
    x: Wire,
    [scale, zero]: [Wire; 2],
    axis: Option<usize>,
) -> Result<Element, SpecError> {
    let fault = || SpecError::new("x0", "a fault", "a spec");
    let spec = |wire| draft.spec(wire).ok_or_else(fault);
    let (x, scale, zero) = (spec(x)?, spec(scale)?, spec(zero)?);
    require::element("x1", scale, &[Element::F32, Element::F64])?;
    require::element("x0", x, &[scale.element, Element::U8, Element::I32])?;
    channels::check(("x1", scale), scale.element, x, axis)?;
    channels::check(("x2", zero), Element::I32, x, axis)?;
    Ok(scale.element)
}

/// One scale, channels, special values, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let special = [0.25, 0.75, -0.25, 1e9, -1e9, f32::NAN, f32::INFINITY];
    let literal = [3.0, 5.0, 3.0, 255.0, 0.0, 0.0, 255.0];
    let special = sample("special", Value::new(&[7], &special), (&[0.5], &[3]), None);
    let expect = Expect::Rejected { port: "x1", dimension: Some(0) };
    let wrong = sample("channels", noise(1, &[2, 3]), (&[0.5, 0.25], &[3, 4]), Some(1));
    vec![
        sample("one scale", noise(1, &[5, 7]), (&[0.013], &[131]), None),
        sample("channels", noise(2, &[2, 3, 5]), (&[0.1, 0.2, 0.5], &[128, 0, 7]), Some(1)),
        sample("last axis", noise(3, &[2, 3]), (&[0.1, 0.2, 0.5], &[128, 0, 7]), Some(1)),
        Sample { expect: Expect::Outputs(vec![Tensor::new(&[7], literal.to_vec())]), ..special },
        sample("empty", noise(4, &[0, 3]), (&[0.1], &[0]), None),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, x: Value, (scales, zeros): (&[f32], &[i32]), axis: Option<usize>) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![to_bytes(draft, wires[0], [wires[1], wires[2]], axis)]
    };
    let expect = reference(move |inputs| {
        let [x, scales, zeros] = [&inputs[0], &inputs[1], &inputs[2]];
        vec![Tensor::from_fn(&x.extents, |at| {
            let channel = axis.map_or(0, |axis| at[axis]);
            let wanted = x.at(at) / scales.data[channel] + zeros.data[channel];
            let nearest = |n: &i32| (f64::from(*n) - wanted).abs();
            let closest = (0..=255).min_by(|a, b| nearest(a).total_cmp(&nearest(b)));
            f64::from(closest.unwrap_or(0))
        })]
    });
    let extents: &[usize] = if axis.is_some() { &[scales.len()] } else { &[] };
    let inputs = vec![x, Value::new(extents, scales), Value::new(extents, zeros)];
    Sample::composite(name, "to_bytes", build, inputs, expect)
}
