//! LARS: the rate of each parameter by the ratio of its norm and that of its gradient.

use synfire_ops::broadcast::binary::{greater, logical_and};
use synfire_ops::broadcast::select::where_;
use synfire_ops::pointwise::unary::{fill, sqrt};
use synfire_runtime::define::Wire;

use super::algebra::Algebra;
use super::{Optimiser, Step, TrainingError};

/// `local = trust * |weight| / (|gradient| + decay * |weight| + epsilon)`, or 1 where a norm is 0;
/// `velocity' = momentum * velocity + rate * local * (gradient + decay * weight)`,
/// `weight' = weight - velocity'`. You, Gitman and Ginsburg, "Large batch training of convolutional
/// networks", 2017, algorithm 1. Biases and norms are often left out of it: by a group with another
/// optimiser. The velocity is the cell `velocity`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lars {
    /// The part of the velocity that is kept.
    pub momentum: f64,
    /// How far a step may go, as a part of the parameter's norm.
    pub trust: f64,
    /// The part of the weight that is added to the gradient.
    pub weight_decay: f64,
    /// What is added to the norm that divides.
    pub epsilon: f64,
}

impl Default for Lars {
    /// The paper's: momentum 0.9, trust 0.001, decay 0.0005.
    fn default() -> Self {
        Self { momentum: 0.9, trust: 1e-3, weight_decay: 5e-4, epsilon: 0.0 }
    }
}

impl Optimiser for Lars {
    fn check(&self) -> Result<(), TrainingError> {
        let Self { momentum, trust, weight_decay, epsilon } = *self;
        TrainingError::unless(trust > 0.0, "trust", trust, "more than 0")?;
        let others = [("momentum", momentum), ("weight_decay", weight_decay), ("epsilon", epsilon)];
        let mut others = others.into_iter();
        others.try_for_each(|(name, x)| TrainingError::unless(x >= 0.0, name, x, "at least 0"))
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let decay = step.weight_decay(self.weight_decay);
        let local = self.local(step, decay);
        let slope = step.draft.plus_part(step.gradient, decay, step.parameter);
        let rate = step.draft.times(step.rate, local);
        let moved = step.draft.times(slope, rate);
        let velocity = step.cell("velocity", 0.0);
        let next = step.draft.plus_part(moved, self.momentum, velocity);
        step.keep(velocity, next);
        step.draft.minus(step.parameter, next)
    }
}

impl Lars {
    /// What the rate is multiplied by, a scalar.
    fn local(&self, step: &mut Step<'_>, decay: f64) -> Wire {
        let [weight, gradient] = [step.parameter, step.gradient].map(|wire| {
            let squared = step.draft.squared(wire);
            let total = step.draft.total(squared);
            step.draft.apply(sqrt(), &[total])
        });
        let below = step.draft.plus_part(gradient, decay, weight);
        let below = step.draft.shifted(below, self.epsilon);
        let ratio = step.draft.over(weight, below);
        let ratio = step.draft.scaled(self.trust, ratio);
        let [zero, one] = [0.0, 1.0].map(|x| step.draft.apply(fill(x), &[ratio]));
        let [a, b] = [weight, gradient].map(|norm| step.draft.apply(greater(), &[norm, zero]));
        let is_usual = step.draft.apply(logical_and(), &[a, b]);
        step.draft.apply(where_(), &[is_usual, ratio, one])
    }
}
