//! The geometry of convolutions: which input pixels an output pixel sees.
//!
//! A kernel position is a [`Tap`]: for it, output pixel `(y, x)` sees input pixel
//! `(y * stride + tap.y, x * stride + tap.x)`, and zero where that lies outside the image.

/// Zeros around an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns before.
    pub left: usize,
    /// Columns after.
    pub right: usize,
}

impl Padding {
    /// The same number of rows above and below, and of columns before and after.
    #[must_use]
    pub fn symmetric([rows, columns]: [usize; 2]) -> Padding {
        Padding { top: rows, bottom: rows, left: columns, right: columns }
    }
}

/// A kernel and how it moves; each pair is `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the kernel; at least 1.
    pub kernel: [usize; 2],
    /// Pixels between two places of the kernel; at least 1.
    pub stride: [usize; 2],
    /// Pixels between two taps of the kernel; at least 1.
    pub dilation: [usize; 2],
    /// Zeros around the image.
    pub padding: Padding,
}

impl Window {
    /// The pixels that a kernel spans.
    #[must_use]
    pub fn span(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1) + 1)
    }

    /// The taps in the order of the kernel's rows.
    #[must_use]
    pub fn taps(&self) -> Vec<Tap> {
        (0..self.tap_count()).map(|position| self.tap(position)).collect()
    }

    /// The tap at a position in the order of the kernel's rows.
    #[must_use]
    pub fn tap(&self, position: usize) -> Tap {
        let [row, column] = [position / self.kernel[1], position % self.kernel[1]];
        Tap {
            y: (row * self.dilation[0]) as isize - self.padding.top as isize,
            x: (column * self.dilation[1]) as isize - self.padding.left as isize,
        }
    }

    /// How many taps there are.
    #[must_use]
    pub fn tap_count(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub(super) fn check(&self) {
        let positive = |pair: [usize; 2]| pair.iter().all(|n| *n >= 1);
        assert!(positive(self.kernel), "a kernel has at least one tap");
        assert!(positive(self.stride), "a stride is at least 1");
        assert!(positive(self.dilation), "a dilation is at least 1");
    }
}

/// What an output pixel sees at one kernel position, relative to `stride` times its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Rows down.
    pub y: isize,
    /// Columns right.
    pub x: isize,
}

/// The extents of a convolution of `[batch, channels_in, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Height and width of the input.
    pub extent: [usize; 2],
    /// Groups of channels that do not see each other; divides both channel counts.
    pub groups: usize,
    /// The kernel.
    pub window: Window,
}

impl ConvShape {
    /// Height and width of the output; zero if the kernel does not fit.
    #[must_use]
    pub fn output_extent(&self) -> [usize; 2] {
        let Padding { top, bottom, left, right } = self.window.padding;
        let padded = [self.extent[0] + top + bottom, self.extent[1] + left + right];
        let span = self.window.span();
        [0, 1].map(|axis| match padded[axis].checked_sub(span[axis]) {
            Some(rest) => rest / self.window.stride[axis] + 1,
            None => 0,
        })
    }

    /// Elements of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.batch * self.channels_in * self.extent[0] * self.extent[1]
    }

    /// Elements of the weights, `[channels_out, channels_in / groups, kernel]`.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        self.channels_out * (self.channels_in / self.groups) * self.window.tap_count()
    }

    /// Elements of the output.
    #[must_use]
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_extent();
        self.batch * self.channels_out * height * width
    }

    /// Channels of input and output in one group.
    pub(super) fn group_channels(&self) -> [usize; 2] {
        [self.channels_in / self.groups, self.channels_out / self.groups]
    }

    pub(super) fn check(&self) {
        self.window.check();
        assert!(self.groups >= 1, "there is at least one group");
        assert!(self.channels_in.is_multiple_of(self.groups), "groups divide the input channels");
        assert!(self.channels_out.is_multiple_of(self.groups), "groups divide the output channels");
    }
}

/// The extents of a transposed convolution of `[batch, channels_in, height, width]`: each input
/// pixel adds its kernel to the output, `stride` apart; `padding` is cut off the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Height and width of the input.
    pub extent: [usize; 2],
    /// Groups of channels that do not see each other; divides both channel counts.
    pub groups: usize,
    /// The kernel.
    pub window: Window,
    /// Rows and columns added at the end of the output.
    pub output_padding: [usize; 2],
}

impl ConvTransposeShape {
    /// Height and width of the output.
    #[must_use]
    pub fn output_extent(&self) -> [usize; 2] {
        let Padding { top, bottom, left, right } = self.window.padding;
        let (span, cut) = (self.window.span(), [top + bottom, left + right]);
        [0, 1].map(|axis| match self.extent[axis].checked_sub(1) {
            Some(last) => {
                (last * self.window.stride[axis] + span[axis] + self.output_padding[axis])
                    .saturating_sub(cut[axis])
            }
            None => 0,
        })
    }

    /// Elements of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.batch * self.channels_in * self.extent[0] * self.extent[1]
    }

    /// Elements of the weights, `[channels_in, channels_out / groups, kernel]`.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        self.channels_in * (self.channels_out / self.groups) * self.window.tap_count()
    }

    /// Elements of the output.
    #[must_use]
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_extent();
        self.batch * self.channels_out * height * width
    }

    /// Channels of input and output in one group.
    pub(super) fn group_channels(&self) -> [usize; 2] {
        [self.channels_in / self.groups, self.channels_out / self.groups]
    }

    /// The kernel positions along `axis` that reach the output pixels `phase`, `phase + stride`,
    /// ..., and for each the input pixel that reaches the first of them.
    pub(super) fn phase_taps(
        &self,
        axis: usize,
        phase: usize,
    ) -> impl Iterator<Item = (usize, isize)> + Clone {
        let Window { kernel, stride, dilation, padding } = self.window;
        let cut = [padding.top, padding.left][axis];
        let (stride, dilation) = (stride[axis] as isize, dilation[axis]);
        (0..kernel[axis]).filter_map(move |position| {
            let reach = (phase + cut) as isize - (position * dilation) as isize;
            (reach.rem_euclid(stride) == 0).then_some((position, reach.div_euclid(stride)))
        })
    }

    pub(super) fn check(&self) {
        self.window.check();
        assert!(self.groups >= 1, "there is at least one group");
        assert!(self.channels_in.is_multiple_of(self.groups), "groups divide the input channels");
        assert!(self.channels_out.is_multiple_of(self.groups), "groups divide the output channels");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, dilation: usize) -> Window {
        Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [dilation; 2],
            padding: Padding { top: 1, bottom: 0, left: 2, right: 1 },
        }
    }

    #[test]
    fn the_output_extent_counts_whole_kernels() {
        let shape = |extent, window| ConvShape {
            batch: 1,
            channels_in: 1,
            channels_out: 1,
            extent,
            groups: 1,
            window,
        };
        assert_eq!(shape([5, 5], window(3, 1, 1)).output_extent(), [4, 6]);
        assert_eq!(shape([5, 5], window(3, 2, 2)).output_extent(), [1, 2]);
        assert_eq!(shape([1, 1], window(3, 1, 1)).output_extent(), [0, 2]);
    }

    #[test]
    fn taps_are_relative_to_the_padded_corner() {
        let taps = window(2, 1, 3).taps();
        let at = |y, x| Tap { y, x };
        assert_eq!(taps, [at(-1, -2), at(-1, 1), at(2, -2), at(2, 1)]);
    }
}
