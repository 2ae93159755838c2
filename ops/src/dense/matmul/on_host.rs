//! The host kernel: as few, as large products as a batch allows.

use bytemuck::cast_slice_mut;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs, Workspace};
use synfire_runtime::spec::{Dimension, Extents, RANK_MAX, Scalar, Spec};

use super::{Matmul, leading, matrix, outcome};
use crate::host::broadcast::actual;
use crate::host::erased::Stages;
use crate::host::gemm::{Gemm, GemmShape, gemm};
use crate::host::kernel::Base;
use crate::host::pack::{Matrix, Operand, PackedMatrix, Side};
use crate::host::{Element, Path};

/// The kernel of [`Matmul`].
pub(super) struct OnHost<T> {
    operator: Matmul,
    /// Dimensions before the matrices: of `a`, `b` and their batch.
    leading: [Spec; 3],
    /// The largest extents.
    shape: GemmShape,
    path: Path,
    cores: usize,
    /// Whether `b` is one constant matrix.
    is_packed: bool,
    /// That matrix, after `prepare`.
    packed: Option<PackedMatrix<T>>,
    stages: Stages,
}

impl<T: Element + Scalar> OnHost<T> {
    pub(super) fn new(operator: &Matmul, specs: &Specs<'_>) -> Self {
        let [a, b] = [0, 1].map(|input| operator.as_matrix(input, &specs.inputs[input]));
        let [row, inner] = matrix(&a, operator.a_axes()).map(Dimension::bound);
        let column = matrix(&b, operator.b_axes())[1].bound();
        let leading = [leading(&a), leading(&b), operator.batch(specs.inputs)];
        let one = |spec: &Spec| spec.dimensions.iter().all(|&d| d == Dimension::Fixed(1));
        Self {
            operator: operator.clone(),
            shape: GemmShape { batch: leading[2].elements(), rows: row, inner, columns: column },
            path: Path::best(),
            cores: specs.cores,
            is_packed: specs.constant[1] && b.is_fixed() && one(&leading[1]),
            leading,
            packed: None,
            stages: Stages::default(),
        }
    }

    /// The matrix at the start of `data`, `rows` x `columns` after transposition.
    fn view(data: &[T], columns: [usize; 2], is_transposed: bool) -> Matrix<'_, T> {
        match is_transposed {
            false => Matrix::row_major(data, columns[1]),
            true => Matrix::row_major(data, columns[0]).transposed(),
        }
    }

    /// Row, inner and column in this firing.
    fn matrix(&self, a: &Extents, b: &Extents) -> Result<[usize; 3], FireError> {
        let last = |extents: &Extents, axes: [usize; 2]| {
            axes.map(|axis| extents[extents.len() - 2 + axis])
        };
        let ([row, inner], [b_inner, column]) =
            (last(a, self.operator.a_axes()), last(b, self.operator.b_axes()));
        if inner != b_inner {
            let text = format!("port b has inner extent {b_inner}, port a has {inner}");
            return Err(FireError::failed(text));
        }
        Ok([row, inner, column])
    }
}

