//! Several outputs computed together, block by block, with scratch memory for each task.
#![expect(unsafe_code, reason = "takes the disjoint pieces of several slices")]

use std::ops::Range;

use synfire_runtime::crew::Crew;

use super::{disjoint::DisjointMut, simd::Element, tile::share_out};

/// How several outputs are cut into blocks that are computed together.
pub(crate) struct Blocks<'a, const N: usize> {
    /// How many blocks there are.
    pub(crate) count: usize,
    /// The range of each output that block `number` writes; ranges ascend with the number.
    pub(crate) ranges: &'a (dyn Fn(usize) -> [Range<usize>; N] + Sync),
}

/// Computes block `number`: its pieces, and scratch.
type Body<'a, T, const N: usize> = dyn Fn(usize, [&mut [T]; N], &mut [T]) + Sync + 'a;

/// Calls `body(number, pieces, scratch)` for every block, each task with `scratch` elements of its
/// own in the workspace, which has [`super::tile::workspace_bytes`] for the crew.
///
/// # Panics
/// When the ranges of two blocks overlap: a kernel bug.
pub(crate) fn blocks<T: Element, const N: usize>(
    crew: &Crew,
    outputs: [&mut [T]; N],
    blocks: &Blocks<'_, N>,
    workspace: (&mut [u8], usize),
    body: &Body<'_, T, N>,
) {
    let mut ends = [0; N];
    for number in 0..blocks.count {
        for (range, end) in (blocks.ranges)(number).into_iter().zip(&mut ends) {
            assert!(range.start >= *end, "the ranges of blocks ascend");
            *end = range.end.max(range.start);
        }
    }
    let shared = outputs.map(DisjointMut::new);
    share_out(crew, blocks.count, workspace, &|number, scratch| {
        let mut ranges = (blocks.ranges)(number).into_iter();
        let pieces = shared.each_ref().map(|output| {
            let range = ranges.next().expect("a range for each output");
            // SAFETY: the ranges of two blocks do not overlap, by the assertion above.
            unsafe { output.piece(range) }
        });
        body(number, pieces, scratch);
    });
}
