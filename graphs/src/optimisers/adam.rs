//! Adam, and AdamW, whose weight decay is its own.

use synfire_ops::optimise::adam;
use synfire_runtime::define::Wire;

use super::{Optimiser, Step, TrainingError};

/// Steps by the ratio of the averages of gradient and squared gradient: see
/// [`adam`](adam::adam). As PyTorch's `Adam`. The averages are the cells `first` and `second`.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// The parts of the old in both averages.
    pub betas: [f64; 2],
    /// What is added to the root of the second.
    pub epsilon: f64,
    /// The part of the weight that is added to the gradient.
    pub weight_decay: f64,
}

impl Default for Adam {
    /// PyTorch's: 0.9, 0.999, 1e-8, no decay.
    fn default() -> Self {
        Self { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// [`Adam`] whose weight decay, times the rate, is taken off the weight and does not enter the
/// averages. As PyTorch's `AdamW`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// The parts of the old in both averages.
    pub betas: [f64; 2],
    /// What is added to the root of the second.
    pub epsilon: f64,
    /// The part of the weight that is taken off, times the rate.
    pub weight_decay: f64,
}

impl Default for AdamW {
    /// PyTorch's: 0.9, 0.999, 1e-8, a decay of 0.01.
    fn default() -> Self {
        Self { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.01 }
    }
}

impl Optimiser for Adam {
    fn check(&self) -> Result<(), TrainingError> {
        check(self.betas, self.epsilon, self.weight_decay)
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let decay = step.weight_decay(self.weight_decay);
        moved(step, adam::adam(self.betas, self.epsilon).weight_decay(decay))
    }
}

impl Optimiser for AdamW {
    fn check(&self) -> Result<(), TrainingError> {
        check(self.betas, self.epsilon, self.weight_decay)
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let decay = step.weight_decay(self.weight_decay);
        moved(step, adam::adam(self.betas, self.epsilon).decoupled(decay))
    }
}

fn moved(step: &mut Step<'_>, operator: adam::Adam) -> Wire {
    let [first, second] = ["first", "second"].map(|name| step.cell(name, 0.0));
    let gate = step.take_gate();
    let operator = if gate.is_some() { operator.gated() } else { operator };
    let mut inputs = vec![step.parameter, step.gradient, step.rate, step.number, first, second];
    inputs.extend(gate);
    let next = step.draft.apply_many(operator, &inputs);
    step.keep(first, next[1]);
    step.keep(second, next[2]);
    next[0]
}

fn check(betas: [f64; 2], epsilon: f64, decay: f64) -> Result<(), TrainingError> {
    for beta in betas {
        TrainingError::unless((0.0..1.0).contains(&beta), "betas", beta, "0 to below 1")?;
    }
    TrainingError::unless(epsilon >= 0.0, "epsilon", epsilon, "at least 0")?;
    TrainingError::unless(decay >= 0.0, "weight_decay", decay, "at least 0")
}
