//! Windows over images on a device: the numbers that kernels of convolutions and pools take.

use cubecl::prelude::*;
use synfire_runtime::spec::Extents;

use super::kernel::{Call, Tensor, size};
use crate::host::window::Window;

/// One direction of a window between an image `x` and its places, the pixels of `y`.
///
/// Numbers that move towards lower pixels wrap: a pixel before the image is behind it too.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
pub(crate) struct Direction {
    /// Pixels of `x`.
    pub(crate) extent: u32,
    /// Pixels of `y`.
    pub(crate) places: u32,
    /// Taps of the window.
    pub(crate) taps: u32,
    /// The pixel of `x` that the first tap sees at the first place.
    pub(crate) first: u32,
    /// Pixels of `x` from one place to the next.
    pub(crate) place_step: u32,
    /// Pixels of `x` from one tap to the next.
    pub(crate) tap_step: u32,
}

impl Direction {
    /// Down and across, for a window between tensors whose last two extents are rows and columns.
    pub(crate) fn both(window: &Window, x: &Extents, y: &Extents) -> [Self; 2] {
        let padding = [window.padding.top, window.padding.left];
        [0, 1].map(|axis| Self {
            extent: size(x[x.len() - 2 + axis]),
            places: size(y[y.len() - 2 + axis]),
            taps: size(window.kernel[axis]),
            first: size(padding[axis]).wrapping_neg(),
            place_step: size(window.stride[axis]),
            tap_step: size(window.dilation[axis]),
        })
    }

    /// As an argument of a kernel.
    pub(crate) fn argument<R: Runtime>(&self) -> DirectionLaunch<R> {
        let Self { extent, places, taps, first, place_step, tap_step } = *self;
        DirectionLaunch::new(extent, places, taps, first, place_step, tap_step)
    }
}

/// Gives output 0 the batch of the image `x` and returns it.
pub(crate) fn fit<R: Runtime>(call: &mut Call<'_, R>, x: &Tensor) -> Tensor {
    let mut extents = call.output(0).extents().to_vec();
    let before = extents.len() - 3;
    extents[..before].copy_from_slice(&x.extents()[..before]);
    call.set_extents(0, &extents)
}
