//! Transposed convolution along one axis: each element of `x` adds its kernel, scaled, to the
//! output, `y[o, p s + k d - before] += weight[c, o, k] * x[c, p]`, and `bias[o]` once.
//!
//! A composite: [`conv_transpose2d`] of an image with one row. Nothing is moved where the runtime
//! can run a reshape in place.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, time]` or `[channel, time]`; the batch may be bounded.
//! `weight`: `[channel, out / groups, kernel]`. `bias`: `[out]`. `y`: as `x` with `out` channels
//! and `(extent - 1) * s + d * (kernel - 1) + 1 - padding + output padding` places.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of [`conv_transpose2d`]. As PyTorch's `conv_transpose1d`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv_transpose1d::conv_transpose1d;
//! use synfire_ops::window::Sliding;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 8, 50]));
//! let weight = draft.feed("weight", Spec::f32([8, 3, 4]));
//! let sliding = Sliding { stride: [2], ..Sliding::PLAIN.padding([1]) };
//! let y = conv_transpose1d(&mut draft, [x, weight], None, &sliding, [0]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 100])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::conv_transpose2d::conv_transpose2d;
use crate::sample::{Sample, bounded_first, noise, reference};
use crate::torch::Torch;
use crate::window::sliding::definition::transposed;
use crate::window::{self, Sliding, sliding};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("conv_transpose1d", |case| {
    let (inputs, bias, sliding) = sliding::case::convolution(case)?;
    let output_padding = sliding::case::each(case, &["output_padding"], [0])?;
    Ok(vec![conv_transpose1d(case, inputs, bias, &sliding, output_padding)])
})];

/// The transposed convolution of `[x, weight]`, with so many places more at the end.
#[track_caller]
pub fn conv_transpose1d(
    draft: &mut Draft,
    [x, weight]: [Wire; 2],
    bias: Option<Wire>,
    sliding: &Sliding<1>,
    output_padding: [usize; 1],
) -> Wire {
    let Sliding { stride: [stride], dilation: [dilation], groups, .. } = *sliding;
    let operator = conv_transpose2d().stride([1, stride]).dilation([1, dilation]).groups(groups);
    let operator = operator.padding([0, 0, sliding.before[0], sliding.after[0]]);
    let operator = operator.output_padding([0, output_padding[0]]);
    let mut inputs = vec![sliding::with_rows(draft, x), sliding::with_rows(draft, weight)];
    inputs.extend(bias);
    let operator = if bias.is_some() { operator.bias() } else { operator };
    let y = draft.apply(operator, &inputs);
    sliding::without_rows(draft, y)
}

/// All attributes, groups, both ranks, one element, nothing, bounded batches, `f64`; wrong ranks
/// and channels.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, sliding: Sliding<1>, x: &[usize], weight: &[usize]| {
        let bias = noise(3, &[weight[1] * sliding.groups]);
        let more = sliding.stride[0] - 1;
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            let inputs = [wires[0], wires[1]];
            vec![conv_transpose1d(draft, inputs, Some(wires[2]), &sliding, [more])]
        };
        let expect = reference(move |inputs| vec![transposed(inputs, &sliding, [more])]);
        let inputs = vec![noise(1, x), noise(2, weight), bias];
        Sample::composite(name, "conv_transpose1d", build, inputs, expect)
    };
    let rejected = |name: &str, x: &[usize], weight: &[usize]| {
        let specs = vec![Spec::f32(x.to_vec()), Spec::f32(weight.to_vec())];
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![conv_transpose1d(draft, [wires[0], wires[1]], None, &Sliding::PLAIN, [0])]
        };
        Sample::composite_rejected(name, "conv_transpose1d", build, specs)
    };
    let plain = Sliding::PLAIN;
    let all = Sliding { stride: [2], dilation: [3], before: [2], after: [3], ..plain };
    let bounded =
        vec![bounded_first(Element::F32, 5, &[3, 7]), Spec::f32([3, 5, 2]), Spec::f32([5])];
    let wide = [&[2, 4, 5][..], &[4, 3, 3], &[6]].map(|extents| window::wide(1, extents));
    let grouped = Sliding { groups: 2, ..all };
    vec![
        case("plain", plain, &[2, 3, 17], &[3, 5, 4]),
        case("all", all, &[2, 3, 13], &[3, 5, 3]),
        case("groups", grouped, &[2, 4, 11], &[4, 3, 3]),
        case("no batch", all, &[3, 13], &[3, 5, 3]),
        case("one element", plain, &[1, 1, 1], &[1, 1, 1]),
        case("empty batch", plain, &[0, 3, 4], &[3, 5, 2]),
        case("bounded", plain, &[2, 3, 7], &[3, 5, 2]).with_specs(bounded),
        Sample::composite(
            "f64",
            "conv_transpose1d",
            move |draft, wires| {
                let inputs = [wires[0], wires[1]];
                vec![conv_transpose1d(draft, inputs, Some(wires[2]), &grouped, [2])]
            },
            wide.to_vec(),
            reference(move |inputs| vec![transposed(inputs, &grouped, [2])]),
        ),
        rejected("a vector", &[7], &[5, 3, 2]),
        rejected("an image", &[1, 3, 7, 7], &[3, 5, 2]),
        rejected("wrong channels", &[2, 4, 7], &[3, 5, 2]),
        rejected("a weight of images", &[2, 3, 7], &[3, 5, 2, 2]),
    ]
}
