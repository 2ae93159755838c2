//! A linear layer of bytes, a composite: an exact product in integers, then one scale for each
//! output: `y = x.scale * weight.scale * ((x - x.zero) * (weight - weight.zero)^T) + bias`.
//!
//! # Shape
//! `x`: `u8` `[.., in]`, with any dimensions before, which may be bounded, one `scale` (`f32` or
//! `f64` `[]`) and zero point (`i32` `[]`); `weight`: `u8` `[out, in]`, with one of each for all or
//! for each output (`[out]`). `bias`, if any: `[out]`, of the type of the scales, as `y`:
//! `[.., out]`.
//!
//! # Gradient
//! By scales and bias, that of the parts; none by bytes. For training there is
//! [`fake_quantise`](super::fake_quantise) before a [`linear`](crate::dense::linear).
//!
//! # Numerics
//! The sum is exact ([`integer_matmul`](super::integer_matmul)), then rounded to the type of the
//! scales, then scaled.
//!
//! # Example
//! ```
//! use synfire_ops::quantise::quantised_linear::{Quantised, quantised_linear};
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let mut feed = |name: &str, element, extents: &[usize]| {
//!     draft.feed(name, Spec::new(element, extents.to_vec()))
//! };
//! let (u8, f32, i32) = (Element::U8, Element::F32, Element::I32);
//! let x = Quantised {
//!     bytes: feed("x", u8, &[4, 3]),
//!     scale: feed("x_scale", f32, &[]),
//!     zero: feed("x_zero", i32, &[]),
//! };
//! let weight = Quantised {
//!     bytes: feed("weight", u8, &[5, 3]),
//!     scale: feed("weight_scale", f32, &[5]),
//!     zero: feed("weight_zero", i32, &[5]),
//! };
//! let y = quantised_linear(&mut draft, x, weight, None);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([4, 5])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use crate::broadcast::binary::{add, multiply};
use crate::broadcast::cast::cast;
use crate::quantise::integer_matmul::integer_matmul;
use crate::sample::{Expect, Sample, Tensor, noise, ramp, reference};

/// Bytes and what they stand for: `scale * (byte - zero)`.
#[derive(Clone, Copy, Debug)]
pub struct Quantised {
    /// `u8`.
    pub bytes: Wire,
    /// `f32` or `f64`, one for all or one for each output.
    pub scale: Wire,
    /// `i32`, likewise.
    pub zero: Wire,
}

/// The layer, with a bias if there is one.
pub fn quantised_linear(
    draft: &mut Draft,
    x: Quantised,
    weight: Quantised,
    bias: Option<Wire>,
) -> Wire {
    let inputs = [x.bytes, weight.bytes, x.zero, weight.zero];
    let sums = draft.apply(integer_matmul(), &inputs);
    let element = draft.spec(x.scale).map_or(Element::F32, |scale| scale.element);
    let sums = draft.apply(cast(element), &[sums]);
    let scale = draft.apply(multiply(), &[x.scale, weight.scale]);
    let y = draft.apply(multiply(), &[sums, scale]);
    match bias {
        Some(bias) => draft.apply(add(), &[y, bias]),
        None => y,
    }
}

/// One scale for the weight and one for each output, a vector, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let expect = Expect::Rejected { port: "b", dimension: Some(1) };
    let wrong = Sample { inputs: Vec::new(), expect, ..sample("features", &[2, 3], [5, 4], 1) };
    vec![
        sample("outputs", &[7, 13], [5, 13], 5),
        sample("one scale", &[2, 3, 4], [5, 4], 1),
        sample("vector", &[5], [3, 5], 3),
        sample("no rows", &[0, 5], [3, 5], 3),
        wrong,
    ]
}

fn sample(name: &str, x: &[usize], weight: [usize; 2], scales: usize) -> Sample {
    let build = |draft: &mut Draft, wires: &[Wire]| {
        let quantised =
            |at: usize| Quantised { bytes: wires[at], scale: wires[at + 1], zero: wires[at + 2] };
        vec![quantised_linear(draft, quantised(0), quantised(3), Some(wires[6]))]
    };
    let expect = reference(|inputs| {
        let real = |bytes: &Tensor, at: usize, flat: usize, row: usize| {
            let (scales, zeros) = (&inputs[at + 1].data, &inputs[at + 2].data);
            scales[row % scales.len()] * (bytes.data[flat] - zeros[row % zeros.len()])
        };
        let (x, weight, bias) = (&inputs[0], &inputs[3], &inputs[6]);
        let [out, features] = [weight.extents[0], weight.extents[1]];
        let extents = [&x.extents[..x.extents.len() - 1], &[out]].concat();
        let mut place = 0..;
        vec![Tensor::from_fn(&extents, |_| {
            let flat = place.next().unwrap_or(0);
            let (row, column) = (flat / out, flat % out);
            let term = |k| {
                real(x, 0, row * features + k, 0) * real(weight, 3, column * features + k, column)
            };
            bias.data[column] + (0..features).map(term).sum::<f64>()
        })]
    });
    let of_outputs: &[usize] = if scales == 1 { &[] } else { &[scales] };
    let many: Vec<f32> = (0..scales).map(|k| 0.01 + 0.003 * k as f32).collect();
    let zeros: Vec<i32> = (0..scales as i32).map(|k| 120 + 5 * k).collect();
    let inputs = vec![
        ramp(Element::U8, x),
        Value::new(&[], &[0.05_f32]),
        Value::new(&[], &[17]),
        ramp(Element::U8, &weight),
        Value::new(of_outputs, &many),
        Value::new(of_outputs, &zeros),
        noise(1, &weight[..1]),
    ];
    Sample::composite(name, "quantised_linear", build, inputs, expect)
}
