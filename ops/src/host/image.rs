//! Image patches as the columns of a matrix, packed panel by panel and never stored whole.
//!
//! Column `p` is output pixel `p`; row `tap * channels + channel` is what it sees of that channel
//! at that tap. For one tap, a panel's pixels fall into pieces of image rows that are the same in
//! every channel: they are planned once ([`Copy`]) and then repeated for all channels.

use std::ops::Range;

use super::{
    kernel::RightPanel,
    pack::RightSource,
    simd::{Element, Has, Job, LANES_MAX, Lanes, Path},
    window::Tap,
};

/// The most copies of one panel row: each fills at least one of its columns.
const COPIES_MAX: usize = 3 * LANES_MAX;

/// The patches of one image, or of one group of its channels.
#[derive(Clone, Copy, Debug)]
pub struct Patches<'a, T> {
    /// `[channels, height, width]`.
    pub input: &'a [T],
    /// Channels of `input`.
    pub channels: usize,
    /// Height and width of `input`.
    pub extent: [usize; 2],
    /// What each output pixel sees.
    pub taps: &'a [Tap],
    /// Input pixels from one output pixel to the next, down and right.
    pub stride: [usize; 2],
    /// Output pixels in a row.
    pub output_width: usize,
}

impl<T: Element> RightSource<T> for Patches<'_, T> {
    fn in_place(&self, _: &Range<usize>, _: &Range<usize>) -> Option<RightPanel<'_, T>> {
        None
    }

    fn pack(&self, path: Path, columns: &Range<usize>, block: &Range<usize>, room: &mut [T]) {
        T::dispatch(path, PackPatches { patches: self, columns, block, room });
    }
}

/// Packs one panel.
struct PackPatches<'a, T> {
    patches: &'a Patches<'a, T>,
    columns: &'a Range<usize>,
    block: &'a Range<usize>,
    room: &'a mut [T],
}

impl<T: Element> Job<T> for PackPatches<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) {
        let PackPatches { patches, columns, block, room } = self;
        let width = L::VECTORS * L::LANES;
        let pixels = patches.extent[0] * patches.extent[1];
        let mut plan = [Copy { lane: 0, count: 0, from: None }; COPIES_MAX];
        let mut step = block.start;
        while step < block.end {
            let channel = step % patches.channels;
            let channels = (patches.channels - channel).min(block.end - step);
            let count = patches.plan(patches.taps[step / patches.channels], columns, &mut plan);
            for next in 0..channels {
                let to = &mut room[(step - block.start + next) * width..];
                let plane = (channel + next) * pixels;
                match patches.stride[1] {
                    1 => copy_row(&plan[..count], patches.input, plane, to),
                    stride => gather_row(&plan[..count], patches.input, (plane, stride), to),
                }
            }
            step += channels;
        }
    }
}

/// Fills `count` columns of a panel row, from `lane`. It may write up to [`LANES_MAX`] columns:
/// the ones behind are filled by the copies that follow.
#[derive(Clone, Copy)]
struct Copy {
    lane: usize,
    count: usize,
    /// Where the first one is in the channel's plane; outside the image it is zero.
    from: Option<usize>,
}

impl<T> Patches<'_, T> {
    /// Plans the copies for one tap, in the order of columns, and returns how many there are.
    #[inline(always)]
    fn plan(&self, tap: Tap, columns: &Range<usize>, plan: &mut [Copy; COPIES_MAX]) -> usize {
        let [height, width] = self.extent.map(|n| n as isize);
        let [down, right] = self.stride.map(|n| n as isize);
        // Columns of the output whose pixel lies inside the image: from `inside` to `outside`.
        let inside = (-tap.x).max(0) + right - 1;
        let outside = (width - tap.x).max(0) + right - 1;
        let [inside, outside] = [inside, outside].map(|n| n / right);
        let (mut count, mut lane) = (0, 0);
        let mut push = |lane: &mut usize, end: usize, from: Option<isize>| {
            let first = *lane;
            while *lane < end {
                let from = from.map(|from| (from + (*lane - first) as isize * right) as usize);
                plan[count] = Copy { lane: *lane, count: (end - *lane).min(LANES_MAX), from };
                *lane += plan[count].count;
                count += 1;
            }
        };
        while lane < columns.len() {
            let pixel = columns.start + lane;
            let (y, x) = (pixel / self.output_width, pixel % self.output_width);
            let length = (self.output_width - x).min(columns.len() - lane);
            let row = y as isize * down + tap.y;
            let (start, end) = (lane, lane + length);
            if (0..height).contains(&row) {
                let bound = |n: isize| start + (n - x as isize).clamp(0, length as isize) as usize;
                let (inside, outside) = (bound(inside), bound(outside));
                push(&mut lane, inside, None);
                let first = (x + lane - start) as isize * right + tap.x;
                push(&mut lane, outside, Some(row * width + first));
            }
            push(&mut lane, end, None);
        }
        count
    }
}

