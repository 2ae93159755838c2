//! Products of matrices: `output = base + left * right`, row-major output, batches.
//!
//! Blocked and packed: see [`super::tile`] for the loops and [`super::kernel`] for the innermost.
//! Each output is `base + ((sum of block 0) + base) + ...`, the blocks of [`super::pack`] in order.
#![expect(unsafe_code, reason = "tiles of one output are written by different tasks")]

use synfire_runtime::crew::Crew;

use super::{
    Epilogue,
    disjoint::DisjointMut,
    kernel::Base,
    pack::{Matrix, Operand, RightOperand, Side},
    simd::{Element, Path},
    tile::{self, Grid, Product, Sink},
};

/// The extents of a batch of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmShape {
    /// How many products.
    pub batch: usize,
    /// Rows of the left operand and of the output.
    pub rows: usize,
    /// Columns of the left and rows of the right operand.
    pub inner: usize,
    /// Columns of the right operand and of the output.
    pub columns: usize,
}

impl GemmShape {
    /// Elements of the output.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.batch * self.rows * self.columns
    }

    /// Bytes of workspace for crews of at most `size` and extents of at most these.
    #[must_use]
    pub fn workspace_bytes<T: Element>(&self, path: Path, size: usize) -> usize {
        let scratch = tile::scratch_len_max::<T>(path, self.inner, self.columns);
        tile::workspace_bytes::<T>(scratch, size)
    }

    fn grid<T: Element>(&self, path: Path, size: usize) -> Grid {
        Grid::new::<T>(path, [self.rows, self.inner, self.columns], self.batch, size)
    }

    fn scratch_len<T: Element>(&self, path: Path, size: usize) -> usize {
        tile::scratch_len::<T>(path, self.inner, self.grid::<T>(path, size).column_chunk)
    }
}

/// A batch of products to compute.
pub struct Gemm<'a, T> {
    /// The instructions to use; those that packed operands were packed for.
    pub path: Path,
    /// The extents.
    pub shape: GemmShape,
    /// `[rows, inner]`.
    pub left: Operand<'a, T>,
    /// `[inner, columns]`.
    pub right: Operand<'a, T>,
    /// Distance between the plain operands of consecutive products; 0 uses one for all.
    pub batch_strides: [usize; 2],
    /// What the product is added to.
    pub base: Base<'a, T>,
    /// Gets each finished row, or part of a row.
    pub epilogue: Option<&'a Epilogue<'a, T>>,
}

/// Computes a batch of products into `output`, `[batch, rows, columns]`.
///
/// The workspace has at least [`GemmShape::workspace_bytes`] for `crew.size()`.
pub fn gemm<T: Element>(call: &Gemm<'_, T>, output: &mut [T], workspace: &mut [u8], crew: &Crew) {
    let (shape, path) = (&call.shape, call.path);
    assert_eq!(output.len(), shape.output_len(), "the output has [batch, rows, columns]");
    call.check();
    if output.is_empty() {
        return;
    }
    let grid = shape.grid::<T>(path, crew.size());
    let scratch = shape.scratch_len::<T>(path, crew.size());
    let output = DisjointMut::new(output);
    let tiles = grid.len() * shape.batch;
    tile::share_out(crew, tiles, (workspace, scratch), &|number, scratch| {
        let (item, tile) = (number / grid.len(), grid.tile(number % grid.len()));
        let [left, right] = [call.left, call.right];
        let right = RightOperand {
            operand: item_of(right, item * call.batch_strides[1]),
            tile: path.tile::<T>(),
            rows: shape.rows,
        };
        let left = item_of(left, item * call.batch_strides[0]);
        let product = Product { path, left, right: &right, inner: shape.inner };
        let row = item * shape.rows + tile.rows.start;
        let sink = Sink {
            output,
            first: row * shape.columns + tile.columns.start,
            row_stride: shape.columns,
            base: call.base,
            epilogue: call.epilogue,
        };
        // SAFETY: the tiles of the grid do not overlap, and each is computed once.
        unsafe { tile::compute(&product, &tile, &sink, scratch) };
    });
}

