//! Convolution of volumes:
//! `y[o, r, p, q] = bias[o] + sum over c, h, i, j of weight[o, c, h, i, j] * x[c, ..]` at the pixel
//! `(r, p, q) * stride + (h, i, j) * dilation - before`.
//!
//! A composite: the slices under each place of the window become channels of one image
//! ([`frames`]), so that one [`conv2d`] with the weight as it is sums them all. The copy of `x` is
//! as often as large as the kernel is deep, which the convolution reads as often in any case, and
//! the output is transposed once; a kernel of depth 1 costs two transpositions.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, depth, row, column]` or without the batch, which is fixed.
//! `weight`: `[out, channel / groups, kernel depth, kernel row, kernel column]`. `bias`: `[out]`.
//! `y`: as `x` with `out` channels and `(extent + padding - d * (kernel - 1) - 1) / s + 1` places
//! along each axis, rounded down.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of [`conv2d`]. As PyTorch's `conv3d`, and as `Conv3d` with its padding modes.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv3d::conv3d;
//! use synfire_ops::window::Sliding;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 16, 20, 20]));
//! let weight = draft.feed("weight", Spec::f32([8, 3, 3, 5, 5]));
//! let y = conv3d(&mut draft, [x, weight], None, &Sliding::PLAIN.padding([1, 2, 2]));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 8, 16, 20, 20])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::conv2d::conv2d;
use crate::arrange::frames::frames;
use crate::arrange::pad::PadMode;
use crate::arrange::transpose::transpose;
use crate::sample::{Sample, bounded_first, noise, reference};
use crate::torch::Torch;
use crate::window::sliding::definition::convolved;
use crate::window::sliding::{dimensions, joined, regroup, without_axis};
use crate::window::{self, Sliding, sliding};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("conv3d", |case| {
    let (inputs, bias, sliding) = sliding::case::convolution(case)?;
    Ok(vec![conv3d(case, inputs, bias, &sliding)])
})];

/// The convolution of `[x, weight]`.
#[track_caller]
pub fn conv3d(
    draft: &mut Draft,
    [x, weight]: [Wire; 2],
    bias: Option<Wire>,
    sliding: &Sliding<3>,
) -> Wire {
    let (x, sliding) = sliding.padded(draft, x);
    let (images, weight) = match slices(draft, [x, weight], &sliding) {
        Ok(both) => both,
        Err(fault) => return fault,
    };
    let [_, down, across] = sliding.stride;
    let operator = conv2d().stride([down, across]).groups(sliding.groups);
    let [_, down, across] = sliding.dilation;
    let operator = operator.dilation([down, across]);
    let ([_, top, left], [_, bottom, right]) = (sliding.before, sliding.after);
    let operator = operator.padding([top, bottom, left, right]);
    let flat = joined_places(draft, images);
    let y = match bias {
        Some(bias) => draft.apply(operator.bias(), &[flat, weight, bias]),
        None => draft.apply(operator, &[flat, weight]),
    };
    let (Some(images), Some(own)) = (dimensions(draft, images), dimensions(draft, y)) else {
        return y;
    };
    // [batch, place, filter, row, column], the places behind the filters.
    let before = &images[..images.len() - 3];
    let apart = regroup(draft, y, &[before, &own[1..]].concat());
    let rank = before.len() + 3;
    let mut permutation: Vec<usize> = (0..rank).collect();
    permutation.swap(rank - 4, rank - 3);
    draft.apply(transpose(&permutation), &[apart])
}

/// The slices under each place of the window, `[batch, place, channel and tap, row, column]`, and
/// the weight for them; or a wire with the fault.
fn slices(
    draft: &mut Draft,
    [x, weight]: [Wire; 2],
    sliding: &Sliding<3>,
) -> Result<(Wire, Wire), Wire> {
    let (Some(whole), Some(kernel)) = (dimensions(draft, x), dimensions(draft, weight)) else {
        return Err(draft.apply(conv2d(), &[x, weight]));
    };
    if kernel.len() < 5 {
        return Err(without_axis(draft, weight, 4));
    }
    let (true, Some(channel @ 0..=1)) = (kernel.len() == 5, whole.len().checked_sub(4)) else {
        // Neither is a matter of images.
        return Err(draft.apply(conv2d(), &[x, weight]));
    };
    let depth = frames(channel + 1, kernel[2].bound()).axes(channel, channel + 2);
    let depth = depth.stride(sliding.stride[0]).dilation(sliding.dilation[0]);
    let depth = draft.apply(depth.padding(sliding.before[0], sliding.after[0]), &[x]);
    let Some(own) = dimensions(draft, depth) else { return Err(depth) };
    let joint = joined(own[channel + 1], own[channel + 2]);
    let images = [&own[..=channel], &[joint], &own[channel + 3..]].concat();
    let seen = joined(kernel[1], kernel[2]);
    let kernel = [kernel[0], seen, kernel[3], kernel[4]];
    Ok((regroup(draft, depth, &images), regroup(draft, weight, &kernel)))
}

