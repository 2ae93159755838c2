//! Dense outputs filled from strided views: the copying behind `slice`, `transpose`, `concat`, ...
//!
//! Bytes of any element type move by element size and are never interpreted.
//!
//! Invariants:
//! 1. The output is dense and written in order, each element once, in pieces that do not depend on
//!    the crew.
//! 2. A run that is contiguous in source and output is one `memcpy`.
//! 3. Nothing allocates.

use bytemuck::Pod;
use synfire_runtime::crew::Crew;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel};
use synfire_runtime::spec::{Element, Extents, RANK_MAX};

use super::pieces::pieces;

/// The largest number of inputs of `concat` and `stack`, and of outputs of `split` and `switch`.
pub const SOURCES_MAX: usize = 64;

/// Rows and columns of a block in which a transposition stays inside the first-level cache.
const TILE: usize = 16;

/// Calls a function generic over an unsigned type for the one of an element's size.
macro_rules! by_size {
    ($element:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $element.bytes() {
            1 => $function::<u8>($($argument),*),
            2 => $function::<u16>($($argument),*),
            4 => $function::<u32>($($argument),*),
            _ => $function::<u64>($($argument),*),
        }
    };
}
pub(crate) use by_size;

/// Where the elements of a dense output lie in a source: a start and one stride for each axis, in
/// elements. Stride 0 repeats, a negative one reverses.
#[derive(Clone, Copy, Debug)]
pub struct Strided {
    start: isize,
    rank: usize,
    extents: [usize; RANK_MAX],
    strides: [isize; RANK_MAX],
}

impl Strided {
    /// All of a dense source in its own order.
    #[must_use]
    pub fn dense(extents: &[usize]) -> Self {
        let strides = dense_strides(extents);
        let rank = extents.len();
        let mut view = Self { start: 0, rank, extents: [0; RANK_MAX], strides };
        view.extents[..rank].copy_from_slice(extents);
        view
    }

    /// The extents of the output.
    #[must_use]
    pub fn extents(&self) -> Extents {
        Extents::new(&self.extents[..self.rank])
    }

    /// The source element of the output's first.
    #[must_use]
    pub fn start(&self) -> isize {
        self.start
    }

