//! Pools over one, two and three axes: how their windows move, and the steps that bring them to two
//! axes, where the kernels are.
//!
//! What a pool makes of a window it can make of parts of it first and of the results then: so a
//! volume is pooled slice by slice, then along its depth, as an image of depth and all pixels.

use synfire_runtime::define::{Draft, Wire};

use super::Rounding;
use super::sliding::{dimensions, joined, regroup, with_rows, without_axis, without_rows};
use crate::host::window::Padding;

pub(crate) mod case; // the attributes that PyTorch gives
mod indices; // max pools with indices
pub(crate) use indices::with_indices;

/// How the window of a pool over `N` axes moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling<const N: usize> {
    /// The extent of the window.
    pub kernel: [usize; N],
    /// Pixels between two places of the window.
    pub stride: [usize; N],
    /// Padding before each axis.
    pub before: [usize; N],
    /// Padding after each axis.
    pub after: [usize; N],
    /// What becomes of a last window that is not whole.
    pub rounding: Rounding,
}

impl<const N: usize> Pooling<N> {
    /// Windows side by side, without padding.
    #[must_use]
    pub const fn of(kernel: [usize; N]) -> Self {
        let (before, after) = ([0; N], [0; N]);
        Self { kernel, stride: kernel, before, after, rounding: Rounding::Floor }
    }

    /// How many places there are along an axis of this extent, by counting; for samples.
    pub(crate) fn places(&self, axis: usize, extent: usize, dilation: usize) -> usize {
        let span = dilation * (self.kernel[axis] - 1) + 1;
        let (before, after) = (self.before[axis], self.after[axis]);
        let starts = (0..extent + before).step_by(self.stride[axis]);
        match self.rounding {
            Rounding::Floor => {
                starts.filter(|start| start + span <= before + extent + after).count()
            }
            Rounding::Ceiling => {
                // One more than fits, if the last is cut off.
                let most = (before + extent + after - span).div_ceil(self.stride[axis]) + 1;
                starts.take(most).count()
            }
        }
    }

    /// The same along the axes that become rows and columns of an image.
    pub(crate) fn along(&self, directions: Directions) -> Pooling<2> {
        Pooling {
            kernel: pick(&self.kernel, directions, 1),
            stride: pick(&self.stride, directions, 1),
            before: pick(&self.before, directions, 0),
            after: pick(&self.after, directions, 0),
            rounding: self.rounding,
        }
    }
}

impl Pooling<2> {
    pub(crate) fn padding(&self) -> Padding {
        let [[top, left], [bottom, right]] = [self.before, self.after];
        Padding { top, bottom, left, right }
    }
}

/// Which of the axes of a pool are the rows and the columns of an image; none where those are not
/// pooled.
pub(crate) type Directions = [Option<usize>; 2];

/// What each direction has; `other` where it is not pooled.
pub(crate) fn pick<const N: usize>(
    values: &[usize; N],
    directions: Directions,
    other: usize,
) -> [usize; 2] {
    directions.map(|axis| axis.map_or(other, |axis| values[axis]))
}

/// Pools over the last `N` axes, from one to three, by `image`, which pools an image.
pub(crate) fn over<const N: usize>(
    draft: &mut Draft,
    x: Wire,
    image: impl Fn(&mut Draft, Wire, Directions) -> Wire,
) -> Wire {
    const { assert!(N >= 1 && N <= 3, "a line, an image or a volume") };
    match N {
        1 => {
            let rows = with_rows(draft, x);
            let y = image(draft, rows, [None, Some(0)]);
            without_rows(draft, y)
        }
        2 => image(draft, x, [Some(0), Some(1)]),
        _ => {
            let Some(own) = dimensions(draft, x).filter(|own| own.len() >= 4) else {
                return without_axis(draft, x, 3);
            };
            let slices = as_slices(draft, x);
            let slices = image(draft, slices, [Some(1), Some(2)]);
            let Some(pooled) = dimensions(draft, slices) else { return slices };
            let [rows, columns] = [1, 2].map(|axis| pooled[own.len() - 4 + axis]);
            let depth = [&own[..own.len() - 2], &[joined(rows, columns)]].concat();
            let depth = regroup(draft, slices, &depth);
            let y = image(draft, depth, [Some(0), None]);
            let Some(places) = dimensions(draft, y) else { return y };
            regroup(draft, y, &[&places[..places.len() - 1], &[rows, columns]].concat())
        }
    }
}

/// The slices of a volume as channels of an image.
pub(crate) fn as_slices(draft: &mut Draft, x: Wire) -> Wire {
    match dimensions(draft, x) {
        Some(own) if own.len() >= 4 => {
            let (before, [channel, depth, ..]) = own.split_at(own.len() - 4) else {
                unreachable!("four dimensions are behind")
            };
            let joint = joined(*channel, *depth);
            regroup(draft, x, &[before, &[joint], &own[own.len() - 2..]].concat())
        }
        _ => x,
    }
}
