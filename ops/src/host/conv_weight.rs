//! The gradient of a convolution by its weight, by products with image patches.
//!
//! For each group, `output += upstream * patches^T` over the images of the batch, one after the
//! other: `[channels_out, pixels]` by `[pixels, channels_in * taps]`. The patches are those of
//! [`super::image`] with rows and columns exchanged, packed panel by panel and never stored whole.
//!
//! Each output is the sum over images (outer) and their pixels (inner). Few weights over large
//! images leave cores idle: a sum is never divided.
#![expect(unsafe_code, reason = "tiles of one output are written by different tasks")]

use std::ops::Range;

use synfire_runtime::crew::Crew;

use super::{
    disjoint::DisjointMut,
    kernel::{Base, RightPanel},
    pack::{Matrix, Operand, RightSource},
    simd::{Element, Has, Job, Lanes, Path},
    tile::{self, Grid, Product, Sink},
    window::{ConvShape, Tap},
};

/// Pixels that are packed for all columns before the next: so many rows of a panel stay in the
/// first-level cache.
const SPAN: usize = 64;

/// The gradient by the weight of a convolution.
pub struct ConvWeight<'a, T> {
    /// The instructions to use.
    pub path: Path,
    /// The extents of the convolution.
    pub shape: ConvShape,
    /// The taps of its window.
    pub taps: &'a [Tap],
    /// Rows and columns of `upstream`: at most those of the convolution's output.
    pub places: [usize; 2],
    /// `[batch, channels_in, extent]`.
    pub input: &'a [T],
    /// `[batch, channels_out, places]`.
    pub upstream: &'a [T],
}

impl<T: Element> ConvWeight<'_, T> {
    fn grid(path: Path, shape: &ConvShape, places: [usize; 2], size: usize) -> Grid {
        let [channels_in, channels_out] = shape.group_channels();
        let columns = channels_in * shape.window.tap_count();
        let extents = [channels_out, places[0] * places[1], columns];
        Grid::new::<T>(path, extents, shape.groups, size)
    }

    /// Bytes of workspace for crews of at most `size`, and any batch.
    #[must_use]
    pub fn workspace_bytes(
        path: Path,
        shape: &ConvShape,
        places: [usize; 2],
        size: usize,
    ) -> usize {
        let grid = Self::grid(path, shape, places, 1);
        let scratch = tile::scratch_len::<T>(path, places[0] * places[1], grid.column_chunk);
        tile::workspace_bytes::<T>(scratch, size)
    }

    /// Computes `output`, `[channels_out, channels_in / groups, kernel]`.
    ///
    /// The workspace has at least [`ConvWeight::workspace_bytes`] for `crew.size()`.
    pub fn compute(&self, output: &mut [T], workspace: &mut [u8], crew: &Crew) {
        let shape = &self.shape;
        assert_eq!(self.input.len(), shape.input_len(), "the input has the shape's extents");
        assert_eq!(output.len(), shape.weights_len(), "the output is the weight of the shape");
        let pixels = self.places[0] * self.places[1];
        let upstream_len = shape.batch * shape.channels_out * pixels;
        assert_eq!(self.upstream.len(), upstream_len, "the upstream has the shape's places");
        if upstream_len == 0 {
            return output.fill(T::ZERO);
        }
        if output.is_empty() {
            return;
        }
        let grid = Self::grid(self.path, shape, self.places, crew.size());
        let scratch = tile::scratch_len::<T>(self.path, pixels, grid.column_chunk);
        let output = DisjointMut::new(output);
        let tiles = grid.len() * shape.groups;
        tile::share_out(crew, tiles, (workspace, scratch), &|number, scratch| {
            let tile = grid.tile(number % grid.len());
            // SAFETY: the tiles of the grid do not overlap, and each is computed once.
            unsafe { self.tile(number / grid.len(), &tile, output, scratch) };
        });
    }

    /// Sums one tile of one group over the batch.
    ///
    /// # Safety
    /// No other task touches the output of this tile.
    unsafe fn tile(
        &self,
        group: usize,
        tile: &tile::Tile,
        output: DisjointMut<'_, T>,
        scratch: &mut [T],
    ) {
        let [channels_in, channels_out] = self.shape.group_channels();
        let extent = self.shape.extent;
        let (pixels_in, pixels) = (extent[0] * extent[1], self.places[0] * self.places[1]);
        let columns = channels_in * self.taps.len();
        for item in 0..self.shape.batch {
            let product = item * self.shape.groups + group;
            let input = &self.input[product * channels_in * pixels_in..];
            let upstream = &self.upstream[product * channels_out * pixels..];
            let right = PatchRows {
                input: &input[..channels_in * pixels_in],
                extent,
                taps: self.taps,
                stride: self.shape.window.stride,
                output_width: self.places[1],
            };
            let left = Matrix::row_major(&upstream[..channels_out * pixels], pixels);
            let product = Product {
                path: self.path,
                left: Operand::Plain(left),
                right: &right,
                inner: pixels,
            };
            let sink = Sink {
                output,
                first: (group * channels_out + tile.rows.start) * columns + tile.columns.start,
                row_stride: columns,
                base: if item == 0 { Base::Zero } else { Base::Output },
                epilogue: None,
            };
            // SAFETY: the caller's promise.
            unsafe { tile::compute(&product, tile, &sink, scratch) };
        }
    }
}

