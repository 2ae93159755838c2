//! The running reductions on accelerators, for `f32`.

use cubecl::prelude::Runtime;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::Cumulative;
use crate::device::kernel::{Call, CubeKernel};
use crate::device::scan::{Ports, Running, scan};

pub(super) struct OnCube {
    operator: Cumulative,
    running: Running,
}

impl OnCube {
    pub(super) fn new(operator: &Cumulative, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let running = match operator.row.name {
            "cumsum" => Running::Sum,
            "cumprod" => Running::Product,
            _ => Running::LogSumExp,
        };
        match specs.inputs[0].element {
            Element::F32 => Ok(Self { operator: *operator, running }),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let Cumulative { axis, course, .. } = self.operator;
        let x = call.input(0);
        let y = call.set_extents(0, &x.extents());
        let ports = Ports { a: &x, b: &x, initial: None, y: &y };
        scan(call, ports, axis, (course, self.running))
    }
}