impl<T: Element + Scalar> Kernel for OnHost<T> {
    fn workspace(&self) -> Workspace {
        let GemmShape { inner, columns, .. } = self.shape;
        let kept = PackedMatrix::<T>::bytes(self.path, Side::Right, [columns, inner]);
        Workspace {
            kept_bytes: if self.is_packed { kept } else { 0 },
            scratch_bytes: self.shape.workspace_bytes::<T>(self.path, self.cores),
        }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.is_packed {
            let extent = [self.shape.inner, self.shape.columns];
            let b = firing.input(1);
            let matrix = Self::view(b.elements(), extent, self.operator.b_is_transposed);
            self.packed = Some(PackedMatrix::right(self.path, matrix, extent));
        }
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (a, b, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        let ranks = [a.extents().len(), b.extents().len()];
        let a_extents = self.operator.extents(0, &a.extents());
        let b_extents = self.operator.extents(1, &b.extents());
        let [row, inner, column] = self.matrix(&a_extents, &b_extents)?;
        let before = |extents: &Extents| Extents::new(&extents[..extents.len() - 2]);
        let (a_before, b_before) = (before(&a_extents), before(&b_extents));
        let [a_leading, b_leading, y_leading] = &self.leading;
        let ports = [("a", a_leading, a_before), ("b", b_leading, b_before)];
        let batch = actual(&y_leading.dimensions, &ports)?;
        let mut extents = [0; RANK_MAX];
        let mut rank = 0;
        for extent in outcome(&batch, [row, column], ranks) {
            extents[rank] = extent;
            rank += 1;
        }
        y.set_extents(&extents[..rank]);
        let walk = Batches::new(&batch, [(&a_before, row * inner), (&b_before, inner * column)]);
        let mut shape = GemmShape { batch: walk.run, rows: row, inner, columns: column };
        let mut batch_strides = walk.run_strides;
        if batch_strides == [row * inner, 0] && !self.operator.a_is_transposed {
            // One `b` for neighbours of `a`: more rows of one product.
            (shape.rows, shape.batch, batch_strides) = (row * walk.run, 1, [0, 0]);
        }
        let (a, b, y) = (a.elements::<T>(), b.elements::<T>(), y.elements::<T>());
        let (scratch, crew) = (firing.scratch(), firing.crew());
        let length = shape.output_len();
        for (number, y) in y.chunks_exact_mut(length.max(1)).enumerate() {
            let [a_start, b_start] = walk.starts(number);
            let Matmul { a_is_transposed, b_is_transposed } = self.operator;
            let left = Self::view(&a[a_start..], [row, inner], a_is_transposed);
            let right = Self::view(&b[b_start..], [inner, column], b_is_transposed);
            let call = Gemm {
                path: self.path,
                shape,
                left: Operand::Plain(left),
                right: self.packed.as_ref().map_or(Operand::Plain(right), Operand::Packed),
                batch_strides,
                base: Base::Zero,
                epilogue: Some(&|piece, offset| {
                    self.stages.apply(cast_slice_mut(piece), number * length + offset);
                }),
            };
            gemm(&call, y, scratch, crew);
        }
        Ok(())
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        self.stages.absorb(stages);
    }
}

/// How a batch of products walks over its operands: runs of products at equal distances.
struct Batches {
    /// Extents of the batch, without what makes a run.
    outer: Extents,
    /// Distances of both operands along each axis of the batch, in elements; 0 where repeated.
    strides: [[usize; RANK_MAX]; 2],
    /// Products of a run.
    run: usize,
    /// Distances of both operands inside a run.
    run_strides: [usize; 2],
}

impl Batches {
    /// For each operand, its own extents and the elements of one matrix.
    fn new(batch: &Extents, operands: [(&Extents, usize); 2]) -> Self {
        let strides = operands.map(|(own, matrix)| {
            let (mut strides, mut stride) = ([0; RANK_MAX], matrix);
            for axis in (0..own.len()).rev() {
                let place = batch.len() - own.len() + axis;
                if own[axis] == batch[place] && own[axis] != 1 {
                    strides[place] = stride;
                }
                stride *= own[axis];
            }
            strides
        });
        let (mut run, mut run_strides, mut split) = (1, [0; 2], batch.len());
        for axis in (0..batch.len()).rev() {
            let own = strides.map(|strides| strides[axis]);
            if run == 1 {
                run_strides = own;
            } else if batch[axis] != 1 && own != run_strides.map(|stride| stride * run) {
                break;
            }
            (run, split) = (run * batch[axis], axis);
        }
        Self { outer: Extents::new(&batch[..split]), strides, run, run_strides }
    }

    /// Where both operands start in run `number`.
    fn starts(&self, mut number: usize) -> [usize; 2] {
        let mut starts = [0; 2];
        for axis in (0..self.outer.len()).rev() {
            let index = number % self.outer[axis];
            number /= self.outer[axis];
            starts = [0, 1].map(|side| starts[side] + index * self.strides[side][axis]);
        }
        starts
    }
}