/// The patches of one image, or of one group of its channels, as rows: row `p` is what output pixel
/// `p` sees, column `channel * taps + tap`.
struct PatchRows<'a, T> {
    /// `[channels, height, width]`.
    input: &'a [T],
    /// Height and width of `input`.
    extent: [usize; 2],
    taps: &'a [Tap],
    /// Input pixels from one output pixel to the next, down and right.
    stride: [usize; 2],
    /// Output pixels in a row.
    output_width: usize,
}

impl<T: Element> RightSource<T> for PatchRows<'_, T> {
    fn in_place(&self, _: &Range<usize>, _: &Range<usize>) -> Option<RightPanel<'_, T>> {
        None
    }

    fn pack(&self, path: Path, columns: &Range<usize>, block: &Range<usize>, room: &mut [T]) {
        T::dispatch(path, PackRows { patches: self, columns, block, room });
    }
}

/// Packs one panel.
struct PackRows<'a, T> {
    patches: &'a PatchRows<'a, T>,
    columns: &'a Range<usize>,
    block: &'a Range<usize>,
    room: &'a mut [T],
}

impl<T: Element> Job<T> for PackRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) {
        let PackRows { patches, columns, block, room } = self;
        let width = L::VECTORS * L::LANES;
        for pixels in tile::chunks(block, SPAN) {
            let room = &mut room[(pixels.start - block.start) * width..];
            for (lane, column) in columns.clone().enumerate() {
                patches.column(column, &pixels, &mut room[lane..], width);
            }
        }
    }
}

