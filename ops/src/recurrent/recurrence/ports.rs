//! Where the optional inputs of a recurrence are, and that all have as many rows.

use synfire_runtime::operator::{FireError, Operator};
use synfire_runtime::spec::Extents;

use super::Recurrence;

/// Where the optional inputs are.
pub(super) struct Ports {
    pub(super) bias: Option<usize>,
    /// The first part of the state.
    pub(super) initial: Option<usize>,
    pub(super) lengths: Option<usize>,
}

impl Recurrence {
    pub(super) fn ports(&self) -> Ports {
        let mut next = 2;
        let mut take = |has: bool, count: usize| {
            let first = next;
            next += if has { count } else { 0 };
            has.then_some(first)
        };
        Ports {
            bias: take(self.has_bias, 1),
            initial: take(self.has_initial, self.cell.states),
            lengths: take(self.has_lengths, 1),
        }
    }

    /// Steps and rows of one firing, in which all ports have as many rows.
    pub(super) fn sizes(
        &self,
        extents: &dyn Fn(usize) -> Extents,
    ) -> Result<[usize; 2], FireError> {
        let sizes @ [_, batch] = self.walk.sizes(&extents(0));
        let Ports { initial, lengths, .. } = self.ports();
        let states = initial.into_iter().flat_map(|first| first..first + self.cell.states);
        for port in states.chain(lengths) {
            let found = extents(port)[0];
            if found != batch {
                let name = &self.contract().inputs[port].name;
                return Err(FireError::failed(format!(
                    "{}: port {name}, dimension 0: found {found}; wanted {batch} as x",
                    self.cell.scan
                )));
            }
        }
        Ok(sizes)
    }
}
