//! Frames along one axis of a tensor of any rank: what `frames` and `overlap_add` have in common.
//!
//! Tap `k` of the frame at place `p` is element `p s + k d - before` of the axis, zero outside it,
//! with stride `s` and dilation `d`. A tensor of frames has an axis for places and one for taps
//! where the framed tensor has the one axis; the other axes keep their order.

use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Extents, RANK_MAX, Spec};

use crate::host::strided::dense_strides;
use crate::require;

/// Which frames there are, and where they are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framing {
    /// The axis of the whole tensor.
    pub(crate) axis: usize,
    pub(crate) taps: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Zeros before and after the axis.
    pub(crate) padding: [usize; 2],
    /// The axis of places and the axis of taps of the tensor of frames.
    pub(crate) to: [usize; 2],
}

/// The setters of the operators over a [`Framing`], their field `framing`.
macro_rules! framing_setters {
    ($operator:ty) => {
        impl $operator {
            /// Sets how many elements apart two frames are; 1 unless this says otherwise.
            #[must_use]
            pub fn stride(mut self, stride: usize) -> Self {
                self.framing.stride = stride;
                self
            }

            /// Sets how many elements apart two taps of a frame are; 1 unless this says otherwise.
            #[must_use]
            pub fn dilation(mut self, dilation: usize) -> Self {
                self.framing.dilation = dilation;
                self
            }

            /// Sets the zeros before and after the axis.
            #[must_use]
            pub fn padding(mut self, before: usize, after: usize) -> Self {
                self.framing.padding = [before, after];
                self
            }

            /// Sets which axis of the frames is that of the places and which that of the taps; the
            /// framed axis and the one behind it unless this says otherwise.
            #[must_use]
            pub fn axes(mut self, place: usize, tap: usize) -> Self {
                self.framing.to = [place, tap];
                self
            }
        }
    };
}
pub(crate) use framing_setters;

impl Framing {
    pub(crate) const fn new(axis: usize, taps: usize) -> Self {
        Self { axis, taps, stride: 1, dilation: 1, padding: [0; 2], to: [axis, axis + 1] }
    }

    /// How many frames an axis of this extent has; none where it is too short for one.
    pub(crate) fn places(&self, extent: usize) -> Option<usize> {
        let span = self.dilation * (self.taps - 1) + 1;
        let room = (self.padding[0] + extent + self.padding[1]).checked_sub(span)?;
        Some(room / self.stride + 1)
    }

    /// Nothing is 0 that must not be, and the axes are axes of frames of this rank.
    pub(crate) fn check(&self, spec: &Spec, rank: usize) -> Result<(), SpecError> {
        let Self { taps, stride, dilation, to, .. } = *self;
        if taps.min(stride).min(dilation) == 0 {
            let found = format!("{taps} taps, stride {stride}, dilation {dilation}");
            return Err(SpecError::new("x", found, "at least 1 of each"));
        }
        let is_axis = to.iter().all(|&axis| axis < rank) && to[0] != to[1];
        if !is_axis || self.axis + 1 >= rank || rank > RANK_MAX {
            let wanted = format!("an axis {} and frames with axes {to:?}", self.axis);
            return Err(SpecError::new("x", spec, wanted));
        }
        Ok(())
    }

    /// The spec of the frames of `x`.
    pub(crate) fn framed(&self, x: &Spec) -> Result<Spec, SpecError> {
        self.check(x, x.rank() + 1)?;
        let extent = require::fixed("x", x, self.axis)?;
        let Some(places) = self.places(extent) else {
            let span = self.dilation * (self.taps - 1) + 1;
            let wanted = format!("at least {span} with padding");
            let padded = self.padding[0] + extent + self.padding[1];
            return Err(SpecError::new("x", padded, wanted).at(self.axis));
        };
        let dimensions = self.spread(&x.dimensions, [places, self.taps].map(Dimension::Fixed));
        Ok(Spec::new(x.element, dimensions.into_iter().flatten()))
    }