impl<T: Element> Gemm<'_, T> {
    fn check(&self) {
        let shape = &self.shape;
        let sides = [(self.left, Side::Left, shape.rows), (self.right, Side::Right, shape.columns)];
        for ((operand, side, outer), stride) in sides.into_iter().zip(self.batch_strides) {
            match operand {
                Operand::Packed(packed) => {
                    assert_eq!(packed.side(), side, "an operand is packed for its side");
                    assert_eq!(packed.path(), self.path, "an operand is packed for its path");
                    assert_eq!(packed.extent(), [outer, shape.inner], "the packed extents fit");
                    assert_eq!(stride, 0, "a packed operand serves the whole batch");
                }
                Operand::Plain(_) => {}
            }
        }
        match self.base {
            Base::Row(bias) => assert_eq!(bias.len(), shape.rows, "one bias for each row"),
            Base::Column(bias) => {
                assert_eq!(bias.len(), shape.columns, "one bias for each column");
            }
            Base::Zero | Base::Output => {}
        }
    }
}

fn item_of<T: Element>(operand: Operand<'_, T>, start: usize) -> Operand<'_, T> {
    match operand {
        Operand::Plain(matrix) => {
            Operand::Plain(Matrix { data: matrix.data.get(start..).unwrap_or(&[]), ..matrix })
        }
        packed @ Operand::Packed(_) => packed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{
        fixture::{Numbers, assert_close, same_for_all_crews},
        pack::PackedMatrix,
    };

    /// The product in f64, in the plainest way; `base(row, column)` is what it is added to.
    fn naive(
        shape: GemmShape,
        [left, right]: [&[f32]; 2],
        base: impl Fn(usize, usize, usize) -> f32,
    ) -> Vec<f64> {
        let GemmShape { batch, rows, inner, columns } = shape;
        let mut output = Vec::new();
        for item in 0..batch {
            for row in 0..rows {
                for column in 0..columns {
                    let mut sum = f64::from(base(item, row, column));
                    for step in 0..inner {
                        let x = left[(item * rows + row) * inner + step];
                        sum += f64::from(x)
                            * f64::from(right[(item * inner + step) * columns + column]);
                    }
                    output.push(sum);
                }
            }
        }
        output
    }

    fn transpose(data: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        data.chunks((rows * columns).max(1))
            .flat_map(|item| (0..rows * columns).map(|n| item[n % rows * columns + n / rows]))
            .collect()
    }

    fn run<T: Element + std::fmt::Debug>(call: &Gemm<'_, T>, start: &[T]) -> Vec<T> {
        same_for_all_crews(start, |output, epilogue, crew| {
            let bytes = call.shape.workspace_bytes::<T>(call.path, crew.size());
            let call = Gemm { epilogue, ..*call };
            gemm(&call, output, &mut vec![0xFF; bytes], crew);
        })
    }

    /// All ways to hand over the operands of one product give the naive result, and the same bits.
    fn check(path: Path, shape: GemmShape, numbers: &mut Numbers) {
        let GemmShape { batch, rows, inner, columns } = shape;
        let left = numbers.vector(batch * rows * inner);
        let right = numbers.vector(batch * inner * columns);
        let start = numbers.vector(shape.output_len());
        let bias = numbers.vector(rows.max(columns));
        let (left_t, right_t) = (transpose(&left, rows, inner), transpose(&right, inner, columns));
        let lefts = [
            Operand::Plain(Matrix::row_major(&left, inner)),
            Operand::Plain(Matrix::row_major(&left_t, rows).transposed()),
        ];
        let rights = [
            Operand::Plain(Matrix::row_major(&right, columns)),
            Operand::Plain(Matrix::row_major(&right_t, inner).transposed()),
        ];
        let batch_strides = [rows * inner, inner * columns];
        let call = |left, right, base| Gemm {
            path,
            shape,
            left,
            right,
            batch_strides,
            base,
            epilogue: None,
        };
        let both = [&left[..], &right[..]];
        let plain = run(&call(lefts[0], rights[0], Base::Zero), &start);
        assert_close(&plain, &naive(shape, both, |_, _, _| 0.0), inner);
        for (left, right) in [(1, 0), (0, 1), (1, 1)] {
            assert_eq!(plain, run(&call(lefts[left], rights[right], Base::Zero), &start));
        }
        let added = run(&call(lefts[0], rights[1], Base::Output), &start);
        let at = |item, row, column| start[(item * rows + row) * columns + column];
        assert_close(&added, &naive(shape, both, at), inner);
        let added = run(&call(lefts[0], rights[0], Base::Row(&bias[..rows])), &start);
        assert_close(&added, &naive(shape, both, |_, row, _| bias[row]), inner);
        let added = run(&call(lefts[0], rights[0], Base::Column(&bias[..columns])), &start);
        assert_close(&added, &naive(shape, both, |_, _, column| bias[column]), inner);
        if batch == 1 {
            let matrix = Matrix::row_major(&left, inner);
            let packed_left = PackedMatrix::left(path, matrix, [rows, inner]);
            let matrix = Matrix::row_major(&right_t, inner).transposed();
            let packed_right = PackedMatrix::right(path, matrix, [inner, columns]);
            let (left, right) = (Operand::Packed(&packed_left), Operand::Packed(&packed_right));
            for (left, right) in [(left, rights[0]), (lefts[0], right), (left, right)] {
                let call = Gemm { batch_strides: [0, 0], ..call(left, right, Base::Zero) };
                assert_eq!(plain, run(&call, &start));
            }
        }
    }

    #[test]
    fn products_of_odd_shapes_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(1);
            for _ in 0..40 {
                let shape = GemmShape {
                    batch: numbers.pick([1, 1, 2, 3]),
                    rows: numbers.pick([0, 1, 2, 3, 5, 7, 8, 13, 31, 67]),
                    inner: numbers.pick([0, 1, 2, 3, 5, 17, 64, 97]),
                    columns: numbers.pick([0, 1, 2, 3, 7, 16, 17, 31, 47, 48, 49, 101, 251]),
                };
                check(path, shape, &mut numbers);
            }
        }
    }

    #[test]
    fn sums_longer_than_one_block_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(2);
            for [rows, inner, columns] in
                [[9, 577, 5], [131, 1153, 50], [1, 1999, 300], [260, 600, 3]]
            {
                check(path, GemmShape { batch: 1, rows, inner, columns }, &mut numbers);
            }
        }
    }

    #[test]
    fn zero_times_infinity_is_not_skipped() {
        let (left, right) = ([0.0f32; 3], [1.0, f32::INFINITY, 2.0]);
        for path in Path::available() {
            let call = Gemm {
                path,
                shape: GemmShape { batch: 1, rows: 1, inner: 3, columns: 1 },
                left: Operand::Plain(Matrix::row_major(&left, 3)),
                right: Operand::Plain(Matrix::row_major(&right, 1)),
                batch_strides: [0, 0],
                base: Base::Zero,
                epilogue: None,
            };
            let mut output = [0.0];
            let mut workspace = vec![0; call.shape.workspace_bytes::<f32>(path, 1)];
            gemm(&call, &mut output, &mut workspace, &Crew::solo());
            assert!(output[0].is_nan());
        }
    }

    #[test]
    fn double_precision_is_a_reference() {
        let mut numbers = Numbers::new(3);
        let shape = GemmShape { batch: 1, rows: 11, inner: 700, columns: 19 };
        let left = numbers.vector(11 * 700);
        let right = numbers.vector(700 * 19);
        let wide = |data: &[f32]| data.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let (left_wide, right_wide) = (wide(&left), wide(&right));
        let call = Gemm {
            path: Path::best(),
            shape,
            left: Operand::Plain(Matrix::row_major(&left_wide, 700)),
            right: Operand::Plain(Matrix::row_major(&right_wide, 19)),
            batch_strides: [0, 0],
            base: Base::Zero,
            epilogue: None,
        };
        let output = run(&call, &vec![0.0; shape.output_len()]);
        for (x, y) in output.iter().zip(naive(shape, [&left, &right], |_, _, _| 0.0)) {
            assert!((x - y).abs() < 1e-11);
        }
    }
}
