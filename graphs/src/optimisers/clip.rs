//! Clipping: a gradient that is too large is made smaller before it is used.

use synfire_ops::pointwise::unary::{clamp, recip, scale, shift, sqrt};
use synfire_runtime::define::{Draft, Wire};

use super::algebra::{Algebra, sum_all};
use super::{Slope, TrainingError, beside, scale_all};

/// What a gradient is bounded by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// The magnitude of every element, as PyTorch's `clip_grad_value_`.
    Value(f64),
    /// The Euclidean norm of the gradients of all parameters together, as PyTorch's
    /// `clip_grad_norm_`: all are multiplied by `bound / (norm + 1e-6)` where that is below 1
    /// (Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
    /// 2013). Squares are summed parameter by parameter, in the order of definition.
    Norm(f64),
}

/// What is added to a norm before it divides.
const EPSILON: f64 = 1e-6;

impl Clip {
    pub(super) fn check(self) -> Result<(), TrainingError> {
        let (Self::Value(bound) | Self::Norm(bound)) = self;
        TrainingError::unless(bound > 0.0, "clip", bound, "more than 0")
    }

    /// Clips all gradients; their norm before, where it is what is bounded.
    pub(super) fn apply(self, draft: &mut Draft, slopes: &mut [Slope]) -> Option<Wire> {
        match self {
            Self::Value(bound) => {
                for slope in slopes {
                    slope.gradient = beside(draft, "clip", slope, |draft| {
                        draft.apply(clamp(-bound, bound), &[slope.gradient])
                    });
                }
                None
            }
            Self::Norm(bound) => {
                let norm = norm(draft, slopes)?;
                let factor = draft.scope("clip", |draft| {
                    let above = draft.apply(shift(EPSILON), &[norm]);
                    let factor = draft.apply(recip(), &[above]);
                    let factor = draft.apply(scale(bound), &[factor]);
                    draft.apply(clamp(0.0, 1.0), &[factor])
                });
                scale_all(draft, slopes, factor);
                Some(norm)
            }
        }
    }
}

/// The norm of all gradients as one vector.
fn norm(draft: &mut Draft, slopes: &[Slope]) -> Option<Wire> {
    let mut squares = Vec::new();
    for slope in slopes {
        squares.push(beside(draft, "clip", slope, |draft| {
            let squared = draft.squared(slope.gradient);
            draft.total(squared)
        }));
    }
    let sum = draft.scope("clip", |draft| sum_all(draft, &squares))?;
    Some(draft.scope("clip", |draft| draft.apply(sqrt(), &[sum])))
}
