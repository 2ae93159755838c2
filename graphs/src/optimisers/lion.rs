//! Lion: steps of equal length for every element, by the sign of an average.

use synfire_ops::pointwise::unary::sign;
use synfire_runtime::define::Wire;

use super::algebra::Algebra;
use super::{Optimiser, Step, TrainingError};

/// `weight' = weight - rate * (sign(beta1 * mean + (1 - beta1) * gradient) + decay * weight)`,
/// `mean' = beta2 * mean + (1 - beta2) * gradient`. Chen et al., "Symbolic discovery of
/// optimization algorithms", 2023. The mean is the cell `mean`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lion {
    /// The parts of the old in what is stepped by and in what is kept.
    pub betas: [f64; 2],
    /// The part of the weight that is taken off, times the rate.
    pub weight_decay: f64,
}

impl Default for Lion {
    /// The paper's: 0.9 and 0.99, no decay.
    fn default() -> Self {
        Self { betas: [0.9, 0.99], weight_decay: 0.0 }
    }
}

impl Optimiser for Lion {
    fn check(&self) -> Result<(), TrainingError> {
        for beta in self.betas {
            TrainingError::unless((0.0..=1.0).contains(&beta), "betas", beta, "0 to 1")?;
        }
        let decay = self.weight_decay;
        TrainingError::unless(decay >= 0.0, "weight_decay", decay, "at least 0")
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let mean = step.cell("mean", 0.0);
        let ahead = step.draft.blend(self.betas[0], mean, step.gradient);
        let next = step.draft.blend(self.betas[1], mean, step.gradient);
        step.keep(mean, next);
        let moved = step.draft.apply(sign(), &[ahead]);
        let moved =
            step.draft.plus_part(moved, step.weight_decay(self.weight_decay), step.parameter);
        let moved = step.draft.times(moved, step.rate);
        step.draft.minus(step.parameter, moved)
    }
}
