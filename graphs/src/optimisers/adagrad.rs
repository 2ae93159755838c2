//! Adagrad: steps by the gradient over the root of the sum of all its squares.

use synfire_ops::pointwise::unary::{shift, sqrt};
use synfire_runtime::define::Wire;

use super::algebra::Algebra;
use super::{Optimiser, Step, TrainingError};

/// `sum' = sum + g^2`, `weight' = weight - r * g / (sqrt(sum') + epsilon)` with
/// `r = rate / (1 + (step - 1) * rate_decay)`. Duchi, Hazan and Singer, "Adaptive subgradient
/// methods for online learning and stochastic optimization", 2011. As PyTorch's `Adagrad`. The sum
/// is the cell `sum`.
#[derive(Clone, Debug, PartialEq)]
pub struct Adagrad {
    /// How fast the rate falls.
    pub rate_decay: f64,
    /// What the sum starts from.
    pub initial: f64,
    /// What is added to the root.
    pub epsilon: f64,
    /// The part of the weight that is added to the gradient.
    pub weight_decay: f64,
}

impl Default for Adagrad {
    /// PyTorch's: an epsilon of 1e-10 and nothing else.
    fn default() -> Self {
        Self { rate_decay: 0.0, initial: 0.0, epsilon: 1e-10, weight_decay: 0.0 }
    }
}

impl Optimiser for Adagrad {
    fn check(&self) -> Result<(), TrainingError> {
        let Self { rate_decay, initial, epsilon, weight_decay } = *self;
        let all = [
            ("rate_decay", rate_decay),
            ("initial", initial),
            ("epsilon", epsilon),
            ("weight_decay", weight_decay),
        ];
        let mut all = all.into_iter();
        all.try_for_each(|(name, x)| TrainingError::unless(x >= 0.0, name, x, "at least 0"))
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let decay = step.weight_decay(self.weight_decay);
        let slope = step.draft.plus_part(step.gradient, decay, step.parameter);
        let sum = step.cell("sum", self.initial);
        let squared = step.draft.squared(slope);
        let next = step.draft.plus(sum, squared);
        step.keep(sum, next);
        let root = step.draft.apply(sqrt(), &[next]);
        let root = step.draft.shifted(root, self.epsilon);
        let mut rate = step.rate;
        if self.rate_decay > 0.0 {
            let before = step.draft.apply(shift(-1.0), &[step.number]);
            let slowed = step.draft.scaled(self.rate_decay, before);
            let slowed = step.draft.shifted(slowed, 1.0);
            rate = step.draft.over(rate, slowed);
        }
        let ratio = step.draft.over(slope, root);
        let moved = step.draft.times(ratio, rate);
        step.draft.minus(step.parameter, moved)
    }
}
