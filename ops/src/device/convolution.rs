//! Convolutions and transposed convolutions on a device: one kernel for both.
//!
//! A transposed convolution of stride `s` is `s * s` convolutions side by side, the *phases*: all
//! places of a phase are reached by the same taps, from neighbouring pixels. A convolution has one
//! phase. Each place gathers what it needs, so no two units add to the same element.
//!
//! Each unit keeps a few places of a few filters in registers; neighbours take neighbouring places.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::image::{Direction, fit};
use super::kernel::{Call, CubeKernel, Tensor, size};
use crate::host::window::{ConvShape, ConvTransposeShape, Window};

/// Units of a cube.
const UNITS: u32 = 64;

/// Places of a unit, [`UNITS`] apart, where there are more than units.
const PLACES: usize = 4;

/// At most so many filters are in one unit.
const FILTERS_MAX: usize = 8;

/// The kernel of ports `x`, `weight` and, perhaps, `bias`.
pub(crate) struct OnCube {
    window: Window,
    groups: usize,
    is_transposed: bool,
}

impl OnCube {
    /// Of a convolution.
    pub(crate) fn plain(shape: &ConvShape) -> Self {
        Self { window: shape.window, groups: shape.groups, is_transposed: false }
    }

    /// Of a transposed convolution.
    pub(crate) fn transposed(shape: &ConvTransposeShape) -> Self {
        Self { window: shape.window, groups: shape.groups, is_transposed: true }
    }

    /// Down and across.
    fn steps(&self, x: &Tensor, y: &Tensor) -> [(Direction, Phases); 2] {
        let mut directions = Direction::both(&self.window, &x.extents(), &y.extents());
        [0, 1].map(|axis| {
            let direction = &mut directions[axis];
            if !self.is_transposed {
                return (*direction, Phases { count: 1, period: 1, padding: 0, dilation: 0 });
            }
            let (stride, dilation) = (self.window.stride[axis], self.window.dilation[axis]);
            let divisor = common_divisor(stride, dilation);
            direction.place_step = 1;
            direction.tap_step = size(dilation / divisor).wrapping_neg();
            let phases = Phases {
                count: size(stride),
                period: size(stride / divisor),
                padding: direction.first.wrapping_neg(),
                dilation: size(dilation),
            };
            (*direction, phases)
        })
    }

    fn counts(&self, weight: &Tensor, [x, y]: [&Tensor; 2], phases: [Phases; 2]) -> Counts {
        let channel = y.extents().len() - 3;
        let [channels, filters] = [x, y].map(|image| image.extents()[channel] / self.groups);
        let places = [0, 1]
            .map(|axis| y.extents()[channel + 1 + axis].div_ceil(phases[axis].count as usize));
        let items = y.extents()[..channel].iter().product::<usize>();
        let [places_each, places_across] = [places[0] * places[1], places[1]];
        let places = items * places_each;
        let taps = weight.extents()[2..].iter().product::<usize>();
        let [to_filter, to_channel] = match self.is_transposed {
            false => [channels * taps, taps],
            true => [taps, filters * taps],
        };
        Counts {
            places: size(places),
            places_each: size(places_each),
            places_across: size(places_across),
            strips: size(places.div_ceil(UNITS as usize * span(places))),
            groups: size(self.groups),
            channels: size(channels),
            filters: size(filters),
            blocks: size(filters.div_ceil(block(filters))),
            to_group: size(channels * filters * taps),
            to_filter: size(to_filter),
            to_channel: size(to_channel),
        }
    }
}

/// How many filters are in one unit.
fn block(filters: usize) -> usize {
    filters.next_power_of_two().min(FILTERS_MAX)
}

/// How many places are in one unit.
fn span(places: usize) -> usize {
    if places > UNITS as usize { PLACES } else { 1 }
}