/// Batch and places of `[batch, place, channel, row, column]` as one dimension.
fn joined_places(draft: &mut Draft, images: Wire) -> Wire {
    match dimensions(draft, images) {
        Some(own) if own.len() == 5 => {
            let joint: Dimension = joined(own[0], own[1]);
            regroup(draft, images, &[&[joint], &own[2..]].concat())
        }
        _ => images,
    }
}

/// All attributes, every padding mode, groups, both ranks, one voxel, a flat kernel, nothing,
/// `f64`; bounded batches, wrong ranks, channels and windows.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, sliding: Sliding<3>, x: &[usize], weight: &[usize]| {
        let inputs = vec![noise(1, x), noise(2, weight), noise(3, &weight[..1])];
        sample(name, sliding, inputs)
    };
    let rejected = |name: &str, x: Spec, weight: &[usize]| {
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![conv3d(draft, [wires[0], wires[1]], None, &Sliding::PLAIN)]
        };
        Sample::composite_rejected(name, "conv3d", build, vec![x, Spec::f32(weight.to_vec())])
    };
    let plain = Sliding::PLAIN;
    let all = Sliding {
        stride: [2, 1, 3],
        dilation: [2, 1, 2],
        before: [1, 0, 2],
        after: [2, 1, 0],
        ..plain
    };
    let grouped = Sliding { groups: 2, ..all };
    let modes = [PadMode::Reflect, PadMode::Replicate, PadMode::Circular].map(|mode| {
        case(&format!("{mode:?}"), Sliding { mode, ..all }, &[1, 2, 5, 3, 5], &[3, 2, 2, 2, 2])
    });
    let wide = [&[1, 4, 3, 4, 5][..], &[6, 2, 2, 2, 1], &[6]];
    let some = [
        case("plain", plain, &[2, 3, 4, 5, 6], &[4, 3, 2, 3, 3]),
        case("all", all, &[2, 3, 5, 4, 7], &[5, 3, 3, 2, 2]),
        case("groups", grouped, &[1, 4, 5, 4, 5], &[6, 2, 2, 3, 2]),
        case("no batch", all, &[3, 5, 4, 5], &[2, 3, 2, 2, 3]),
        case("one voxel", plain, &[1, 1, 1, 1, 1], &[1, 1, 1, 1, 1]),
        case("flat kernel", plain, &[2, 2, 3, 4, 5], &[3, 2, 1, 2, 3]),
        case("empty batch", plain, &[0, 3, 2, 4, 4], &[2, 3, 2, 3, 3]),
        sample("f64", grouped, wide.map(|extents| window::wide(1, extents)).to_vec()),
    ];
    let volume = || Spec::f32([2, 3, 4, 5, 6]);
    let rejections = [
        rejected("bounded batch", bounded_first(Element::F32, 5, &[3, 4, 5, 6]), &[4, 3, 2, 3, 3]),
        rejected("an image", Spec::f32([3, 5, 6]), &[4, 3, 2, 3, 3]),
        rejected("a weight of images", volume(), &[4, 3, 3, 3]),
        rejected("both of images", Spec::f32([2, 3, 5, 6]), &[4, 3, 3, 3]),
        rejected("six dimensions", Spec::f32([1, 2, 3, 4, 5, 6]), &[4, 3, 2, 3, 3]),
        rejected("wrong channels", volume(), &[4, 2, 2, 3, 3]),
        rejected("a deep kernel", volume(), &[4, 3, 5, 3, 3]),
    ];
    modes.into_iter().chain(some).chain(rejections).collect()
}

fn sample(name: &str, sliding: Sliding<3>, inputs: Vec<Value>) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![conv3d(draft, [wires[0], wires[1]], Some(wires[2]), &sliding)]
    };
    let expect = reference(move |inputs| vec![convolved(inputs, &sliding)]);
    Sample::composite(name, "conv3d", build, inputs, expect)
}
