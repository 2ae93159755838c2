//! Operands of a product, and the order in which the innermost tile reads them.
//!
//! A packed operand is a sequence of *inner blocks* ([`inner_blocks`]), each a sequence of panels:
//! `tile.rows` rows (left) or `tile.columns` columns (right) by the block's length, the panel's
//! own dimension contiguous. Missing rows and columns at the end are zero and never stored.
//! [`PackedMatrix`] is packed ahead and starts on a cache line; [`Matrix`] is packed tile by tile.

use std::ops::Range;

use super::{
    kernel::{LeftPanel, RightPanel},
    simd::{Element, Has, Job, LANES_MAX, Lanes, Path, TileSize, transpose},
};

/// The longest inner block: with it, a left panel fits the first cache, and `COLUMN_CHUNK` columns
/// of right panels fit half of a 1 MiB second cache.
pub const INNER_BLOCK: usize = 576;

/// Bytes of a cache line.
pub const LINE_BYTES: usize = 64;

/// The parts in which a sum over `inner` steps is computed; at least one, possibly empty.
///
/// It depends on the length of the sum alone, which keeps results independent of tiles and crews.
pub fn inner_blocks(inner: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let count = inner.div_ceil(INNER_BLOCK).max(1);
    let length = inner_block_len(inner);
    (0..count).map(move |block| (block * length).min(inner)..((block + 1) * length).min(inner))
}

/// The length of the longest block of a sum over `inner` steps.
#[must_use]
pub fn inner_block_len(inner: usize) -> usize {
    let count = inner.div_ceil(INNER_BLOCK).max(1);
    inner.div_ceil(count).next_multiple_of(4)
}

/// A matrix in someone's memory: element `(row, column)` is
/// `data[row * row_stride + column * column_stride]`. Transposing swaps the strides.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    /// The elements, from the first one.
    pub data: &'a [T],
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance between columns.
    pub column_stride: usize,
}

impl<'a, T: Element> Matrix<'a, T> {
    /// A matrix whose rows of `columns` elements follow each other.
    #[must_use]
    pub fn row_major(data: &'a [T], columns: usize) -> Self {
        Matrix { data, row_stride: columns, column_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Matrix { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }

    fn at(&self, row: usize, column: usize) -> T {
        self.data[row * self.row_stride + column * self.column_stride]
    }

    /// The same matrix without its first `row` rows and `column` columns.
    fn from(&self, row: usize, column: usize) -> Self {
        let start = row * self.row_stride + column * self.column_stride;
        Matrix { data: self.data.get(start..).unwrap_or(&[]), ..*self }
    }
}

/// Which operand of a product a packed matrix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `A` in `A * B`.
    Left,
    /// `B` in `A * B`.
    Right,
}

/// A constant operand, packed once for one path.
#[derive(Debug)]
pub struct PackedMatrix<T> {
    path: Path,
    side: Side,
    /// Rows of a left operand, columns of a right one.
    outer: usize,
    inner: usize,
    data: Vec<T>,
}

impl<T: Element> PackedMatrix<T> {
    /// Packs the left operand `[rows, inner]`.
    #[must_use]
    pub fn left(path: Path, matrix: Matrix<'_, T>, [rows, inner]: [usize; 2]) -> Self {
        let mut packed = Self::empty(path, Side::Left, [rows, inner]);
        packed.fill(|row, step| matrix.at(row, step));
        packed
    }

    /// Packs the right operand `[inner, columns]`.
    #[must_use]
    pub fn right(path: Path, matrix: Matrix<'_, T>, [inner, columns]: [usize; 2]) -> Self {
        let mut packed = Self::empty(path, Side::Right, [columns, inner]);
        packed.fill(|column, step| matrix.at(step, column));
        packed
    }

    /// Room for an operand of zeros; `outer` counts rows of a left, columns of a right operand.
    #[must_use]
    pub fn empty(path: Path, side: Side, [outer, inner]: [usize; 2]) -> Self {
        let data = vec![T::ZERO; Self::bytes(path, side, [outer, inner]) / size_of::<T>()];
        PackedMatrix { path, side, outer, inner, data }
    }

    /// Bytes of such an operand.
    pub fn bytes(path: Path, side: Side, [outer, inner]: [usize; 2]) -> usize {
        outer.next_multiple_of(panel_width::<T>(path, side)) * inner * size_of::<T>() + LINE_BYTES
    }

    /// Sets every element; `element(outer, inner)` gives it. Does not allocate.
    pub fn fill(&mut self, element: impl Fn(usize, usize) -> T) {
        let width = panel_width::<T>(self.path, self.side);
        let (outer, mut at) = (self.outer, self.start());
        for block in inner_blocks(self.inner) {
            for first in (0..outer).step_by(width) {
                let valid = width.min(outer - first);
                for step in block.clone() {
                    for (lane, to) in self.data[at..at + valid].iter_mut().enumerate() {
                        *to = element(first + lane, step);
                    }
                    at += width;
                }
            }
        }
    }

