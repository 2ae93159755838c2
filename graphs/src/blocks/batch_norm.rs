//! Batch normalisation with its parameters, for training and for evaluation.
//!
//! In training the statistics of each batch normalise it, and the running ones, which evaluation
//! uses, follow by themselves: they are parameters that the graph updates.

use synfire_ops::normalize::batch_norm::{batch_norm, batch_norm_train};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::as_element;

/// What a network is built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Statistics are read.
    #[default]
    Evaluate,
    /// Statistics are those of the batch, and learnt.
    Train,
}

/// Numbers of a norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// What is added to the variance.
    pub epsilon: f64,
    /// The part of the new in the running statistics, in training.
    pub momentum: f64,
}

impl Default for Norm {
    /// PyTorch's: 1e-5 and 0.1.
    fn default() -> Self {
        Self { epsilon: 1e-5, momentum: 0.1 }
    }
}

/// `x`, normalised along axis 1, with the parameters `weight`, `bias`, `running_mean` and
/// `running_var` of the present scope, one number for each channel. Of floats of 16 bits it is
/// computed in `f32`, as sums over a batch need it.
pub fn normalise(draft: &mut Draft, x: Wire, norm: Norm, mode: Mode) -> Wire {
    let own = draft.spec(x).filter(|spec| spec.rank() > 1);
    let (element, channels) = own.map_or((Element::F32, 1), |spec| (spec.element, spec.bound(1)));
    let wide = if element == Element::F64 { element } else { Element::F32 };
    let x = as_element(draft, x, wide);
    let mut parameter = |name: &str, initial: f64| {
        draft.parameter(name, Spec::new(wide, [channels]), Initial::Constant(initial))
    };
    let weight = parameter("weight", 1.0);
    let bias = parameter("bias", 0.0);
    let [mean, variance] = [parameter("running_mean", 0.0), parameter("running_var", 1.0)];
    let inputs = [x, weight, bias, mean, variance];
    let y = match mode {
        Mode::Evaluate => draft.apply(batch_norm(norm.epsilon), &inputs),
        Mode::Train => {
            let operator = batch_norm_train(norm.epsilon, norm.momentum);
            let outputs = draft.apply_many(operator, &inputs);
            draft.update(mean, outputs[1]);
            draft.update(variance, outputs[2]);
            outputs[0]
        }
    };
    as_element(draft, y, element)
}
