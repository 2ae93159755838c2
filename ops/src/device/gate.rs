//! Gates: one number that says whether anything shall change.

use cubecl::prelude::*;

/// Whether a gate, if it is one, says that nothing shall change.
#[cube]
pub(crate) fn is_closed(gate: &Array<f32>, #[comptime] gated: bool) -> bool {
    if comptime!(gated) { gate[0] == 0.0 } else { false.runtime() }
}
