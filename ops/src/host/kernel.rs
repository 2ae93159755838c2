//! The innermost tile of a product: up to 8 x 48 sums that live in registers.
//!
//! Each step of the inner dimension loads a row of the right panel, broadcasts a column of the left
//! panel, and adds all their products. The order of additions is the order of the inner dimension,
//! whatever the size of the tile: so tiles of different sizes agree bit by bit.
#![expect(unsafe_code, reason = "bounds are asserted once per tile instead of once per number")]

use super::simd::{Element, Has, Job, LANES_MAX, Lanes};

/// The most columns of a tile.
const COLUMNS_MAX: usize = 3 * LANES_MAX;

/// Rows of the left operand: element `(row, inner)` is
/// `data[row * row_stride + inner * inner_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct LeftPanel<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance along the inner dimension.
    pub inner_stride: usize,
}

/// Columns of the right operand: element `(inner, column)` is
/// `data[inner * inner_stride + column]`.
#[derive(Clone, Copy, Debug)]
pub struct RightPanel<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// Distance along the inner dimension.
    pub inner_stride: usize,
}

/// What the sums are added to when they are stored.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a, T> {
    /// Nothing: the output is overwritten.
    Zero,
    /// What the output holds.
    Output,
    /// One number for each row.
    Row(&'a [T]),
    /// One number for each column.
    Column(&'a [T]),
}

/// Where a tile is stored: rows of `row_stride` elements, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Target<T> {
    first: *mut T,
    row_stride: usize,
}

impl<T> Target<T> {
    /// The tile whose first element is at `first`.
    ///
    /// # Safety
    /// The rows and columns of the tile stored here are readable and writable, and nobody else
    /// touches them until then.
    #[must_use]
    pub unsafe fn new(first: *mut T, row_stride: usize) -> Self {
        Target { first, row_stride }
    }
}

/// One tile to compute.
pub struct MicroTile<'a, T> {
    /// Length of the inner dimension.
    pub inner: usize,
    /// The left operand. Rows up to the next of 1, 2, 4 and the path's are read, and dropped.
    pub left: LeftPanel<'a, T>,
    /// The right operand. Columns up to the next whole vector are read, and dropped.
    pub right: RightPanel<'a, T>,
    /// Rows to store: 1 to the path's tile rows.
    pub rows: usize,
    /// Columns to store: 1 to the path's tile columns.
    pub columns: usize,
    /// What is added; its slices cover the rows or columns of this tile.
    pub base: Base<'a, T>,
    /// Where the tile goes; made for this many rows and columns.
    pub target: Target<T>,
}

impl<T: Element> Job<T> for MicroTile<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, has: Has<L>) {
        debug_assert!(self.rows >= 1 && self.rows <= L::ROWS, "rows fit the tile");
        match self.rows {
            1 => self.with_rows::<L, 1>(has),
            2 => self.with_rows::<L, 2>(has),
            3..=4 => self.with_rows::<L, 4>(has),
            5..=6 if L::ROWS == 6 => self.with_rows::<L, 6>(has),
            _ if L::ROWS == 8 => self.with_rows::<L, 8>(has),
            rows => unreachable!("{rows} rows do not fit a tile of {}", L::ROWS),
        }
    }
}

