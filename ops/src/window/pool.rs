//! Pools: windows that fold the pixels of one channel, output row by output row.

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{Axes, SpecError};
use synfire_runtime::spec::{Scalar, Spec};

use super::{Image, Spans, set_batch, split};
use crate::host::pieces::{pieces, pieces_of_two};
use crate::host::real::Real;
use crate::host::simd::{Element, Path};
use crate::host::window::{Padding, Window};
use crate::sample::Tensor;

mod largest; // the largest pixel of each window
use largest::Largest;

/// What becomes of a last window that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// It is left out.
    Floor,
    /// It is kept, without what lies beyond the padding, if it starts inside the image or the
    /// padding before it.
    Ceiling,
}

/// The geometry of a pool over an image.
pub(crate) struct Pool {
    image: Image,
    window: Window,
    /// Rows and columns of the output.
    places: [usize; 2],
}

impl Pool {
    pub(crate) fn new(x: &Spec, window: Window, rounding: Rounding) -> Result<Self, SpecError> {
        let image = Image::of(x)?;
        image.holds(x, "x", &window)?;
        let Padding { top, bottom, left, right } = window.padding;
        let (before, after, span) = ([top, left], [bottom, right], window.span());
        if (0..2).any(|axis| before[axis].max(after[axis]) > span[axis] / 2) {
            let found = format!("padding {:?}", [top, bottom, left, right]);
            let wanted = format!("at most half of the window, which spans {span:?}");
            return Err(SpecError::new("x", found, wanted));
        }
        let places = [0, 1].map(|axis| {
            let (extent, stride) = (image.extent[axis] + before[axis], window.stride[axis]);
            let room = extent + after[axis] - span[axis];
            match rounding {
                Rounding::Floor => room / stride + 1,
                Rounding::Ceiling => (room.div_ceil(stride) + 1).min(extent.div_ceil(stride)),
            }
        });
        Ok(Self { image, window, places })
    }

    /// The spec of the output.
    pub(crate) fn output(&self) -> Spec {
        self.image.output(self.image.channels, self.places)
    }

    /// What the windows span, rows and columns, gaps between taps included.
    pub(crate) fn spans(&self) -> [Spans; 2] {
        let Padding { top, left, .. } = self.window.padding;
        let span = self.window.span();
        [0, 1].map(|axis| {
            let motion = [span[axis], self.window.stride[axis], [top, left][axis]];
            Spans::sliding(motion, self.image.extent[axis], self.places[axis])
        })
    }

