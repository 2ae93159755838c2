//! The product of all rows with the recurrent weight that each step makes, and memory for a step.
//!
//! The rows of a step share one product, so the weight is read once for each step and not once for
//! each row; its tiles are shared out among the cores. A constant weight is packed once.

use bytemuck::{Pod, cast_slice_mut};
use synfire_runtime::crew::Crew;
use synfire_runtime::spec::Scalar;

use crate::host::gemm::{Gemm, GemmShape, gemm};
use crate::host::kernel::Base;
use crate::host::pack::{LINE_BYTES, Matrix, Operand, PackedMatrix, Side};
use crate::host::{Element, Path};

/// The products `rows * weight^T`, or `rows * weight`, of a weight `[gates, hidden]`.
pub(in crate::recurrent) struct StepProduct<T> {
    path: Path,
    /// With the most rows.
    shape: GemmShape,
    /// Whether the rows meet the transposed weight.
    by_transposed: bool,
    is_constant: bool,
    cores: usize,
    packed: Option<PackedMatrix<T>>,
}

impl<T: Element + Scalar> StepProduct<T> {
    /// For at most `rows` rows and a weight of these extents, which may be constant.
    pub(in crate::recurrent) fn new(
        rows: usize,
        [gates, hidden]: [usize; 2],
        by_transposed: bool,
        is_constant: bool,
        cores: usize,
    ) -> Self {
        let (inner, columns) = if by_transposed { (hidden, gates) } else { (gates, hidden) };
        let shape = GemmShape { batch: 1, rows, inner, columns };
        Self { path: Path::best(), shape, by_transposed, is_constant, cores, packed: None }
    }

    /// Bytes of the packed weight.
    pub(in crate::recurrent) fn kept_bytes(&self) -> usize {
        let GemmShape { inner, columns, .. } = self.shape;
        let kept = PackedMatrix::<T>::bytes(self.path, Side::Right, [columns, inner]);
        if self.is_constant { kept } else { 0 }
    }

    /// Bytes that [`StepProduct::run`] needs.
    pub(in crate::recurrent) fn scratch_bytes(&self) -> usize {
        self.shape.workspace_bytes::<T>(self.path, self.cores)
    }

    fn matrix<'a>(&self, weight: &'a [T]) -> Matrix<'a, T> {
        let GemmShape { inner, columns, .. } = self.shape;
        if self.by_transposed {
            Matrix::row_major(weight, inner).transposed()
        } else {
            Matrix::row_major(weight, columns)
        }
    }

    /// Packs a constant weight.
    pub(in crate::recurrent) fn prepare(&mut self, weight: &[T]) {
        if self.is_constant {
            let GemmShape { inner, columns, .. } = self.shape;
            let matrix = self.matrix(weight);
            self.packed = Some(PackedMatrix::right(self.path, matrix, [inner, columns]));
        }
    }

    /// `output = base + rows * weight`; `width` elements from one of the rows to the next.
    pub(in crate::recurrent) fn run(
        &self,
        (rows, width): (&[T], usize),
        (weight, base): (&[T], Base<'_, T>),
        output: &mut [T],
        (scratch, crew): (&mut [u8], &Crew),
    ) {
        let count = output.len() / self.shape.columns;
        let right = Operand::Plain(self.matrix(weight));
        let call = Gemm {
            path: self.path,
            shape: GemmShape { rows: count, ..self.shape },
            left: Operand::Plain(Matrix { data: rows, row_stride: width, column_stride: 1 }),
            right: self.packed.as_ref().map_or(right, Operand::Packed),
            batch_strides: [0, 0],
            base,
            epilogue: None,
        };
        gemm(&call, output, scratch, crew);
    }
}

/// Scratch memory that is handed out in parts.
pub(in crate::recurrent) struct Room<'a>(pub(in crate::recurrent) &'a mut [u8]);

impl<'a> Room<'a> {
    /// Bytes that [`Room::take`] of as many elements needs.
    pub(in crate::recurrent) fn bytes<T>(count: usize) -> usize {
        (count * size_of::<T>()).next_multiple_of(LINE_BYTES) + LINE_BYTES
    }

    /// The next `count` elements, on a cache line; what they hold is left from before.
    pub(in crate::recurrent) fn take<T: Pod>(&mut self, count: usize) -> &'a mut [T] {
        let whole = std::mem::take(&mut self.0);
        let start = whole.as_ptr().align_offset(LINE_BYTES);
        let (own, rest) = whole[start..].split_at_mut(count * size_of::<T>());
        self.0 = rest;
        cast_slice_mut(own)
    }
}
