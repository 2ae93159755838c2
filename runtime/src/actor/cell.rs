//! Cells: the registers behind delays, as a lane hands them out between two iterations.

use std::sync::Arc;

use super::lane::Lane;
use super::register::Port;
use crate::device::Accelerator;
use crate::value::Value;

/// A register that keeps tokens from one iteration to the next.
pub(crate) struct Cell {
    pub(crate) name: String,
    /// Its first slot.
    pub(crate) port: Port,
    /// How many tokens it keeps.
    pub(crate) initial: u64,
    /// Tokens of one iteration.
    pub(crate) tokens: u64,
    pub(crate) device: Option<Arc<dyn Accelerator>>,
}

impl Cell {
    /// The tokens that are kept after so many iterations, oldest first; none is null.
    pub(crate) fn read(&self, iterations: u64) -> Result<Vec<Option<Value>>, String> {
        let token = |index: u64| {
            let port = self.port.clone().starting_at(iterations * self.tokens + index);
            // A failure never gets here: behind a delay the last good value is held.
            if port.state(0).is_null() {
                return Ok(None);
            }
            let mut bytes = vec![0; port.payload_bytes(0)];
            match (&self.device, port.buffer(0)) {
                (Some(device), Some(buffer)) => device.download(buffer, &mut bytes)?,
                _ => {
                    port.copy_out(&mut bytes);
                }
            }
            Ok(Some(Value::from_bytes(port.element, &port.extents(0), bytes)))
        };
        (0..self.initial).map(token).collect()
    }
}

impl Lane {
    /// Whether a snapshot waits for it now.
    #[inline]
    pub(crate) fn owes_state(&self) -> bool {
        let owed = self.shared.rest.owed(self.index);
        owed.is_some_and(|at| self.volleys.iter().all(|volley| volley.iteration == at))
    }

    /// Leaves its part of a snapshot, which it owes.
    #[cold]
    pub(crate) fn leave_state(&self) {
        let iterations = self.volleys.first().map_or(0, |volley| volley.iteration - self.before);
        let read = |cell: &Cell| Ok((cell.name.clone(), cell.read(iterations)?));
        self.shared.rest.leave(self.index, self.cells.iter().map(read).collect());
    }
}
