//! The copy between an accelerator's memory and the host's, as a kernel of the accelerator's lane.

use std::sync::Arc;

use crate::device::{Accelerator, Device};
use crate::firing::Firing;
use crate::operator::{FireError, Kernel};

/// The kernel of a copy actor on `device`'s lane.
pub(crate) fn kernel(device: &Device) -> Box<dyn Kernel> {
    match device {
        Device::Accelerator(accelerator) => Box::new(Copy { accelerator: accelerator.clone() }),
        Device::Cpu(_) => unreachable!("nothing is copied between host memories"),
    }
}

struct Copy {
    accelerator: Arc<dyn Accelerator>,
}

impl Kernel for Copy {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let from = firing.input(0);
        let mut to = firing.output(0);
        to.set_extents(&from.extents());
        let done = match (from.buffer(), to.buffer()) {
            (None, Some(buffer)) => self.accelerator.upload(from.bytes(), buffer),
            (Some(buffer), None) => self.accelerator.download(buffer, to.bytes()),
            _ => unreachable!("a copy has one end on the accelerator"),
        };
        done.map_err(FireError::Failed)
    }
}
