//! The host kernel: one product over all rows, or over blocks of rows that are made on the way.

use bytemuck::cast_slice_mut;
use synfire_runtime::crew::Crew;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs, Workspace};
use synfire_runtime::spec::{RANK_MAX, Scalar};

use crate::host::erased::Stages;
use crate::host::gemm::{Gemm, GemmShape, gemm};
use crate::host::kernel::Base;
use crate::host::pack::{LINE_BYTES, Matrix, Operand, PackedMatrix, Side};
use crate::host::pieces::pieces;
use crate::host::{Element, Path};

/// Rows of a block for each core.
const ROWS: usize = 64;

/// Which inputs are what; the rows are input 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) weight: usize,
    /// Whether the weight is `[columns, inner]`.
    pub(super) is_transposed: bool,
    pub(super) bias: Option<usize>,
}

/// The kernel of [`super::Linear`], and of a product with one matrix after what makes its rows.
pub(super) struct OnHost<T> {
    ports: Ports,
    /// With the most rows.
    shape: GemmShape,
    path: Path,
    cores: usize,
    weight_is_constant: bool,
    /// A constant weight, after `prepare`.
    packed: Option<PackedMatrix<T>>,
    /// What makes the rows.
    rows: Option<Rows>,
    stages: Stages,
}

/// What makes rows from rows, and the bytes that it keeps.
struct Rows {
    stage: Box<dyn PieceStage>,
    kept_bytes: usize,
}

impl Rows {
    /// Makes the rows at the start of `x`, which is that of the flat element `first`.
    fn make<T: Element>(&self, crew: &Crew, x: &[T], (inner, first): (usize, usize), to: &mut [T]) {
        pieces(crew, to, inner, &|offset, piece| {
            piece.copy_from_slice(&x[offset..offset + piece.len()]);
            self.stage.apply(cast_slice_mut(piece), first + offset);
        });
    }
}

impl<T: Element + Scalar> OnHost<T> {
    pub(super) fn new(ports: Ports, specs: &Specs<'_>) -> Self {
        let (x, weight) = (&specs.inputs[0], &specs.inputs[ports.weight]);
        let rows = x.bounds()[..x.rank() - 1].iter().product();
        let [first, second] = [weight.bound(0), weight.bound(1)];
        let (inner, columns) = if ports.is_transposed { (second, first) } else { (first, second) };
        Self {
            ports,
            shape: GemmShape { batch: 1, rows, inner, columns },
            path: Path::best(),
            cores: specs.cores,
            weight_is_constant: specs.constant[ports.weight],
            packed: None,
            rows: None,
            stages: Stages::default(),
        }
    }

    fn weight<'a>(&self, elements: &'a [T]) -> Matrix<'a, T> {
        match self.ports.is_transposed {
            true => Matrix::row_major(elements, self.shape.inner).transposed(),
            false => Matrix::row_major(elements, self.shape.columns),
        }
    }

    /// Elements of a block of rows that are made.
    fn block(&self) -> usize {
        let rows = self.shape.rows.min(ROWS * self.cores.max(1));
        if self.rows.is_some() { rows * self.shape.inner } else { 0 }
    }

    /// Memory for a block, and the rest.
    fn room<'a>(&self, scratch: &'a mut [u8]) -> (&'a mut [T], &'a mut [u8]) {
        let start = scratch.as_ptr().align_offset(LINE_BYTES);
        let bytes = self.block() * size_of::<T>();
        let (room, rest) = scratch[start..].split_at_mut(bytes);
        (cast_slice_mut(room), rest)
    }
}

impl OnHost<f32> {
    /// The same over rows that a stage makes of input 0, from constants between it and the weight.
    pub(super) fn after(self, stage: Box<dyn PieceStage>, kept_bytes: usize) -> Self {
        Self { rows: Some(Rows { stage, kept_bytes }), ..self }
    }
}

impl<T: Element + Scalar> Kernel for OnHost<T> {
    fn workspace(&self) -> Workspace {
        let GemmShape { inner, columns, .. } = self.shape;
        let packed = PackedMatrix::<T>::bytes(self.path, Side::Right, [columns, inner]);
        let kept = if self.weight_is_constant { packed } else { 0 };
        let block = (self.block() * size_of::<T>()).next_multiple_of(LINE_BYTES) + LINE_BYTES;
        let product = self.shape.workspace_bytes::<T>(self.path, self.cores);
        let [kept_bytes, scratch_bytes] = match &self.rows {
            Some(rows) => [kept + rows.kept_bytes, product + block],
            None => [kept, product],
        };
        Workspace { kept_bytes, scratch_bytes }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if let Some(rows) = &mut self.rows {
            rows.stage.prepare(firing, 1);
        }
        if self.weight_is_constant {
            let GemmShape { inner, columns, .. } = self.shape;
            let weight = self.weight(firing.input(self.ports.weight).elements());
            self.packed = Some(PackedMatrix::right(self.path, weight, [inner, columns]));
        }
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, weight) = (firing.input(0), firing.input(self.ports.weight));
        let mut y = firing.output(0);
        let extents = x.extents();
        let last = extents.len() - 1;
        let GemmShape { inner, columns, .. } = self.shape;
        let mut own = [0; RANK_MAX];
        own[..last].copy_from_slice(&extents[..last]);
        own[last] = columns;
        y.set_extents(&own[..=last]);
        let bias = self.ports.bias.map(|bias| firing.input(bias));
        let (x, weight) = (x.elements::<T>(), self.weight(weight.elements()));
        let rows: usize = extents[..last].iter().product();
        let (scratch, crew) = (firing.scratch(), firing.crew());
        let (room, scratch) = match self.rows {
            Some(_) => self.room(scratch),
            None => (&mut [][..], scratch),
        };
        let block = if self.rows.is_some() { ROWS * self.cores.max(1) } else { rows };
        for (number, y) in y.elements().chunks_mut((block * columns).max(1)).enumerate() {
            let (start, rows) = (number * block, y.len() / columns);
            let mut left = &x[start * inner..];
            if let Some(own) = &self.rows {
                let room = &mut room[..rows * inner];
                own.make(crew, left, (inner, start * inner), room);
                left = room;
            }
            let call = Gemm {
                path: self.path,
                shape: GemmShape { rows, ..self.shape },
                left: Operand::Plain(Matrix::row_major(left, inner)),
                right: self.packed.as_ref().map_or(Operand::Plain(weight), Operand::Packed),
                batch_strides: [0, 0],
                base: bias.map_or(Base::Zero, |bias| Base::Column(bias.elements())),
                epilogue: Some(&|piece, offset| {
                    self.stages.apply(cast_slice_mut(piece), start * columns + offset);
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
