//! Phases: parameters that are updated in some iterations only, such as those of two optimisers
//! that take turns.
//!
//! A selector stream says whose turn it is. What stands behind a switch by that selector has values
//! in its own phase alone, gradients too, and so have the steps along them: in any other phase the
//! optimiser does not fire at all. A state edge must never carry null, so a merge by the same
//! selector passes the old value on there: parameters, moments and counters keep their bits.

use synfire_ops::route::merge::merge;
use synfire_runtime::define::{Draft, Wire};

use super::step::Turn;
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

impl Phase {
    /// The stream that has `next` in this phase and `old` in all others.
    pub(super) fn merged(self, draft: &mut Draft, old: Wire, next: Wire) -> Wire {
        let mut inputs = vec![old; self.count + 1];
        inputs[0] = self.selector;
        if let Some(own) = inputs.get_mut(self.own + 1) {
            *own = next;
        }
        draft.apply(merge(self.count), &inputs)
    }
}

impl Training {
    /// Adds to the draft the updates of parameters whose gradients are there already, each pair a
    /// parameter and its gradient; where gradients have values in one phase only, in that phase.
    /// What [`Trained`] tells is null in all others, but for the rate.
    ///
    /// # Errors
    /// Settings out of range, a group that takes no parameter, a loss scale or
    /// several batches a step, which only [`Training::train`] knows how to see to, and pairs of
    /// which none can be trained: frozen, updated already, or no parameter.
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
        if self.accumulate != 1 {
            let wanted = "1 where gradients are given";
            return Err(TrainingError::new("accumulate", self.accumulate, wanted));
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
            self.step(draft, clock, Turn { gate: None, phase }, slopes)
        }))
    }
}
