//! Scans: each output is what all elements up to its place, along an axis, have become together.
//!
//! Lines are shared out among the cores, neighbouring ones side by side. Where there are few long
//! lines, each is cut into blocks of [`BLOCK`] places: all blocks are reduced at once, their
//! results are carried from block to block, and then each block is scanned from what it was given.
//! Whether that is done depends on the extents only, so the bits do not depend on the crew.

use std::ops::Range;

use bytemuck::Pod;
use synfire_runtime::crew::Crew;
use synfire_runtime::operator::Workspace;
use synfire_runtime::spec::{Scalar, Spec};

use super::erased::shares;
use super::pieces::{Grid, STRIP, Strip, strips};

/// Places of a block.
const BLOCK: usize = 2048;
/// With fewer lines than this, long ones are cut into blocks.
const LINES: usize = 16;

/// Where a scan starts, and whether an output counts its own place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Course {
    /// From the last place to the first.
    pub(crate) is_reversed: bool,
    /// Without the output's own place.
    pub(crate) is_exclusive: bool,
}

impl Course {
    /// From the other end.
    pub(crate) fn turned(self) -> Self {
        Self { is_reversed: !self.is_reversed, ..self }
    }
}

/// One element of a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The flat element.
    pub(crate) at: usize,
    /// The flat element that comes before it in its line, if one does.
    pub(crate) before: Option<usize>,
    /// Its index along the axis.
    pub(crate) index: usize,
}

/// A running reduction. The order is that of the course; `merge` need not commute.
pub(crate) trait Scan: Sync {
    /// What is carried along.
    type State: Pod + Send + Sync;
    /// The output element.
    type Out: Scalar;
    /// The reduction of nothing.
    const NOTHING: Self::State;
    /// What a line starts from.
    fn start(&self, _line: usize) -> Self::State {
        Self::NOTHING
    }
    /// Takes one more element.
    fn step(&self, state: Self::State, place: Place) -> Self::State;
    /// What `state` is after a block that started from nothing; `None` if that cannot be told.
    fn merge(state: Self::State, block: Self::State) -> Option<Self::State>;
    /// The output.
    fn out(state: Self::State) -> Self::Out;
}

/// The lines of a tensor and how they are walked.
#[derive(Clone, Copy, Debug)]
struct Lines {
    grid: Grid,
    course: Course,
}

impl Lines {
    /// The place `index` of a line whose place 0 is the flat element `start`.
    #[inline]
    fn place(&self, start: usize, index: usize) -> Place {
        let Grid { length, inner, .. } = self.grid;
        let at = start + index * inner;
        let before = match self.course.is_reversed {
            true => (index + 1 < length).then_some(at + inner),
            false => (index > 0).then(|| at - inner),
        };
        Place { at, before, index }
    }

    /// Number `turn` of some places of a line, in the order of the course.
    #[inline]
    fn turn(&self, places: &Range<usize>, turn: usize) -> usize {
        if self.course.is_reversed { places.end - 1 - turn } else { places.start + turn }
    }

    /// Writes a strip, of which each line has been reduced to its state.
    #[inline]
    fn walk<S: Scan>(&self, scan: &S, mut strip: Strip<'_, S::Out>, states: &mut [S::State]) {
        let (start, places) = (strip.at(0), strip.places.clone());
        let is_exclusive = self.course.is_exclusive;
        let next = |state: &mut S::State, place| {
            let before = *state;
            *state = scan.step(before, place);
            S::out(if is_exclusive { before } else { *state })
        };
        if let Some(line) = strip.dense() {
            let mut state = states[0];
            for turn in 0..places.len() {
                let index = self.turn(&places, turn);
                line[index - places.start] = next(&mut state, self.place(start, index));
            }
            return;
        }
        for turn in 0..places.len() {
            let index = self.turn(&places, turn);
            let row = strip.row(index);
            for (column, (y, state)) in row.iter_mut().zip(&mut *states).enumerate() {
                *y = next(state, self.place(start + column, index));
            }
        }
    }

    /// `state` after some places of a line.
    fn reduce<S: Scan>(
        &self,
        scan: &S,
        state: S::State,
        start: usize,
        places: &Range<usize>,
    ) -> S::State {
        (0..places.len())
            .fold(state, |state, turn| scan.step(state, self.place(start, self.turn(places, turn))))
    }

    /// The state before each block of each line, in `states[line][block]`.
    fn carry<S: Scan>(&self, crew: &Crew, scan: &S, states: &mut [u8]) {
        let Grid { length, inner, .. } = self.grid;
        let (blocks, size) = (length.div_ceil(BLOCK), size_of::<S::State>());
        let start = |line: usize| line / inner * length * inner + line % inner;
        let places = |block: usize| block * BLOCK..((block + 1) * BLOCK).min(length);
        shares(crew, states, size, &|first, state| {
            let (line, block) = (first / size / blocks, first / size % blocks);
            let total = self.reduce(scan, S::NOTHING, start(line), &places(block));
            state.copy_from_slice(bytemuck::bytes_of(&total));
        });
        let states: &mut [S::State] = bytemuck::cast_slice_mut(states);
        for (line, states) in states.chunks_exact_mut(blocks).enumerate() {
            let mut state = scan.start(line);
            for turn in 0..blocks {
                let block = self.turn(&(0..blocks), turn);
                let before = std::mem::replace(&mut states[block], state);
                state = S::merge(state, before)
                    .unwrap_or_else(|| self.reduce(scan, state, start(line), &places(block)));
            }
        }
    }
}

/// The memory that a scan of tensors of this spec needs.
pub(crate) fn workspace<S: Scan>(x: &Spec, axis: usize) -> Workspace {
    let length = x.bound(axis);
    let is_cut = length >= 2 * BLOCK;
    let states = if is_cut { (LINES - 1) * length.div_ceil(BLOCK) } else { 0 };
    Workspace { scratch_bytes: states * size_of::<S::State>(), ..Workspace::default() }
}

/// Scans along `axis` of a tensor of these extents, into `y` of the same.
pub(crate) fn scan<S: Scan>(
    crew: &Crew,
    scan: &S,
    (extents, axis, course): (&[usize], usize, Course),
    y: &mut [S::Out],
    scratch: &mut [u8],
) {
    let grid = Grid::lines(extents, axis);
    let (count, blocks) = (y.len() / grid.length.max(1), grid.length.div_ceil(BLOCK));
    if count >= LINES || grid.length < 2 * BLOCK {
        let lines = Lines { grid, course };
        strips(crew, y, grid, &|strip| {
            let mut states = [S::NOTHING; STRIP];
            (0..strip.width).for_each(|column| states[column] = scan.start(strip.line + column));
            lines.walk(scan, strip, &mut states);
        });
        return;
    }
    let lines = Lines { grid: Grid { block: BLOCK, ..grid }, course };
    let (states, _) = scratch.split_at_mut(count * blocks * size_of::<S::State>());
    lines.carry(crew, scan, states);
    let given: &[S::State] = bytemuck::cast_slice(states);
    strips(crew, y, lines.grid, &|strip| {
        let mut states = [S::NOTHING; STRIP];
        let block = strip.places.start / BLOCK;
        for (column, state) in states[..strip.width].iter_mut().enumerate() {
            *state = given[(strip.line + column) * blocks + block];
        }
        lines.walk(scan, strip, &mut states);
    });
}
