//! Cross-entropy: `-sum_c w[c] * t[c] * log softmax(x)[c]` over classes `c`, of a target
//! distribution `t`, or of a target class, which is a distribution of one.
//!
//! With label smoothing `s`, a part `s` of the target is spread over all classes evenly. Szegedy et
//! al., "Rethinking the inception architecture for computer vision", 2016.
//!
//! # Shape
//! `x`: `f32` or `f64`, the classes along an axis, at most one other dimension bounded; target:
//! `i64`, `x` without that axis, or of the spec of `x`; weight: `[class]` -> `x` without that axis,
//! or a scalar.
//!
//! # Gradient
//! That of its parts, by `x` and by a target distribution; rows that are ignored have none.
//!
//! # Numerics
//! The mean for target classes is over the sum of their weights, so NaN where all are ignored; for
//! distributions it is over their count. A target that is no class, and is not ignored, fails the
//! firing. As PyTorch's `cross_entropy`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::{cross_entropy::{CrossEntropy, cross_entropy}, nll::Classes};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 10]));
//! let target = draft.feed("target", Spec::new(Element::I64, [8]));
//! let classes = Classes { axis: 1, weight: None, ignored: None };
//! let entropy = CrossEntropy { classes, smoothing: 0.1 };
//! let loss = cross_entropy(&mut draft, x, target, entropy, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::nll::{Chosen, Classes, targets, weights};
use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::binary::{add, multiply};
use crate::losses::{Total, predicted, wanted};
use crate::normalize::softmax::log_softmax;
use crate::pointwise::unary::{neg, scale, shift};
use crate::reduce::reduction::{Keep, sum};
use crate::route::pace::pace;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("cross_entropy", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let classes = Classes::of_case(case, x)?;
    let smoothing = case.number(case.spelling(&["label_smoothing", "smoothing"]), 0.0)?;
    Ok(vec![cross_entropy(case, x, target, CrossEntropy { classes, smoothing }, total)])
})];

/// The parameters of [`cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy {
    /// The classes. A target distribution ignores nothing.
    pub classes: Classes,
    /// The part of the target that is spread over all classes.
    pub smoothing: f64,
}

/// The loss of the logits `x` for target classes, if `target` is of `i64`, else distributions.
pub fn cross_entropy(
    draft: &mut Draft,
    x: Wire,
    target: Wire,
    entropy: CrossEntropy,
    total: Total,
) -> Wire {
    let CrossEntropy { classes, smoothing } = entropy;
    let logarithms = draft.apply(log_softmax(classes.axis), &[x]);
    if draft.spec(target).is_some_and(|spec| spec.element != Element::I64) {
        let losses = of_distribution(draft, logarithms, target, entropy);
        return total.of(draft, losses);
    }
    let chosen = Chosen::new(draft, x, target, classes);
    let picked = chosen.picked(draft, logarithms, target, classes.axis);
    let mut losses = chosen.weighed(draft, picked);
    if smoothing > 0.0 {
        let count = draft.spec(x).and_then(|spec| spec.dimensions.get(classes.axis));
        let count = count.map_or(1, |count| count.bound());
        let even = weighed(draft, logarithms, classes);
        let even = draft.apply(sum(&[classes.axis], Keep::Nothing), &[even]);
        let even = draft.apply(scale(-smoothing / count as f64), &[even]);
        let even = chosen.masked(draft, even);
        losses = draft.apply(scale(1.0 - smoothing), &[losses]);
        losses = draft.apply(add(), &[losses, even]);
    }
    chosen.total(draft, losses, total)
}

/// The losses for target distributions.
fn of_distribution(
    draft: &mut Draft,
    logarithms: Wire,
    mut target: Wire,
    CrossEntropy { classes, smoothing }: CrossEntropy,
) -> Wire {
    if smoothing > 0.0 {
        let count = draft.spec(target).and_then(|spec| spec.dimensions.get(classes.axis));
        let count = count.map_or(1, |count| count.bound());
        target = draft.apply(scale(1.0 - smoothing), &[target]);
        target = draft.apply(shift(smoothing / count as f64), &[target]);
    }
    let products = draft.apply(multiply(), &[logarithms, target]);
    let products = weighed(draft, products, classes);
    let losses = draft.apply(sum(&[classes.axis], Keep::Nothing), &[products]);
    draft.apply(neg(), &[losses])
}

/// Times the weights of the classes.
fn weighed(draft: &mut Draft, x: Wire, classes: Classes) -> Wire {
    let (Some(weight), Some(spec)) = (classes.weight, draft.spec(x)) else { return x };
    let mut column = vec![Extent::Is(1); spec.rank().saturating_sub(classes.axis)];
    column.first_mut().into_iter().for_each(|extent| *extent = Extent::Infer);
    // Weights are constants as a rule, of which nothing alone is computed.
    let weight = draft.apply(pace(), &[weight, x]);
    let weight = draft.apply(reshape(&column), &[weight]);
    draft.apply(multiply(), &[x, weight])
}