/// The largest number that divides both, after Euclid.
fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (x, weight) = (call.input(0), call.input(1));
        let y = fit(call, &x);
        if y.elements() == 0 {
            return Ok(());
        }
        let [(down, phases_down), (across, phases_across)] = self.steps(&x, &y);
        let phases = [phases_down, phases_across];
        let counts = self.counts(&weight, [&x, &y], phases);
        let has_bias = call.inputs() == 3;
        let bias = call.input(if has_bias { 2 } else { 1 });
        let cubes = [counts.strips, counts.blocks, counts.groups, phases[0].count, phases[1].count];
        let cubes = cubes.iter().map(|&count| count as usize).product();
        call.cubes(cubes, UNITS, |client, cubes, units| {
            convolve::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                weight.array(),
                bias.array(),
                y.array(),
                counts.argument(),
                down.argument(),
                across.argument(),
                phases[0].argument(),
                phases[1].argument(),
                has_bias,
                block(counts.filters as usize),
                span(counts.places as usize),
            );
        })
    }
}

#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Counts {
    /// Places of one phase in one channel, of all images.
    places: u32,
    /// Those of one image.
    places_each: u32,
    /// Those of one row.
    places_across: u32,
    /// Cubes that share those.
    strips: u32,
    groups: u32,
    /// Channels of a group.
    channels: u32,
    /// Filters of a group.
    filters: u32,
    /// Cubes that share those.
    blocks: u32,
    /// Weights from one group to the next.
    to_group: u32,
    /// Weights from one filter to the next.
    to_filter: u32,
    /// Weights from one channel to the next.
    to_channel: u32,
}

impl Counts {
    fn argument<R: Runtime>(&self) -> CountsLaunch<R> {
        CountsLaunch::new(
            self.places,
            self.places_each,
            self.places_across,
            self.strips,
            self.groups,
            self.channels,
            self.filters,
            self.blocks,
            self.to_group,
            self.to_filter,
            self.to_channel,
        )
    }
}

/// The phases of one direction.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Phases {
    count: u32,
    /// Taps from one that reaches a place to the next.
    period: u32,
    padding: u32,
    /// Zero for a convolution that is not transposed.
    dilation: u32,
}

impl Phases {
    fn argument<R: Runtime>(&self) -> PhasesLaunch<R> {
        PhasesLaunch::new(self.count, self.period, self.padding, self.dilation)
    }
}

/// The first tap that reaches the places of a phase; none is behind every window.
#[cube]
fn first_tap(phases: &Phases, phase: u32) -> u32 {
    let mut first = 0xffff_ffffu32;
    for tap in 0..phases.period {
        if tap * phases.dilation % phases.count == (phase + phases.padding) % phases.count {
            first = tap;
        }
    }
    first
}

/// The pixel that this tap sees at the first place of the phase.
#[cube]
fn first_pixel(direction: &Direction, phases: &Phases, phase: u32, tap: u32) -> u32 {
    let mut pixel = direction.first;
    if phases.dilation > 0 {
        // Divides without rest, and may be negative.
        let reach = i32::cast_from(phase + phases.padding) - i32::cast_from(tap * phases.dilation);
        pixel = u32::cast_from(reach / i32::cast_from(phases.count));
    }
    pixel
}

/// What a unit computes.
#[derive(Clone, Copy, CubeType)]
struct Part {
    group: u32,
    /// The first filter, in its group.
    filter: u32,
    phase_down: u32,
    phase_across: u32,
    /// The first place, in its phase.
    place: u32,
}

#[cube]
fn part(
    counts: &Counts,
    down: &Phases,
    across: &Phases,
    #[comptime] block: usize,
    #[comptime] span: usize,
) -> Part {
    let rest = CUBE_POS as u32 / counts.strips;
    let (phase_across, rest) = (rest % across.count, rest / across.count);
    let (phase_down, rest) = (rest % down.count, rest / down.count);
    Part {
        group: rest / counts.blocks,
        filter: rest % counts.blocks * comptime!(block as u32),
        phase_down,
        phase_across,
        place: CUBE_POS as u32 % counts.strips * comptime!(UNITS * span as u32) + UNIT_POS,
    }
}

