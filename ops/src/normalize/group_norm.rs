//! Group normalisation: each group of neighbouring channels of each batch item has mean 0 and
//! variance 1, then each channel its own factor and offset. A composite of
//! [`layer_norm`] over the numbers of a group. Wu and He, "Group normalization", 2018.
//!
//! # Shape
//! `x`: `[batch, channel, ..]`, `f32` or `f64`, of at most seven dimensions, the channels fixed and
//! a multiple of the groups, at most one dimension bounded; `weight`, `bias`: `[channel]` -> `y`:
//! as `x`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's `group_norm`.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::group_norm::group_norm;
//! use synfire_runtime::{define::{Draft, Initial}, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 6, 5, 5]));
//! let weight = draft.parameter("weight", Spec::f32([6]), Initial::Constant(1.0));
//! let y = group_norm(&mut draft, x, [Some(weight), None], 3, 1e-5);
//! draft.outlet("y", y);
//! assert!(draft.check().is_ok());
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::row_norm::layer_norm;
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::split::split;
use crate::broadcast::binary::{add, multiply};
use crate::route::pace::pace;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("group_norm", |case| {
    let x = case.operand(&["x", "input"])?;
    let groups = case.integer(case.spelling(&["num_groups", "groups"]), 1)?;
    let groups = usize::try_from(groups).map_err(|_| format!("{groups} groups"))?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-5)?;
    let affine = [case.weight(), case.bias()];
    Ok(vec![group_norm(case, x, affine, groups, epsilon)])
})];

/// Groups of channels with mean 0 and variance 1, by weight and bias of each channel where they are
/// given. `epsilon` is added to the variances.
pub fn group_norm(
    draft: &mut Draft,
    x: Wire,
    affine: [Option<Wire>; 2],
    groups: usize,
    epsilon: f64,
) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let channels = match spec.dimensions.get(1) {
        Some(Dimension::Fixed(channels)) if channels.checked_rem(groups) == Some(0) => *channels,
        // Says what is wrong with the channels.
        found => {
            let channels = found.map_or(0, |found| found.bound());
            let most = groups.min(channels + 1);
            return draft.apply(split(1, &vec![channels / groups.max(1); most]), &[x]);
        }
    };
    let own = extents(&spec);
    let mut apart = own.clone();
    apart.splice(1..2, [Extent::Is(groups), Extent::Is(channels / groups)]);
    let rows = draft.apply(reshape(&apart), &[x]);
    let rows = draft.apply(layer_norm(spec.rank() - 1, epsilon), &[rows]);
    let mut y = draft.apply(reshape(&own), &[rows]);
    let mut column = vec![Extent::Is(1); spec.rank() - 1];
    column[0] = Extent::Is(channels);
    for (operator, vector) in [multiply(), add()].into_iter().zip(affine) {
        let Some(vector) = vector else { continue };
        // Weights are constants as a rule, of which nothing alone is computed.
        let vector = draft.apply(pace(), &[vector, x]);
        let vector = draft.apply(reshape(&column), &[vector]);
        y = draft.apply(operator, &[y, vector]);
    }
    y
}

/// Extents to come back to a spec, of which at most one dimension is bounded.
fn extents(spec: &Spec) -> Vec<Extent> {
    let extent = |dimension: &Dimension| match dimension {
        Dimension::Fixed(extent) => Extent::Is(*extent),
        Dimension::UpTo(_) => Extent::Infer,
    };
    spec.dimensions.iter().map(extent).collect()
}

/// Images, vectors, one group, a group for each channel, one number, none, bounded batch and
/// columns; groups that do not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: &[usize], groups: usize| {
        let mut inputs = vec![noise(1, x), noise(2, &[x[1]]), noise(3, &[x[1]])];
        if name == "f64" {
            inputs = inputs.iter().map(wide).collect();
        }
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![group_norm(draft, wires[0], [Some(wires[1]), Some(wires[2])], groups, 1e-3)]
        };
        let expect = reference(move |inputs| vec![by_definition(inputs, groups)]);
        Sample::composite(name, "group_norm", build, inputs, expect)
    };
    let vectors = [3, 3].map(|channels| Spec::f32([channels]));
    let bounded = |x: Spec| [x].into_iter().chain(vectors.clone()).collect::<Vec<_>>();
    let moving = Spec::f32([Dimension::Fixed(2), Dimension::Fixed(3), Dimension::UpTo(9)]);
    vec![
        case("image", &[2, 6, 5, 7], 3),
        case("vectors", &[5, 6], 2),
        case("one group", &[2, 3, 5], 1),
        case("a group for each", &[2, 3, 5], 3),
        case("f64", &[2, 4, 3], 2),
        case("one number", &[1, 1], 1),
        case("no batch", &[0, 4, 3], 2),
        case("bounded batch", &[2, 3, 5], 3).with_specs(bounded(bounded_first(
            Element::F32,
            7,
            &[3, 5],
        ))),
        case("bounded columns", &[2, 3, 5], 1).with_specs(bounded(moving)),
        rejected("indivisible", &[2, 5, 3], 2),
        rejected("no groups", &[2, 5, 3], 0),
        rejected("no channels", &[2], 1),
    ]
}

/// A sample that must be rejected.
fn rejected(name: &str, x: &[usize], groups: usize) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![group_norm(draft, wires[0], [None, None], groups, 1e-3)]
    };
    let specs = vec![Spec::f32(x.iter().copied())];
    Sample::composite_rejected(name, "group_norm", build, specs)
}

/// Each number by the mean and variance of those whose group is its own.
fn by_definition(inputs: &[Tensor], groups: usize) -> Tensor {
    let x = &inputs[0];
    let width = x.extents[1] / groups;
    Tensor::from_fn(&x.extents, |at| {
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        let _ = Tensor::from_fn(&x.extents, |other| {
            if other[0] == at[0] && other[1] / width == at[1] / width {
                let value = x.at(other);
                (count, sum, squares) = (count + 1.0, sum + value, squares + value * value);
            }
            0.0
        });
        let mean = sum / count;
        let deviation = (squares / count - mean * mean + 1e-3).sqrt();
        (x.at(at) - mean) / deviation * inputs[1].data[at[1]] + inputs[2].data[at[1]]
    })
}
