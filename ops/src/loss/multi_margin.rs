//! Multi-class hinge loss: `1/n * sum_c w[t] * max(0, margin - x[t] + x[c])^p` over the classes `c`
//! other than the target `t`, of `n` classes. Crammer and Singer, "On the algorithmic
//! implementation of multiclass kernel-based vector machines", 2001.
//!
//! # Shape
//! `x`: `[.., class]`, `f32` or `f64`, at most one dimension bounded; target: `i64`, without the
//! last axis; weight: `[class]` -> as the target, or a scalar.
//!
//! # Gradient
//! That of its parts, by `x`; 0 at the hinge.
//!
//! # Numerics
//! The mean is over the items, whatever their weights. As PyTorch's `multi_margin_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::{hinge::Power, multi_margin::{MultiMargin, multi_margin}};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 10]));
//! let target = draft.feed("target", Spec::new(Element::I64, [8]));
//! let margin = MultiMargin { margin: 1.0, power: Power::One, weight: None };
//! let loss = multi_margin(&mut draft, x, target, margin, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::hinge::Power;
use super::nll::{Chosen, Classes, targets, weights};
use crate::broadcast::binary::{equal, subtract};
use crate::broadcast::select::where_;
use crate::index::one_hot::one_hot;
use crate::losses::{Total, predicted, shaped_like, wanted};
use crate::pointwise::unary::{fill, relu, shift, square};
use crate::reduce::reduction::{Keep, mean, sum};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("multi_margin_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let weight = match case.either(&["weight", "w"]) {
        Some(weight) => Some(weight),
        None => case.vector("weight")?,
    };
    let power = match case.integer("p", 1)? {
        1 => Power::One,
        2 => Power::Two,
        other => return Err(format!("a power of {other}")),
    };
    let margin = MultiMargin { margin: case.number("margin", 1.0)?, power, weight };
    Ok(vec![multi_margin(case, x, target, margin, total)])
})];

/// The parameters of [`multi_margin`].
#[derive(Clone, Copy, Debug)]
pub struct MultiMargin {
    /// By how much the target shall exceed every other class.
    pub margin: f64,
    /// How a missed margin counts.
    pub power: Power,
    /// Weights of the classes; 1 without.
    pub weight: Option<Wire>,
}

/// What the target classes miss of a margin over the others.
pub fn multi_margin(
    draft: &mut Draft,
    x: Wire,
    target: Wire,
    margin: MultiMargin,
    total: Total,
) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let Some(last) = spec.rank().checked_sub(1) else {
        // Says that there is no axis.
        return draft.apply(sum(&[0], Keep::Axes), &[x]);
    };
    let classes = Classes { axis: last, weight: margin.weight, ignored: None };
    let chosen = Chosen::new(draft, x, target, classes);
    let own = draft.apply(one_hot(spec.bound(last)).with_element(spec.element), &[target]);
    let own = shaped_like(draft, own, x);
    let zero = draft.apply(fill(0.0), &[x]);
    let is_other = draft.apply(equal(), &[own, zero]);
    let picked = draft.apply(where_(), &[is_other, zero, x]);
    let picked = draft.apply(sum(&[last], Keep::Axes), &[picked]);
    let above = draft.apply(subtract(), &[x, picked]);
    let above = draft.apply(shift(margin.margin), &[above]);
    let mut missing = draft.apply(relu(), &[above]);
    if margin.power == Power::Two {
        missing = draft.apply(square(), &[missing]);
    }
    let missing = draft.apply(where_(), &[is_other, missing, zero]);
    let losses = draft.apply(mean(&[last], Keep::Nothing), &[missing]);
    let losses = chosen.weighed(draft, losses);
    total.of(draft, losses)
}

/// Each total, squares, weights, one item, a bounded batch; targets of another type.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |power: Power, total: Total| {
        move |draft: &mut Draft, wires: &[Wire]| {
            let margin = MultiMargin { margin: 0.75, power, weight: wires.get(2).copied() };
            vec![multi_margin(draft, wires[0], wires[1], margin, total)]
        }
    };
    let case = |name: &str, x: &[usize], power: Power, total: Total, weighed: usize| {
        let mut inputs = vec![noise(1, x), targets(x, x.len() - 1)];
        inputs.extend((0..weighed as u64).map(|key| weights(key, x[x.len() - 1])));
        let expect = reference(move |inputs| vec![total.of_tensor(by_definition(inputs, power))]);
        Sample::composite(name, "multi_margin", build(power, total), inputs, expect)
    };
    let bounded = case("bounded", &[4, 3], Power::One, Total::Mean, 1).with_specs(vec![
        bounded_first(Element::F32, 9, &[3]),
        bounded_first(Element::I64, 9, &[]),
        Spec::f32([3]),
    ]);
    let floats = vec![Spec::f32([2, 3]), Spec::f32([2]), Spec::f32([3])];
    let build = build(Power::One, Total::Sum);
    vec![
        case("apart", &[5, 7], Power::One, Total::Each, 0),
        case("weighed mean", &[5, 7], Power::One, Total::Mean, 1),
        case("squares", &[5, 7], Power::Two, Total::Sum, 1),
        case("one item", &[7], Power::One, Total::Mean, 0),
        bounded,
        Sample::composite_rejected("floats", "multi_margin", build, floats),
    ]
}

/// Item by item.
fn by_definition(inputs: &[Tensor], power: Power) -> Tensor {
    let (x, target) = (&inputs[0], &inputs[1]);
    let classes = *x.extents.last().expect("there is a class axis");
    let items = x.data.chunks(classes).zip(&target.data);
    let losses = items.map(|(x, &target)| {
        let target = target as usize;
        let weight = inputs.get(2).map_or(1.0, |weight| weight.data[target]);
        let others = x.iter().enumerate().filter(|(class, _)| *class != target);
        let missing = others.map(|(_, other)| (0.75 - x[target] + other).max(0.0));
        let power = if power == Power::Two { 2 } else { 1 };
        weight * missing.map(|missing| missing.powi(power)).sum::<f64>() / classes as f64
    });
    Tensor::new(&target.extents, losses.collect())
}
