//! What an optimiser sees of a training: one parameter, its gradient, and memory for both.

use std::fmt;

use synfire_ops::broadcast::select::where_;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::Spec;

use super::{TrainingError, as_element};

/// How one parameter is updated from its gradient.
pub trait Optimiser: fmt::Debug {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first that does not, by name.
    fn check(&self) -> Result<(), TrainingError>;

    /// Adds the nodes of one step and gives the parameter's next value. What it remembers are
    /// cells: [`Step::cell`] and [`Step::keep`].
    fn step(&self, step: &mut Step<'_>) -> Wire;
}

/// One parameter in one step.
pub struct Step<'a> {
    /// The draft to add to; what is added has paths of its own for each parameter.
    pub draft: &'a mut Draft,
    /// The parameter, before the update.
    pub parameter: Wire,
    /// Its gradient, clipped and noisy as it shall be.
    pub gradient: Wire,
    /// The rate, a scalar of the parameter's element type.
    pub rate: Wire,
    /// The number of this step, from 1, a scalar of the parameter's element type.
    pub number: Wire,
    pub(super) spec: Spec,
    pub(super) weight_decay: Option<f64>,
    pub(super) gate: Option<Gate>,
}

/// Whether a step counts: where it is closed, nothing changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// A scalar of `bool`.
    pub(super) truth: Wire,
    /// The same as 0 or 1, a scalar of `f32`.
    pub(super) number: Wire,
}

impl Step<'_> {
    /// The weight decay of the parameter's group, or the optimiser's `own`.
    #[must_use]
    pub fn weight_decay(&self, own: f64) -> f64 {
        self.weight_decay.unwrap_or(own)
    }

    /// A cell of the optimiser's memory for this parameter: of its spec, at first everywhere
    /// `initial`.
    pub fn cell(&mut self, name: &str, initial: f64) -> Wire {
        self.draft.parameter(name, self.spec.clone(), Initial::Constant(initial))
    }

    /// The gate of this step, a scalar of the parameter's element type, for an operator that
    /// leaves everything as it is where that is 0. Who takes it answers for all that is kept and
    /// given from then on; what is not taken is seen to by [`Step::keep`].
    pub fn take_gate(&mut self) -> Option<Wire> {
        let gate = self.gate.take()?;
        Some(as_element(self.draft, gate.number, self.spec.element))
    }

    /// Makes `next` the value of a cell in the next step.
    pub fn keep(&mut self, cell: Wire, next: Wire) {
        keep(self.draft, self.gate, cell, next);
    }
}

/// Makes `next` the next value of a cell, where the gate, if there is one, is open.
pub(super) fn keep(draft: &mut Draft, gate: Option<Gate>, cell: Wire, next: Wire) {
    let next = match gate {
        Some(gate) => draft.apply(where_(), &[gate.truth, next, cell]),
        None => next,
    };
    draft.update(cell, next);
}