    /// The spec of the tensor with an axis of `extent` that has the frames `x`.
    pub(crate) fn whole(&self, x: &Spec, extent: usize) -> Result<Spec, SpecError> {
        self.check(x, x.rank())?;
        let wanted = [self.places(extent).unwrap_or(0), self.taps];
        for (axis, wanted) in self.to.into_iter().zip(wanted) {
            let found = require::fixed("x", x, axis)?;
            if found != wanted || wanted == 0 {
                let wanted = format!("{wanted}, for {extent} elements");
                return Err(SpecError::new("x", found, wanted).at(axis));
            }
        }
        let mut dimensions = self.others(&x.dimensions);
        dimensions.insert(self.axis, Dimension::Fixed(extent));
        Ok(Spec::new(x.element, dimensions))
    }

    /// What each axis of the whole has, as the axes of frames have it.
    pub(crate) fn spread<T: Copy>(
        &self,
        whole: &[T],
        [place, tap]: [T; 2],
    ) -> [Option<T>; RANK_MAX] {
        let mut others = (0..whole.len()).filter(|&axis| axis != self.axis);
        let mut frames = [None; RANK_MAX];
        for (axis, to) in frames.iter_mut().enumerate().take(whole.len() + 1) {
            *to = match axis {
                _ if axis == self.to[0] => Some(place),
                _ if axis == self.to[1] => Some(tap),
                _ => others.next().map(|axis| whole[axis]),
            };
        }
        frames
    }

    /// What each axis of frames has, without places and taps.
    fn others<T: Copy>(&self, frames: &[T]) -> Vec<T> {
        let others = frames.iter().enumerate().filter(|(axis, _)| !self.to.contains(axis));
        others.map(|(_, &own)| own).collect()
    }

    /// How the frames of a tensor of these extents lie in it.
    pub(crate) fn walk(&self, whole: &[usize]) -> Walk {
        let places = self.places(whole[self.axis]).expect("the shape rule found frames");
        let dense = dense_strides(whole);
        let rank = whole.len() + 1;
        let flat = |array: [Option<usize>; RANK_MAX]| array.map(|n| n.unwrap_or(0));
        let extents = flat(self.spread(whole, [places, self.taps]));
        let strides = self.spread(&dense[..whole.len()], [0; 2]).map(|n| n.unwrap_or(0));
        let mut positions = [0; RANK_MAX];
        positions[self.to[0]] = self.stride as isize;
        positions[self.to[1]] = self.dilation as isize;
        Walk { extents: Extents::new(&extents[..rank]), strides, positions }
    }
}

/// Where the elements of frames lie in the tensor that is framed.
pub(crate) struct Walk {
    /// The extents of the frames.
    pub(crate) extents: Extents,
    /// Elements of the whole from one place of each axis to the next; 0 for places and taps.
    pub(crate) strides: [isize; RANK_MAX],
    /// Elements of the framed axis, likewise; 0 for all but places and taps.
    pub(crate) positions: [isize; RANK_MAX],
}

impl Walk {
    /// The same over as few axes as can be.
    pub(crate) fn merged(&self) -> Self {
        let (mut extents, mut rank) = ([1; RANK_MAX], 0);
        let (mut strides, mut positions) = ([0; RANK_MAX], [0; RANK_MAX]);
        for (axis, &extent) in self.extents.iter().enumerate() {
            let (stride, position) = (self.strides[axis], self.positions[axis]);
            let follows = rank > 0
                && position == 0
                && positions[rank - 1] == 0
                && strides[rank - 1] == stride * extent as isize;
            if follows {
                extents[rank - 1] *= extent;
                strides[rank - 1] = stride;
            } else {
                (extents[rank], strides[rank], positions[rank]) = (extent, stride, position);
                rank += 1;
            }
        }
        Self { extents: Extents::new(&extents[..rank]), strides, positions }
    }
}
