//! A convolution of bytes, a composite: the patches of the image as rows of a matrix, then
//! [`quantised_linear`](super::quantised_linear).
//!
//! The patches take as many bytes as the image has, times the taps of the kernel.
//!
//! # Shape
//! `x`: `u8` `[batch, channel, row, column]`, whose batch may be bounded, with one scale and zero
//! point; `weight`: `u8` `[out, channel, kernel row, kernel column]`, at most 64 taps, with one of
//! each for all or for each `out`. `bias`, if any: `[out]`. `y`: `[batch, out, row, column]`, of
//! the type of the scales.
//!
//! # Gradient
//! By scales and bias, that of the parts; none by bytes.
//!
//! # Numerics
//! Sums are exact, then scaled. Padding holds the zero point given, so it counts as 0 where that is
//! the zero point of `x`.
//!
//! # Example
//! ```
//! use synfire_ops::quantise::quantised_conv2d::{Windows, quantised_conv2d};
//! use synfire_ops::quantise::quantised_linear::Quantised;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let mut quantised = |name: &str, extents: [usize; 4]| Quantised {
//!     bytes: draft.feed(name, Spec::new(Element::U8, extents)),
//!     scale: draft.feed(&format!("{name}_scale"), Spec::f32::<usize>([])),
//!     zero: draft.feed(&format!("{name}_zero"), Spec::new::<usize>(Element::I32, [])),
//! };
//! let (x, weight) = (quantised("x", [2, 3, 8, 8]), quantised("weight", [4, 3, 3, 3]));
//! let windows = Windows { stride: [2, 2], padding: [1, 1], dilation: [1, 1], zero: 128 };
//! let y = quantised_conv2d(&mut draft, x, weight, (None, windows));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 4, 4, 4])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::arrange::pad::{PadMode, pad};
use crate::arrange::slice::slice;
use crate::arrange::stack::stack;
use crate::arrange::transpose::transpose;
use crate::dense::matmul::regroup;
use crate::host::strided::SOURCES_MAX;
use crate::quantise::quantised_linear::{Quantised, quantised_linear};
use crate::reject::reject;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, ramp, reference};

/// How the windows move; rows and columns of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// From one window to the next.
    pub stride: [usize; 2],
    /// Around the image, on both sides.
    pub padding: [usize; 2],
    /// From one tap to the next.
    pub dilation: [usize; 2],
    /// What padding holds: the zero point of the image.
    pub zero: u8,
}

/// The convolution, with a bias if there is one.
///
/// Inputs that do not fit are a fault of the draft.
pub fn quantised_conv2d(
    draft: &mut Draft,
    x: Quantised,
    weight: Quantised,
    (bias, windows): (Option<Wire>, Windows),
) -> Wire {
    let sizes = match check(draft, [x.bytes, weight.bytes], &windows) {
        Ok(sizes) => sizes,
        Err(error) => {
            let inputs = [x.bytes, weight.bytes];
            return reject(draft, "quantised_conv2d", ("x", &inputs), error);
        }
    };
    let patches = patches(draft, x.bytes, &windows, &sizes);
    let inner = sizes.channels * sizes.kernel[0] * sizes.kernel[1];
    let to = [sizes.out, inner].map(Dimension::Fixed);
    let joined = regroup(draft, weight.bytes, &to).map(|bytes| {
        let x = Quantised { bytes: patches, ..x };
        let y = quantised_linear(draft, x, Quantised { bytes, ..weight }, bias);
        draft.apply(transpose(&[0, 2, 1]), &[y])
    });
    let [rows, columns] = sizes.extent.map(Dimension::Fixed);
    let to = [sizes.batch, sizes.out.into(), rows, columns];
    // The scales may not fit, which is a fault already.
    let known = joined.filter(|&y| draft.spec(y).is_some());
    match known.and_then(|y| regroup(draft, y, &to)) {
        Some(y) => y,
        None => joined.unwrap_or(patches),
    }
}

/// What both inputs say.
struct Sizes {
    batch: Dimension,
    channels: usize,
    out: usize,
    kernel: [usize; 2],
    /// Rows and columns of windows.
    extent: [usize; 2],
}

fn check(draft: &Draft, inputs: [Wire; 2], windows: &Windows) -> Result<Sizes, SpecError> {
    let fault = || SpecError::new("x0", "a fault", "a spec");
    let [x, weight] = inputs.map(|wire| draft.spec(wire).ok_or_else(fault));
    let (x, weight) = (x?, weight?);
    for (port, spec) in [("x0", x), ("x1", weight)] {
        require::element(port, spec, &[Element::U8])?;
        require::rank(port, spec, 4)?;
    }
    let fixed = |port: &str, spec: &Spec, axis| require::fixed(port, spec, axis);
    let channels = fixed("x0", x, 1)?;
    if fixed("x1", weight, 1)? != channels {
        let wanted = format!("{channels}, the channels of port x0");
        return Err(SpecError::new("x1", weight.dimensions[1], wanted).at(1));
    }
    let kernel = [fixed("x1", weight, 2)?, fixed("x1", weight, 3)?];
    let taps = kernel[0] * kernel[1];
    if taps == 0 || taps > SOURCES_MAX {
        return Err(SpecError::new("x1", weight, format!("1 to {SOURCES_MAX} taps")));
    }
    let mut extent = [0; 2];
    for side in [0, 1] {
        let image = fixed("x0", x, 2 + side)? + 2 * windows.padding[side];
        let span = (kernel[side] - 1) * windows.dilation[side] + 1;
        if windows.stride[side] == 0 || windows.dilation[side] == 0 || span > image {
            let wanted = format!("at least {span} with padding, and steps of at least 1");
            return Err(SpecError::new("x0", image, wanted).at(2 + side));
        }
        extent[side] = (image - span) / windows.stride[side] + 1;
    }
    Ok(Sizes { batch: x.dimensions[0], channels, out: fixed("x1", weight, 0)?, kernel, extent })
}

