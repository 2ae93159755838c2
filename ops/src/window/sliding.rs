//! Convolutions over one and three axes: how their windows move, and the steps that bring them to
//! two axes, where the kernels are.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Dimension;

use crate::arrange::pad::{PadMode, pad};
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::slice::slice;

pub(crate) mod case; // the attributes that PyTorch gives
pub(crate) mod definition; // plain loops for samples

/// How the window of a convolution over `N` axes moves; it has the extent of the weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sliding<const N: usize> {
    /// Pixels between two places of the window.
    pub stride: [usize; N],
    /// Pixels between two taps of the window.
    pub dilation: [usize; N],
    /// Padding before each axis; cut off the output of a transposed convolution.
    pub before: [usize; N],
    /// Padding after each axis, likewise.
    pub after: [usize; N],
    /// What the padding holds; a transposed convolution has none.
    pub mode: PadMode,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl<const N: usize> Sliding<N> {
    /// Pixel by pixel, without gaps, padding and groups.
    pub const PLAIN: Self = Self {
        stride: [1; N],
        dilation: [1; N],
        before: [0; N],
        after: [0; N],
        mode: PadMode::Constant(0.0),
        groups: 1,
    };

    /// The same with as much padding before as after.
    #[must_use]
    pub fn padding(self, padding: [usize; N]) -> Self {
        Self { before: padding, after: padding, ..self }
    }

    /// `x` with padding that is not zero, and what is left to do.
    pub(crate) fn padded(&self, draft: &mut Draft, x: Wire) -> (Wire, Self) {
        let is_plain =
            self.mode == PadMode::Constant(0.0) || [self.before, self.after] == [[0; N]; 2];
        let Some(others) = draft.spec(x).and_then(|x| x.rank().checked_sub(N)) else {
            return (x, *self);
        };
        if is_plain {
            return (x, *self);
        }
        let sides = [self.before, self.after].map(|side| [&vec![0; others][..], &side].concat());
        let x = draft.apply(pad(&sides[0], &sides[1], self.mode), &[x]);
        (x, Self { mode: PadMode::Constant(0.0), ..self.padding([0; N]) })
    }
}

/// The same elements under these dimensions, at most one of which is bounded.
pub(crate) fn regroup(draft: &mut Draft, x: Wire, dimensions: &[Dimension]) -> Wire {
    if draft.spec(x).is_some_and(|x| x.dimensions == dimensions) {
        return x;
    }
    let extents: Vec<Extent> = dimensions
        .iter()
        .map(|dimension| match dimension {
            Dimension::Fixed(extent) => Extent::Is(*extent),
            Dimension::UpTo(_) => Extent::Infer,
        })
        .collect();
    draft.apply(reshape(&extents), &[x])
}

/// The dimensions of a wire; none where something before it is faulty.
pub(crate) fn dimensions(draft: &Draft, wire: Wire) -> Option<Vec<Dimension>> {
    draft.spec(wire).map(|spec| spec.dimensions.clone())
}

/// Rows, of which there is one, before the last axis.
pub(crate) fn with_rows(draft: &mut Draft, x: Wire) -> Wire {
    let Some(mut dimensions) = dimensions(draft, x).filter(|own| !own.is_empty()) else { return x };
    dimensions.insert(dimensions.len() - 1, Dimension::Fixed(1));
    regroup(draft, x, &dimensions)
}

/// The one row alone.
pub(crate) fn without_rows(draft: &mut Draft, y: Wire) -> Wire {
    let Some(mut dimensions) = dimensions(draft, y).filter(|own| own.len() > 1) else { return y };
    dimensions.remove(dimensions.len() - 2);
    regroup(draft, y, &dimensions)
}

/// Notes the fault that a wire has no axis `axis`.
pub(crate) fn without_axis(draft: &mut Draft, wire: Wire, axis: usize) -> Wire {
    draft.apply(slice(axis, 0, 0, 1), &[wire])
}

/// Two dimensions as one; at most one of them is bounded.
pub(crate) fn joined(a: Dimension, b: Dimension) -> Dimension {
    let bound = a.bound() * b.bound();
    if a.is_bounded() || b.is_bounded() { Dimension::UpTo(bound) } else { Dimension::Fixed(bound) }
}
