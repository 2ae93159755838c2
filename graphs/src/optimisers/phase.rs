//! Phases: parameters that are updated in some iterations only, such as those of two optimisers
//! that take turns.
//!
//! A selector stream says whose turn it is. What stands behind a switch by that selector has values
//! in its own phase alone, gradients too, and so have the steps along them: in any other phase the
//! optimiser does not fire at all. A state edge must never carry null, so a merge by the same
//! selector passes the old value on there: parameters, moments and counters keep their bits.

use synfire_ops::broadcast::select::where_;
use synfire_ops::route::merge::merge;
use synfire_runtime::define::{Draft, Wire};

use super::{Slope, Trained, Training, TrainingError};

/// One of the phases that take turns.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// The number of the phase of each iteration: `i64[]`.
    pub selector: Wire,
    /// The number of this phase.
    pub own: usize,
    /// How many there are.
    pub count: usize,
}

/// When a cell takes its next value.
#[derive(Clone, Copy, Default)]
pub(super) struct Gate {
    /// Where this holds; always, if it is not asked.
    pub(super) finite: Option<Wire>,
    /// In this phase; always, if there are none.
    pub(super) phase: Option<Phase>,
}

impl Gate {
    /// Makes `next` the next value of a cell, where the gate is open.
    pub(super) fn keep(self, draft: &mut Draft, cell: Wire, next: Wire) {
        let next = match self.finite {
            Some(finite) => draft.apply(where_(), &[finite, next, cell]),
            None => next,
        };
        let next = match self.phase {
            Some(Phase { selector, own, count }) => {
                let mut inputs = vec![cell; count + 1];
                inputs[0] = selector;
                inputs[own + 1] = next;
                draft.apply(merge(count), &inputs)
            }
            None => next,
        };
        draft.update(cell, next);
    }
}

impl Training {
    /// Adds to the draft the updates of parameters whose gradients are there already, each pair a
    /// parameter and its gradient; where gradients have values in one phase only, in that phase.
    /// What [`Trained`] tells is null in all others, but for the rate.
    ///
    /// # Errors
    /// Settings out of range, a group that takes no parameter, a loss scale, which only
    /// [`Training::train`] knows how to take off, and pairs of which none can be trained: frozen,
    /// updated already, or no parameter.
    pub fn follow(
        &self,
        draft: &mut Draft,
        gradients: &[(Wire, Wire)],
        phase: Option<Phase>,
    ) -> Result<Trained, TrainingError> {
        self.check()?;
        if self.loss_scale.is_some() {
            let wanted = "none where gradients are given";
            return Err(TrainingError::new("loss_scale", "a scale", wanted));
        }
        let given = |slope: Slope| {
            let mut pairs = gradients.iter();
            let &(_, gradient) = pairs.find(|(parameter, _)| *parameter == slope.parameter)?;
            Some(Slope { gradient, ..slope })
        };
        let slopes: Vec<Slope> = self.candidates(draft)?.into_iter().filter_map(given).collect();
        let Some(first) = slopes.first() else {
            let found = format!("{} pairs, no parameter to train", gradients.len());
            return Err(TrainingError::new("gradients", found, "one that is not frozen"));
        };
        let pacing = first.gradient;
        Ok(draft.scope("training", |draft| {
            let clock = self.clock(draft, pacing);
            self.step(draft, clock, Gate { finite: None, phase }, slopes)
        }))
    }
}
