//! Exponential moving averages of weights: `average' = part * average + (1 - part) * weight'`.
//!
//! Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with weights
//! that fall with age. As PyTorch's `AveragedModel` with `get_ema_multi_avg_fn`: the first step
//! copies.

use synfire_ops::broadcast::binary::greater;
use synfire_ops::broadcast::select::where_;
use synfire_ops::pointwise::unary::fill;
use synfire_runtime::define::{Draft, Initial, Wire};

use super::algebra::Algebra;
use super::{Gate, Slope, as_element, beside, keep};

/// The averages of one training.
pub(super) struct Average {
    /// The part of the new, a scalar: all of it in the first step.
    part: Wire,
}

impl Average {
    /// Averages that keep this part of the old.
    pub(super) fn new(draft: &mut Draft, kept: f64, number: Wire) -> Self {
        let part = draft.scope("average", |draft| {
            let [one, part] = [1.0, 1.0 - kept].map(|x| draft.apply(fill(x), &[number]));
            let is_later = draft.apply(greater(), &[number, one]);
            draft.apply(where_(), &[is_later, part, one])
        });
        Self { part }
    }

    /// Adds the average of one parameter, whose next value is `next`; the next average.
    pub(super) fn follow(
        &self,
        draft: &mut Draft,
        gate: Option<Gate>,
        slope: &Slope,
        next: Wire,
    ) -> Wire {
        beside(draft, "average", slope, |draft| {
            let cell = draft.parameter("weight", slope.spec.clone(), Initial::Zeros);
            let part = as_element(draft, self.part, slope.spec.element);
            let apart = draft.minus(next, cell);
            let moved = draft.times(part, apart);
            let moved = draft.plus(cell, moved);
            keep(draft, gate, cell, moved);
            moved
        })
    }
}
