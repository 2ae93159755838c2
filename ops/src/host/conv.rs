//! Convolution of images, `[batch, channel, height, width]`, by products with image patches.
//!
//! For each image and group: `output = weights * patches`, where the weights
//! `[channels_out, taps * channels_in]` are packed once and the patches never exist as a whole
//! ([`super::image`]). A 1x1 kernel reads the image as it is. Groups with one input channel and
//! few output channels go to [`super::depthwise`].
//!
//! Each output is the sum over taps (outer) and channels (inner), then bias is added.
#![expect(unsafe_code, reason = "tiles of one output are written by different tasks")]

use synfire_runtime::crew::Crew;

use super::{
    Epilogue, depthwise,
    disjoint::DisjointMut,
    image::Patches,
    kernel::Base,
    pack::{Matrix, Operand, PackedMatrix, RightOperand, RightSource, Side},
    simd::{Element, Path},
    tile::{self, Grid, Product, Sink},
    window::{ConvShape, Tap},
};

/// The weights of a convolution, packed once.
#[derive(Debug)]
pub struct ConvWeights<T> {
    shape: ConvShape,
    path: Path,
    form: Form<T>,
}

#[derive(Debug)]
enum Form<T> {
    Dense(TapWeights<T>),
    /// As given: `[channels_out, kernel]`.
    Depthwise(Vec<T>),
}

impl<T: Element> ConvWeights<T> {
    /// Packs `[channels_out, channels_in / groups, kernel rows, kernel columns]`.
    ///
    /// Batch and extent of `shape` are free to change later.
    #[must_use]
    pub fn pack(path: Path, shape: &ConvShape, weights: &[T]) -> ConvWeights<T> {
        let mut packed = Self::empty(path, shape);
        packed.refill(weights);
        packed
    }

    /// Room for the weights; all are zero.
    #[must_use]
    pub fn empty(path: Path, shape: &ConvShape) -> ConvWeights<T> {
        shape.check();
        let form = if depthwise::is_depthwise(shape) {
            Form::Depthwise(vec![T::ZERO; shape.weights_len()])
        } else {
            Form::Dense(TapWeights::empty(
                path,
                shape.groups,
                shape.group_channels(),
                shape.window.taps(),
            ))
        };
        ConvWeights { shape: *shape, path, form }
    }

    /// Bytes of the packed weights of a shape.
    #[must_use]
    pub fn bytes(path: Path, shape: &ConvShape) -> usize {
        if depthwise::is_depthwise(shape) {
            return shape.weights_len() * size_of::<T>();
        }
        TapWeights::<T>::bytes(path, shape.groups, shape.group_channels(), shape.window.tap_count())
    }

    /// Takes new weights of the same shape. Does not allocate.
    pub fn refill(&mut self, weights: &[T]) {
        assert_eq!(weights.len(), self.shape.weights_len(), "as many weights as the shape says");
        let [channels_in, channels_out] = self.shape.group_channels();
        let taps = self.shape.window.tap_count();
        match &mut self.form {
            Form::Depthwise(own) => own.copy_from_slice(weights),
            Form::Dense(packed) => packed.fill(|group, [output, input, tap]| {
                weights[((group * channels_out + output) * channels_in + input) * taps + tap]
            }),
        }
    }

    /// The path the weights were packed for.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }
}

/// A convolution to compute.
pub struct Conv<'a, T> {
    /// The extents; all but batch and extent as when the weights were packed.
    pub shape: ConvShape,
    /// The kernels.
    pub weights: &'a ConvWeights<T>,
    /// `[batch, channels_in, height, width]`.
    pub input: &'a [T],
    /// One number for each output channel.
    pub bias: Option<&'a [T]>,
    /// Gets each finished piece of an output plane.
    pub epilogue: Option<&'a Epilogue<'a, T>>,
}