    /// The path it was packed for: products with it must run there.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }

    /// Which operand it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Rows of a left or columns of a right operand, and the length of the sums.
    #[must_use]
    pub fn extent(&self) -> [usize; 2] {
        [self.outer, self.inner]
    }

    /// The panel that starts at `outer`, for the steps of one inner block.
    fn panel(&self, outer: usize, block: &Range<usize>) -> &[T] {
        let width = panel_width::<T>(self.path, self.side);
        assert!(outer.is_multiple_of(width), "panels start at multiples of their width");
        let padded = self.outer.next_multiple_of(width);
        let start = self.start() + padded * block.start + outer * block.len();
        &self.data[start..start + width * block.len()]
    }

    /// The first element on a cache line.
    fn start(&self) -> usize {
        self.data.as_ptr().align_offset(LINE_BYTES).min(LINE_BYTES / size_of::<T>())
    }
}

impl<T: Element> Clone for PackedMatrix<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::empty(self.path, self.side, [self.outer, self.inner]);
        let (from, to) = (self.start(), copy.start());
        let length = self.data.len() - LINE_BYTES / size_of::<T>();
        copy.data[to..to + length].copy_from_slice(&self.data[from..from + length]);
        copy
    }
}

fn panel_width<T: Element>(path: Path, side: Side) -> usize {
    let tile = path.tile::<T>();
    match side {
        Side::Left => tile.rows,
        Side::Right => tile.columns,
    }
}

/// An operand of a product: anywhere in memory, or packed ahead.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T> {
    /// Packed tile by tile during the call.
    Plain(Matrix<'a, T>),
    /// Packed ahead, for this side and path.
    Packed(&'a PackedMatrix<T>),
}

/// Where the left panels of a product come from.
pub(super) trait LeftSource<T> {
    /// The rows `rows` for one inner block: in place, or packed into `room`, which has
    /// [`left_row_stride`] elements for each row of a tile.
    fn left_panel<'s>(
        &'s self,
        path: Path,
        rows: &Range<usize>,
        block: &Range<usize>,
        room: &'s mut [T],
    ) -> LeftPanel<'s, T>;
}

impl<T: Element> LeftSource<T> for Operand<'_, T> {
    fn left_panel<'s>(
        &'s self,
        path: Path,
        rows: &Range<usize>,
        block: &Range<usize>,
        room: &'s mut [T],
    ) -> LeftPanel<'s, T> {
        match self {
            Operand::Packed(packed) => LeftPanel {
                data: packed.panel(rows.start, block),
                row_stride: 1,
                inner_stride: path.tile::<T>().rows,
            },
            Operand::Plain(matrix) => {
                let part = matrix.from(rows.start, block.start);
                T::dispatch(path, PackLeft { part, extent: [rows.len(), block.len()], room })
            }
        }
    }
}

/// Where the right panels of a product come from.
pub trait RightSource<T>: Sync {
    /// The panel of `columns` for one inner block, if it can be read in place.
    fn in_place(&self, columns: &Range<usize>, block: &Range<usize>) -> Option<RightPanel<'_, T>>;

    /// Writes that panel into `room`, rows of `tile.columns` after each other. Up to
    /// [`LANES_MAX`] elements behind the panel may be overwritten: they belong to the next one.
    fn pack(&self, path: Path, columns: &Range<usize>, block: &Range<usize>, room: &mut [T]);
}

/// A right operand, and how many rows of output share each of its panels.
pub(super) struct RightOperand<'a, T> {
    /// The elements.
    pub(super) operand: Operand<'a, T>,
    /// The tile of the path.
    pub(super) tile: TileSize,
    /// Rows of the output.
    pub(super) rows: usize,
}

impl<T: Element> RightSource<T> for RightOperand<'_, T> {
    fn in_place(&self, columns: &Range<usize>, block: &Range<usize>) -> Option<RightPanel<'_, T>> {
        match self.operand {
            Operand::Packed(packed) => Some(RightPanel {
                data: packed.panel(columns.start, block),
                inner_stride: self.tile.columns,
            }),
            // Copying pays only if enough rows read the copy.
            Operand::Plain(matrix) if matrix.column_stride == 1 && self.rows <= self.tile.rows => {
                let part = matrix.from(block.start, columns.start);
                let width = columns.len().next_multiple_of(self.tile.lanes);
                let end = (block.len().max(1) - 1) * part.row_stride + width;
                (end <= part.data.len())
                    .then_some(RightPanel { data: part.data, inner_stride: part.row_stride })
            }
            Operand::Plain(_) => None,
        }
    }

    fn pack(&self, path: Path, columns: &Range<usize>, block: &Range<usize>, room: &mut [T]) {
        let Operand::Plain(matrix) = self.operand else {
            unreachable!("a packed operand is read in place")
        };
        let part = matrix.from(block.start, columns.start);
        T::dispatch(path, PackRight { part, extent: [block.len(), columns.len()], room });
    }
}

