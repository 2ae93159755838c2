//! Numbers from bytes or sums of them, a composite: `y = (x - zero) * scale`.
//!
//! # Shape
//! `x`: `u8` or `i32`, any; `scale`: `f32` or `f64`, `zero`: `i32`, both `[]`, or for an axis
//! `[channel]`. `y`: of the type of `scale`, as `x`.
//!
//! # Gradient
//! By `scale`, that of its parts; none by integers.
//!
//! # Numerics
//! An `i32` beyond 2^24 is rounded to `f32` first. As PyTorch's `dequantize`.
//!
//! # Example
//! ```
//! use synfire_ops::quantise::from_bytes::from_bytes;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::new(Element::U8, [2, 3]));
//! let scale = draft.feed("scale", Spec::f32::<usize>([]));
//! let zero = draft.feed("zero", Spec::new::<usize>(Element::I32, []));
//! let y = from_bytes(&mut draft, x, [scale, zero], None);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use crate::broadcast::binary::{multiply, subtract};
use crate::broadcast::cast::cast;
use crate::quantise::fake_quantise::channels;
use crate::quantise::to_bytes::parameters;
use crate::reject::reject;
use crate::sample::{Expect, Sample, Tensor, ramp, reference};

/// The numbers that bytes stand for, by one scale and zero point, or one for each place of `axis`.
///
/// Inputs that do not fit are a fault of the draft.
pub fn from_bytes(draft: &mut Draft, x: Wire, scale: [Wire; 2], axis: Option<usize>) -> Wire {
    let [scale, zero] = scale;
    let element = match parameters(draft, x, [scale, zero], axis) {
        Ok(element) => element,
        Err(error) => return reject(draft, "from_bytes", ("x", &[x, scale, zero]), error),
    };
    let rank = draft.spec(x).map_or(0, Spec::rank);
    let [x, zero] = [x, zero].map(|wire| draft.apply(cast(element), &[wire]));
    let [scale, zero] = [scale, zero].map(|wire| channels::beside(draft, wire, axis, rank));
    let y = draft.apply(subtract(), &[x, zero]);
    draft.apply(multiply(), &[y, scale])
}

/// Bytes and sums, one scale and channels, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use synfire_runtime::spec::Element::{I32, U8};
    let wrong = sample("channels", ramp(U8, &[2, 3]), (&[0.5, 0.25], &[3, 4]), Some(1));
    let expect = Expect::Rejected { port: "x1", dimension: Some(0) };
    vec![
        sample("one scale", ramp(U8, &[5, 7]), (&[0.013], &[131]), None),
        sample("channels", ramp(U8, &[2, 3, 5]), (&[0.1, 0.2, 0.5], &[128, 0, 7]), Some(1)),
        sample("sums", ramp(I32, &[2, 3]), (&[0.1, 0.2, 0.5], &[-128, 0, 7]), Some(1)),
        sample("empty", ramp(U8, &[0, 3]), (&[0.1], &[0]), None),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, x: Value, (scales, zeros): (&[f32], &[i32]), axis: Option<usize>) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![from_bytes(draft, wires[0], [wires[1], wires[2]], axis)]
    };
    let expect = reference(move |inputs| {
        let [x, scales, zeros] = [&inputs[0], &inputs[1], &inputs[2]];
        vec![Tensor::from_fn(&x.extents, |at| {
            let channel = axis.map_or(0, |axis| at[axis]);
            scales.data[channel] * x.at(at) - scales.data[channel] * zeros.data[channel]
        })]
    });
    let extents: &[usize] = if axis.is_some() { &[scales.len()] } else { &[] };
    let inputs = vec![x, Value::new(extents, scales), Value::new(extents, zeros)];
    Sample::composite(name, "from_bytes", build, inputs, expect)
}
