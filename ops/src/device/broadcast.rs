//! Operands of different shapes on a device: where each of them is for an element of the output.

use cubecl::prelude::*;

use super::kernel::sizes;
use crate::host::broadcast::{OPERANDS_MAX, Walk};

/// The merged axes of a walk, and what each operand moves along them.
pub(crate) struct Axes<R: Runtime> {
    /// Extents of the output.
    pub(crate) extents: SequenceArg<R, u32>,
    /// Strides of each operand; those there are not are zero.
    pub(crate) strides: [SequenceArg<R, u32>; OPERANDS_MAX],
}

/// The axes of a walk as arguments of a kernel.
pub(crate) fn axes<R: Runtime>(walk: &Walk) -> Axes<R> {
    let strides =
        |operand: usize| walk.strides().iter().map(|strides| strides[operand]).collect::<Vec<_>>();
    Axes {
        extents: sizes(walk.extents()),
        strides: std::array::from_fn(|operand| sizes(&strides(operand))),
    }
}
