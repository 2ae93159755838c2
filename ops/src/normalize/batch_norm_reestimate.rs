//! Batch normalisation that re-estimates its statistics: the running numbers become the plain
//! average of those of all batches seen.
//!
//! `mean' = mean + (mean of x - mean) / (batches + 1)`, and likewise the variance, unbiased; `y` is
//! normalised by the batch, as in training. For the statistics of a net whose weights changed
//! without them, after pruning or averaging of weights: start from any numbers and 0 batches. A
//! composite of [`batch_norm_train`].
//!
//! # Shape
//! As [`batch_norm`](super::batch_norm), with `batches`, a scalar of the same element type. Gives
//! `y`, `mean`, `variance`, `batches + 1`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's `BatchNorm` with `momentum=None`. `batches` is a float, so it counts to `2^24` in
//! `f32`.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::batch_norm_reestimate::{Learnt, batch_norm_reestimate};
//! use synfire_runtime::{define::{Draft, Initial}, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 3]));
//! let [weight, bias, mean, variance] = ["weight", "bias", "mean", "variance"]
//!     .map(|name| draft.parameter(name, Spec::f32([3]), Initial::Constant(1.0)));
//! let (batches, again) = draft.feedback(Spec::f32::<usize>([]), 1, Initial::Zeros);
//! let learnt = Learnt { weight, bias, mean, variance, batches };
//! let [y, _, _, next] = batch_norm_reestimate(&mut draft, x, &learnt, 1e-5);
//! draft.close(again, next);
//! draft.outlet("y", y);
//! assert!(draft.check().is_ok());
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::batch_norm::batch_norm_train;
use crate::broadcast::binary::{add, divide, subtract};
use crate::pointwise::unary::shift;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};

/// What is learnt or counted, for each channel but `batches`.
#[derive(Clone, Copy, Debug)]
pub struct Learnt {
    /// Factors.
    pub weight: Wire,
    /// Offsets.
    pub bias: Wire,
    /// The average of the means so far.
    pub mean: Wire,
    /// The average of the variances so far.
    pub variance: Wire,
    /// The number of batches so far, a float scalar.
    pub batches: Wire,
}

/// `y`, the new averages of means and variances, and the new number of batches.
pub fn batch_norm_reestimate(
    draft: &mut Draft,
    x: Wire,
    learnt: &Learnt,
    epsilon: f64,
) -> [Wire; 4] {
    let Learnt { weight, bias, mean, variance, batches } = *learnt;
    let inputs = [x, weight, bias, mean, variance];
    let outputs = draft.apply_many(batch_norm_train(epsilon, 1.0), &inputs);
    let batches = draft.apply(shift(1.0), &[batches]);
    let average = |draft: &mut Draft, old: Wire, new: Wire| {
        let apart = draft.apply(subtract(), &[new, old]);
        let share = draft.apply(divide(), &[apart, batches]);
        draft.apply(add(), &[old, share])
    };
    let mean = average(draft, mean, outputs[1]);
    let variance = average(draft, variance, outputs[2]);
    [outputs[0], mean, variance, batches]
}

/// The first batch, which counts alone, a later one, odd extents, a bounded batch.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: &[usize], batches: f32| {
        let channels = x[1];
        let mut inputs = vec![noise(1, x)];
        inputs.extend((2..6).map(|key| noise(key, &[channels])));
        inputs.push(Value::new(&[], &[batches]));
        let build = |draft: &mut Draft, wires: &[Wire]| {
            let learnt = Learnt {
                weight: wires[1],
                bias: wires[2],
                mean: wires[3],
                variance: wires[4],
                batches: wires[5],
            };
            batch_norm_reestimate(draft, wires[0], &learnt, 1e-3).to_vec()
        };
        Sample::composite(name, "batch_norm_reestimate", build, inputs, reference(by_definition))
    };
    let bounded = case("bounded batch", &[4, 3, 2], 5.0);
    let mut specs = bounded.specs.clone();
    specs[0] = bounded_first(Element::F32, 7, &[3, 2]);
    vec![
        case("first batch", &[3, 2, 5], 0.0),
        case("fourth batch", &[11, 7], 3.0),
        case("no channels", &[3, 0, 2], 1.0),
        bounded.with_specs(specs),
    ]
}

/// Weighed averages, channel by channel.
fn by_definition(inputs: &[Tensor]) -> Vec<Tensor> {
    let (x, batches) = (&inputs[0], inputs[5].data[0]);
    let channels = x.extents[1];
    let inner: usize = x.extents[2..].iter().product();
    let of = |channel: usize| {
        let values = x.data.iter().enumerate();
        let own = values.filter(|(at, _)| at / inner % channels == channel);
        let own: Vec<f64> = own.map(|(_, &value)| value).collect();
        let count = own.len() as f64;
        let mean = own.iter().sum::<f64>() / count;
        (mean, own.iter().map(|x| x * x).sum::<f64>() / count - mean * mean, count)
    };
    let moments: Vec<_> = (0..channels).map(of).collect();
    let y = Tensor::from_fn(&x.extents, |at| {
        let (mean, variance, _) = moments[at[1]];
        let normal = (x.at(at) - mean) / (variance + 1e-3).sqrt();
        normal * inputs[1].data[at[1]] + inputs[2].data[at[1]]
    });
    let weighed = |old: &Tensor, new: &dyn Fn(usize) -> f64| {
        Tensor::from_fn(&[channels], |at| {
            (old.data[at[0]] * batches + new(at[0])) / (batches + 1.0)
        })
    };
    let mean = weighed(&inputs[3], &|c| moments[c].0);
    let unbiased = |c: usize| moments[c].1 * moments[c].2 / (moments[c].2 - 1.0);
    let variance = weighed(&inputs[4], &unbiased);
    vec![y, mean, variance, Tensor::new(&[], vec![batches + 1.0])]
}
