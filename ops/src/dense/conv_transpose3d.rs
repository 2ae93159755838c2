//! Transposed convolution of volumes: each voxel of `x` adds its kernel, scaled, to the output at
//! `(r, p, q) * stride + (h, i, j) * dilation - before`, and each filter its bias once.
//!
//! A composite: one [`conv_transpose2d`] of all slices, with the kernel's depth as further
//! channels, and the slices that it gives added up along the depth ([`overlap_add`]). Between the
//! two lies what the slices give: the kernel's depth times `x` in places, with the output's rows
//! and columns.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, depth, row, column]` or without the batch, which is fixed.
//! `weight`: `[channel, out / groups, kernel depth, kernel row, kernel column]`. `bias`: `[out]`.
//! `y`: as `x` with `out` channels and
//! `(extent - 1) * s + d * (kernel - 1) + 1 - padding + output padding` places along each axis.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of [`conv_transpose2d`], summed over the kernel's depth last. As PyTorch's
//! `conv_transpose3d`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv_transpose3d::conv_transpose3d;
//! use synfire_ops::window::Sliding;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([1, 8, 4, 5, 5]));
//! let weight = draft.feed("weight", Spec::f32([8, 3, 2, 2, 2]));
//! let sliding = Sliding { stride: [2; 3], ..Sliding::PLAIN };
//! let y = conv_transpose3d(&mut draft, [x, weight], None, &sliding, [0; 3]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([1, 3, 8, 10, 10])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::conv_transpose2d::conv_transpose2d;
use crate::arrange::overlap_add::overlap_add;
use crate::arrange::pad::{PadMode, pad};
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::add;
use crate::sample::{Sample, bounded_first, noise, reference};
use crate::torch::Torch;
use crate::window::sliding::definition::transposed;
use crate::window::sliding::{dimensions, joined, regroup, without_axis};
use crate::window::{self, Sliding, sliding};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("conv_transpose3d", |case| {
    let (inputs, bias, sliding) = sliding::case::convolution(case)?;
    let output_padding = sliding::case::each(case, &["output_padding"], [0; 3])?;
    Ok(vec![conv_transpose3d(case, inputs, bias, &sliding, output_padding)])
})];

/// The transposed convolution of `[x, weight]`, with so many places more at the end.
#[track_caller]
pub fn conv_transpose3d(
    draft: &mut Draft,
    [x, weight]: [Wire; 2],
    bias: Option<Wire>,
    sliding: &Sliding<3>,
    output_padding: [usize; 3],
) -> Wire {
    let (Some(whole), Some(kernel)) = (dimensions(draft, x), dimensions(draft, weight)) else {
        return draft.apply(conv_transpose2d(), &[x, weight]);
    };
    if kernel.len() < 5 {
        return without_axis(draft, weight, 4);
    }
    let (true, Some(channel @ 0..=1)) = (kernel.len() == 5, whole.len().checked_sub(4)) else {
        // Neither is a matter of images.
        return draft.apply(conv_transpose2d(), &[x, weight]);
    };
    let slices = slice_by_slice(draft, [x, weight], sliding, output_padding);
    let Some(own) = dimensions(draft, slices) else { return slices };
    let (depth, taps) = (whole[channel + 1], kernel[2]);
    // [batch, depth, filter, tap, row, column]
    let filters = Dimension::Fixed(own[1].bound() / taps.bound().max(1));
    let apart = [&whole[..channel], &[depth, filters, taps], &own[2..]].concat();
    let apart = regroup(draft, slices, &apart);
    let y = along_depth(draft, apart, [depth.bound(), taps.bound()], sliding, output_padding[0]);
    match bias {
        None => y,
        Some(bias) => {
            let one = Dimension::Fixed(1);
            let bias = match dimensions(draft, bias).as_deref() {
                Some(&[filters]) => regroup(draft, bias, &[filters, one, one, one]),
                _ => return without_axis(draft, bias, 8),
            };
            draft.apply(add(), &[y, bias])
        }
    }
}

/// The transposed convolution of every slice, `[batch and depth, filter and tap, row, column]`.
fn slice_by_slice(
    draft: &mut Draft,
    [x, weight]: [Wire; 2],
    sliding: &Sliding<3>,
    output_padding: [usize; 3],
) -> Wire {
    let (Some(whole), Some(kernel)) = (dimensions(draft, x), dimensions(draft, weight)) else {
        unreachable!("both are known here")
    };
    let channel = whole.len() - 4;
    let mut permutation: Vec<usize> = (0..whole.len()).collect();
    permutation.swap(channel, channel + 1);
    let slices = draft.apply(transpose(&permutation), &[x]);
    let batch = whole[..channel].iter().fold(Dimension::Fixed(1), |all, &own| joined(all, own));
    let items = joined(batch, whole[channel + 1]);
    let images = [items, whole[channel], whole[channel + 2], whole[channel + 3]];
    let slices = regroup(draft, slices, &images);
    let weight =
        regroup(draft, weight, &[kernel[0], joined(kernel[1], kernel[2]), kernel[3], kernel[4]]);
    let [_, down, across] = sliding.stride;
    let operator = conv_transpose2d().stride([down, across]).groups(sliding.groups);
    let [_, down, across] = sliding.dilation;
    let operator = operator.dilation([down, across]);
    let ([_, top, left], [_, bottom, right]) = (sliding.before, sliding.after);
    let operator = operator.padding([top, bottom, left, right]);
    let [_, rows, columns] = output_padding;
    draft.apply(operator.output_padding([rows, columns]), &[slices, weight])
}

