//! The host kernel of both convolutions, in `f32` and `f64`: packs a constant weight once, any
//! other in each firing.

use bytemuck::cast_slice_mut;
use synfire_runtime::crew::Crew;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs, Workspace};
use synfire_runtime::spec::Scalar;

use super::set_batch;
use crate::host::conv::{Conv, ConvWeights, conv2d, conv2d_workspace_bytes};
use crate::host::conv_transpose::{
    ConvTranspose, conv_transpose2d, conv_transpose2d_workspace_bytes,
};
use crate::host::erased::Stages;
use crate::host::phase::ConvTransposeWeights;
use crate::host::window::{ConvShape, ConvTransposeShape};
use crate::host::{Element, Epilogue, Path};

/// A kind of convolution of numbers `T`, by its extents.
pub(crate) trait Convolution<T>: Send + 'static {
    /// Its packed weights.
    type Weights: Send;

    /// Bytes of the weights, and of the workspace for so many cores.
    fn bytes(&self, path: Path, cores: usize) -> [usize; 2];

    /// Room for the weights.
    fn room(&self, path: Path) -> Self::Weights;

    /// Packs new weights.
    fn pack(weights: &mut Self::Weights, plain: &[T]);

    /// Computes the output.
    fn compute(&self, call: &Call<'_, T, Self::Weights>, room: Room<'_, T>);
}

/// What a convolution reads.
pub(crate) struct Call<'a, T, W> {
    weights: &'a W,
    batch: usize,
    input: &'a [T],
    bias: Option<&'a [T]>,
    epilogue: &'a Epilogue<'a, T>,
}

/// What a convolution works with.
pub(crate) struct Room<'a, T> {
    output: &'a mut [T],
    scratch: &'a mut [u8],
    crew: &'a Crew,
}

impl<T: Element> Convolution<T> for ConvShape {
    type Weights = ConvWeights<T>;

    fn bytes(&self, path: Path, cores: usize) -> [usize; 2] {
        [ConvWeights::<T>::bytes(path, self), conv2d_workspace_bytes::<T>(self, path, cores)]
    }

    fn room(&self, path: Path) -> Self::Weights {
        ConvWeights::empty(path, self)
    }

    fn pack(weights: &mut Self::Weights, plain: &[T]) {
        weights.refill(plain);
    }

    fn compute(&self, call: &Call<'_, T, Self::Weights>, room: Room<'_, T>) {
        let &Call { weights, batch, input, bias, epilogue } = call;
        let shape = Self { batch, ..*self };
        let conv = Conv { shape, weights, input, bias, epilogue: Some(epilogue) };
        conv2d(&conv, room.output, room.scratch, room.crew);
    }
}

impl<T: Element> Convolution<T> for ConvTransposeShape {
    type Weights = ConvTransposeWeights<T>;

    fn bytes(&self, path: Path, cores: usize) -> [usize; 2] {
        [
            ConvTransposeWeights::<T>::bytes(path, self),
            conv_transpose2d_workspace_bytes::<T>(self, path, cores),
        ]
    }

    fn room(&self, path: Path) -> Self::Weights {
        ConvTransposeWeights::empty(path, self)
    }

    fn pack(weights: &mut Self::Weights, plain: &[T]) {
        weights.refill(plain);
    }

    fn compute(&self, call: &Call<'_, T, Self::Weights>, room: Room<'_, T>) {
        let &Call { weights, batch, input, bias, epilogue } = call;
        let shape = Self { batch, ..*self };
        let conv = ConvTranspose { shape, weights, input, bias, epilogue: Some(epilogue) };
        conv_transpose2d(&conv, room.output, room.scratch, room.crew);
    }
}

/// The kernel of ports `x`, `weight` and, perhaps, `bias`.
pub(crate) struct OnHost<S: Convolution<T>, T> {
    shape: S,
    path: Path,
    cores: usize,
    weight_is_constant: bool,
    has_bias: bool,
    /// There after `prepare`.
    weights: Option<S::Weights>,
    stages: Stages,
}

impl<S: Convolution<T>, T> OnHost<S, T> {
    /// The kernel of a convolution whose batch is at most that of `shape`.
    pub(crate) fn new(shape: S, specs: &Specs<'_>) -> Self {
        Self {
            shape,
            path: Path::best(),
            cores: specs.cores,
            weight_is_constant: specs.constant[1],
            has_bias: specs.inputs.len() == 3,
            weights: None,
            stages: Stages::default(),
        }
    }
}

impl<S: Convolution<T>, T: Element + Scalar> Kernel for OnHost<S, T> {
    fn workspace(&self) -> Workspace {
        let [kept_bytes, scratch_bytes] = self.shape.bytes(self.path, self.cores);
        Workspace { kept_bytes, scratch_bytes }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let mut weights = self.shape.room(self.path);
        if self.weight_is_constant {
            S::pack(&mut weights, firing.input(1).elements());
        }
        self.weights = Some(weights);
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let weights = self.weights.as_mut().expect("prepare comes before the first firing");
        if !self.weight_is_constant {
            S::pack(weights, firing.input(1).elements());
        }
        let bias = self.has_bias.then(|| firing.input(2));
        let (x, mut y) = (firing.input(0), firing.output(0));
        let call = Call {
            weights,
            batch: set_batch(&mut y, &x),
            input: x.elements(),
            bias: bias.map(|bias| bias.elements()),
            epilogue: &|piece, offset| self.stages.apply(cast_slice_mut(piece), offset),
        };
        let (output, scratch, crew) = (y.elements(), firing.scratch(), firing.crew());
        self.shape.compute(&call, Room { output, scratch, crew });
        Ok(())
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        self.stages.absorb(stages);
    }
}
