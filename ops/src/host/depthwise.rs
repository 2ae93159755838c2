//! Convolution in which each output channel sees one input channel.
//!
//! Too few sums for a product: it runs directly, along the rows. A task takes a band of output rows
//! of one plane. It first copies the input rows of the band, padded with zeros and split by column
//! modulo the stride, so that every tap reads neighbouring numbers for neighbouring pixels.
//!
//! Each output is the sum over taps in order, then bias is added.
#![expect(unsafe_code, reason = "bands of one output are written by different tasks")]

use synfire_runtime::crew::Crew;

use super::{
    conv::Conv,
    disjoint::DisjointMut,
    simd::{Element, Has, Job, LANES_MAX, Lanes, Path},
    tile,
    window::ConvShape,
};

/// Elements of the copied input rows of a band, if more than one output row allows: half of a first
/// cache of 32 KiB.
const BAND_LEN: usize = 4096;

/// The most vectors of one output row that are summed at the same time.
const VECTORS_MAX: usize = 4;

/// Output channels of a group that make a product of a few taps worth it.
const CHANNELS_OUT: usize = 8;

/// Whether each group has one input channel, and few output channels.
pub(super) fn is_depthwise(shape: &ConvShape) -> bool {
    shape.channels_in == shape.groups && shape.group_channels()[1] < CHANNELS_OUT
}

/// Bytes of workspace with a crew of `size`.
pub(super) fn workspace_bytes<T: Element>(shape: &ConvShape, size: usize) -> usize {
    tile::workspace_bytes::<T>(Band::of(shape).len(), size)
}

/// How the input rows of a band of output rows are copied.
#[derive(Clone, Copy)]
struct Band {
    /// Output rows of a band, except at the end of the plane.
    rows: usize,
    /// Input rows of a whole band.
    input_rows: usize,
    /// Elements of one phase (columns that are equal modulo the stride) of an input row.
    phase_len: usize,
    /// Elements of an input row.
    row_len: usize,
}

impl Band {
    fn of(shape: &ConvShape) -> Band {
        let [down, right] = shape.window.stride;
        let [tall, wide] = shape.window.span();
        let [height, width] = shape.output_extent();
        let phase_len = width.next_multiple_of(LANES_MAX) + (wide - 1) / right;
        let row_len = phase_len * right;
        let rows = (BAND_LEN / row_len.max(1)).saturating_sub(tall) / down + 1;
        let rows = rows.min(height.max(1));
        Band { rows, input_rows: (rows - 1) * down + tall, phase_len, row_len }
    }

    fn len(&self) -> usize {
        self.input_rows * self.row_len
    }
}

/// Computes `output` by [`Conv`] with the kernels `[channels_out, taps]`.
pub(super) fn depthwise<T: Element>(
    call: &Conv<'_, T>,
    (path, kernels): (Path, &[T]),
    output: &mut [T],
    (workspace, crew): (&mut [u8], &Crew),
) {
    let shape = &call.shape;
    if output.is_empty() {
        return;
    }
    let band = Band::of(shape);
    let [height, width] = shape.output_extent();
    let bands = height.div_ceil(band.rows);
    let planes = shape.batch * shape.channels_out;
    let (taps, multiplier) = (shape.window.tap_count(), shape.group_channels()[1]);
    let pixels = shape.extent[0] * shape.extent[1];
    let output = DisjointMut::new(output);
    tile::share_out(crew, planes * bands, (workspace, band.len()), &|number, scratch| {
        let (plane, row) = (number / bands, number % bands * band.rows);
        let rows = row..(row + band.rows).min(height);
        let channel = plane % shape.channels_out;
        let start = (plane * height + rows.start) * width;
        let input = &call.input[plane / multiplier * pixels..][..pixels];
        copy_band(shape, input, rows.start, scratch);
        // SAFETY: the bands of a plane do not overlap, and each is computed once.
        let piece = unsafe { output.piece(start..start + rows.len() * width) };
        for (row, output) in piece.chunks_exact_mut(width).enumerate() {
            let input = &scratch[row * shape.window.stride[0] * band.row_len..];
            let bias = call.bias.map_or(T::ZERO, |bias| bias[channel]);
            let kernel = &kernels[channel * taps..(channel + 1) * taps];
            T::dispatch(path, Row { shape, band, input, kernel, bias, output });
        }
        if let Some(epilogue) = call.epilogue {
            epilogue(piece, start);
        }
    });
}

