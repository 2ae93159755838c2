//! The host kernel: one product over all rows.

use bytemuck::cast_slice_mut;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs, Workspace};
use synfire_runtime::spec::{RANK_MAX, Scalar};

use super::Linear;
use crate::host::erased::Stages;
use crate::host::gemm::{Gemm, GemmShape, gemm};
use crate::host::kernel::Base;
use crate::host::pack::{Matrix, Operand, PackedMatrix, Side};
use crate::host::{Element, Path};

/// The kernel of [`Linear`].
pub(super) struct OnHost<T> {
    /// With the most rows.
    shape: GemmShape,
    path: Path,
    cores: usize,
    weight_is_constant: bool,
    has_bias: bool,
    /// A constant weight, after `prepare`.
    packed: Option<PackedMatrix<T>>,
    stages: Stages,
}

impl<T: Element + Scalar> OnHost<T> {
    pub(super) fn new(operator: &Linear, specs: &Specs<'_>) -> Self {
        let (x, weight) = (&specs.inputs[0], &specs.inputs[1]);
        let rows = x.bounds()[..x.rank() - 1].iter().product();
        let [columns, inner] = [weight.bound(0), weight.bound(1)];
        Self {
            shape: GemmShape { batch: 1, rows, inner, columns },
            path: Path::best(),
            cores: specs.cores,
            weight_is_constant: specs.constant[1],
            has_bias: operator.has_bias,
            packed: None,
            stages: Stages::default(),
        }
    }
}

impl<T: Element + Scalar> Kernel for OnHost<T> {
    fn workspace(&self) -> Workspace {
        let GemmShape { inner, columns, .. } = self.shape;
        let kept = PackedMatrix::<T>::bytes(self.path, Side::Right, [columns, inner]);
        Workspace {
            kept_bytes: if self.weight_is_constant { kept } else { 0 },
            scratch_bytes: self.shape.workspace_bytes::<T>(self.path, self.cores),
        }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.weight_is_constant {
            let GemmShape { inner, columns, .. } = self.shape;
            let weight = firing.input(1);
            let matrix = Matrix::row_major(weight.elements(), inner).transposed();
            self.packed = Some(PackedMatrix::right(self.path, matrix, [inner, columns]));
        }
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, weight, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        let extents = x.extents();
        let last = extents.len() - 1;
        let mut own = [0; RANK_MAX];
        own[..last].copy_from_slice(&extents[..last]);
        own[last] = self.shape.columns;
        y.set_extents(&own[..=last]);
        let bias = self.has_bias.then(|| firing.input(2));
        let GemmShape { inner, .. } = self.shape;
        let weight = Matrix::<T>::row_major(weight.elements(), inner).transposed();
        let call = Gemm {
            path: self.path,
            shape: GemmShape { rows: extents[..last].iter().product(), ..self.shape },
            left: Operand::Plain(Matrix::row_major(x.elements(), inner)),
            right: self.packed.as_ref().map_or(Operand::Plain(weight), Operand::Packed),
            batch_strides: [0, 0],
            base: bias.map_or(Base::Zero, |bias| Base::Column(bias.elements())),
            epilogue: Some(&|piece, offset| self.stages.apply(cast_slice_mut(piece), offset)),
        };
        gemm(&call, y.elements(), firing.scratch(), firing.crew());
        Ok(())
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        self.stages.absorb(stages);
    }
}
