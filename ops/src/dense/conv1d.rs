//! Convolution along one axis:
//! `y[o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[c, p s + k d - before]` with stride
//! `s` and dilation `d`.
//!
//! A composite: [`conv2d`] of an image with one row. Nothing is moved where the runtime can run a
//! reshape in place.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, time]` or `[channel, time]`; the batch may be bounded.
//! `weight`: `[out, channel / groups, kernel]`. `bias`: `[out]`. `y`: as `x` with `out` channels
//! and `(extent + padding - d * (kernel - 1) - 1) / s + 1` places, rounded down.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of [`conv2d`]. As PyTorch's `conv1d`, and as `Conv1d` with its padding modes.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv1d::conv1d;
//! use synfire_ops::window::Sliding;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 100]));
//! let weight = draft.feed("weight", Spec::f32([8, 3, 5]));
//! let sliding = Sliding { stride: [2], ..Sliding::PLAIN.padding([2]) };
//! let y = conv1d(&mut draft, [x, weight], None, &sliding);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 8, 50])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::conv2d::conv2d;
use crate::arrange::pad::PadMode;
use crate::sample::{Sample, bounded_first, noise, reference};
use crate::torch::Torch;
use crate::window::sliding::definition::convolved;
use crate::window::{self, Sliding, sliding};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("conv1d", |case| {
    let (inputs, bias, sliding) = sliding::case::convolution(case)?;
    Ok(vec![conv1d(case, inputs, bias, &sliding)])
})];

/// The convolution of `[x, weight]`.
#[track_caller]
pub fn conv1d(
    draft: &mut Draft,
    [x, weight]: [Wire; 2],
    bias: Option<Wire>,
    sliding: &Sliding<1>,
) -> Wire {
    let (x, sliding) = sliding.padded(draft, x);
    let Sliding { stride: [stride], dilation: [dilation], groups, .. } = sliding;
    let operator = conv2d().stride([1, stride]).dilation([1, dilation]).groups(groups);
    let operator = operator.padding([0, 0, sliding.before[0], sliding.after[0]]);
    let mut inputs = vec![sliding::with_rows(draft, x), sliding::with_rows(draft, weight)];
    inputs.extend(bias);
    let operator = if bias.is_some() { operator.bias() } else { operator };
    let y = draft.apply(operator, &inputs);
    sliding::without_rows(draft, y)
}

/// All attributes, every padding mode, groups, both ranks, one element, nothing, bounded batches,
/// `f64`.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, sliding: Sliding<1>, x: &[usize], weight: &[usize]| {
        let inputs = vec![noise(1, x), noise(2, weight), noise(3, &weight[..1])];
        sample(name, sliding, inputs)
    };
    let plain = Sliding::PLAIN;
    let all = Sliding { stride: [2], dilation: [3], before: [2], after: [3], ..plain };
    let bounded = |x: &[usize]| {
        let weight = [Spec::f32([5, 3, 2]), Spec::f32([5])];
        [vec![bounded_first(Element::F32, 5, x)], weight.to_vec()].concat()
    };
    let modes = [PadMode::Reflect, PadMode::Replicate, PadMode::Circular]
        .map(|mode| case(&format!("{mode:?}"), Sliding { mode, ..all }, &[2, 3, 13], &[5, 3, 3]));
    let wide = [&[2, 4, 11][..], &[6, 2, 3], &[6]].map(|extents| window::wide(1, extents));
    let some = [
        case("plain", plain, &[2, 3, 17], &[5, 3, 4]),
        case("all", all, &[2, 3, 13], &[5, 3, 3]),
        case("groups", Sliding { groups: 2, ..all }, &[2, 4, 11], &[6, 2, 3]),
        case("depthwise", Sliding { groups: 4, ..all }, &[1, 4, 29], &[4, 1, 3]),
        case("no batch", all, &[3, 13], &[5, 3, 3]),
        case("one element", plain, &[1, 1, 1], &[1, 1, 1]),
        case("empty batch", plain, &[0, 3, 4], &[5, 3, 2]),
        case("bounded", plain, &[2, 3, 7], &[5, 3, 2]).with_specs(bounded(&[3, 7])),
        sample("f64", Sliding { groups: 2, ..all }, wide.to_vec()),
    ];
    let rejected = |name: &str, x: &[usize], weight: &[usize]| {
        let specs = vec![Spec::f32(x.to_vec()), Spec::f32(weight.to_vec())];
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![conv1d(draft, [wires[0], wires[1]], None, &Sliding::PLAIN)]
        };
        Sample::composite_rejected(name, "conv1d", build, specs)
    };
    let rejections = [
        rejected("a vector", &[7], &[5, 3, 2]),
        rejected("an image", &[1, 3, 7, 7], &[5, 3, 2]),
        rejected("wrong channels", &[2, 4, 7], &[5, 3, 2]),
        rejected("a weight of images", &[2, 3, 7], &[5, 3, 2, 2]),
        rejected("a short axis", &[2, 3, 1], &[5, 3, 2]),
    ];
    modes.into_iter().chain(some).chain(rejections).collect()
}

fn sample(name: &str, sliding: Sliding<1>, inputs: Vec<Value>) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![conv1d(draft, [wires[0], wires[1]], Some(wires[2]), &sliding)]
    };
    let expect = reference(move |inputs| vec![convolved(inputs, &sliding)]);
    Sample::composite(name, "conv1d", build, inputs, expect)
}
