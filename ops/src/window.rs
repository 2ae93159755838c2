//! Windows over images: what convolutions and pools have in common.
//!
//! An image is `[batch, channel, row, column]` or `[channel, row, column]`. Every operator over
//! windows has the same setters, each taking one number for both directions or one for each:
//! `conv2d().stride(2).padding([1, 0])`. The geometry itself is in [`crate::host::window`].

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::firing::{View, ViewMut};
use synfire_runtime::operator::{Axes, SpecError};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::arrange::slice::slice;
use crate::gradient::spec;
use crate::host::window::{Padding, Window};
use crate::reduce::reduction::{Keep, sum};
use crate::require;
use crate::sample::{Tensor, noise};

mod on_host; // the kernel of both convolutions
pub(crate) use on_host::OnHost;

mod framing; // frames along one axis
pub(crate) use framing::{Framing, Walk, framing_setters};

pub(crate) mod sliding; // convolutions over one and three axes
pub use sliding::Sliding;

mod spans; // the pixels under each window
pub(crate) use spans::Spans;

pub(crate) mod pooling; // pools over one and three axes
pub use pooling::Pooling;

pub(crate) mod onnx; // the attributes that ONNX gives

mod pool; // what pools have in common
pub use pool::Rounding;
pub(crate) use pool::{Pool, along, pool_axes, pooled};

/// Rows and columns: from one number for both, or from `[rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Self([both; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(each: [usize; 2]) -> Self {
        Self(each)
    }
}

impl From<usize> for Padding {
    fn from(all: usize) -> Self {
        Self::symmetric([all; 2])
    }
}

/// `[above and below, before and after]`.
impl From<[usize; 2]> for Padding {
    fn from(each: [usize; 2]) -> Self {
        Self::symmetric(each)
    }
}

/// `[top, bottom, left, right]`.
impl From<[usize; 4]> for Padding {
    fn from([top, bottom, left, right]: [usize; 4]) -> Self {
        Self { top, bottom, left, right }
    }
}

/// How a window moves: everything but the extent of its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Motion {
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) padding: Padding,
}

impl Motion {
    /// Pixel by pixel, without gaps and padding.
    pub(crate) const PLAIN: Self = Self {
        stride: [1; 2],
        dilation: [1; 2],
        padding: Padding { top: 0, bottom: 0, left: 0, right: 0 },
    };

    /// The padding below and after the image.
    pub(crate) fn after(&self) -> [usize; 2] {
        [self.padding.bottom, self.padding.right]
    }

    /// The window of a kernel that moves so.
    pub(crate) fn window(&self, kernel: [usize; 2]) -> Window {
        let Self { stride, dilation, padding } = *self;
        Window { kernel, stride, dilation, padding }
    }
}

/// How many rows (axis 0) or columns of an image of this extent, with its padding, lie behind the
/// last of `places` windows; none where it is too small for them.
pub(crate) fn rest(window: &Window, axis: usize, extent: usize, places: usize) -> Option<usize> {
    let Padding { top, bottom, left, right } = window.padding;
    let last = places.checked_sub(1)? * window.stride[axis];
    (extent + [top + bottom, left + right][axis]).checked_sub(last + window.span()[axis])
}