/// `[batch, window, channel * tap]`.
fn patches(draft: &mut Draft, x: Wire, windows: &Windows, sizes: &Sizes) -> Wire {
    let mut image = x;
    if windows.padding != [0, 0] {
        let around = [0, 0, windows.padding[0], windows.padding[1]];
        let mode = PadMode::Constant(f64::from(windows.zero));
        image = draft.apply(pad(&around, &around, mode), &[x]);
    }
    let cut = |draft: &mut Draft, wire, side: usize, tap: usize| {
        let start = tap * windows.dilation[side];
        let end = start + (sizes.extent[side] - 1) * windows.stride[side] + 1;
        draft.apply(slice(2 + side, start, end, windows.stride[side]), &[wire])
    };
    let mut taps = Vec::new();
    for row in 0..sizes.kernel[0] {
        let rows = cut(draft, image, 0, row);
        taps.extend((0..sizes.kernel[1]).map(|column| cut(draft, rows, 1, column)));
    }
    let all = draft.apply(stack(2, taps.len()), &taps);
    let windows = Dimension::Fixed(sizes.extent[0] * sizes.extent[1]);
    let to = [sizes.batch, Dimension::Fixed(sizes.channels * taps.len()), windows];
    let flat = regroup(draft, all, &to).unwrap_or(all);
    draft.apply(transpose(&[0, 2, 1]), &[flat])
}

/// Padding, strides and dilation, one tap, a bounded batch; channels that differ.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let windows = |stride, padding, dilation| Windows { stride, padding, dilation, zero: 17 };
    let plain = || windows([1, 1], [0, 0], [1, 1]);
    let wide = windows([2, 1], [1, 2], [1, 2]);
    let scalar = |element| Spec::new::<usize>(element, []);
    let [f32, i32] = [Element::F32, Element::I32].map(scalar);
    let of_x = vec![bounded_first(Element::U8, 5, &[1, 4, 4]), f32.clone(), i32.clone()];
    let of_weight = vec![Spec::new(Element::U8, [3, 1, 2, 2]), f32, i32, Spec::f32([3])];
    let bounded = [of_x, of_weight].concat();
    let expect = Expect::Rejected { port: "x1", dimension: Some(1) };
    let wrong = sample("channels", [2, 3, 5, 6], [4, 2, 3, 2], plain());
    vec![
        sample("plain", [2, 3, 5, 6], [4, 3, 3, 2], plain()),
        sample("padding, strides, gaps", [1, 2, 6, 7], [3, 2, 3, 3], wide),
        sample("one tap", [2, 3, 4, 4], [2, 3, 1, 1], plain()),
        sample("bounded", [2, 1, 4, 4], [3, 1, 2, 2], plain()).with_specs(bounded),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, x: [usize; 4], weight: [usize; 4], windows: Windows) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let quantised =
            |at: usize| Quantised { bytes: wires[at], scale: wires[at + 1], zero: wires[at + 2] };
        let with = (Some(wires[6]), windows);
        vec![quantised_conv2d(draft, quantised(0), quantised(3), with)]
    };
    let expect = reference(move |inputs| {
        let (x, weight, bias) = (&inputs[0], &inputs[3], &inputs[6]);
        let real = |at: usize, byte: f64| inputs[at + 1].data[0] * (byte - inputs[at + 2].data[0]);
        let extent = [0, 1].map(|side| {
            let span = (weight.extents[2 + side] - 1) * windows.dilation[side] + 1;
            (x.extents[2 + side] + 2 * windows.padding[side] - span) / windows.stride[side] + 1
        });
        let extents = [x.extents[0], weight.extents[0], extent[0], extent[1]];
        vec![Tensor::from_fn(&extents, |at| {
            let mut sum = bias.data[at[1]];
            let _ = Tensor::from_fn(&weight.extents[1..], |tap| {
                let place = [0, 1].map(|side| {
                    let ahead = at[2 + side] * windows.stride[side];
                    (ahead + tap[1 + side] * windows.dilation[side])
                        .checked_sub(windows.padding[side])
                        .filter(|&place| place < x.extents[2 + side])
                });
                if let [Some(row), Some(column)] = place {
                    let pixel = x.at(&[at[0], tap[0], row, column]);
                    let tap = weight.at(&[at[1], tap[0], tap[1], tap[2]]);
                    sum += real(0, pixel) * real(3, tap);
                }
                0.0
            });
            sum
        })]
    });
    let scalar = |number: f32| Value::new(&[], &[number]);
    let inputs = vec![
        ramp(Element::U8, &x),
        scalar(0.05),
        Value::new(&[], &[17]),
        ramp(Element::U8, &weight),
        scalar(0.02),
        Value::new(&[], &[9]),
        noise(1, &weight[..1]),
    ];
    Sample::composite(name, "quantised_conv2d", build, inputs, expect)
}