/// Copies the input rows that the band starting at output row `row` sees.
fn copy_band<T: Element>(shape: &ConvShape, input: &[T], row: usize, scratch: &mut [T]) {
    let band = Band::of(shape);
    let [height, width] = shape.extent;
    let padding = &shape.window.padding;
    let stride = shape.window.stride;
    for (number, to) in scratch.chunks_exact_mut(band.row_len).enumerate().take(band.input_rows) {
        let from = (row * stride[0] + number).checked_sub(padding.top);
        let Some(from) = from.filter(|from| *from < height) else {
            to.fill(T::ZERO);
            continue;
        };
        let from = &input[from * width..(from + 1) * width];
        for (phase, to) in to.chunks_exact_mut(band.phase_len).enumerate() {
            // Element `n` of the phase is column `n * stride + phase - left` of the image.
            let zeros = padding.left.saturating_sub(phase).div_ceil(stride[1]).min(to.len());
            let first = (zeros * stride[1] + phase).saturating_sub(padding.left);
            let (head, rest) = to.split_at_mut(zeros);
            head.fill(T::ZERO);
            let from = from.get(first..).unwrap_or(&[]);
            let count = from.len().div_ceil(stride[1]).min(rest.len());
            let (body, tail) = rest.split_at_mut(count);
            if stride[1] == 1 {
                body.copy_from_slice(&from[..count]);
            } else {
                let from = from.iter().step_by(stride[1]);
                body.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
            tail.fill(T::ZERO);
        }
    }
}

/// One output row.
struct Row<'a, T> {
    shape: &'a ConvShape,
    band: Band,
    /// The copied input rows, from the first that this output row sees.
    input: &'a [T],
    kernel: &'a [T],
    bias: T,
    output: &'a mut [T],
}

impl<T: Element> Job<T> for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, has: Has<L>) {
        let mut column = 0;
        while column < self.output.len() {
            let vectors = (self.output.len() - column).div_ceil(L::LANES).min(VECTORS_MAX);
            match vectors {
                1 => self.sum::<L, 1>(has, column),
                2 => self.sum::<L, 2>(has, column),
                3 => self.sum::<L, 3>(has, column),
                _ => self.sum::<L, VECTORS_MAX>(has, column),
            }
            column += vectors * L::LANES;
        }
    }
}

impl<T: Element> Row<'_, T> {
    #[inline(always)]
    fn sum<L: Lanes<Scalar = T>, const VECTORS: usize>(&mut self, has: Has<L>, column: usize) {
        let [tall, wide] = self.shape.window.kernel;
        let [down, right] = self.shape.window.dilation;
        let stride = self.shape.window.stride[1];
        let mut sums = [L::splat(has, T::ZERO); VECTORS];
        for y in 0..tall {
            for x in 0..wide {
                let factor = L::splat(has, self.kernel[y * wide + x]);
                let phase = x * right % stride * self.band.phase_len;
                let first = y * down * self.band.row_len + phase + x * right / stride + column;
                let from = &self.input[first..first + VECTORS * L::LANES];
                for (vector, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `from` holds `VECTORS` vectors.
                    let pixels = unsafe { L::load(has, from.as_ptr().add(vector * L::LANES)) };
                    *sum = pixels.mul_add(factor, *sum);
                }
            }
        }
        for (vector, sum) in sums.into_iter().enumerate() {
            let total = sum.add(L::splat(has, self.bias));
            let to = &mut self.output[column + vector * L::LANES..];
            if to.len() >= L::LANES {
                // SAFETY: `to` holds at least one vector.
                unsafe { total.store(to.as_mut_ptr()) };
            } else {
                let mut lanes = [T::ZERO; LANES_MAX];
                // SAFETY: `lanes` holds the widest vector.
                unsafe { total.store(lanes.as_mut_ptr()) };
                to.copy_from_slice(&lanes[..to.len()]);
            }
        }
    }
}
