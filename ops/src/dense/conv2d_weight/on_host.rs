//! The host kernel: as many products as there are groups, summed over the batch.

use std::marker::PhantomData;

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Workspace};
use synfire_runtime::spec::{Extents, Scalar};

use crate::host::conv_weight::ConvWeight;
use crate::host::window::{ConvShape, Tap};
use crate::host::{Element, Path};

/// The kernel of [`super::Conv2dWeight`] over numbers `T`.
pub(super) struct OnHost<T> {
    /// With the largest batch.
    shape: ConvShape,
    taps: Vec<Tap>,
    places: [usize; 2],
    path: Path,
    cores: usize,
    numbers: PhantomData<T>,
}

impl<T> OnHost<T> {
    pub(super) fn new(shape: ConvShape, places: [usize; 2], cores: usize) -> Self {
        let (taps, path) = (shape.window.taps(), Path::best());
        Self { shape, taps, places, path, cores, numbers: PhantomData }
    }
}

impl<T: Element + Scalar> Kernel for OnHost<T> {
    fn workspace(&self) -> Workspace {
        let Self { path, shape, places, cores, .. } = self;
        let scratch_bytes = ConvWeight::<T>::workspace_bytes(*path, shape, *places, *cores);
        Workspace { kept_bytes: 0, scratch_bytes }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, dy, mut dw) = (firing.input(0), firing.input(1), firing.output(0));
        let batch = common_batch(&x.extents(), &dy.extents())?;
        let call = ConvWeight {
            path: self.path,
            shape: ConvShape { batch, ..self.shape },
            taps: &self.taps,
            places: self.places,
            input: x.elements::<T>(),
            upstream: dy.elements::<T>(),
        };
        call.compute(dw.elements(), firing.scratch(), firing.crew());
        Ok(())
    }
}

/// How many images both ports have.
pub(super) fn common_batch(x: &Extents, dy: &Extents) -> Result<usize, FireError> {
    let batch = |extents: &Extents| if extents.len() == 4 { extents[0] } else { 1 };
    if batch(x) == batch(dy) {
        return Ok(batch(x));
    }
    let text = format!("port dy has {} images, port x has {}", batch(dy), batch(x));
    Err(FireError::failed(text))
}