/// `[batch, depth, filter, tap, row, column]` added up to `[batch, filter, depth, row, column]`.
fn along_depth(
    draft: &mut Draft,
    slices: Wire,
    [depth, taps]: [usize; 2],
    sliding: &Sliding<3>,
    more: usize,
) -> Wire {
    let Some(rank) = draft.spec(slices).map(Spec::rank) else { return slices };
    let (stride, dilation) = (sliding.stride[0], sliding.dilation[0]);
    let whole = depth.saturating_sub(1) * stride + dilation * taps.saturating_sub(1) + 1;
    // The output padding gives back what is cut off behind, and beyond that adds zeros; as much as
    // stride or dilation is too much, and has no frames.
    let too_much = more >= stride.max(dilation);
    let given = if too_much { 0 } else { more };
    let (cut, zeros) =
        (sliding.after[0].saturating_sub(given), given.saturating_sub(sliding.after[0]));
    let extent = whole.saturating_sub(sliding.before[0] + cut) + more - given;
    let channel = rank - 5;
    let sums = overlap_add(channel + 1, taps, extent).axes(channel, channel + 2);
    let sums = sums.stride(stride).dilation(dilation).padding(sliding.before[0], cut);
    let y = draft.apply(sums, &[slices]);
    if zeros == 0 {
        return y;
    }
    let (before, mut after) = (vec![0; rank - 1], vec![0; rank - 1]);
    after[channel + 1] = zeros;
    draft.apply(pad(&before, &after, PadMode::Constant(0.0)), &[y])
}

/// All attributes, groups, both ranks, output padding past the stride, one voxel, nothing, `f64`;
/// bounded batches, wrong ranks, channels, biases and output paddings.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, sliding: Sliding<3>, more, extents: [&[usize]; 2]| {
        let bias = noise(3, &[extents[1][1] * sliding.groups]);
        sample(name, sliding, more, vec![noise(1, extents[0]), noise(2, extents[1]), bias])
    };
    let rejected = |name: &str, x: Spec, weight: &[usize], more| {
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            let inputs = [wires[0], wires[1]];
            vec![conv_transpose3d(draft, inputs, wires.get(2).copied(), &Sliding::PLAIN, more)]
        };
        let mut specs = vec![x, Spec::f32(weight.to_vec())];
        specs.extend((name == "bias").then(|| Spec::f32([5])));
        Sample::composite_rejected(name, "conv_transpose3d", build, specs)
    };
    let plain = Sliding::PLAIN;
    let (stride, dilation) = ([2, 1, 3], [3, 1, 2]);
    let all = Sliding { stride, dilation, before: [1, 0, 2], after: [2, 1, 0], ..plain };
    let grouped = Sliding { groups: 2, ..all };
    let wide = [&[1, 4, 2, 3, 2][..], &[4, 3, 2, 2, 1], &[6]];
    let volume = || Spec::f32([2, 3, 4, 5, 6]);
    vec![
        case("plain", plain, [0; 3], [&[2, 3, 3, 4, 5], &[3, 4, 2, 3, 3]]),
        case("all", all, [1, 0, 2], [&[2, 3, 4, 3, 2], &[3, 2, 3, 2, 2]]),
        case("past a place", all, [2, 0, 0], [&[1, 2, 3, 3, 2], &[2, 2, 2, 2, 2]]),
        case(
            "past the end",
            Sliding { after: [0; 3], ..all },
            [2, 0, 0],
            [&[1, 2, 3, 3, 2], &[2, 2, 2, 2, 2]],
        ),
        case("groups", grouped, [1, 0, 0], [&[1, 4, 3, 3, 2], &[4, 2, 2, 3, 2]]),
        case("no batch", all, [0; 3], [&[3, 3, 4, 2], &[3, 2, 2, 2, 3]]),
        case("one voxel", plain, [0; 3], [&[1, 1, 1, 1, 1], &[1, 1, 1, 1, 1]]),
        case("empty batch", plain, [0; 3], [&[0, 3, 2, 2, 2], &[3, 2, 2, 3, 3]]),
        sample("f64", grouped, [1, 0, 1], wide.map(|extents| window::wide(1, extents)).to_vec()),
        rejected(
            "bounded batch",
            bounded_first(Element::F32, 5, &[3, 4, 5, 6]),
            &[3, 4, 2, 3, 3],
            [0; 3],
        ),
        rejected("an image", Spec::f32([3, 5, 6]), &[3, 4, 2, 3, 3], [0; 3]),
        rejected("a weight of images", volume(), &[3, 4, 3, 3], [0; 3]),
        rejected("wrong channels", volume(), &[4, 2, 2, 3, 3], [0; 3]),
        rejected("output padding", volume(), &[3, 4, 2, 3, 3], [1, 0, 0]),
        rejected("bias", volume(), &[3, 4, 2, 3, 3], [0; 3]),
    ]
}

fn sample(name: &str, sliding: Sliding<3>, more: [usize; 3], inputs: Vec<Value>) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![conv_transpose3d(draft, [wires[0], wires[1]], Some(wires[2]), &sliding, more)]
    };
    let expect = reference(move |inputs| vec![transposed(inputs, &sliding, more)]);
    Sample::composite(name, "conv_transpose3d", build, inputs, expect)
}
