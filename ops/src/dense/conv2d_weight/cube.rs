//! The gradient on accelerators: a cube for a few filters of one channel at one tap.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::on_host::common_batch;
use crate::device::convolution::pixel;
use crate::device::image::Direction;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, LINE_UNITS, over_cube};
use crate::host::window::Window;

/// At most so many filters are in one cube.
const FILTERS_MAX: usize = 8;

pub(super) struct OnCube {
    pub(super) window: Window,
    pub(super) groups: usize,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (x, dy, dw) = (call.input(0), call.input(1), call.output(0));
        let items = common_batch(&x.extents(), &dy.extents())?;
        if dw.elements() == 0 {
            return Ok(());
        }
        let [down, across] = Direction::both(&self.window, &x.extents(), &dy.extents());
        let (channels, filters) = (dw.extents()[1], dw.extents()[0] / self.groups);
        let block = filters.next_power_of_two().min(FILTERS_MAX);
        let blocks = filters.div_ceil(block);
        let cubes = self.groups * blocks * channels * self.window.tap_count();
        let counts = CountsLaunch::new(
            size(items),
            size(self.groups),
            size(channels),
            size(filters),
            size(blocks),
        );
        call.cubes(cubes, LINE_UNITS, |client, cubes, units| {
            let (x, dy, dw) = (x.array(), dy.array(), dw.array());
            let (down, across) = (down.argument(), across.argument());
            weigh::launch::<R>(client, cubes, units, x, dy, dw, counts, down, across, block);
        })
    }
}

#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Counts {
    /// Images.
    items: u32,
    groups: u32,
    /// Channels of a group.
    channels: u32,
    /// Filters of a group.
    filters: u32,
    /// Cubes that share those.
    blocks: u32,
}

#[cube(launch)]
fn weigh(
    x: &Array<f32>,
    dy: &Array<f32>,
    dw: &mut Array<f32>,
    counts: Counts,
    down: Direction,
    across: Direction,
    #[comptime] block: usize,
) {
    let taps = down.taps * across.taps;
    let (tap, rest) = (CUBE_POS as u32 % taps, CUBE_POS as u32 / taps);
    let (channel, rest) = (rest % counts.channels, rest / counts.channels);
    let first_filter = rest % counts.blocks * comptime!(block as u32);
    let group = rest / counts.blocks;
    if group < counts.groups {
        let first_row = down.first + tap / across.taps * down.tap_step;
        let first_column = across.first + tap % across.taps * across.tap_step;
        let (image, each) = (down.extent * across.extent, down.places * across.places);
        let mut sums = Array::<f32>::new(block);
        #[unroll]
        for f in 0..block {
            sums[f] = 0.0f32;
        }
        let mut k = UNIT_POS;
        while k < counts.items * each {
            let (part, place) = (k / each * counts.groups + group, k % each);
            let row = first_row + place / across.places * down.place_step;
            let column = first_column + place % across.places * across.place_step;
            let start = (part * counts.channels + channel) * image;
            let value = pixel(x, start, row, column, &down, &across);
            #[unroll]
            for f in 0..block {
                // Filters behind the last repeat it, and are not stored.
                let filter = min(first_filter + comptime!(f as u32), counts.filters - 1);
                let at = (part * counts.filters + filter) * each + place;
                sums[f] += value * dy[at as usize];
            }
            k += LINE_UNITS;
        }
        #[unroll]
        for f in 0..block {
            let total = over_cube(sums[f], Fold::Sum);
            let filter = first_filter + comptime!(f as u32);
            if UNIT_POS == 0 && filter < counts.filters {
                let own = (group * counts.filters + filter) * counts.channels + channel;
                dw[(own * taps + tap) as usize] = total;
            }
        }
    }
}