    /// The source elements from one place of each axis to the next.
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        &self.strides[..self.rank]
    }

    /// `count` places of `axis`: `start`, `start + step`, ...
    #[must_use]
    pub fn slice(mut self, axis: usize, start: usize, count: usize, step: usize) -> Self {
        let inside = count == 0 || start + (count - 1) * step < self.extents[axis];
        assert!(inside, "a slice lies inside its axis");
        self.start += start as isize * self.strides[axis];
        self.extents[axis] = count;
        self.strides[axis] *= step as isize;
        self
    }

    /// `axis` in reverse.
    #[must_use]
    pub fn flip(mut self, axis: usize) -> Self {
        self.start += self.extents[axis].saturating_sub(1) as isize * self.strides[axis];
        self.strides[axis] = -self.strides[axis];
        self
    }

    /// Output axis `k` is the view's axis `permutation[k]`.
    #[must_use]
    pub fn permute(self, permutation: &[usize]) -> Self {
        let mut view = self;
        for (to, &from) in permutation.iter().enumerate() {
            view.extents[to] = self.extents[from];
            view.strides[to] = self.strides[from];
        }
        view
    }

    /// Axes of extent one, or missing in front, repeated to `extents`.
    #[must_use]
    pub fn expand(self, extents: &[usize]) -> Self {
        let mut view = Self { rank: extents.len(), ..self };
        let missing = view.rank - self.rank;
        for (axis, &extent) in extents.iter().enumerate() {
            let kept = axis >= missing && self.extents[axis - missing] == extent;
            view.extents[axis] = extent;
            view.strides[axis] = if kept { self.strides[axis - missing] } else { 0 };
        }
        view
    }

    /// The same elements over as few axes as can be, at least one.
    #[must_use]
    pub fn merged(&self) -> Self {
        let mut view = Self { rank: 0, ..*self };
        for axis in (0..self.rank).filter(|&axis| self.extents[axis] != 1) {
            let (extent, stride) = (self.extents[axis], self.strides[axis]);
            if view.rank > 0 && view.strides[view.rank - 1] == stride * extent as isize {
                view.extents[view.rank - 1] *= extent;
                view.strides[view.rank - 1] = stride;
            } else {
                view.extents[view.rank] = extent;
                view.strides[view.rank] = stride;
                view.rank += 1;
            }
        }
        if view.rank == 0 {
            (view.rank, view.extents[0], view.strides[0]) = (1, 1, 1);
        }
        view
    }

    /// Row-by-row reading would fetch a line of the source for one element: the rows interleave.
    fn interleaves(&self) -> bool {
        self.rank >= 2 && self.strides[self.rank - 1] != 1 && self.strides[self.rank - 2] == 1
    }

    /// Fills `piece`, which starts at flat element `offset` of the output.
    fn fill<T: Pod>(&self, from: &[T], offset: usize, piece: &mut [T]) {
        let inner = self.rank - 1;
        let (row, stride) = (self.extents[inner], self.strides[inner]);
        let strides = [&self.strides[..inner]];
        let mut rows = Odometer::new(&self.extents[..inner], strides, offset / row);
        let mut column = offset % row;
        let mut rest = piece;
        while !rest.is_empty() {
            let (run, later) = rest.split_at_mut((row - column).min(rest.len()));
            let start = self.start + rows.offsets[0] + column as isize * stride;
            match stride {
                1 => run.copy_from_slice(&from[start as usize..][..run.len()]),
                0 => run.fill(from[start as usize]),
                _ => run.iter_mut().enumerate().for_each(|(k, place)| {
                    *place = from[(start + k as isize * stride) as usize];
                }),
            }
            (column, rest) = (0, later);
            rows.advance();
        }
    }

    /// As [`Strided::fill`] for whole rows that interleave, in square blocks.
    fn fill_blocks<T: Pod>(&self, from: &[T], offset: usize, piece: &mut [T]) {
        let outer = self.rank - 2;
        let (plane, row) = (self.extents[outer], self.extents[outer + 1]);
        let stride = self.strides[outer + 1];
        let strides = [&self.strides[..=outer]];
        let mut at = offset / row;
        let mut rest = piece;
        while !rest.is_empty() {
            let rows = (plane - at % plane).min(TILE).min(rest.len() / row);
            let (block, later) = rest.split_at_mut(rows * row);
            let start = self.start + Odometer::new(&self.extents[..=outer], strides, at).offsets[0];
            for left in (0..row).step_by(TILE) {
                for (down, line) in block.chunks_exact_mut(row).enumerate() {
                    let first = start + down as isize + left as isize * stride;
                    let right = (left + TILE).min(row);
                    for (k, place) in line[left..right].iter_mut().enumerate() {
                        *place = from[(first + k as isize * stride) as usize];
                    }
                }
            }
            at += rows;
            rest = later;
        }
    }
}

/// The strides of a dense tensor, in elements.
#[must_use]
pub fn dense_strides(extents: &[usize]) -> [isize; RANK_MAX] {
    let mut strides = [1; RANK_MAX];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis] as isize;
    }
    strides
}

/// Steps through the index of a tensor in order and keeps `N` offsets up to date.
pub struct Odometer<'a, const N: usize> {
    extents: &'a [usize],
    strides: [&'a [isize]; N],
    index: [usize; RANK_MAX],
    /// `sum(index * stride)` for each list of strides.
    pub offsets: [isize; N],
}

impl<'a, const N: usize> Odometer<'a, N> {
    /// Starts at flat index `flat`; no extent may be zero.
    #[must_use]
    pub fn new(extents: &'a [usize], strides: [&'a [isize]; N], mut flat: usize) -> Self {
        let mut index = [0; RANK_MAX];
        let mut offsets = [0; N];
        for axis in (0..extents.len()).rev() {
            index[axis] = flat % extents[axis];
            flat /= extents[axis];
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset += index[axis] as isize * strides[axis];
            }
        }
        Self { extents, strides, index, offsets }
    }

    /// The present index.
    #[must_use]
    pub fn index(&self) -> &[usize] {
        &self.index[..self.extents.len()]
    }

    /// Goes to the next index; from the last to the first.
    pub fn advance(&mut self) {
        for axis in (0..self.extents.len()).rev() {
            self.index[axis] += 1;
            let wraps = self.index[axis] == self.extents[axis];
            let steps = if wraps { 1 - self.index[axis] as isize } else { 1 };
            for (offset, strides) in self.offsets.iter_mut().zip(self.strides) {
                *offset += steps * strides[axis];
            }
            if !wraps {
                return;
            }
            self.index[axis] = 0;
        }
    }
}

