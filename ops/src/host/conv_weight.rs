//! The gradient of a convolution by its weight, by products with image patches.
//!
//! For each group, `sums += patches * upstream^T` over the images of the batch, one after the
//! other: `[channels_in * taps, pixels]` by `[pixels, channels_out]`. Rows of patches are pieces of
//! image rows, copied panel by panel and never stored whole; the upstream is transposed once for
//! all rows of a tile. A tile keeps its sums in its workspace, and at the end writes them, with rows
//! and columns exchanged, to the output.
//!
//! Each output is the sum over images (outer) and their pixels (inner). Few weights over large
//! images leave cores idle: a sum is never divided.
#![expect(unsafe_code, reason = "tiles of one output are written by different tasks")]

use std::ops::Range;

use synfire_runtime::crew::Crew;

use super::{
    disjoint::DisjointMut,
    kernel::{Base, LeftPanel},
    pack::{LeftSource, Matrix, Operand, RightOperand, left_row_stride},
    simd::{Element, Has, Job, LANES_MAX, Lanes, Path},
    tile::{self, Grid, Product, Sink, Tile},
    window::{ConvShape, Tap},
};

/// The most sums of a tile, but for one panel of rows: a quarter of a 1 MiB second cache.
const SUMS_MAX: usize = 64 * 1024;

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
        let rows = channels_in * shape.window.tap_count();
        let extents = [rows, places[0] * places[1], channels_out];
        let mut grid = Grid::new::<T>(path, extents, shape.groups, size);
        let panel = path.tile::<T>().rows;
        let rows_max = (SUMS_MAX / grid.column_chunk / panel).max(1) * panel;
        grid.row_chunk = grid.row_chunk.min(rows_max);
        grid
    }

    /// Elements of workspace for the sums of a tile, and for its panels.
    fn scratch(path: Path, places: [usize; 2], grid: &Grid) -> [usize; 2] {
        let panels = tile::scratch_len::<T>(path, places[0] * places[1], grid.column_chunk);
        [grid.row_chunk * grid.column_chunk, panels]
    }

    /// Bytes of workspace for crews of at most `size`, and any batch.
    #[must_use]
    pub fn workspace_bytes(
        path: Path,
        shape: &ConvShape,
        places: [usize; 2],
        size: usize,
    ) -> usize {
        let scratch = Self::scratch(path, places, &Self::grid(path, shape, places, 1));
        tile::workspace_bytes::<T>(scratch.iter().sum(), size)
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
        let [sums, panels] = Self::scratch(self.path, self.places, &grid);
        let output = DisjointMut::new(output);
        let tiles = grid.len() * shape.groups;
        tile::share_out(crew, tiles, (workspace, sums + panels), &|number, scratch| {
            let (group, tile) = (number / grid.len(), grid.tile(number % grid.len()));
            let (sums, scratch) = scratch.split_at_mut(sums);
            self.sum(group, &tile, sums, scratch);
            let [channels_in, channels_out] = shape.group_channels();
            let rows = channels_in * self.taps.len();
            for column in tile.columns.clone() {
                let first = (group * channels_out + column) * rows;
                // SAFETY: the tiles of the grid do not overlap, and each is computed once.
                let to = unsafe { output.piece(first + tile.rows.start..first + tile.rows.end) };
                let from = sums[column - tile.columns.start..].iter();
                let from = from.step_by(tile.columns.len());
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        });
    }

    /// Sums one tile of one group over the batch: `[patch row, channel]`.
    fn sum(&self, group: usize, tile: &Tile, sums: &mut [T], scratch: &mut [T]) {
        let [channels_in, channels_out] = self.shape.group_channels();
        let extent = self.shape.extent;
        let (pixels_in, pixels) = (extent[0] * extent[1], self.places[0] * self.places[1]);
        for item in 0..self.shape.batch {
            let product = item * self.shape.groups + group;
            let input = &self.input[product * channels_in * pixels_in..];
            let upstream = &self.upstream[product * channels_out * pixels..];
            let left = PatchRows {
                input: &input[..channels_in * pixels_in],
                extent,
                taps: self.taps,
                stride: self.shape.window.stride,
                output_width: self.places[1],
            };
            let upstream = Matrix::row_major(&upstream[..channels_out * pixels], pixels);
            let right = RightOperand {
                operand: Operand::Plain(upstream.transposed()),
                tile: self.path.tile::<T>(),
                rows: tile.rows.len(),
            };
            let product = Product { path: self.path, left, right: &right, inner: pixels };
            let sink = Sink {
                output: DisjointMut::new(sums),
                first: 0,
                row_stride: tile.columns.len(),
                base: if item == 0 { Base::Zero } else { Base::Output },
                epilogue: None,
            };
            // SAFETY: `sums` is this task's alone.
            unsafe { tile::compute(&product, tile, &sink, scratch) };
        }
    }
}

