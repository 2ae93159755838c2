//! How a composite says that its inputs do not fit: by an operator that no shape suits.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Contract, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire_runtime::spec::Spec;

/// Notes the error as a fault of a node called `name` with the inputs `port0`, `port1`, ...; the
/// wire has no spec, so what is built on it is left out.
pub(crate) fn reject(
    draft: &mut Draft,
    name: &'static str,
    (port, inputs): (&'static str, &[Wire]),
    error: SpecError,
) -> Wire {
    draft.apply(Rejection { name, port, inputs: inputs.len(), error }, inputs)
}

/// An operator that rejects all inputs.
#[derive(Debug)]
struct Rejection {
    name: &'static str,
    port: &'static str,
    inputs: usize,
    error: SpecError,
}

impl Operator for Rejection {
    fn contract(&self) -> Contract {
        Contract::new(self.name).input_list(self.port, self.inputs).output("y")
    }

    fn shape(&self, _: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Err(self.error.clone())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn kernel(&self, _: Target<'_>, _: &Specs<'_>) -> Result<Box<dyn Kernel>, KernelError> {
        Err(KernelError::Absent)
    }
}