/// Fills `to` with what `view` shows of `from`.
pub fn copy(crew: &Crew, element: Element, view: &Strided, from: &[u8], to: &mut [u8]) {
    let bytes = view.extents().elements() * element.bytes();
    assert_eq!(to.len(), bytes, "the output has the extents of the view");
    by_size!(element, copy_as(crew, &view.merged(), from, to));
}

fn copy_as<T: Pod + Send + Sync>(crew: &Crew, view: &Strided, from: &[u8], to: &mut [u8]) {
    let from: &[T] = bytemuck::cast_slice(from);
    let to: &mut [T] = bytemuck::cast_slice_mut(to);
    if view.interleaves() {
        let unit = view.extents[view.rank - 1] * TILE;
        pieces(crew, to, unit, &|offset, piece| view.fill_blocks(from, offset, piece));
    } else {
        pieces(crew, to, 1, &|offset, piece| view.fill(from, offset, piece));
    }
}

/// Fills `to` with one run of each source in turn, `rows` times: concatenation along an axis.
pub fn interleave(crew: &Crew, element: Element, rows: usize, sources: &[&[u8]], to: &mut [u8]) {
    let bytes = sources.iter().map(|source| source.len()).sum::<usize>();
    assert_eq!(to.len(), bytes, "the output holds all sources");
    by_size!(element, interleave_as(crew, rows, sources, to));
}

fn interleave_as<T: Pod + Send + Sync>(crew: &Crew, rows: usize, sources: &[&[u8]], to: &mut [u8]) {
    if to.is_empty() {
        return;
    }
    let mut parts: [(&[T], usize); SOURCES_MAX] = [(&[], 0); SOURCES_MAX];
    for (part, source) in parts.iter_mut().zip(sources) {
        let source: &[T] = bytemuck::cast_slice(source);
        *part = (source, source.len() / rows);
    }
    let parts = &parts[..sources.len()];
    let to: &mut [T] = bytemuck::cast_slice_mut(to);
    let row = to.len() / rows;
    pieces(crew, to, 1, &|offset, piece| {
        let (mut at, mut skipped) = (offset / row, offset % row);
        let mut rest = piece;
        while !rest.is_empty() {
            for (source, run) in parts {
                let first = skipped.min(*run);
                let length = (run - first).min(rest.len());
                let (here, later) = std::mem::take(&mut rest).split_at_mut(length);
                here.copy_from_slice(&source[at * run + first..][..length]);
                skipped -= first;
                rest = later;
            }
            at += 1;
        }
    });
}

/// The bytes of `value` as an element, in front; integers saturate, a bool is `value != 0`.
#[must_use]
pub fn pattern(element: Element, value: f64) -> [u8; 8] {
    let mut bytes = [0; 8];
    match element {
        Element::F32 => bytes[..4].copy_from_slice(&(value as f32).to_ne_bytes()),
        Element::F16 => bytes[..2].copy_from_slice(&half::f16::from_f64(value).to_ne_bytes()),
        Element::BF16 => bytes[..2].copy_from_slice(&half::bf16::from_f64(value).to_ne_bytes()),
        Element::F64 => bytes = value.to_ne_bytes(),
        Element::I32 => bytes[..4].copy_from_slice(&(value as i32).to_ne_bytes()),
        Element::I64 => bytes = (value as i64).to_ne_bytes(),
        Element::U8 => bytes[0] = value as u8,
        Element::Bool => bytes[0] = u8::from(value != 0.0),
    }
    bytes
}

/// The host kernel of an operator whose output is input 0 seen through a view.
pub struct Viewed<F>(
    /// The view for the actual extents of the input.
    pub F,
);

impl<F: Fn(&[usize]) -> Strided + Send> Kernel for Viewed<F> {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let x = firing.input(0);
        let mut y = firing.output(0);
        let view = (self.0)(&x.extents());
        y.set_extents(&view.extents());
        copy(firing.crew(), x.spec().element, &view, x.bytes(), y.bytes());
        Ok(())
    }
}
