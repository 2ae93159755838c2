//! Shares out an output among the cores of a device, in pieces of whole units.
#![expect(unsafe_code, reason = "takes the disjoint pieces of one slice")]

use synfire_runtime::crew::Crew;

use super::disjoint::DisjointMut;
use super::simd::Element;
use super::tile::{share_out, workspace_bytes};

/// Elements below which a piece is not worth another core: about 10 us of streaming.
const GRAIN: usize = 16 * 1024;

/// Calls `body(offset, piece)` for pieces that together are `output`, each a whole number of
/// `unit`s and starting at flat element `offset`; nothing when the output or the unit is empty.
///
/// Pieces do not depend on the size of the crew, so results cannot either.
pub fn pieces<T: Send>(
    crew: &Crew,
    output: &mut [T],
    unit: usize,
    body: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    if output.is_empty() || unit == 0 {
        return;
    }
    let piece = GRAIN.div_ceil(unit) * unit;
    let shared = DisjointMut::new(output);
    crew.run(shared.len().div_ceil(piece), &|task| {
        let start = task * piece;
        let end = (start + piece).min(shared.len());
        // SAFETY: the ranges of two tasks do not overlap.
        body(start, unsafe { shared.piece(start..end) });
    });
}

/// Bytes of the workspace with which [`pieces_with`] gives `scratch` elements to each piece.
pub(crate) fn scratch_bytes<T>(scratch: usize, cores: usize) -> usize {
    workspace_bytes::<T>(scratch, cores)
}

/// As [`pieces`], with at least `scratch` elements for each call of the body that may hold
/// anything.
pub(crate) fn pieces_with<T: Element>(
    crew: &Crew,
    output: &mut [T],
    unit: usize,
    (workspace, scratch): (&mut [u8], usize),
    body: &(dyn Fn(usize, &mut [T], &mut [T]) + Sync),
) {
    if output.is_empty() || unit == 0 {
        return;
    }
    let piece = GRAIN.div_ceil(unit) * unit;
    let shared = DisjointMut::new(output);
    let count = shared.len().div_ceil(piece);
    share_out(crew, count, (workspace, scratch), &|task, scratch| {
        let start = task * piece;
        let end = (start + piece).min(shared.len());
        // SAFETY: the ranges of two tasks do not overlap.
        body(start, unsafe { shared.piece(start..end) }, scratch);
    });
}
