//! Transposed convolution of images, by the phases of its output.
//!
//! Each phase (see [`super::phase`]) is a convolution of stride 1 with a part of the kernel; with
//! stride 1 there is one phase, and the kernel is flipped. A task computes all column phases of a
//! piece of output rows into its workspace and interleaves them, so the output is written once, in
//! whole pieces.
//!
//! Each output is the sum over the taps of its phase (outer) and channels (inner), then bias is
//! added. Groups of one channel are correct here, but not fast.
#![expect(unsafe_code, reason = "tiles of one output are written by different tasks")]

use synfire_runtime::crew::Crew;

use super::{
    Epilogue,
    conv::Correlation,
    disjoint::DisjointMut,
    image::Patches,
    kernel::Base,
    pack::{Matrix, Operand, RightOperand, RightSource},
    phase::{Class, ConvTransposeWeights, Phases},
    simd::{Element, Has, Job, Lanes, Path},
    tile::{self, Product, Sink, Tile},
    window::{ConvTransposeShape, Tap},
};

/// A transposed convolution to compute.
pub struct ConvTranspose<'a, T> {
    /// The extents; all but batch and extent as when the weights were packed.
    pub shape: ConvTransposeShape,
    /// The kernels.
    pub weights: &'a ConvTransposeWeights<T>,
    /// `[batch, channels_in, height, width]`.
    pub input: &'a [T],
    /// One number for each output channel.
    pub bias: Option<&'a [T]>,
    /// Gets each finished piece of an output row.
    pub epilogue: Option<&'a Epilogue<'a, T>>,
}

/// Bytes of workspace that [`conv_transpose2d`] needs with crews of at most `size`, and any smaller
/// batch.
#[must_use]
pub fn conv_transpose2d_workspace_bytes<T: Element>(
    shape: &ConvTransposeShape,
    path: Path,
    size: usize,
) -> usize {
    if shape.window.stride == [1, 1] {
        let [height, width] = shape.output_extent();
        let inner = shape.group_channels()[0] * shape.window.tap_count();
        return Correlation::<T>::workspace_bytes(path, [inner, height * width], size);
    }
    let phases = Phases::of::<T>(shape, path, 1);
    tile::workspace_bytes::<T>(phases.mixed_len() + phases.scratch_len::<T>(shape, path), size)
}

/// Computes a transposed convolution into `output`, `[batch, channels_out, height, width]`.
///
/// The workspace has at least [`conv_transpose2d_workspace_bytes`] for `crew.size()`.
pub fn conv_transpose2d<T: Element>(
    call: &ConvTranspose<'_, T>,
    output: &mut [T],
    workspace: &mut [u8],
    crew: &Crew,
) {
    let (shape, weights) = (&call.shape, call.weights);
    let own = weights.shape;
    let packed_for = ConvTransposeShape { batch: shape.batch, extent: shape.extent, ..own };
    assert_eq!(*shape, packed_for, "the weights were packed for this convolution");
    assert_eq!(call.input.len(), shape.input_len(), "the input has the shape's extents");
    assert_eq!(output.len(), shape.output_len(), "the output has the shape's extents");
    if let Some(bias) = call.bias {
        assert_eq!(bias.len(), shape.channels_out, "one bias for each output channel");
    }
    if output.is_empty() {
        return;
    }
    if shape.window.stride == [1, 1] {
        let correlation = Correlation {
            path: weights.path,
            batch: shape.batch,
            input: call.input,
            extents: [shape.extent, shape.output_extent()],
            stride: [1, 1],
            weights: &weights.rows[0][0].weights,
            bias: call.bias,
            epilogue: call.epilogue,
        };
        return correlation.compute(output, workspace, crew);
    }
    let phases = Phases::of::<T>(shape, weights.path, crew.size());
    let (mixed, rows) = (phases.mixed_len(), shape.window.stride[0]);
    let scratch = mixed + phases.scratch_len::<T>(shape, weights.path);
    let output = DisjointMut::new(output);
    let tiles = phases.grid.len() * rows * shape.batch * shape.groups;
    tile::share_out(crew, tiles, (workspace, scratch), &|number, scratch| {
        let place = Place {
            row_phase: number % rows,
            tile: phases.grid.tile(number / rows % phases.grid.len()),
            product: number / rows / phases.grid.len(),
        };
        let (mixed, scratch) = scratch.split_at_mut(mixed);
        call.compute(&place, &phases, [mixed, scratch]);
        // SAFETY: tiles differ in channel, row phase or pixels, and each is computed once.
        unsafe { call.interleave(&place, &phases, mixed, output) };
    });
}

/// One tile of one row phase of one image and group.
struct Place {
    tile: Tile,
    row_phase: usize,
    /// Group and batch item: `item * groups + group`.
    product: usize,
}