/// Bytes of workspace that [`conv2d`] needs with crews of at most `size`, and any smaller batch.
#[must_use]
pub fn conv2d_workspace_bytes<T: Element>(shape: &ConvShape, path: Path, size: usize) -> usize {
    if depthwise::is_depthwise(shape) {
        return depthwise::workspace_bytes::<T>(shape, size);
    }
    let inner = shape.group_channels()[0] * shape.window.tap_count();
    let [height, width] = shape.output_extent();
    Correlation::<T>::workspace_bytes(path, [inner, height * width], size)
}

/// Computes a convolution into `output`, `[batch, channels_out, height, width]`.
///
/// The workspace has at least [`conv2d_workspace_bytes`] for `crew.size()`.
pub fn conv2d<T: Element>(call: &Conv<'_, T>, output: &mut [T], workspace: &mut [u8], crew: &Crew) {
    let (shape, weights) = (&call.shape, call.weights);
    let packed_for = ConvShape { batch: shape.batch, extent: shape.extent, ..weights.shape };
    assert_eq!(*shape, packed_for, "the weights were packed for this convolution");
    assert_eq!(call.input.len(), shape.input_len(), "the input has the shape's extents");
    assert_eq!(output.len(), shape.output_len(), "the output has the shape's extents");
    if let Some(bias) = call.bias {
        assert_eq!(bias.len(), shape.channels_out, "one bias for each output channel");
    }
    match &weights.form {
        Form::Depthwise(kernels) => {
            depthwise::depthwise(call, (weights.path, kernels), output, (workspace, crew));
        }
        Form::Dense(packed) => {
            let correlation = Correlation {
                path: weights.path,
                batch: shape.batch,
                input: call.input,
                extents: [shape.extent, shape.output_extent()],
                stride: shape.window.stride,
                weights: packed,
                bias: call.bias,
                epilogue: call.epilogue,
            };
            correlation.compute(output, workspace, crew);
        }
    }
}

/// The taps of a kernel and, for each group, its weights as a left operand.
#[derive(Debug)]
pub(super) struct TapWeights<T> {
    pub(super) taps: Vec<Tap>,
    pub(super) groups: Vec<PackedMatrix<T>>,
    /// Input and output channels of one group.
    pub(super) channels: [usize; 2],
}

impl<T: Element> TapWeights<T> {
    /// Room for the weights.
    pub(super) fn empty(path: Path, groups: usize, channels: [usize; 2], taps: Vec<Tap>) -> Self {
        let extent = [channels[1], channels[0] * taps.len()];
        let empty = || PackedMatrix::empty(path, Side::Left, extent);
        TapWeights { taps, groups: (0..groups).map(|_| empty()).collect(), channels }
    }

    /// Bytes of the weights of kernels with so many taps.
    pub(super) fn bytes(path: Path, groups: usize, channels: [usize; 2], taps: usize) -> usize {
        groups * PackedMatrix::<T>::bytes(path, Side::Left, [channels[1], channels[0] * taps])
    }

    /// Sets all weights; `weight(group, [output channel, input channel, tap])` gives them.
    pub(super) fn fill(&mut self, weight: impl Fn(usize, [usize; 3]) -> T) {
        let channels = self.channels[0];
        for (group, packed) in self.groups.iter_mut().enumerate() {
            packed.fill(|output, step| weight(group, [output, step % channels, step / channels]));
        }
    }
}

/// A correlation of images with tapped kernels: convolutions of every kind come down to it.
pub(super) struct Correlation<'a, T> {
    pub(super) path: Path,
    pub(super) batch: usize,
    /// `[batch, channels_in, input extent]`.
    pub(super) input: &'a [T],
    /// Height and width of input and output.
    pub(super) extents: [[usize; 2]; 2],
    pub(super) stride: [usize; 2],
    pub(super) weights: &'a TapWeights<T>,
    pub(super) bias: Option<&'a [T]>,
    pub(super) epilogue: Option<&'a Epilogue<'a, T>>,
}