/// One row of a panel where neighbouring output pixels see neighbouring input pixels.
#[inline(always)]
fn copy_row<T: Element>(plan: &[Copy], input: &[T], plane: usize, to: &mut [T]) {
    for copy in plan {
        let to = &mut to[copy.lane..copy.lane + LANES_MAX];
        let Some(from) = copy.from else {
            to.fill(T::ZERO);
            continue;
        };
        let from = &input[plane + from..];
        match from.first_chunk::<LANES_MAX>() {
            Some(from) => to.copy_from_slice(from),
            None => to[..copy.count].copy_from_slice(&from[..copy.count]),
        }
    }
}

/// One row of a panel where neighbouring output pixels see every `stride`-th input pixel.
#[inline(always)]
fn gather_row<T: Element>(
    plan: &[Copy],
    input: &[T],
    (plane, stride): (usize, usize),
    to: &mut [T],
) {
    for copy in plan {
        let to = &mut to[copy.lane..copy.lane + LANES_MAX];
        let Some(from) = copy.from else {
            to.fill(T::ZERO);
            continue;
        };
        let from = &input[plane + from..];
        match from.first_chunk::<{ 2 * LANES_MAX }>() {
            Some(from) if stride == 2 => {
                for (lane, to) in to.iter_mut().enumerate() {
                    *to = from[2 * lane];
                }
            }
            _ => {
                for (lane, to) in to.iter_mut().enumerate().take(copy.count) {
                    *to = from[lane * stride];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Numbers;

    /// Every element of every panel is the pixel it stands for.
    fn check(path: Path, patches: &Patches<'_, f32>, output_height: usize) {
        let [height, width] = patches.extent.map(|n| n as isize);
        let (pixels, inner) =
            (output_height * patches.output_width, patches.taps.len() * patches.channels);
        let wide = path.tile::<f32>().columns;
        let mut room = vec![f32::NAN; wide * inner + LANES_MAX];
        for start in (0..pixels).step_by(wide) {
            let columns = start..(start + wide).min(pixels);
            let block = inner / 3..inner;
            patches.pack(path, &columns, &block, &mut room);
            for (row, step) in block.enumerate() {
                let tap = patches.taps[step / patches.channels];
                for (lane, pixel) in columns.clone().enumerate() {
                    let y = (pixel / patches.output_width * patches.stride[0]) as isize + tap.y;
                    let x = (pixel % patches.output_width * patches.stride[1]) as isize + tap.x;
                    let is_inside = (0..height).contains(&y) && (0..width).contains(&x);
                    let plane = (step % patches.channels) as isize * height * width;
                    let expect = match is_inside {
                        true => patches.input[(plane + y * width + x) as usize],
                        false => 0.0,
                    };
                    assert_eq!(room[row * wide + lane], expect, "step {step}, pixel {pixel}");
                }
            }
        }
    }

    #[test]
    fn panels_hold_the_pixels_that_outputs_see() {
        for path in Path::available() {
            let mut numbers = Numbers::new(4);
            for _ in 0..60 {
                let extent = [numbers.pick([1, 2, 5, 9]), numbers.pick([1, 2, 3, 15, 16, 31, 70])];
                let channels = numbers.pick([1, 2, 5]);
                let input = numbers.vector(channels * extent[0] * extent[1]);
                let taps: Vec<Tap> = (0..4)
                    .map(|_| Tap {
                        y: numbers.below(9) as isize - 4,
                        x: numbers.below(25) as isize - 12,
                    })
                    .collect();
                let patches = Patches {
                    input: &input,
                    channels,
                    extent,
                    taps: &taps,
                    stride: [numbers.pick([1, 2, 3]), numbers.pick([1, 1, 2, 3])],
                    output_width: numbers.pick([1, 2, 3, 7, 15, 48, 61]),
                };
                check(path, &patches, numbers.pick([1, 3, 8]));
            }
        }
    }
}