impl<T: Element> ConvTranspose<'_, T> {
    /// Computes all phases of a tile: class by class, `[channel, member, pixel]`.
    fn compute(&self, place: &Place, phases: &Phases, [mixed, scratch]: [&mut [T]; 2]) {
        let [channels_in, _] = self.shape.group_channels();
        let [height, width] = self.shape.extent;
        let pixels = height * width;
        let input = &self.input[place.product * channels_in * pixels..][..channels_in * pixels];
        let mut first = 0;
        for class in &self.weights.rows[place.row_phase] {
            let taps = &class.weights.taps[..];
            let len = class.members.len() * place.tile.rows.len() * place.tile.columns.len();
            let mixed = &mut mixed[first..first + len];
            if taps == [Tap { y: 0, x: 0 }] && phases.extent == self.shape.extent {
                let operand = Operand::Plain(Matrix::row_major(input, pixels));
                let tile = self.weights.path.tile::<T>();
                let right = RightOperand { operand, tile, rows: class.weights.channels[1] };
                self.product(place, class, &right, [mixed, scratch]);
            } else {
                let right = Patches {
                    input,
                    channels: channels_in,
                    extent: self.shape.extent,
                    taps,
                    stride: [1, 1],
                    output_width: phases.extent[1],
                };
                self.product(place, class, &right, [mixed, scratch]);
            }
            first += len;
        }
    }

    /// Computes a tile of one class.
    fn product<R: RightSource<T>>(
        &self,
        place: &Place,
        class: &Class<T>,
        right: &R,
        [mixed, scratch]: [&mut [T]; 2],
    ) {
        let (members, tile) = (class.members.len(), &place.tile);
        let product = Product {
            path: self.weights.path,
            left: Operand::Packed(&class.weights.groups[place.product % self.shape.groups]),
            right,
            inner: class.weights.taps.len() * class.weights.channels[0],
        };
        let sink = Sink {
            output: DisjointMut::new(mixed),
            first: 0,
            row_stride: tile.columns.len(),
            base: Base::Zero,
            epilogue: None,
        };
        let rows = tile.rows.start * members..tile.rows.end * members;
        let tile = Tile { rows, columns: tile.columns.clone() };
        // SAFETY: `mixed` is this task's alone.
        unsafe { tile::compute(&product, &tile, &sink, scratch) };
    }

    /// Writes the output rows of a tile from its phases, adds bias, and finishes them.
    ///
    /// # Safety
    /// No other task touches the output of this tile.
    unsafe fn interleave(
        &self,
        place: &Place,
        phases: &Phases,
        mixed: &[T],
        output: DisjointMut<'_, T>,
    ) {
        let ([height, width], stride) = (self.shape.output_extent(), self.shape.window.stride);
        let channels_out = self.shape.group_channels()[1];
        let columns = &place.tile.columns;
        let group = place.product % self.shape.groups;
        for channel in place.tile.rows.clone() {
            let plane = place.product * channels_out + channel;
            let bias = self.bias.map_or(T::ZERO, |bias| bias[group * channels_out + channel]);
            let mut pixel = columns.start;
            while pixel < columns.end {
                let (row, column) = (pixel / phases.extent[1], pixel % phases.extent[1]);
                let count = (phases.extent[1] - column).min(columns.end - pixel);
                let (y, x) = (row * stride[0] + place.row_phase, column * stride[1]);
                if y >= height {
                    break;
                }
                let first = (plane * height + y) * width + x;
                let end = first + (count * stride[1]).min(width - x);
                // SAFETY: a part of the tile, which is the caller's alone.
                let piece = unsafe { output.piece(first..end) };
                let source = |phase| {
                    let start = self.start(place, channel, phase) + pixel - columns.start;
                    &mixed[start..start + count]
                };
                if stride[1] == 2 {
                    let weave = Weave { phases: [source(0), source(1)], bias, to: piece };
                    T::dispatch(self.weights.path, weave);
                } else {
                    for phase in 0..stride[1].min(piece.len()) {
                        let to = piece[phase..].iter_mut().step_by(stride[1]);
                        to.zip(source(phase)).for_each(|(to, from)| *to = *from + bias);
                    }
                }
                if let Some(epilogue) = self.epilogue {
                    epilogue(piece, first);
                }
                pixel += count;
            }
        }
    }

    /// Where the pixels of a channel and column phase start among the phases of a tile.
    fn start(&self, place: &Place, channel: usize, phase: usize) -> usize {
        let Tile { rows, columns } = &place.tile;
        let mut rows_before = 0;
        for Class { members, .. } in &self.weights.rows[place.row_phase] {
            let row = rows_before + (channel - rows.start) * members.len();
            if let Some(member) = members.iter().position(|member| member.phase == phase) {
                return (row + member) * columns.len();
            }
            rows_before += members.len() * rows.len();
        }
        unreachable!("every column phase has a class")
    }
}

