//! Products of matrices on a device: what `matmul` and `linear` share.
//!
//! Each unit keeps a block of the output in registers; neighbours take neighbouring columns.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::kernel::{Call, Tensor, size, sizes};
use super::words::offset_of;

/// Units of a cube.
const UNITS: usize = 64;

/// The part of the output that a cube writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tile {
    /// Units beside each other along a row.
    lanes: usize,
    /// Rows of a unit.
    rows: usize,
    /// Columns of a unit, `lanes` apart.
    columns: usize,
}

/// For matrices of some rows.
const SQUARE: Tile = Tile { lanes: 16, rows: 4, columns: 4 };

/// For a few rows.
const FLAT: Tile = Tile { lanes: 64, rows: 1, columns: 1 };

impl Tile {
    /// Rows and columns of the whole cube.
    fn extent(self) -> [usize; 2] {
        [UNITS / self.lanes * self.rows, self.lanes * self.columns]
    }
}

/// `y[row, column] = bias[column] + sum over k of a[row, k] * b[k, column]`, for each matrix of a
/// batch.
pub(crate) struct Gemm<'a> {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) columns: usize,
    /// Elements of `a` from one row, and one `k`, to the next.
    pub(crate) a_strides: [usize; 2],
    /// Elements of `b` from one `k`, and one column, to the next.
    pub(crate) b_strides: [usize; 2],
    /// Extents of the batch, at least one.
    pub(crate) batch: &'a [usize],
    /// Elements of `a` and of `b` from one matrix to the next, along each of these.
    pub(crate) batch_strides: [&'a [usize]; 2],
}

impl Gemm<'_> {
    /// Launches it; `y` is dense.
    ///
    /// # Errors
    /// As [`Call::cubes`].
    pub(crate) fn launch<R: Runtime>(
        &self,
        call: &Call<'_, R>,
        [a, b, y]: [&Tensor; 3],
        bias: Option<&Tensor>,
    ) -> Result<(), FireError> {
        let tile = if self.rows < 4 { FLAT } else { SQUARE };
        let [tall, wide] = tile.extent();
        let tiles = [self.rows.div_ceil(tall), self.columns.div_ceil(wide)];
        let batch = self.batch.iter().product::<usize>();
        let extent = Extent {
            batch: size(batch),
            tiles_down: size(tiles[0]),
            tiles_across: size(tiles[1]),
            rows: size(self.rows),
            inner: size(self.inner),
            columns: size(self.columns),
            a_row: size(self.a_strides[0]),
            a_inner: size(self.a_strides[1]),
            b_inner: size(self.b_strides[0]),
            b_column: size(self.b_strides[1]),
        };
        call.cubes(batch * tiles[0] * tiles[1], UNITS as u32, |client, cubes, units| {
            product::launch::<R>(
                client,
                cubes,
                units,
                a.array(),
                b.array(),
                bias.unwrap_or(b).array(),
                y.array(),
                extent.argument(),
                sizes(self.batch),
                sizes(self.batch_strides[0]),
                sizes(self.batch_strides[1]),
                bias.is_some(),
                tile,
            );
        })
    }
}

/// A [`Gemm`] as its kernel takes it.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Extent {
    batch: u32,
    tiles_down: u32,
    tiles_across: u32,
    rows: u32,
    inner: u32,
    columns: u32,
    a_row: u32,
    a_inner: u32,
    b_inner: u32,
    b_column: u32,
}

impl Extent {
    fn argument<R: Runtime>(&self) -> ExtentLaunch<R> {
        ExtentLaunch::new(
            self.batch,
            self.tiles_down,
            self.tiles_across,
            self.rows,
            self.inner,
            self.columns,
            self.a_row,
            self.a_inner,
            self.b_inner,
            self.b_column,
        )
    }
}

#[cube(launch)]
fn product(
    a: &Array<f32>,
    b: &Array<f32>,
    bias: &Array<f32>,
    y: &mut Array<f32>,
    extent: Extent,
    batch: Sequence<u32>,
    to_a: Sequence<u32>,
    to_b: Sequence<u32>,
    #[comptime] with_bias: bool,
    #[comptime] tile: Tile,
) {
    let tall = comptime!(tile.extent()[0] as u32);
    let wide = comptime!(tile.extent()[1] as u32);
    let (rows, columns) = comptime!((tile.rows, tile.columns));
    let lanes = comptime!(tile.lanes as u32);
    let across = extent.tiles_across;
    let tiles = extent.tiles_down * across;
    let matrix = CUBE_POS as u32 / tiles;
    let place = CUBE_POS as u32 % tiles;
    if matrix < extent.batch {
        let first_row = place / across * tall + UNIT_POS / lanes * comptime!(rows as u32);
        let first_column = place % across * wide + UNIT_POS % lanes;
        let a_start = offset_of(matrix, 0u32, &batch, &to_a);
        let b_start = offset_of(matrix, 0u32, &batch, &to_b);
        // Rows and columns behind the last repeat it, and are not stored.
        let mut a_at = Array::<u32>::new(rows);
        let mut b_at = Array::<u32>::new(columns);
        let mut sums = Array::<f32>::new(comptime!(rows * columns));
        #[unroll]
        for i in 0..rows {
            let row = min(first_row + comptime!(i as u32), extent.rows - 1);
            a_at[i] = a_start + row * extent.a_row;
        }
        #[unroll]
        for j in 0..columns {
            let column = min(first_column + comptime!(j as u32) * lanes, extent.columns - 1);
            b_at[j] = b_start + column * extent.b_column;
            #[unroll]
            for i in 0..rows {
                if comptime!(with_bias) {
                    sums[comptime!(i * columns + j)] = bias[column as usize];
                } else {
                    sums[comptime!(i * columns + j)] = 0.0f32;
                }
            }
        }
        let mut right = Array::<f32>::new(columns);
        for k in 0..extent.inner {
            #[unroll]
            for j in 0..columns {
                right[j] = b[(b_at[j] + k * extent.b_inner) as usize];
            }
            #[unroll]
            for i in 0..rows {
                let left = a[(a_at[i] + k * extent.a_inner) as usize];
                #[unroll]
                for j in 0..columns {
                    sums[comptime!(i * columns + j)] += left * right[j];
                }
            }
        }
        #[unroll]
        for i in 0..rows {
            let row = first_row + comptime!(i as u32);
            #[unroll]
            for j in 0..columns {
                let column = first_column + comptime!(j as u32) * lanes;
                if row < extent.rows && column < extent.columns {
                    let element = (matrix * extent.rows + row) * extent.columns + column;
                    y[element as usize] = sums[comptime!(i * columns + j)];
                }
            }
        }
    }
}
