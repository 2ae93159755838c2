//! Stochastic gradient descent with momentum.

use synfire_ops::optimise::sgd::sgd;
use synfire_runtime::define::Wire;

use super::{Optimiser, Step, TrainingError};

/// `weight' = weight - rate * velocity'`, `velocity' = momentum * velocity + gradient`: see
/// [`sgd`]. As PyTorch's `SGD` without dampening. The velocity is the cell `velocity`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Sgd {
    /// The part of the velocity that is kept; without any of it there is no velocity.
    pub momentum: f64,
    /// Whether the step looks ahead, after Nesterov.
    pub nesterov: bool,
    /// The part of the weight that is added to the gradient.
    pub weight_decay: f64,
}

impl Optimiser for Sgd {
    fn check(&self) -> Result<(), TrainingError> {
        let Self { momentum, nesterov, weight_decay } = *self;
        TrainingError::unless(momentum >= 0.0, "momentum", momentum, "at least 0")?;
        let looks = !nesterov || momentum > 0.0;
        TrainingError::unless(looks, "momentum", momentum, "more than 0 for Nesterov")?;
        TrainingError::unless(weight_decay >= 0.0, "weight_decay", weight_decay, "at least 0")
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let operator = sgd(self.momentum, step.weight_decay(self.weight_decay));
        let operator = if self.nesterov { operator.nesterov() } else { operator };
        let gate = step.take_gate();
        let operator = if gate.is_some() { operator.gated() } else { operator };
        let velocity = (self.momentum != 0.0).then(|| step.cell("velocity", 0.0));
        let mut inputs = vec![step.parameter, step.gradient, step.rate];
        inputs.extend(velocity.into_iter().chain(gate));
        let next = step.draft.apply_many(operator, &inputs);
        if let Some(velocity) = velocity {
            step.keep(velocity, next[1]);
        }
        next[0]
    }
}
