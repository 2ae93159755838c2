//! The linear scan on accelerators, for `f32`.

use cubecl::prelude::Runtime;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::LinearScan;
use crate::device::kernel::{Call, CubeKernel};
use crate::device::scan::{Ports, Running, scan};

pub(super) struct OnCube(LinearScan);

impl OnCube {
    pub(super) fn new(operator: LinearScan, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let LinearScan { axis, is_lagged, has_initial, .. } = self.0;
        let extents = self.0.common(&|port| call.input(port).extents())?;
        let [a, b] = [0, 1].map(|port| call.input(port));
        let initial = has_initial.then(|| call.input(2));
        let h = call.set_extents(0, &extents);
        let ports = Ports { a: &a, b: &b, initial: initial.as_ref(), y: &h };
        let running = if is_lagged { Running::LaggedMap } else { Running::Map };
        scan(call, ports, axis, (self.0.course(), running))
    }
}
