//! RMSprop: steps by the gradient over the root of the average of its square.

use synfire_ops::pointwise::unary::sqrt;
use synfire_runtime::define::Wire;

use super::algebra::Algebra;
use super::{Optimiser, Step, TrainingError};

/// `square' = alpha * square + (1 - alpha) * g^2`, `weight' = weight - rate * g / (sqrt(square') +
/// epsilon)`. Hinton, "Neural networks for machine learning", lecture 6, 2012. As PyTorch's
/// `RMSprop`. Cells: `square`, with momentum `velocity`, centred `mean`.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    /// The part of the old in the average.
    pub alpha: f64,
    /// What is added to the root.
    pub epsilon: f64,
    /// The part of the velocity that is kept; without any of it there is no velocity.
    pub momentum: f64,
    /// Whether the average of the gradient is taken off, so that the root is a deviation.
    pub centred: bool,
    /// The part of the weight that is added to the gradient.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    /// PyTorch's: 0.99, 1e-8, nothing else.
    fn default() -> Self {
        Self { alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centred: false, weight_decay: 0.0 }
    }
}

impl Optimiser for RmsProp {
    fn check(&self) -> Result<(), TrainingError> {
        let Self { alpha, epsilon, momentum, weight_decay, .. } = *self;
        TrainingError::unless((0.0..=1.0).contains(&alpha), "alpha", alpha, "0 to 1")?;
        let others = [("epsilon", epsilon), ("momentum", momentum), ("weight_decay", weight_decay)];
        let mut others = others.into_iter();
        others.try_for_each(|(name, x)| TrainingError::unless(x >= 0.0, name, x, "at least 0"))
    }

    fn step(&self, step: &mut Step<'_>) -> Wire {
        let decay = step.weight_decay(self.weight_decay);
        let slope = step.draft.plus_part(step.gradient, decay, step.parameter);
        let square = step.cell("square", 0.0);
        let squared = step.draft.squared(slope);
        let next_square = step.draft.blend(self.alpha, square, squared);
        step.keep(square, next_square);
        let mut variance = next_square;
        if self.centred {
            let mean = step.cell("mean", 0.0);
            let next_mean = step.draft.blend(self.alpha, mean, slope);
            step.keep(mean, next_mean);
            let squared = step.draft.squared(next_mean);
            variance = step.draft.minus(next_square, squared);
        }
        let root = step.draft.apply(sqrt(), &[variance]);
        let root = step.draft.shifted(root, self.epsilon);
        let mut moved = step.draft.over(slope, root);
        if self.momentum > 0.0 {
            let velocity = step.cell("velocity", 0.0);
            moved = step.draft.plus_part(moved, self.momentum, velocity);
            step.keep(velocity, moved);
        }
        let moved = step.draft.times(moved, step.rate);
        step.draft.minus(step.parameter, moved)
    }
}
