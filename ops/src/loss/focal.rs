//! Focal loss: cross-entropy, less of what is easy: `(1 - p)^gamma * -log p` for the probability
//! `p` of the target. Lin et al., "Focal loss for dense object detection", 2017.
//!
//! [`focal`] is over classes, of which each item has one; [`sigmoid_focal`] over labels, each of
//! which an item has or not.
//!
//! # Shape
//! [`focal`]: as [`nll`](super::nll), `x` being logits. [`sigmoid_focal`]: `x`, target: `f32` or
//! `f64`, of equal extents -> the same, or a scalar.
//!
//! # Gradient
//! That of its parts, by `x`; with a `gamma` below 1 infinite where `p` is 1.
//!
//! # Numerics
//! [`sigmoid_focal`] as torchvision's `sigmoid_focal_loss`, where `alpha` is the weight of targets
//! of 1 and `1 - alpha` of 0, unless it is negative. The mean of [`focal`] is over the weights of
//! the targets.
//!
//! # Example
//! ```
//! use synfire_ops::loss::{focal::focal, nll::Classes};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let points = draft.feed("points", Spec::f32([4096, 20]));
//! let target = draft.feed("target", Spec::new(Element::I64, [4096]));
//! let classes = Classes { axis: 1, weight: None, ignored: Some(0) };
//! let loss = focal(&mut draft, [points, target], classes, 2.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::bce_with_logits::{Weights, bce_with_logits};
use super::nll::{Chosen, Classes, targets, weights};
use crate::broadcast::binary::{add, multiply, subtract};
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::normalize::softmax::log_softmax;
use crate::pointwise::unary::{exp, neg, pow_scalar, scale, shift, sigmoid};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// The name in PyTorch's library of vision.
pub const TORCH: &[Torch] = &[("sigmoid_focal_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let (alpha, gamma) = (case.number("alpha", 0.25)?, case.number("gamma", 2.0)?);
    let alpha = (alpha >= 0.0).then_some(alpha);
    Ok(vec![sigmoid_focal(case, [x, target], alpha, gamma, total)])
})];

/// The loss of the logits `x` for the class `target`.
pub fn focal(
    draft: &mut Draft,
    [x, target]: [Wire; 2],
    classes: Classes,
    gamma: f64,
    total: Total,
) -> Wire {
    let logarithms = draft.apply(log_softmax(classes.axis), &[x]);
    let chosen = Chosen::new(draft, x, target, classes);
    let losses = chosen.picked(draft, logarithms, target, classes.axis);
    let losses = chosen.masked(draft, losses);
    let logarithm = draft.apply(neg(), &[losses]);
    let probability = draft.apply(exp(), &[logarithm]);
    let factor = rest_to(draft, probability, gamma);
    let losses = draft.apply(multiply(), &[losses, factor]);
    let losses = chosen.weighed(draft, losses);
    chosen.total(draft, losses, total)
}

/// The loss of the logits `x` for targets of 0 and 1, which weigh `1 - alpha` and `alpha`.
pub fn sigmoid_focal(
    draft: &mut Draft,
    [x, target]: [Wire; 2],
    alpha: Option<f64>,
    gamma: f64,
    total: Total,
) -> Wire {
    let losses = bce_with_logits(draft, x, target, Weights::default(), Total::Each);
    // p t + (1 - p) (1 - t) = 1 - p - t + 2 p t
    let probability = draft.apply(sigmoid(), &[x]);
    let product = draft.apply(multiply(), &[probability, target]);
    let product = draft.apply(scale(2.0), &[product]);
    let sum = draft.apply(add(), &[probability, target]);
    let right = draft.apply(subtract(), &[product, sum]);
    let right = draft.apply(shift(1.0), &[right]);
    let factor = rest_to(draft, right, gamma);
    let mut losses = draft.apply(multiply(), &[losses, factor]);
    if let Some(alpha) = alpha {
        let weight = draft.apply(scale(2.0 * alpha - 1.0), &[target]);
        let weight = draft.apply(shift(1.0 - alpha), &[weight]);
        losses = draft.apply(multiply(), &[losses, weight]);
    }
    total.of(draft, losses)
}