impl<T: Element> MicroTile<'_, T> {
    #[inline(always)]
    fn with_rows<L: Lanes<Scalar = T>, const ROWS: usize>(&self, has: Has<L>) {
        match self.columns.div_ceil(L::LANES) {
            1 => self.compute::<L, ROWS, 1>(has),
            2 if L::VECTORS >= 2 => self.compute::<L, ROWS, 2>(has),
            3 if L::VECTORS >= 3 => self.compute::<L, ROWS, 3>(has),
            count => unreachable!("{count} vectors do not fit a tile of {}", L::VECTORS),
        }
    }

    #[inline(always)]
    fn compute<L: Lanes<Scalar = T>, const ROWS: usize, const VECTORS: usize>(&self, has: Has<L>) {
        if let Some(last) = self.inner.checked_sub(1) {
            let (left, right) = (&self.left, &self.right);
            let left_end = (ROWS - 1) * left.row_stride + last * left.inner_stride;
            assert!(left_end < left.data.len(), "the left panel is complete");
            let right_end = last * right.inner_stride + VECTORS * L::LANES;
            assert!(right_end <= right.data.len(), "the right panel is complete");
        }
        // SAFETY: the asserts cover the largest index of each operand.
        let sums = unsafe { self.sums::<L, ROWS, VECTORS>(has) };
        // SAFETY: the target is valid by the contract of `Target::new`.
        unsafe {
            if self.rows == ROWS && self.columns == VECTORS * L::LANES {
                self.store_whole(has, &sums);
            } else {
                self.spill(&sums);
            }
        }
    }

    #[inline(always)]
    unsafe fn sums<L: Lanes<Scalar = T>, const ROWS: usize, const VECTORS: usize>(
        &self,
        has: Has<L>,
    ) -> [[L; VECTORS]; ROWS] {
        // SAFETY: the caller has checked the ends of both panels; steps before them are inside.
        unsafe {
            let mut sums = [[L::splat(has, T::ZERO); VECTORS]; ROWS];
            let mut left = self.left.data.as_ptr();
            let mut right = self.right.data.as_ptr();
            for _ in 0..self.inner {
                let mut factors = [L::splat(has, T::ZERO); VECTORS];
                for (vector, factor) in factors.iter_mut().enumerate() {
                    *factor = L::load(has, right.add(vector * L::LANES));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let scale = L::splat(has, *left.add(row * self.left.row_stride));
                    for (sum, factor) in sums.iter_mut().zip(factors) {
                        *sum = scale.mul_add(factor, *sum);
                    }
                }
                left = left.wrapping_add(self.left.inner_stride);
                right = right.wrapping_add(self.right.inner_stride);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn store_whole<L: Lanes<Scalar = T>, const ROWS: usize, const VECTORS: usize>(
        &self,
        has: Has<L>,
        sums: &[[L; VECTORS]; ROWS],
    ) {
        for (row, sums) in sums.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                let column = vector * L::LANES;
                // SAFETY: the tile is whole, so row and column lie inside the target.
                unsafe {
                    let to = self.target.first.add(row * self.target.row_stride + column);
                    let total = match self.base {
                        Base::Zero => *sum,
                        Base::Output => L::load(has, to).add(*sum),
                        Base::Row(bias) => L::splat(has, bias[row]).add(*sum),
                        Base::Column(bias) => {
                            let bias = &bias[column..column + L::LANES];
                            L::load(has, bias.as_ptr()).add(*sum)
                        }
                    };
                    total.store(to);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn spill<L: Lanes<Scalar = T>, const ROWS: usize, const VECTORS: usize>(
        &self,
        sums: &[[L; VECTORS]; ROWS],
    ) {
        let mut spilled = [[T::ZERO; COLUMNS_MAX]; ROWS];
        for (sums, spilled) in sums.iter().zip(&mut spilled) {
            for (vector, sum) in sums.iter().enumerate() {
                let lanes = &mut spilled[vector * L::LANES..(vector + 1) * L::LANES];
                // SAFETY: `lanes` holds one vector.
                unsafe { sum.store(lanes.as_mut_ptr()) };
            }
        }
        // SAFETY: the target is valid by the contract of `Target::new`.
        unsafe { self.store_part(&spilled) };
    }

    /// As `store_whole`, number by number, with the same additions.
    #[inline(never)]
    unsafe fn store_part(&self, sums: &[[T; COLUMNS_MAX]]) {
        for (row, sums) in sums.iter().enumerate().take(self.rows) {
            for (column, sum) in sums.iter().copied().enumerate().take(self.columns) {
                // SAFETY: `row` and `column` are below the tile's counts.
                unsafe {
                    let to = self.target.first.add(row * self.target.row_stride + column);
                    *to = match self.base {
                        Base::Zero => sum,
                        Base::Output => *to + sum,
                        Base::Row(bias) => bias[row] + sum,
                        Base::Column(bias) => bias[column] + sum,
                    };
                }
            }
        }
    }
}