impl<T: Element> Correlation<'_, T> {
    /// Bytes of workspace for sums of `inner` steps over `columns` pixels, in any number, with
    /// crews of at most `size`.
    pub(super) fn workspace_bytes(path: Path, [inner, columns]: [usize; 2], size: usize) -> usize {
        let grid = Grid::new::<T>(path, [1, inner, columns], 1, 1);
        tile::workspace_bytes::<T>(tile::scratch_len::<T>(path, inner, grid.column_chunk), size)
    }

    /// Computes `[batch, channels_out, output extent]`.
    pub(super) fn compute(&self, output: &mut [T], workspace: &mut [u8], crew: &Crew) {
        if output.is_empty() {
            return;
        }
        let taps = &self.weights.taps[..];
        let is_plain = self.stride == [1, 1]
            && taps == [Tap { y: 0, x: 0 }]
            && self.extents[0] == self.extents[1];
        let [channels_in, channels_out] = self.weights.channels;
        let [height, width] = self.extents[0];
        if is_plain {
            let right = |input| RightOperand {
                operand: Operand::Plain(Matrix::row_major(input, height * width)),
                tile: self.path.tile::<T>(),
                rows: channels_out,
            };
            self.compute_with(&right, output, (workspace, crew));
        } else {
            let patches = |input| Patches {
                input,
                channels: channels_in,
                extent: self.extents[0],
                taps,
                stride: self.stride,
                output_width: self.extents[1][1],
            };
            self.compute_with(&patches, output, (workspace, crew));
        }
    }

    /// Computes with the right operand that `right` makes of the channels of one group.
    fn compute_with<'s, R: RightSource<T>>(
        &'s self,
        right: &(dyn Fn(&'s [T]) -> R + Sync),
        output: &mut [T],
        (workspace, crew): (&mut [u8], &Crew),
    ) {
        let [channels_in, channels_out] = self.weights.channels;
        let [pixels_in, pixels_out] = self.extents.map(|[height, width]| height * width);
        let (groups, path) = (&self.weights.groups, self.path);
        let products = self.batch * groups.len();
        let inner = channels_in * self.weights.taps.len();
        let grid = Grid::new::<T>(path, [channels_out, inner, pixels_out], products, crew.size());
        let scratch = tile::scratch_len::<T>(path, inner, grid.column_chunk);
        let output = DisjointMut::new(output);
        tile::share_out(crew, grid.len() * products, (workspace, scratch), &|number, scratch| {
            let (product, tile) = (number / grid.len(), grid.tile(number % grid.len()));
            let group = product % groups.len();
            let input = &self.input[product * channels_in * pixels_in..][..channels_in * pixels_in];
            let first = product * channels_out + tile.rows.start;
            let bias = self.bias.map(|bias| &bias[group * channels_out..][..channels_out]);
            let sink = Sink {
                output,
                first: first * pixels_out + tile.columns.start,
                row_stride: pixels_out,
                base: bias.map_or(Base::Zero, Base::Row),
                epilogue: self.epilogue,
            };
            let left = Operand::Packed(&groups[group]);
            let product = Product { path, left, right: &right(input), inner };
            // SAFETY: the tiles of the grid do not overlap, and each is computed once.
            unsafe { tile::compute(&product, &tile, &sink, scratch) };
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{
        fixture::{Numbers, assert_close, same_for_all_crews},
        window::{Padding, Window},
    };

    /// The convolution in f64, in the plainest way.
    fn naive(shape: &ConvShape, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
        let [height, width] = shape.output_extent();
        let [channels_in, channels_out] = shape.group_channels();
        let [tall, wide] = shape.extent;
        let taps = shape.window.taps();
        let [down, right] = shape.window.stride;
        let element = |place: usize| {
            let (x, y) = (place % width, place / width % height);
            let output = place / width / height % shape.channels_out;
            let item = place / width / height / shape.channels_out;
            let first = item * shape.channels_in + output / channels_out * channels_in;
            let mut sum = f64::from(bias[output]);
            for channel in 0..channels_in {
                for (number, tap) in taps.iter().enumerate() {
                    let row = (y * down).checked_add_signed(tap.y).filter(|row| *row < tall);
                    let column = (x * right).checked_add_signed(tap.x).filter(|x| *x < wide);
                    let (Some(row), Some(column)) = (row, column) else { continue };
                    let pixel = input[((first + channel) * tall + row) * wide + column];
                    let weight = (output * channels_in + channel) * taps.len() + number;
                    sum += f64::from(pixel) * f64::from(weights[weight]);
                }
            }
            sum
        };
        (0..shape.output_len()).map(element).collect()
    }

    fn check(path: Path, shape: ConvShape, numbers: &mut Numbers) {
        let input = numbers.vector(shape.input_len());
        let weights = numbers.vector(shape.weights_len());
        let bias = numbers.vector(shape.channels_out);
        let packed = ConvWeights::pack(path, &shape, &weights);
        let start = vec![f32::NAN; shape.output_len()];
        let output = same_for_all_crews(&start, |output, epilogue, crew| {
            let bytes = conv2d_workspace_bytes::<f32>(&shape, path, crew.size());
            let bias = Some(&bias[..]);
            let call = Conv { shape, weights: &packed, input: &input, bias, epilogue };
            conv2d(&call, output, &mut vec![0xFF; bytes], crew);
        });
        let inner = shape.group_channels()[0] * shape.window.tap_count();
        assert_close(&output, &naive(&shape, &input, &weights, &bias), inner);
    }

    fn random_window(numbers: &mut Numbers) -> Window {
        let mut pair = |choices| [numbers.pick(choices), numbers.pick(choices)];
        let (kernel, stride) = (pair([1, 2, 3, 5]), pair([1, 1, 2, 3]));
        let (dilation, before, after) =
            (pair([1, 1, 2, 3]), pair([0, 1, 2, 4]), pair([0, 1, 2, 3]));
        let padding =
            Padding { top: before[0], bottom: after[0], left: before[1], right: after[1] };
        Window { kernel, stride, dilation, padding }
    }

    #[test]
    fn convolutions_of_odd_shapes_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(5);
            for _ in 0..60 {
                let groups = numbers.pick([1, 1, 2, 3]);
                let shape = ConvShape {
                    batch: numbers.pick([0, 1, 2, 3]),
                    channels_in: groups * numbers.pick([2, 3, 5]),
                    channels_out: groups * numbers.pick([0, 1, 2, 3, 9, 70]),
                    extent: [numbers.pick([1, 2, 3, 7, 11]), numbers.pick([1, 2, 5, 13, 50])],
                    groups,
                    window: random_window(&mut numbers),
                };
                check(path, shape, &mut numbers);
            }
        }
    }

    #[test]
    fn depthwise_convolutions_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(6);
            for _ in 0..60 {
                let groups = numbers.pick([1, 2, 5]);
                let shape = ConvShape {
                    batch: numbers.pick([1, 2]),
                    channels_in: groups,
                    channels_out: groups * numbers.pick([1, 1, 2, 3]),
                    extent: [numbers.pick([1, 3, 11, 40]), numbers.pick([1, 5, 17, 50, 131])],
                    groups,
                    window: random_window(&mut numbers),
                };
                check(path, shape, &mut numbers);
            }
        }
    }

    #[test]
    fn common_layers_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(7);
            for [channels, kernel, size] in [[70, 3, 19], [16, 1, 23], [130, 3, 5], [3, 3, 64]] {
                let padding = Padding::symmetric([kernel / 2; 2]);
                let window =
                    Window { kernel: [kernel; 2], stride: [1; 2], dilation: [1; 2], padding };
                let shape = ConvShape {
                    batch: 1,
                    channels_in: channels,
                    channels_out: 67,
                    extent: [size; 2],
                    groups: 1,
                    window,
                };
                check(path, shape, &mut numbers);
            }
        }
    }
}