impl<T: Element> PatchRows<'_, T> {
    /// What these output pixels see at one channel and tap, into every `width`-th of `to`.
    #[inline(always)]
    fn column(&self, column: usize, pixels: &Range<usize>, to: &mut [T], width: usize) {
        let (channel, tap) = (column / self.taps.len(), self.taps[column % self.taps.len()]);
        let [height, wide] = self.extent;
        let [down, right] = self.stride;
        let mut pixel = pixels.start;
        while pixel < pixels.end {
            let (y, x) = (pixel / self.output_width, pixel % self.output_width);
            let count = (self.output_width - x).min(pixels.end - pixel);
            let mut to = to[(pixel - pixels.start) * width..].iter_mut().step_by(width).take(count);
            pixel += count;
            let row = (y * down).checked_add_signed(tap.y).filter(|row| *row < height);
            let Some(row) = row else {
                to.for_each(|to| *to = T::ZERO);
                continue;
            };
            // Pixels `x` to `inside` see columns before the image.
            let inside = (-tap.x).max(0).unsigned_abs().div_ceil(right).max(x);
            let zeros = (inside - x).min(count);
            to.by_ref().take(zeros).for_each(|to| *to = T::ZERO);
            let line = &self.input[(channel * height + row) * wide..][..wide];
            let first = ((x + zeros) * right).checked_add_signed(tap.x).unwrap_or(wide);
            let mut from = line.get(first..).unwrap_or(&[]).iter().step_by(right);
            to.for_each(|to| *to = from.next().copied().unwrap_or(T::ZERO));
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

    /// The gradient in f64, in the plainest way.
    fn naive(shape: &ConvShape, places: [usize; 2], x: &[f32], upstream: &[f32]) -> Vec<f64> {
        let [channels_in, channels_out] = shape.group_channels();
        let ([tall, wide], taps) = (shape.extent, shape.window.taps());
        let weight = |place: usize| {
            let tap = taps[place % taps.len()];
            let (channel, output) =
                (place / taps.len() % channels_in, place / taps.len() / channels_in);
            let channel = output / channels_out * channels_in + channel;
            let mut sum = 0.0;
            for item in 0..shape.batch {
                for pixel in 0..places[0] * places[1] {
                    let (p, q) = (pixel / places[1], pixel % places[1]);
                    let row = (p * shape.window.stride[0]).checked_add_signed(tap.y);
                    let column = (q * shape.window.stride[1]).checked_add_signed(tap.x);
                    let (Some(row), Some(column)) =
                        (row.filter(|row| *row < tall), column.filter(|column| *column < wide))
                    else {
                        continue;
                    };
                    let plane = item * shape.channels_in + channel;
                    let dy = item * shape.channels_out + output;
                    sum += f64::from(x[(plane * tall + row) * wide + column])
                        * f64::from(upstream[dy * places[0] * places[1] + pixel]);
                }
            }
            sum
        };
        (0..shape.weights_len()).map(weight).collect()
    }

    #[test]
    fn gradients_of_odd_shapes_agree_with_plain_loops() {
        for path in Path::available() {
            let mut numbers = Numbers::new(11);
            for _ in 0..60 {
                let groups = numbers.pick([1, 1, 2, 3]);
                let mut pair = |choices| [numbers.pick(choices), numbers.pick(choices)];
                let (kernel, stride) = (pair([1, 2, 3, 5]), pair([1, 1, 2, 3]));
                let (dilation, before, after) =
                    (pair([1, 1, 2, 3]), pair([0, 1, 2, 4]), pair([0, 1, 2, 3]));
                let padding =
                    Padding { top: before[0], bottom: after[0], left: before[1], right: after[1] };
                let shape = ConvShape {
                    batch: numbers.pick([0, 1, 2, 3]),
                    channels_in: groups * numbers.pick([0, 1, 2, 3, 29]),
                    channels_out: groups * numbers.pick([0, 1, 2, 3, 9, 70]),
                    extent: [numbers.pick([1, 2, 3, 7, 11]), numbers.pick([1, 2, 5, 13, 50])],
                    groups,
                    window: Window { kernel, stride, dilation, padding },
                };
                let places = shape.output_extent();
                let input = numbers.vector(shape.input_len());
                let upstream = numbers.vector(shape.output_len());
                let taps = &shape.window.taps();
                let (input, upstream) = (&input[..], &upstream[..]);
                let call = ConvWeight { path, shape, taps, places, input, upstream };
                let start = vec![f32::NAN; shape.weights_len()];
                let output = same_for_all_crews(&start, |output, epilogue, crew| {
                    let size = crew.size();
                    let bytes = ConvWeight::<f32>::workspace_bytes(path, &shape, places, size);
                    call.compute(output, &mut vec![0xFF; bytes], crew);
                    if let Some(epilogue) = epilogue {
                        epilogue(output, 0);
                    }
                });
                let inner = shape.batch * places[0] * places[1];
                assert_close(&output, &naive(&shape, places, input, upstream), inner);
            }
        }
    }
}