/// Target classes and distributions, each total, images, other axes, one item, weights, smoothing,
/// ignored targets, large logits, a bounded batch; targets of another shape.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let classes = |name: &str, x: &[usize], axis: usize, total: Total, smoothing: f64| {
        let inputs = vec![noise(1, x), targets(x, axis), weights(0, x[axis])];
        sample(name, inputs, axis, total, smoothing)
    };
    let distributions = |name: &str, x: &[usize], axis: usize, total: Total, smoothing: f64| {
        let positive = noise(2, x).elements::<f32>().into_iter().map(f32::abs);
        let target = Value::new(x, &positive.collect::<Vec<_>>());
        let inputs = vec![noise(1, x), target, weights(0, x[axis])];
        sample(name, inputs, axis, total, smoothing)
    };
    let ignored = |name: &str, target: [i64; 3], smoothing: f64| {
        let inputs = vec![noise(1, &[3, 4]), Value::new(&[3], &target)];
        sample(name, inputs, 1, Total::Mean, smoothing)
    };
    let large = Value::new(&[2, 3], &[1e4_f32, 0.0, -1e4, -3e38, 0.0, 80.0]);
    let large = vec![large, Value::new(&[2], &[0_i64, 1])];
    let bounded = classes("bounded", &[4, 3], 1, Total::Mean, 0.1).with_specs(vec![
        bounded_first(Element::F32, 9, &[3]),
        bounded_first(Element::I64, 9, &[]),
        Spec::f32([3]),
    ]);
    let shapes = vec![Spec::f32([2, 3]), Spec::f32([2, 4])];
    let build = build(1, Total::Sum, 0.0);
    vec![
        classes("apart", &[5, 7], 1, Total::Each, 0.0),
        classes("mean", &[5, 7], 1, Total::Mean, 0.0),
        classes("smooth", &[5, 7], 1, Total::Mean, 0.2),
        classes("smooth, apart", &[5, 7], 1, Total::Each, 0.2),
        classes("image", &[2, 3, 5, 2], 1, Total::Mean, 0.1),
        classes("last axis", &[5, 2, 3], 2, Total::Sum, 0.1),
        classes("one item", &[7], 0, Total::Mean, 0.1),
        classes("none", &[0, 3], 1, Total::Sum, 0.1),
        distributions("distributions", &[5, 7], 1, Total::Mean, 0.0),
        distributions("smooth distributions", &[2, 3, 5], 1, Total::Mean, 0.2),
        distributions("distributions, apart", &[2, 3, 5], 2, Total::Each, 0.0),
        ignored("ignored", [-100, 2, -100], 0.0),
        ignored("ignored, smooth", [3, -100, 0], 0.1),
        ignored("all ignored", [-100; 3], 0.1),
        sample("large", large, 1, Total::Each, 0.0),
        bounded,
        Sample::composite_rejected("mismatch", "cross_entropy", build, shapes),
    ]
}

fn build(
    axis: usize,
    total: Total,
    smoothing: f64,
) -> impl Fn(&mut Draft, &[Wire]) -> Vec<Wire> + Send + Sync {
    move |draft, wires| {
        let classes = Classes { axis, weight: wires.get(2).copied(), ignored: Some(-100) };
        let entropy = CrossEntropy { classes, smoothing };
        vec![cross_entropy(draft, wires[0], wires[1], entropy, total)]
    }
}

fn sample(name: &str, inputs: Vec<Value>, axis: usize, total: Total, smoothing: f64) -> Sample {
    let expect = if inputs[1].element == Element::I64 {
        by_class(axis, total, smoothing)
    } else {
        by_distribution(axis, total, smoothing)
    };
    Sample::composite(name, "cross_entropy", build(axis, total, smoothing), inputs, expect)
}

/// The row of logits around an index without the class axis.
fn row(x: &Tensor, at: &[usize], axis: usize) -> Vec<f64> {
    let own = |class: usize| [&at[..axis], &[class], &at[axis..]].concat();
    (0..x.extents[axis]).map(|class| x.at(&own(class))).collect()
}

/// The cross-entropy of one row, by way of quotients.
fn entropy(x: &[f64], target: impl Fn(usize) -> f64) -> f64 {
    let classes = 0..x.len();
    classes
        .map(|class| {
            let quotients: f64 = x.iter().map(|other| (other - x[class]).exp()).sum();
            // Beyond what a quotient can say, the largest logit decides.
            let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log = if quotients.is_finite() { quotients.ln() } else { largest - x[class] };
            if target(class) == 0.0 { 0.0 } else { target(class) * log }
        })
        .sum()
}

fn by_class(axis: usize, total: Total, smoothing: f64) -> Expect {
    reference(move |inputs| {
        let (x, target) = (&inputs[0], &inputs[1]);
        let weight = |class: usize| inputs.get(2).map_or(1.0, |weight| weight.data[class]);
        let mut sum = 0.0;
        let losses = Tensor::from_fn(&target.extents, |at| {
            if target.at(at) < 0.0 {
                return 0.0;
            }
            let (chosen, x) = (target.at(at) as usize, row(x, at, axis));
            sum += weight(chosen);
            let hot = |class: usize| f64::from(u8::from(class == chosen));
            let spread = smoothing / x.len() as f64;
            entropy(&x, |class| weight(class) * ((1.0 - smoothing) * hot(class) + spread))
        });
        vec![match total {
            Total::Mean => Tensor::new(&[], vec![losses.data.iter().sum::<f64>() / sum]),
            _ => total.of_tensor(losses),
        }]
    })
}

fn by_distribution(axis: usize, total: Total, smoothing: f64) -> Expect {
    reference(move |inputs| {
        let (x, target, weight) = (&inputs[0], &inputs[1], &inputs[2]);
        let mut outer = x.extents.clone();
        outer.remove(axis);
        let losses = Tensor::from_fn(&outer, |at| {
            let (x, target) = (row(x, at, axis), row(target, at, axis));
            let spread = smoothing / x.len() as f64;
            entropy(&x, |class| weight.data[class] * ((1.0 - smoothing) * target[class] + spread))
        });
        vec![total.of_tensor(losses)]
    })
}
