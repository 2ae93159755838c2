//! Fold: the columns of an image put back and summed, also known as col2im: pixel `i` of channel
//! `c` is the sum of `x[c * taps + k, l]` over all places `l` of the window whose tap `k` is there.
//!
//! A composite of [`overlap_add`] along columns and along rows, the transpose of
//! [`unfold`](super::unfold::unfold).
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel * taps, places]` or without the batch, which may be
//! bounded. `y`: `[batch, channel, row, column]` with the given rows and columns, which have as
//! many places.
//!
//! # Gradient
//! [`unfold`](super::unfold::unfold).
//!
//! # Numerics
//! Sums along columns first. As PyTorch's `fold`.
//!
//! # Example
//! ```
//! use synfire_ops::{arrange::fold::fold, window::Sliding};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 48, 64]));
//! let sliding = Sliding { stride: [4; 2], ..Sliding::PLAIN };
//! let y = fold(&mut draft, x, [32, 32], [4, 4], &sliding);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 32, 32])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::overlap_add::overlap_add;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};
use crate::window::sliding::{case as attributes, dimensions, regroup, without_axis};
use crate::window::{self, Sliding};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("fold", torch), ("col2im", torch)];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input"])?;
    let (kernel, sliding) = attributes::columns(case)?;
    let size = case.spelling(&["output_size", "size"]);
    let extent = attributes::each(case, &[size], [0; 2])?;
    Ok(vec![fold(case, x, extent, kernel, &sliding)])
}

/// The image of `extent` rows and columns whose columns under a window of `kernel` are `x`; groups
/// and modes do not matter.
#[track_caller]
pub fn fold(
    draft: &mut Draft,
    x: Wire,
    extent: [usize; 2],
    kernel: [usize; 2],
    sliding: &Sliding<2>,
) -> Wire {
    let Sliding { stride, dilation, before, after, .. } = *sliding;
    let places = [0, 1].map(|axis| {
        let span = dilation[axis] * kernel[axis].saturating_sub(1) + 1;
        let room = (before[axis] + extent[axis] + after[axis]).checked_sub(span);
        room.map_or(0, |room| room / stride[axis].max(1) + 1)
    });
    let Some(own) = dimensions(draft, x).filter(|own| own.len() >= 2) else {
        return without_axis(draft, x, 1);
    };
    let channel = own.len() - 2;
    let taps = (kernel[0] * kernel[1]).max(1);
    let fixed = [own[channel].bound() / taps, kernel[0], kernel[1], places[0], places[1]];
    let apart = [&own[..channel], &fixed.map(Dimension::Fixed)].concat();
    let apart = regroup(draft, x, &apart);
    let axis = |axis: usize, direction: usize| {
        let sums = overlap_add(axis, kernel[direction], extent[direction]);
        let sums = sums.stride(stride[direction]).dilation(dilation[direction]);
        sums.padding(before[direction], after[direction])
    };
    let rows = draft.apply(axis(channel + 3, 1).axes(channel + 4, channel + 2), &[apart]);
    draft.apply(axis(channel + 1, 0).axes(channel + 2, channel + 1), &[rows])
}

/// All attributes, both ranks, one pixel, nothing, bounded batches, `f64`; wrong lines, places,
/// windows and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: Value, [extent, kernel]: [[usize; 2]; 2], sliding: Sliding<2>| {
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![fold(draft, wires[0], extent, kernel, &sliding)]
        };
        let expect = reference(move |inputs| vec![by_adding(&inputs[0], extent, kernel, &sliding)]);
        Sample::composite(name, "fold", build, vec![x], expect)
    };
    let rejected = |name: &str, x: Spec, kernel: [usize; 2]| {
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![fold(draft, wires[0], [5, 7], kernel, &Sliding::PLAIN)]
        };
        Sample::composite_rejected(name, "fold", build, vec![x])
    };
    let x = |extents: &[usize]| noise(1, extents);
    let plain = Sliding::PLAIN;
    let (stride, dilation) = ([2, 1], [1, 3]);
    let all = Sliding { stride, dilation, before: [1, 0], after: [2, 4], ..plain };
    let bounded = bounded_first(Element::F32, 5, &[18, 18]);
    let size = [[5, 7], [3, 2]];
    vec![
        case("plain", x(&[2, 18, 18]), size, plain),
        case("all", x(&[2, 18, 24]), size, all),
        case("patches", x(&[1, 8, 6]), [[6, 4], [2, 2]], Sliding { stride: [2, 2], ..plain }),
        case("no batch", x(&[12, 24]), size, all),
        case("one pixel", x(&[1, 1, 1]), [[1, 1], [1, 1]], plain),
        case("empty batch", x(&[0, 18, 18]), size, plain),
        case("bounded", x(&[2, 18, 18]), size, plain).with_specs(vec![bounded]),
        case("f64", window::wide(1, &[1, 12, 24]), size, all),
        rejected("a vector", Spec::f32([18]), [3, 2]),
        rejected("lines", Spec::f32([2, 17, 18]), [3, 2]),
        rejected("places", Spec::f32([2, 18, 17]), [3, 2]),
        rejected("a large window", Spec::f32([2, 18, 18]), [6, 2]),
        rejected("no window", Spec::f32([2, 18, 18]), [0, 2]),
        rejected("integers", Spec::new(Element::I64, [2, 18, 18]), [3, 2]),
    ]
}

/// The expectation: each element of a column is added to its pixel.
fn by_adding(x: &Tensor, extent: [usize; 2], kernel: [usize; 2], sliding: &Sliding<2>) -> Tensor {
    let first = x.extents.len() - 2;
    let [lines, places] = x.extents[first..] else { unreachable!("columns of two axes") };
    let [tall, wide] = kernel;
    let Sliding { stride, dilation, before, after, .. } = *sliding;
    let width = (before[1] + extent[1] + after[1] - dilation[1] * (wide - 1) - 1) / stride[1] + 1;
    let channels = lines / (tall * wide);
    let extents = [&x.extents[..first], &[channels, extent[0], extent[1]]].concat();
    let mut y = Tensor::from_fn(&extents, |_| 0.0);
    for (element, value) in x.data.iter().enumerate() {
        let (place, line) = (element % places, element / places % lines);
        let row = place / width * stride[0] + line / wide % tall * dilation[0];
        let column = place % width * stride[1] + line % wide * dilation[1];
        let (Some(row), Some(column)) = (row.checked_sub(before[0]), column.checked_sub(before[1]))
        else {
            continue;
        };
        if row < extent[0] && column < extent[1] {
            let plane = element / places / lines * channels + line / wide / tall;
            y.data[(plane * extent[0] + row) * extent[1] + column] += value;
        }
    }
    y
}