/// Writes two phases alternately; of the last pair, the second may be missing.
struct Weave<'a, T> {
    phases: [&'a [T]; 2],
    bias: T,
    to: &'a mut [T],
}

impl<T: Element> Job<T> for Weave<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) {
        let Weave { phases: [even, odd], bias, to } = self;
        let (pairs, last) = to.as_chunks_mut::<2>();
        for ((to, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
            *to = [*even + bias, *odd + bias];
        }
        if let [last] = last {
            *last = even[pairs.len()] + bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{
        fixture::{Numbers, assert_close, same_for_all_crews},
        window::{Padding, Window},
    };

    /// The transposed convolution in f64: each input pixel adds its kernel.
    fn naive(shape: &ConvTransposeShape, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
        let [height, width] = shape.output_extent();
        let [channels_in, channels_out] = shape.group_channels();
        let [tall, wide] = shape.extent;
        let Window { kernel, stride, dilation, padding } = shape.window;
        let plane = height * width;
        let mut output: Vec<f64> = (0..shape.output_len())
            .map(|place| f64::from(bias[place / plane % shape.channels_out]))
            .collect();
        for (place, pixel) in input.iter().enumerate() {
            let (x, y) = (place % wide, place / wide % tall);
            let channel = place / wide / tall;
            let product = channel / channels_in;
            for number in 0..channels_out * shape.window.tap_count() {
                let (tap, out) = (number % (kernel[0] * kernel[1]), number / kernel[0] / kernel[1]);
                let row = (y * stride[0] + tap / kernel[1] * dilation[0]).checked_sub(padding.top);
                let column =
                    (x * stride[1] + tap % kernel[1] * dilation[1]).checked_sub(padding.left);
                let (Some(row), Some(column)) = (row, column) else { continue };
                if row < height && column < width {
                    let weight = channel % shape.channels_in * channels_out + out;
                    let weight = weights[weight * shape.window.tap_count() + tap];
                    output[(product * channels_out + out) * plane + row * width + column] +=
                        f64::from(*pixel) * f64::from(weight);
                }
            }
        }
        output
    }

    fn check(path: Path, shape: ConvTransposeShape, numbers: &mut Numbers) {
        let input = numbers.vector(shape.input_len());
        let weights = numbers.vector(shape.weights_len());
        let bias = numbers.vector(shape.channels_out);
        let packed = ConvTransposeWeights::pack(path, &shape, &weights);
        let start = vec![f32::NAN; shape.output_len()];
        let output = same_for_all_crews(&start, |output, epilogue, crew| {
            let bytes = conv_transpose2d_workspace_bytes::<f32>(&shape, path, crew.size());
            let bias = Some(&bias[..]);
            let call = ConvTranspose { shape, weights: &packed, input: &input, bias, epilogue };
            conv_transpose2d(&call, output, &mut vec![0xFF; bytes], crew);
        });
        let inner = shape.group_channels()[0] * shape.window.tap_count();
        assert_close(&output, &naive(&shape, &input, &weights, &bias), inner);
    }

    #[test]
    fn transposed_convolutions_of_odd_shapes_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(8);
            for _ in 0..80 {
                let groups = numbers.pick([1, 1, 2, 3]);
                let mut pair = |choices| [numbers.pick(choices), numbers.pick(choices)];
                let (kernel, stride) = (pair([1, 2, 3, 5]), pair([1, 2, 2, 3]));
                let (dilation, before) = (pair([1, 1, 2, 3]), pair([0, 0, 1, 2]));
                let (after, output_padding) = (pair([0, 0, 1, 2]), pair([0, 0, 1, 2]));
                let padding =
                    Padding { top: before[0], bottom: after[0], left: before[1], right: after[1] };
                let shape = ConvTransposeShape {
                    batch: numbers.pick([0, 1, 2, 3]),
                    channels_in: groups * numbers.pick([1, 2, 5]),
                    channels_out: groups * numbers.pick([0, 1, 2, 3, 9, 70]),
                    extent: [numbers.pick([0, 1, 2, 3, 7]), numbers.pick([1, 2, 5, 13, 50])],
                    groups,
                    window: Window { kernel, stride, dilation, padding },
                    output_padding,
                };
                check(path, shape, &mut numbers);
            }
        }
    }

    #[test]
    fn up_sampling_layers_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(9);
            for [kernel, stride, padding] in [[2, 2, 0], [3, 2, 0], [3, 1, 1], [4, 2, 1]] {
                let window = Window {
                    kernel: [kernel; 2],
                    stride: [stride; 2],
                    dilation: [1; 2],
                    padding: Padding::symmetric([padding; 2]),
                };
                let shape = ConvTransposeShape {
                    batch: 1,
                    channels_in: 150,
                    channels_out: 140,
                    extent: [15, 17],
                    groups: 1,
                    window,
                    output_padding: [0, 0],
                };
                check(path, shape, &mut numbers);
            }
        }
    }
}