    /// Fires: calls `body(row, y)` for each output row `y`, in parallel.
    pub(crate) fn rows<T: Scalar>(
        &self,
        firing: &mut Firing<'_>,
        body: &(dyn Fn(&Row<'_, T>, &mut [T]) + Sync),
    ) {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        set_batch(&mut y, &x);
        let (x, [height, width]) = (x.elements::<T>(), self.places);
        let pixels = self.image.extent[0] * self.image.extent[1];
        pieces(crew, y.elements::<T>(), width, &|offset, piece| {
            for (number, y) in piece.chunks_exact_mut(width).enumerate() {
                let row = offset / width + number;
                let plane = &x[row / height * pixels..][..pixels];
                body(&Row { pool: self, plane, place: row % height }, y);
            }
        });
    }

    /// Fires: the largest pixel of each window, `least` where it sees none.
    pub(crate) fn largest<T: Element + Real + Into<f64>>(
        &self,
        firing: &mut Firing<'_>,
        path: Path,
        least: T,
    ) {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        set_batch(&mut y, &x);
        let (x, width) = (x.elements::<T>(), self.places[1]);
        pieces(crew, y.elements::<T>(), width, &|offset, y| {
            let (pool, row, index) = (self, offset / width, &mut [][..]);
            T::dispatch(path, Largest::<T, false> { pool, x, row, least, y, index });
        });
    }

    /// Whether an `f32` can count the pixels from a window's first tap to its last.
    pub(crate) fn is_compact(&self) -> bool {
        let [rows, columns] = self.window.span();
        let pixels = rows.checked_mul(self.image.extent[1]).and_then(|n| n.checked_add(columns));
        pixels.is_some_and(|pixels| pixels < 1 << f32::MANTISSA_DIGITS)
    }

    /// Fires: the largest pixel of each window, and, as output 1, where in its channel it is.
    pub(crate) fn largest_indexed<T: Element + Real + Into<f64>>(
        &self,
        firing: &mut Firing<'_>,
        path: Path,
        least: T,
    ) {
        let (crew, x) = (firing.crew(), firing.input(0));
        let (mut y, mut index) = (firing.output(0), firing.output(1));
        set_batch(&mut y, &x);
        set_batch(&mut index, &x);
        let (x, width) = (x.elements::<T>(), self.places[1]);
        let outputs = (y.elements::<T>(), index.elements::<i64>());
        pieces_of_two(crew, outputs, width, &|offset, y, index| {
            let (pool, row) = (self, offset / width);
            T::dispatch(path, Largest::<T, true> { pool, x, row, least, y, index });
        });
    }

    /// How many rows (axis 0) or columns of the window at a place lie inside the image.
    pub(crate) fn inside(&self, axis: usize, place: usize) -> usize {
        let [start, end] = self.span(axis, place);
        (end.min(self.image.extent[axis] as isize) - start.max(0)).max(0) as usize
    }

    /// How many lie inside the image and its padding.
    pub(crate) fn inside_padding(&self, axis: usize, place: usize) -> usize {
        let Padding { bottom, right, .. } = self.window.padding;
        let [start, end] = self.span(axis, place);
        let padded = self.image.extent[axis] + [bottom, right][axis];
        (end.min(padded as isize) - start).max(0) as usize
    }

    /// The first pixel of the window at a place, and the one behind its last.
    fn span(&self, axis: usize, place: usize) -> [isize; 2] {
        let Padding { top, left, .. } = self.window.padding;
        let start = (place * self.window.stride[axis]) as isize - [top, left][axis] as isize;
        [start, start + self.window.span()[axis] as isize]
    }
}

/// What an output row sees.
pub(crate) struct Row<'a, T> {
    pool: &'a Pool,
    plane: &'a [T],
    /// Which row of its channel it is.
    pub(crate) place: usize,
}

impl<T: Scalar> Row<'_, T> {
    /// Calls `body(pixels, y, stride)` for each tap that lies inside the image: the part `y` of the
    /// output row sees every `stride`-th of the pixels.
    pub(crate) fn taps(&self, y: &mut [T], body: impl Fn(&[T], &mut [T], usize)) {
        let (window, [rows, columns]) = (&self.pool.window, self.pool.image.extent);
        let stride = window.stride[1];
        for tap in (0..window.tap_count()).map(|position| window.tap(position)) {
            let row = (self.place * window.stride[0]).checked_add_signed(tap.y);
            let Some(row) = row.filter(|&row| row < rows) else { continue };
            let line = &self.plane[row * columns..][..columns];
            // Output `q` sees column `q * stride + tap.x`.
            let first = (-tap.x).max(0).unsigned_abs().div_ceil(stride);
            let end = (columns as isize - tap.x).max(0).unsigned_abs().div_ceil(stride);
            let end = end.min(y.len());
            if first < end {
                let pixel = (first * stride).strict_add_signed(tap.x);
                body(&line[pixel..], &mut y[first..end], stride);
            }
        }
    }
}

/// Folds every `stride`-th pixel into `y`. Inlined, so that it is compiled for the CPU's vectors.
#[inline(always)]
pub(crate) fn along<T: Copy>(pixels: &[T], y: &mut [T], stride: usize, fold: impl Fn(T, T) -> T) {
    match stride {
        1 => y.iter_mut().zip(pixels).for_each(|(y, &x)| *y = fold(*y, x)),
        2 => {
            let Some((last, most)) = y.split_last_mut() else { return };
            let pairs = pixels.chunks_exact(2);
            *last = fold(*last, pixels[2 * most.len()]);
            most.iter_mut().zip(pairs).for_each(|(y, x)| *y = fold(*y, x[0]));
        }
        _ => y.iter_mut().zip(pixels.iter().step_by(stride)).for_each(|(y, &x)| *y = fold(*y, x)),
    }
}

/// Labels of a pool.
pub(crate) fn pool_axes(x: &Spec) -> Axes {
    Axes::parse(if x.rank() == 4 { "bchw->bcpq" } else { "chw->cpq" })
}

/// A pool in plain loops: `fold(pixels, size)` makes an output of the window's pixels inside the
/// image and of how many there are with padding.
pub(crate) fn pooled(x: &Tensor, pool: &Pool, fold: impl Fn(&[f64], usize) -> f64) -> Tensor {
    let Window { kernel, stride, dilation, padding } = pool.window;
    let (_, [_, rows, columns]) = split(x);
    let mut extents = x.extents.clone();
    let first = extents.len() - 2;
    extents[first..].copy_from_slice(&pool.places);
    Tensor::from_fn(&extents, |at| {
        let (mut pixels, mut size) = (Vec::new(), 0);
        for i in 0..kernel[0] {
            for j in 0..kernel[1] {
                let row = at[first] * stride[0] + i * dilation[0];
                let column = at[first + 1] * stride[1] + j * dilation[1];
                let bottom = padding.top + rows + padding.bottom;
                let right = padding.left + columns + padding.right;
                size += usize::from(row < bottom && column < right);
                let inside = (padding.top..padding.top + rows).contains(&row)
                    && (padding.left..padding.left + columns).contains(&column);
                if inside {
                    let mut place = at.to_vec();
                    place[first..].copy_from_slice(&[row - padding.top, column - padding.left]);
                    pixels.push(x.at(&place));
                }
            }
        }
        fold(&pixels, size)
    })
}