/// The setters that operators over windows share; their fields have the same names.
macro_rules! setters {
    ($operator:ty: $($setter:ident),+) => {
        impl $operator {
            $($crate::window::setters!(@ $setter);)+
        }
    };
    (@ stride) => {
        /// Sets how many pixels apart two places of the window are; one for both directions, or
        /// `[vertical, horizontal]`.
        #[must_use]
        pub fn stride(mut self, stride: impl Into<$crate::window::Pair>) -> Self {
            self.motion.stride = stride.into().0;
            self
        }
    };
    (@ dilation) => {
        /// Sets how many pixels apart two taps of the window are; one for both directions, or
        /// `[vertical, horizontal]`.
        #[must_use]
        pub fn dilation(mut self, dilation: impl Into<$crate::window::Pair>) -> Self {
            self.motion.dilation = dilation.into().0;
            self
        }
    };
    (@ padding) => {
        /// Sets the padding: one number for all sides, `[vertical, horizontal]`, or
        /// `[top, bottom, left, right]`.
        #[must_use]
        pub fn padding(mut self, padding: impl Into<$crate::host::window::Padding>) -> Self {
            self.motion.padding = padding.into();
            self
        }
    };
    (@ window) => {
        /// Sets stride, dilation and padding as another operator has them.
        pub(crate) fn window(mut self, motion: $crate::window::Motion) -> Self {
            self.motion = motion;
            self
        }
    };
    (@ groups) => {
        /// Sets how many groups of channels do not see each other.
        #[must_use]
        pub fn groups(mut self, groups: usize) -> Self {
            self.groups = groups;
            self
        }
    };
    (@ bias) => {
        /// Adds the input `bias`.
        #[must_use]
        pub fn bias(mut self) -> Self {
            self.has_bias = true;
            self
        }
    };
    (@ rounding) => {
        /// Sets what becomes of a last window that is not whole: it is left out unless this says
        /// otherwise.
        #[must_use]
        pub fn rounding(mut self, rounding: $crate::window::Rounding) -> Self {
            self.rounding = rounding;
            self
        }
    };
}
pub(crate) use setters;

/// What a shape rule knows of an image.
pub(crate) struct Image {
    /// The numbers: `f32`, `f64` or floats of 16 bits.
    pub(crate) element: Element,
    /// The batch, if the image has that dimension.
    pub(crate) batch: Option<Dimension>,
    /// The channels.
    pub(crate) channels: usize,
    /// Rows and columns.
    pub(crate) extent: [usize; 2],
}

impl Image {
    /// The image at port `x`: channels, rows and columns are fixed, the batch may be bounded.
    pub(crate) fn of(x: &Spec) -> Result<Self, SpecError> {
        Self::at("x", x)
    }

    /// The image at this port.
    pub(crate) fn at(port: &str, x: &Spec) -> Result<Self, SpecError> {
        require::element(port, x, &require::FLOATS)?;
        if !(3..=4).contains(&x.rank()) {
            let wanted = "[batch, channel, row, column] or [channel, row, column]";
            return Err(SpecError::new(port, x, wanted));
        }
        let first = x.rank() - 3;
        let [channels, rows, columns] = [0, 1, 2].map(|axis| require::fixed(port, x, first + axis));
        let batch = (first == 1).then(|| x.dimensions[0]);
        Ok(Self { element: x.element, batch, channels: channels?, extent: [rows?, columns?] })
    }

    /// How many images there are at most.
    pub(crate) fn batch_bound(&self) -> usize {
        self.batch.map_or(1, Dimension::bound)
    }

    /// The spec of an output with the same batch.
    pub(crate) fn output(&self, channels: usize, extent: [usize; 2]) -> Spec {
        let rest = [channels, extent[0], extent[1]].map(Dimension::Fixed);
        Spec::new(self.element, self.batch.into_iter().chain(rest))
    }

    /// A window fits an image, padding included; `port` is where the window comes from.
    pub(crate) fn holds(&self, x: &Spec, port: &str, window: &Window) -> Result<(), SpecError> {
        positive(port, window)?;
        let Padding { top, bottom, left, right } = window.padding;
        let (span, padding) = (window.span(), [top + bottom, left + right]);
        for axis in 0..2 {
            let padded = self.extent[axis] + padding[axis];
            if padded < span[axis] {
                let wanted = format!("at least {} with padding", span[axis]);
                return Err(SpecError::new("x", padded, wanted).at(x.rank() - 2 + axis));
            }
        }
        Ok(())
    }
}