/// The patches of one image, or of one group of its channels, as rows: row `channel * taps + tap`
/// is what the output pixels see of that channel at that tap.
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

impl<T: Element> LeftSource<T> for PatchRows<'_, T> {
    fn left_panel<'s>(
        &'s self,
        path: Path,
        rows: &Range<usize>,
        block: &Range<usize>,
        room: &'s mut [T],
    ) -> LeftPanel<'s, T> {
        T::dispatch(path, PackRows { patches: self, rows, block, room });
        LeftPanel { data: room, row_stride: left_row_stride(block.len()), inner_stride: 1 }
    }
}

/// Packs one panel.
struct PackRows<'a, T> {
    patches: &'a PatchRows<'a, T>,
    rows: &'a Range<usize>,
    block: &'a Range<usize>,
    room: &'a mut [T],
}

impl<T: Element> Job<T> for PackRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) {
        let PackRows { patches, rows, block, room } = self;
        let stride = left_row_stride(block.len());
        for (row, to) in rows.clone().zip(room.chunks_exact_mut(stride)) {
            patches.row(row, block, to);
        }
    }
}

impl<T: Element> PatchRows<'_, T> {
    /// What these output pixels see of one channel at one tap, and whatever is there where they see
    /// nothing; if pixels that are neighbours see neighbours across rows too.
    #[inline(always)]
    fn line(&self, (channel, tap): (usize, Tap), pixels: &Range<usize>) -> Option<&[T]> {
        let [height, wide] = self.extent;
        if self.stride != [1, 1] || self.output_width != wide {
            return None;
        }
        let place = channel * height * wide + pixels.start;
        let from = place.checked_add_signed(tap.y * wide as isize + tap.x)?;
        self.input.get(from..from + pixels.len())
    }

    /// What these output pixels see at one channel and tap. `to` has room for [`LANES_MAX`] more:
    /// each copy may overwrite what the next one fills.
    #[inline(always)]
    fn row(&self, row: usize, pixels: &Range<usize>, to: &mut [T]) {
        let (channel, tap) = (row / self.taps.len(), self.taps[row % self.taps.len()]);
        let ([height, wide], [down, right]) = (self.extent, self.stride);
        let plane = &self.input[channel * height * wide..];
        // Pixels of an output row from `inside` to `outside` see a row of the image.
        let bound = |column: isize| column.max(0).unsigned_abs().div_ceil(right);
        let (inside, outside) = (bound(-tap.x), bound(wide as isize - tap.x));
        let line = self.line((channel, tap), pixels);
        if let Some(line) = line {
            to[..pixels.len()].copy_from_slice(line);
        }
        let is_copied = line.is_some();
        let (mut y, mut x) = (pixels.start / self.output_width, pixels.start % self.output_width);
        let mut at = 0;
        while at < pixels.len() {
            let end = self.output_width.min(x + pixels.len() - at);
            let line = (y * down).checked_add_signed(tap.y).filter(|line| *line < height);
            let (first, last) = match line {
                Some(_) => (inside.clamp(x, end), outside.clamp(x, end)),
                None => (end, end),
            };
            let [inside, outside] = [at + first - x, at + last - x];
            if is_copied {
                zero(&mut to[at..inside]);
                zero(&mut to[outside..at + end - x]);
            } else {
                zero_over(&mut to[at..], first - x);
                if let Some(line) = line.filter(|_| first < last) {
                    let from = (line * wide + first * right).strict_add_signed(tap.x);
                    copy_over(&plane[from..], &mut to[inside..], (last - first, right));
                }
                zero_over(&mut to[outside..], end - last);
            }
            at += end - x;
            (y, x) = (y + 1, 0);
        }
    }
}

/// Zeros: one, as a rule.
#[inline(always)]
fn zero<T: Element>(to: &mut [T]) {
    match to {
        [only] => *only = T::ZERO,
        more => more.fill(T::ZERO),
    }
}

/// Zeros, and up to [`LANES_MAX`] more.
#[inline(always)]
fn zero_over<T: Element>(to: &mut [T], count: usize) {
    for at in (0..count).step_by(LANES_MAX) {
        to[at..at + LANES_MAX].fill(T::ZERO);
    }
}

/// Every `stride`-th pixel, and perhaps up to [`LANES_MAX`] more.
#[inline(always)]
fn copy_over<T: Element>(from: &[T], to: &mut [T], (count, stride): (usize, usize)) {
    if stride != 1 {
        let from = from.iter().step_by(stride);
        return to[..count].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    for at in (0..count).step_by(LANES_MAX) {
        match from[at..].first_chunk::<LANES_MAX>() {
            Some(from) => to[at..at + LANES_MAX].copy_from_slice(from),
            None => to[at..count].copy_from_slice(&from[at..count]),
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
