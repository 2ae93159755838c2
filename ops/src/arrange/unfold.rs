//! Unfold: the patches of an image under each place of a window, as columns, also known as im2col:
//! `y[c * taps + k, l]` is pixel `k` of the window at place `l`, both row by row, of channel `c`.
//!
//! A composite of [`frames`] along rows and along columns; between the two lies the kernel's height
//! times `x`. A convolution does not need it: its kernels never store the columns.
//!
//! # Shape
//! `x`: any element type, `[batch, channel, row, column]` or `[channel, row, column]`; the batch
//! may be bounded. `y`: `[batch, channel * taps, places]`, or without the batch.
//!
//! # Gradient
//! [`fold`](super::fold::fold): each pixel gets the sum over the columns that it is in.
//!
//! # Numerics
//! Exact. As PyTorch's `unfold` of images; `Tensor.unfold` is [`frames`].
//!
//! # Example
//! ```
//! use synfire_ops::{arrange::unfold::unfold, window::Sliding};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 32, 32]));
//! let sliding = Sliding { stride: [4; 2], ..Sliding::PLAIN };
//! let y = unfold(&mut draft, x, [4, 4], &sliding);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 48, 64])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::frames::frames;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Case, Torch, place};
use crate::window::sliding::{case as attributes, dimensions, joined, regroup};
use crate::window::{self, Sliding};

/// PyTorch's names, of images and of one dimension.
pub const TORCH: &[Torch] = &[("unfold", torch), ("im2col", torch)];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input"])?;
    let dimension = case.spelling(&["dimension", "dim", "axis"]);
    if case.attribute("step").is_some() || case.attribute(dimension).is_some() {
        let rank = case.spec_of(x)?.rank();
        let axis = place(case.integer(dimension, -1)?, rank)?;
        let (size, step) = (case.sizes("size", 1, 1)?[0], case.sizes("step", 1, 1)?[0]);
        return Ok(vec![case.apply(frames(axis, size).stride(step).axes(axis, rank), &[x])]);
    }
    let (kernel, sliding) = attributes::columns(case)?;
    Ok(vec![unfold(case, x, kernel, &sliding)])
}

/// The patches of `x` under a window of `kernel` rows and columns; groups and modes do not matter.
#[track_caller]
pub fn unfold(draft: &mut Draft, x: Wire, kernel: [usize; 2], sliding: &Sliding<2>) -> Wire {
    let Sliding { stride, dilation, before, after, .. } = *sliding;
    let axis = |axis: usize, direction: usize| {
        let frames = frames(axis, kernel[direction]);
        let frames = frames.stride(stride[direction]).dilation(dilation[direction]);
        frames.padding(before[direction], after[direction])
    };
    // An image without a batch starts with its channels; whatever is no image has no such axis.
    let channel = draft.spec(x).map_or(1, |x| if x.rank() == 3 { 0 } else { 1 });
    let rows = draft.apply(axis(channel + 1, 0).axes(channel + 2, channel + 1), &[x]);
    let both = draft.apply(axis(channel + 3, 1).axes(channel + 4, channel + 2), &[rows]);
    let Some(own) = dimensions(draft, both) else { return both };
    let [taps, places] = [1, 3].map(|first| joined(own[channel + first], own[channel + first + 1]));
    let columns = [joined(own[channel], taps), places];
    regroup(draft, both, &[&own[..channel], &columns].concat())
}

/// All attributes, element types, both ranks, one pixel, nothing, bounded batches; no image and a
/// large window.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: Value, kernel: [usize; 2], sliding: Sliding<2>| {
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![unfold(draft, wires[0], kernel, &sliding)]
        };
        let expect = reference(move |inputs| vec![by_index(&inputs[0], kernel, &sliding)]);
        Sample::composite(name, "unfold", build, vec![x], expect)
    };
    let rejected = |name: &str, x: &[usize]| {
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![unfold(draft, wires[0], [3, 2], &Sliding::PLAIN)]
        };
        Sample::composite_rejected(name, "unfold", build, vec![Spec::f32(x.to_vec())])
    };
    let f32 = |extents: &[usize]| ramp(Element::F32, extents);
    let plain = Sliding::PLAIN;
    let (stride, dilation) = ([2, 1], [1, 3]);
    let all = Sliding { stride, dilation, before: [1, 0], after: [2, 4], ..plain };
    let bounded = bounded_first(Element::F32, 5, &[3, 5, 7]);
    vec![
        case("plain", f32(&[2, 3, 5, 7]), [3, 2], plain),
        case("all", f32(&[2, 3, 5, 7]), [3, 2], all),
        case("bytes", ramp(Element::U8, &[1, 2, 5, 7]), [2, 2], all),
        case("patches", f32(&[1, 2, 6, 4]), [2, 2], Sliding { stride: [2, 2], ..plain }),
        case("no batch", f32(&[3, 5, 7]), [2, 3], all),
        case("one pixel", f32(&[1, 1, 1, 1]), [1, 1], plain),
        case("empty batch", f32(&[0, 3, 5, 7]), [3, 2], plain),
        case("bounded", f32(&[2, 3, 5, 7]), [3, 2], plain).with_specs(vec![bounded]),
        rejected("a matrix", &[5, 7]),
        rejected("a volume", &[1, 2, 3, 5, 7]),
        rejected("few rows", &[1, 2, 2, 7]),
    ]
}

/// The expectation: each element of a column asks for its pixel.
fn by_index(x: &Tensor, [tall, wide]: [usize; 2], sliding: &Sliding<2>) -> Tensor {
    let (batch, [channels, rows, columns]) = window::split(x);
    let Sliding { stride, dilation, before, after, .. } = *sliding;
    let places = |axis: usize, extent: usize, kernel: usize| {
        (before[axis] + extent + after[axis] - dilation[axis] * (kernel - 1) - 1) / stride[axis] + 1
    };
    let (height, width) = (places(0, rows, tall), places(1, columns, wide));
    let mut extents: Vec<usize> = batch.into_iter().collect();
    extents.extend([channels * tall * wide, height * width]);
    Tensor::from_fn(&extents, |at| {
        let [line, column] = at[at.len() - 2..] else { unreachable!("columns of two axes") };
        let row = column / width * stride[0] + line / wide % tall * dilation[0];
        let column = column % width * stride[1] + line % wide * dilation[1];
        let inside = (before[0]..before[0] + rows).contains(&row)
            && (before[1]..before[1] + columns).contains(&column);
        if !inside {
            return 0.0;
        }
        let channel = [&at[..at.len() - 2], &[line / wide / tall]].concat();
        x.at(&[&channel[..], &[row - before[0], column - before[1]]].concat())
    })
}
