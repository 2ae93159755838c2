//! Shares out an output among the cores of a device, in pieces of whole units.
#![expect(unsafe_code, reason = "takes the disjoint pieces of one slice")]

use std::ops::Range;

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

/// Computes pieces of two outputs from their offset.
type PairBody<'a, T, U> = dyn Fn(usize, &mut [T], &mut [U]) + Sync + 'a;

/// As [`pieces`], of two outputs with as many elements: `body(offset, piece, piece of the other)`.
pub(crate) fn pieces_of_two<T: Send, U: Send>(
    crew: &Crew,
    (output, other): (&mut [T], &mut [U]),
    unit: usize,
    body: &PairBody<'_, T, U>,
) {
    assert_eq!(output.len(), other.len(), "the outputs are cut alike");
    let other = DisjointMut::new(other);
    pieces(crew, output, unit, &|offset, piece| {
        // SAFETY: as the pieces of the first output, those of the other do not overlap.
        body(offset, piece, unsafe { other.piece(offset..offset + piece.len()) });
    });
}

/// Neighbouring lines that are walked side by side: a cache line of `f32`.
pub(crate) const STRIP: usize = 16;

/// Up to [`STRIP`] neighbouring lines of an output along an axis, or a stretch of them.
pub(crate) struct Strip<'a, T> {
    shared: DisjointMut<'a, T>,
    /// The flat element at place 0 of the first line.
    start: usize,
    stride: usize,
    /// The number of the first line.
    pub(crate) line: usize,
    /// How many lines.
    pub(crate) width: usize,
    /// The places along the axis.
    pub(crate) places: Range<usize>,
}

impl<T> Strip<'_, T> {
    /// The flat element of the first line at `place`; those of the others follow it.
    pub(crate) fn at(&self, place: usize) -> usize {
        self.start + place * self.stride
    }

    /// The elements of all lines at `place`.
    #[inline]
    pub(crate) fn row(&mut self, place: usize) -> &mut [T] {
        assert!(self.places.contains(&place), "a strip holds its own places");
        let at = self.at(place);
        // SAFETY: strips do not overlap, and the borrow of `self` keeps a second row away.
        unsafe { self.shared.piece(at..at + self.width) }
    }

    /// The elements at all places, where the strip is one dense line.
    pub(crate) fn dense(&mut self) -> Option<&mut [T]> {
        let range = self.at(self.places.start)..self.at(self.places.end);
        // SAFETY: as for a row.
        (self.stride == 1).then(|| unsafe { self.shared.piece(range) })
    }
}

/// The lines of a tensor along an axis, cut into stretches of `block` places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// Places along the axis.
    pub(crate) length: usize,
    /// Elements from one place to the next.
    pub(crate) inner: usize,
    /// Places of a stretch.
    pub(crate) block: usize,
}

impl Grid {
    /// Whole lines along `axis`.
    pub(crate) fn lines(extents: &[usize], axis: usize) -> Self {
        let (length, inner) = (extents[axis], extents[axis + 1..].iter().product());
        Self { length, inner, block: length }
    }

    /// The same in about `count` stretches.
    pub(crate) fn in_blocks(self, count: usize) -> Self {
        Self { block: self.length.div_ceil(count), ..self }
    }
}

/// Calls `body(strip)` for strips that together are `output`; nothing when it is empty.
///
/// Strips do not depend on the size of the crew, so results cannot either.
pub(crate) fn strips<T: Send>(
    crew: &Crew,
    output: &mut [T],
    grid: Grid,
    body: &(dyn Fn(Strip<'_, T>) + Sync),
) {
    let Grid { length, inner, block } = grid;
    if output.is_empty() {
        return;
    }
    assert!(output.len().is_multiple_of(length * inner), "an output of whole lines");
    let (across, along) = (inner.div_ceil(STRIP), length.div_ceil(block));
    let count = output.len() / (length * inner) * across * along;
    let share = (GRAIN / (block * inner.min(STRIP))).max(1);
    let shared = DisjointMut::new(output);
    crew.run(count.div_ceil(share), &|task| {
        for index in task * share..((task + 1) * share).min(count) {
            let (slab, column) = (index / across / along, index % across * STRIP);
            let first = index / across % along * block;
            body(Strip {
                shared,
                start: slab * length * inner + column,
                stride: inner,
                line: slab * inner + column,
                width: (inner - column).min(STRIP),
                places: first..(first + block).min(length),
            });
        }
    });
}

/// Bytes of the workspace with which [`pieces_with`] gives `scratch` elements to each piece.
pub(crate) fn scratch_bytes<T>(scratch: usize, cores: usize) -> usize {
    workspace_bytes::<T>(scratch, cores)
}

/// A piece of an output, and room to work in.
pub(crate) struct Piece<'a, T> {
    /// The flat element of the output that it starts at.
    pub(crate) offset: usize,
    /// Its elements.
    pub(crate) output: &'a mut [T],
    /// Elements that may hold anything, at least as many as were asked for.
    pub(crate) scratch: &'a mut [T],
}

/// As [`pieces`], each with room for `scratch` elements.
pub(crate) fn pieces_with<T: Element>(
    crew: &Crew,
    output: &mut [T],
    unit: usize,
    (workspace, scratch): (&mut [u8], usize),
    body: &(dyn Fn(Piece<'_, T>) + Sync),
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
        let output = unsafe { shared.piece(start..end) };
        body(Piece { offset: start, output, scratch });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_are_the_whole_output_once() {
        for (extents, axis, block) in [([3, 5, 37], 1, 2), ([7, 11, 1], 1, 11), ([2, 3, 40], 0, 1)]
        {
            let mut output = vec![0; extents.iter().product()];
            let grid = Grid { block, ..Grid::lines(&extents, axis) };
            strips(&Crew::new(&[0, 0], false), &mut output, grid, &|mut strip| {
                for place in strip.places.clone() {
                    strip.row(place).iter_mut().for_each(|element| *element += 1);
                }
            });
            assert!(output.iter().all(|&element| element == 1), "{extents:?} along {axis}");
        }
    }
}