/// Copies rows so that the innermost tile reads them without cache conflicts.
struct PackLeft<'a, T> {
    part: Matrix<'a, T>,
    extent: [usize; 2],
    room: &'a mut [T],
}

impl<'a, T: Element> Job<T> for PackLeft<'a, T> {
    type Output = LeftPanel<'a, T>;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) -> LeftPanel<'a, T> {
        let PackLeft { part, extent: [rows, inner], room } = self;
        if part.column_stride == 1 {
            let row_stride = left_row_stride(inner);
            for row in 0..rows {
                let to = &mut room[row * row_stride..][..inner];
                to.copy_from_slice(&part.data[row * part.row_stride..][..inner]);
            }
            return LeftPanel { data: room, row_stride, inner_stride: 1 };
        }
        for (step, to) in room.chunks_exact_mut(L::ROWS).enumerate().take(inner) {
            let from = &part.data[step * part.column_stride..];
            if part.row_stride == 1 && rows == L::ROWS {
                to.copy_from_slice(&from[..L::ROWS]);
            } else {
                for (row, to) in to.iter_mut().enumerate().take(rows) {
                    *to = from[row * part.row_stride];
                }
            }
        }
        LeftPanel { data: room, row_stride: 1, inner_stride: L::ROWS }
    }
}

/// Rows of a left panel are one line further apart than their length, against cache conflicts.
pub(super) fn left_row_stride(inner: usize) -> usize {
    inner.next_multiple_of(LANES_MAX) + LANES_MAX
}

/// Copies columns into a panel.
struct PackRight<'a, T> {
    part: Matrix<'a, T>,
    extent: [usize; 2],
    room: &'a mut [T],
}

impl<T: Element> Job<T> for PackRight<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, has: Has<L>) {
        let PackRight { part, extent: [inner, columns], room } = self;
        let width = L::VECTORS * L::LANES;
        if part.column_stride == 1 {
            for (step, to) in room.chunks_exact_mut(width).enumerate().take(inner) {
                let from = &part.data[step * part.row_stride..];
                if columns == width {
                    for vector in 0..L::VECTORS {
                        let lanes = vector * L::LANES..(vector + 1) * L::LANES;
                        to[lanes.clone()].copy_from_slice(&from[lanes]);
                    }
                } else {
                    to[..columns].copy_from_slice(&from[..columns]);
                }
            }
            return;
        }
        // Squares of a transposed operand; what is left beside and below them, by element.
        let whole = |n: usize| if part.row_stride == 1 { n / L::LANES * L::LANES } else { 0 };
        let (right, bottom) = (whole(columns), whole(inner));
        for step in (0..bottom).step_by(L::LANES) {
            for column in (0..right).step_by(L::LANES) {
                let from = &part.data[column * part.column_stride + step..];
                let mut square = [L::splat(has, T::ZERO); LANES_MAX];
                for (row, vector) in square.iter_mut().enumerate().take(L::LANES) {
                    *vector = L::read(has, &from[row * part.column_stride..]);
                }
                transpose(&mut square);
                for (row, vector) in square.iter().enumerate().take(L::LANES) {
                    vector.write(&mut room[(step + row) * width + column..]);
                }
            }
        }
        for column in 0..columns {
            let from = &part.data[column * part.column_stride..];
            let done = if column < right { bottom } else { 0 };
            for step in done..inner {
                room[step * width + column] = from[step * part.row_stride];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_blocks_cover_the_sum_once() {
        for inner in [0, 1, 3, 575, 576, 577, 1152, 1153, 5000] {
            let blocks: Vec<_> = inner_blocks(inner).collect();
            assert!(blocks.iter().all(|block| block.len() <= inner_block_len(inner)));
            assert!(inner_block_len(inner) <= INNER_BLOCK);
            let steps: Vec<usize> = blocks.into_iter().flatten().collect();
            assert_eq!(steps, (0..inner).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_clone_holds_the_same_panels_on_its_own_cache_lines() {
        let numbers: Vec<f32> = (0..35).map(|n| n as f32).collect();
        let packed = PackedMatrix::right(Path::best(), Matrix::row_major(&numbers, 7), [5, 7]);
        let copy = packed.clone();
        assert_eq!(packed.panel(0, &(0..5)), copy.panel(0, &(0..5)));
        assert_eq!(copy.panel(0, &(0..5)).as_ptr().align_offset(LINE_BYTES), 0);
    }
}