#[cube(launch)]
fn convolve(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    y: &mut Array<f32>,
    counts: Counts,
    down: Direction,
    across: Direction,
    phases_down: Phases,
    phases_across: Phases,
    #[comptime] with_bias: bool,
    #[comptime] block: usize,
    #[comptime] span: usize,
) {
    let part = part(&counts, &phases_down, &phases_across, block, span);
    if part.group < counts.groups {
        let tap_down = first_tap(&phases_down, part.phase_down);
        let tap_across = first_tap(&phases_across, part.phase_across);
        let first_row = first_pixel(&down, &phases_down, part.phase_down, tap_down);
        let first_column = first_pixel(&across, &phases_across, part.phase_across, tap_across);
        let image = down.extent * across.extent;
        // Places and filters behind the last repeat it, and are not stored.
        let mut row = Array::<u32>::new(span);
        let mut column = Array::<u32>::new(span);
        let mut start = Array::<u32>::new(span);
        #[unroll]
        for p in 0..span {
            let place = min(part.place + comptime!(p as u32 * UNITS), counts.places - 1);
            let within = place % counts.places_each;
            row[p] = first_row + within / counts.places_across * down.place_step;
            column[p] = first_column + within % counts.places_across * across.place_step;
            let group = place / counts.places_each * counts.groups + part.group;
            start[p] = group * counts.channels * image;
        }
        let mut factors = Array::<u32>::new(block);
        let mut values = Array::<f32>::new(span);
        let mut sums = Array::<f32>::new(comptime!(block * span));
        begin(bias, &mut factors, &mut sums, &counts, &part, with_bias, block, span);
        for channel in 0..counts.channels {
            let mut i = tap_down;
            let mut to_row = 0u32;
            while i < down.taps {
                let mut j = tap_across;
                let mut to_column = 0u32;
                while j < across.taps {
                    #[unroll]
                    for p in 0..span {
                        let (at, row, column) = (start[p], row[p] + to_row, column[p] + to_column);
                        values[p] = pixel(x, at + channel * image, row, column, &down, &across);
                    }
                    let tap = channel * counts.to_channel + i * across.taps + j;
                    #[unroll]
                    for f in 0..block {
                        let factor = weight[(factors[f] + tap) as usize];
                        #[unroll]
                        for p in 0..span {
                            sums[comptime!(f * span + p)] += factor * values[p];
                        }
                    }
                    j += phases_across.period;
                    to_column += across.tap_step;
                }
                i += phases_down.period;
                to_row += down.tap_step;
            }
        }
        #[unroll]
        for p in 0..span {
            let place = part.place + comptime!(p as u32 * UNITS);
            let within = place % counts.places_each;
            let row = within / counts.places_across * phases_down.count + part.phase_down;
            let column = within % counts.places_across * phases_across.count + part.phase_across;
            let is_place = place < counts.places && row < down.places && column < across.places;
            let item = place / counts.places_each * counts.groups + part.group;
            #[unroll]
            for f in 0..block {
                let filter = part.filter + comptime!(f as u32);
                if is_place && filter < counts.filters {
                    let plane = (item * counts.filters + filter) * down.places;
                    let element = (plane + row) * across.places + column;
                    y[element as usize] = sums[comptime!(f * span + p)];
                }
            }
        }
    }
}

/// A pixel of the image that starts at `start`; zero outside.
#[cube]
pub(crate) fn pixel(
    x: &Array<f32>,
    start: u32,
    row: u32,
    column: u32,
    down: &Direction,
    across: &Direction,
) -> f32 {
    let is_inside = row < down.extent && column < across.extent;
    let at = start + row * across.extent + column;
    let value = x[select(is_inside, at, 0u32) as usize];
    select(is_inside, value, 0.0f32)
}

/// Where the weights of the filters begin in their group, and what their sums begin with.
#[cube]
fn begin(
    bias: &Array<f32>,
    factors: &mut Array<u32>,
    sums: &mut Array<f32>,
    counts: &Counts,
    part: &Part,
    #[comptime] with_bias: bool,
    #[comptime] block: usize,
    #[comptime] span: usize,
) {
    #[unroll]
    for f in 0..block {
        let filter = min(part.filter + comptime!(f as u32), counts.filters - 1);
        factors[f] = part.group * counts.to_group + filter * counts.to_filter;
        #[unroll]
        for p in 0..span {
            if comptime!(with_bias) {
                let filter = part.group * counts.filters + filter;
                sums[comptime!(f * span + p)] = bias[filter as usize];
            } else {
                sums[comptime!(f * span + p)] = 0.0f32;
            }
        }
    }
}
