//! The factors of the linear scans as wires, for the gradients that are built with them.

use synfire_runtime::define::{Draft, Wire};

use crate::arrange::concat::concat;
use crate::recurrent::recurrence::Cell;

/// What a step multiplies a state by.
#[derive(Clone, Copy)]
pub(in crate::recurrent) struct Factors {
    pub(in crate::recurrent) keep: Wire,
    /// Of an LSTM.
    pub(in crate::recurrent) forget: Option<Wire>,
    /// Of an LSTM.
    pub(in crate::recurrent) link: Option<Wire>,
    pub(in crate::recurrent) slope: Wire,
}

impl Factors {
    pub(in crate::recurrent) fn new(keep: Wire, slope: Wire) -> Self {
        Self { keep, forget: None, link: None, slope }
    }

    /// All inputs of the operator: `own` are those that go with its outputs.
    pub(in crate::recurrent) fn inputs(&self, own: &[Wire], weight: Wire) -> Vec<Wire> {
        let factors = std::iter::once(self.keep).chain(self.forget).chain(self.link);
        own.iter().copied().chain(factors).chain([self.slope, weight]).collect()
    }
}

/// The part of the state that each gate acts on, side by side.
pub(in crate::recurrent) fn spread(draft: &mut Draft, cell: &Cell, states: &[Wire]) -> Wire {
    let mut parts = vec![states[cell.states - 1]; cell.gates];
    parts[cell.gates - 1] = states[0];
    if parts.len() == 1 { parts[0] } else { draft.apply(concat(2, parts.len()), &parts) }
}