/// `(1 - p)^gamma`.
fn rest_to(draft: &mut Draft, probability: Wire, gamma: f64) -> Wire {
    let rest = draft.apply(neg(), &[probability]);
    let rest = draft.apply(shift(1.0), &[rest]);
    draft.apply(pow_scalar(gamma), &[rest])
}

/// Classes: each total, images, weights, ignored targets, a bounded batch. Labels: as every loss of
/// pairs, with and without weights.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |axis: usize, gamma: f64, total: Total| {
        move |draft: &mut Draft, wires: &[Wire]| {
            let classes = Classes { axis, weight: wires.get(2).copied(), ignored: Some(-1) };
            vec![focal(draft, [wires[0], wires[1]], classes, gamma, total)]
        }
    };
    let case = |name: &str, x: &[usize], gamma: f64, total: Total| {
        let inputs = vec![noise(1, x), targets(x, 1), weights(0, x[1])];
        let expect = reference(move |inputs| vec![by_definition(inputs, gamma, total)]);
        Sample::composite(name, "focal", build(1, gamma, total), inputs, expect)
    };
    let mut ignored = case("ignored", &[3, 4], 2.0, Total::Mean);
    ignored.inputs[1] = Some(Value::new(&[3], &[-1_i64, 2, 3]));
    let bounded = case("bounded", &[4, 3], 2.0, Total::Mean).with_specs(vec![
        bounded_first(Element::F32, 9, &[3]),
        bounded_first(Element::I64, 9, &[]),
        Spec::f32([3]),
    ]);
    let weighed = Pointwise {
        name: "sigmoid_focal",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            sigmoid_focal(draft, [wires[0], wires[1]], Some(0.25), 2.0, total)
        },
        inputs: &[|x| x, |t| if t > 0.0 { 1.0 } else { 0.0 }],
        expected: |x| {
            let right = 1.0 / (1.0 + (x[0] * (1.0 - 2.0 * x[1])).exp());
            let alpha = if x[1] > 0.5 { 0.25 } else { 0.75 };
            -alpha * (1.0 - right).powi(2) * right.ln()
        },
    };
    let plain = Pointwise {
        name: "sigmoid_focal",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            sigmoid_focal(draft, [wires[0], wires[1]], None, 1.5, total)
        },
        inputs: weighed.inputs,
        expected: |x| {
            let right = 1.0 / (1.0 + (x[0] * (1.0 - 2.0 * x[1])).exp());
            -(1.0 - right).powf(1.5) * right.ln()
        },
    };
    let mut samples = vec![
        case("apart", &[5, 7], 2.0, Total::Each),
        case("mean", &[5, 7], 2.0, Total::Mean),
        case("image", &[2, 3, 5, 2], 1.5, Total::Sum),
        case("plain", &[5, 7], 0.0, Total::Mean),
        ignored,
        bounded,
    ];
    samples.extend(weighed.samples());
    samples.extend(plain.samples());
    samples.push(weighed.mixed());
    samples
}

/// Item by item.
fn by_definition(inputs: &[Tensor], gamma: f64, total: Total) -> Tensor {
    let (x, target, weight) = (&inputs[0], &inputs[1], &inputs[2].data);
    let mut sum = 0.0;
    let losses = Tensor::from_fn(&target.extents, |at| {
        if target.at(at) < 0.0 {
            return 0.0;
        }
        let class = target.at(at) as usize;
        let own = |class: usize| x.at(&[&at[..1], &[class], &at[1..]].concat()).exp();
        let probability = own(class) / (0..x.extents[1]).map(own).sum::<f64>();
        sum += weight[class];
        -weight[class] * (1.0 - probability).powf(gamma) * probability.ln()
    });
    match total {
        Total::Mean => Tensor::new(&[], vec![losses.data.iter().sum::<f64>() / sum]),
        _ => total.of_tensor(losses),
    }
}