/// Kernel, stride and dilation of a window are at least 1; else names the port, and for a kernel
/// that is a weight, its dimension.
pub(crate) fn positive(port: &str, window: &Window) -> Result<(), SpecError> {
    let parts = [("stride", window.stride), ("dilation", window.dilation)];
    for (name, pair) in parts {
        if pair.contains(&0) {
            return Err(SpecError::new("x", format!("{name} {pair:?}"), "at least 1"));
        }
    }
    let Some(axis) = window.kernel.iter().position(|&n| n == 0) else { return Ok(()) };
    let error = SpecError::new(port, "a kernel of 0", "at least 1");
    Err(if port == "weight" { error.at(2 + axis) } else { error })
}

/// The kernel that the weight `[_, _, rows, columns]` of an image holds.
pub(crate) fn kernel(image: &Image, weight: &Spec) -> Result<[usize; 2], SpecError> {
    require::element("weight", weight, &[image.element])?;
    require::rank("weight", weight, 4)?;
    let extents = [0, 1, 2, 3].map(|axis| require::fixed("weight", weight, axis));
    let [first, second, rows, columns] = extents;
    first.and(second)?;
    Ok([rows?, columns?])
}

/// Groups that divide the dimension `axis` of a port; that dimension's part.
pub(crate) fn group(
    port: &str,
    (axis, channels): (usize, usize),
    groups: usize,
) -> Result<usize, SpecError> {
    if groups > 0 && channels.is_multiple_of(groups) {
        return Ok(channels / groups);
    }
    let wanted = format!("a multiple of {groups} groups");
    Err(SpecError::new(port, channels, wanted).at(axis))
}

/// The bias, if there is one, has one number for each output channel.
pub(crate) fn bias(image: &Image, bias: Option<&Spec>, channels: usize) -> Result<(), SpecError> {
    let Some(bias) = bias else { return Ok(()) };
    require::alike("bias", bias, &Spec::new(image.element, [channels]), None)
}

/// The gradient by the bias: `dy` summed over all but the channels.
pub(crate) fn bias_gradient(draft: &mut Draft, dy: Wire) -> Wire {
    let channel = spec(draft, dy).rank() - 3;
    let others: Vec<usize> = (0..channel + 3).filter(|&axis| axis != channel).collect();
    draft.apply(sum(&others, Keep::Nothing), &[dy])
}

/// The first `places` rows and columns of an image.
pub(crate) fn crop(draft: &mut Draft, image: Wire, places: [usize; 2]) -> Wire {
    let own = spec(draft, image);
    (0..2).fold(image, |image, direction| {
        let (axis, count) = (own.rank() - 2 + direction, places[direction]);
        if own.bound(axis) == count {
            return image;
        }
        draft.apply(slice(axis, 0, count, 1), &[image])
    })
}

/// Gives an image the batch of `x`; how many images there are.
pub(crate) fn set_batch(y: &mut ViewMut<'_>, x: &View<'_>) -> usize {
    let (from, to) = (x.extents(), y.extents());
    let [batch, _, _, _] = from[..] else { return 1 };
    y.set_extents(&[batch, to[1], to[2], to[3]]);
    batch
}

/// Labels of a convolution: `x`, its weight, `bias` if there is one, and `y`.
pub(crate) fn axes(inputs: &[Spec], weight: &str) -> Axes {
    let batch = if inputs[0].rank() == 4 { "b" } else { "" };
    let bias = if inputs.len() == 3 { ",o" } else { "" };
    Axes::parse(&format!("{batch}chw,{weight}{bias}->{batch}opq"))
}

/// Noise in `f64`.
pub(crate) fn wide(key: u64, extents: &[usize]) -> Value {
    crate::sample::wide(&noise(key, extents))
}

/// The batch, if there is one, and the channels, rows and columns of an image of a sample.
pub(crate) fn split(x: &Tensor) -> (Option<usize>, [usize; 3]) {
    match x.extents[..] {
        [channels, rows, columns] => (None, [channels, rows, columns]),
        [batch, channels, rows, columns] => (Some(batch), [channels, rows, columns]),
        _ => unreachable!("an image has three or four dimensions"),
    }
}
