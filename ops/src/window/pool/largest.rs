//! The largest pixel of each window, for as many windows of a row at a time as a vector has lanes.
//!
//! A tap reads one pixel for each of them: with stride 1 and 2 in vectors, which may hold pixels of
//! the next row in lanes that nobody asks for. A whole vector is stored wherever there is room:
//! what it writes behind its row belongs to the next one, which follows.

use super::Pool;
use crate::host::real::Real;
use crate::host::simd::{Element, Has, Job, LANES_MAX, Lanes};
use crate::host::window::Padding;

/// Whole output rows to compute; with `INDEXED`, the index of each largest pixel in its channel.
pub(crate) struct Largest<'a, T, const INDEXED: bool> {
    /// The windows.
    pub(crate) pool: &'a Pool,
    /// The image.
    pub(crate) x: &'a [T],
    /// The number of the first row, counted over all channels.
    pub(crate) row: usize,
    /// What a window without pixels has.
    pub(crate) least: T,
    /// The rows.
    pub(crate) y: &'a mut [T],
    /// As long as `y`; -1 where a window has no pixels. Not touched unless `INDEXED`.
    pub(crate) index: &'a mut [i64],
}

/// Neighbouring windows of one row.
struct Block<'a, T> {
    pool: &'a Pool,
    /// The channel.
    plane: &'a [T],
    /// The image from the channel on.
    rest: &'a [T],
    least: T,
    /// The first window.
    place: [usize; 2],
    /// How many windows.
    count: usize,
}

impl<T: Element + Real + Into<f64>, const INDEXED: bool> Job<T> for Largest<'_, T, INDEXED> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, has: Has<L>) {
        let Self { pool, x, row: first, least, y, index } = self;
        let (pixels, [height, width]) = (pool.image.extent[0] * pool.image.extent[1], pool.places);
        for at in (0..y.len()).step_by(width) {
            let row = first + at / width;
            let rest = &x[row / height * pixels..];
            let plane = &rest[..pixels];
            for column in (0..width).step_by(L::LANES) {
                let (place, count) = ([row % height, column], L::LANES.min(width - column));
                let block = Block { pool, plane, rest, least, place, count };
                let [largest, marks] = block.search::<L, INDEXED>(has);
                store(largest, &mut y[at + column..], count);
                if INDEXED {
                    let mut numbers = [T::ZERO; LANES_MAX];
                    marks.write(&mut numbers);
                    block.indices(&numbers, &mut index[at + column..][..count]);
                }
            }
        }
    }
}

impl<T: Element + Real + Into<f64>> Block<'_, T> {
    /// The largest pixels, of equals the first, of NaN the last; and how many pixels each is behind
    /// the first tap of its window, -1 where none is larger than the least number.
    #[inline(always)]
    fn search<L: Lanes<Scalar = T>, const INDEXED: bool>(&self, has: Has<L>) -> [L; 2] {
        let (window, [rows, columns]) = (&self.pool.window, self.pool.image.extent);
        let (mut largest, mut marks) = (L::splat(has, self.least), L::splat(has, T::of(-1.0)));
        for tap in 0..window.kernel[0] {
            let down = tap * window.dilation[0];
            let row = (self.place[0] * window.stride[0] + down).checked_sub(window.padding.top);
            let Some(row) = row.filter(|&row| row < rows) else { continue };
            for tap in 0..window.kernel[1] {
                let right = tap * window.dilation[1];
                let pixels = self.pixels(has, row, right);
                if INDEXED {
                    let mark = T::of((down * columns + right) as f64);
                    [largest, marks] = largest.larger(pixels, [marks, L::splat(has, mark)]);
                } else {
                    [largest, _] = largest.larger(pixels, [largest, pixels]);
                }
            }
        }
        [largest, marks]
    }

    /// What the windows see of an image row, so many columns behind their first; the least number
    /// outside.
    #[inline(always)]
    fn pixels<L: Lanes<Scalar = T>>(&self, has: Has<L>, row: usize, right: usize) -> L {
        let (window, columns) = (&self.pool.window, self.pool.image.extent[1]);
        let stride = window.stride[1];
        let first = self.place[1] * stride + right;
        let last = first + (self.count - 1) * stride;
        let inside = window.padding.left..columns + window.padding.left;
        if inside.contains(&first) && inside.contains(&last) {
            let from = &self.rest[row * columns + first - window.padding.left..];
            match stride {
                1 if from.len() >= L::LANES => return L::read(has, from),
                2 if from.len() >= 2 * L::LANES => {
                    return L::read(has, from).even(L::read(has, &from[L::LANES..]));
                }
                _ => {}
            }
        }
        let line = &self.plane[row * columns..][..columns];
        let mut pixels = [self.least; LANES_MAX];
        for (lane, pixel) in pixels.iter_mut().enumerate().take(self.count) {
            let column = (first + lane * stride).checked_sub(window.padding.left);
            *pixel = column.and_then(|column| line.get(column)).copied().unwrap_or(self.least);
        }
        L::read(has, &pixels)
    }

    /// Where the pixels are in their channel, by their marks.
    #[inline(always)]
    fn indices(&self, marks: &[T; LANES_MAX], to: &mut [i64]) {
        let (window, columns) = (&self.pool.window, self.pool.image.extent[1]);
        let Padding { top, left, .. } = window.padding;
        let [row, column] = [0, 1].map(|axis| self.place[axis] * window.stride[axis]);
        let first = (row * columns + column) as i64 - (top * columns + left) as i64;
        for (lane, (to, mark)) in to.iter_mut().zip(marks).enumerate() {
            let mark: f64 = (*mark).into();
            *to = match mark < 0.0 {
                true => self.first_seen(lane).map_or(-1, |index| index as i64),
                false => first + (lane * window.stride[1]) as i64 + mark as i64,
            };
        }
    }

    /// Where the first pixel of a window is in its channel: the one of equals, if all are least.
    fn first_seen(&self, lane: usize) -> Option<usize> {
        let window = &self.pool.window;
        let place = [self.place[0], self.place[1] + lane];
        let [rows, columns] = [0, 1].map(|axis| {
            let before = [window.padding.top, window.padding.left][axis];
            let taps = (0..window.kernel[axis]).map(|tap| tap * window.dilation[axis]);
            let mut seen = taps.filter_map(|tap| {
                let pixel = (place[axis] * window.stride[axis] + tap).checked_sub(before)?;
                (pixel < self.pool.image.extent[axis]).then_some(pixel)
            });
            seen.next()
        });
        Some(rows? * self.pool.image.extent[1] + columns?)
    }
}

/// Stores a vector of which `count` lanes are wanted.
#[inline(always)]
fn store<L: Lanes>(vector: L, to: &mut [L::Scalar], count: usize) {
    if to.len() >= L::LANES {
        return vector.write(to);
    }
    let mut numbers = [L::Scalar::ZERO; LANES_MAX];
    vector.write(&mut numbers);
    to[..count].copy_from_slice(&numbers[..count]);
}
