//! The gradient on accelerators, in `f32`: a cube for each item goes back through time.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};

use super::{Ctc, Extents, Slope};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, LINE_UNITS, over_cube};
use crate::device::lookup::index_at;
use crate::loss::ctc::cube::{
    Common, CommonLaunch, LOWEST, class_of, common, extents, log_sum, start_of,
};

/// The kernel of [`ctc_gradient`](super::ctc_gradient).
pub(super) struct OnCube {
    extents: Extents,
    blank: usize,
    slope: Slope,
}

impl OnCube {
    pub(super) fn new(ctc: &Ctc, specs: &Specs<'_>) -> Result<Self, KernelError> {
        Ok(Self { extents: extents(ctc, specs)?, blank: ctc.blank, slope: ctc.slope })
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [x, targets, inputs, labels, rows, dy] = [0, 1, 2, 3, 4, 5].map(|k| call.input(k));
        let dx = call.output(0);
        let states = size(2 * self.extents[3] + 1);
        call.cubes(self.extents[1], LINE_UNITS, |client, cubes, units| {
            let common: CommonLaunch<R> = common(self.extents, self.blank, &targets.extents());
            backward::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                targets.array(),
                inputs.array(),
                labels.array(),
                rows.array(),
                dy.array(),
                dx.array(),
                common,
                states,
                self.slope,
            );
        })
    }
}

/// A number, or that of no probability for what devices do not count with.
#[cube]
fn finite(x: f32) -> f32 {
    max(x, LOWEST)
}

/// The logarithm of what goes on through a state one step later.
#[cube]
fn onward(x: &Array<f32>, shared: &SharedMemory<f32>, place: u32, at: u32) -> f32 {
    finite(shared[place as usize] + x[at as usize])
}

/// The ways on from a state to the row after, whose classes start at `next`.
#[cube]
fn departures(
    x: &Array<f32>,
    targets: &Array<u32>,
    shared: &SharedMemory<f32>,
    common: &Common,
    start: u32,
    state: u32,
    states: u32,
    after: u32,
    next: u32,
) -> f32 {
    let class = class_of(targets, common, start, state);
    let mut step = f32::cast_from(LOWEST);
    let mut skip = f32::cast_from(LOWEST);
    if state + 1 < states {
        let other = class_of(targets, common, start, state + 1);
        step = onward(x, shared, after + state + 1, next + other);
    }
    if state + 2 < states && state % 2 == 1 {
        let other = class_of(targets, common, start, state + 2);
        let way = onward(x, shared, after + state + 2, next + other);
        skip = select(other != class, way, LOWEST);
    }
    log_sum(onward(x, shared, after + state, next + class), step, skip)
}

/// The logarithm of all ways through a state: those before are in `rows`, those after in `shared`.
#[cube]
fn way(rows: &Array<f32>, shared: &SharedMemory<f32>, before: u32, after: u32) -> f32 {
    shared[after as usize] + finite(rows[before as usize])
}

#[cube(launch)]
fn backward(
    x: &Array<f32>,
    targets: &Array<u32>,
    inputs: &Array<u32>,
    lengths: &Array<u32>,
    rows: &Array<f32>,
    dy: &Array<f32>,
    dx: &mut Array<f32>,
    common: Common,
    #[comptime] states_max: u32,
    #[comptime] slope: Slope,
) {
    let item = CUBE_POS as u32;
    if item < common.batch {
        let mut shared = SharedMemory::<f32>::new(comptime!(2 * states_max as usize));
        let steps = min(index_at(inputs, item), common.time);
        let states = 2 * min(index_at(lengths, item), common.labels) + 1;
        let start = start_of(lengths, &common, item);
        let width = states_max + 1;
        let weight = dy[item as usize];
        for back in 0..common.time {
            let time = common.time - 1 - back;
            // Every unit meets every barrier, also behind the last step.
            let live = select(time < steps, states, 0);
            let (now, after) = (time % 2 * states_max, (time + 1) % 2 * states_max);
            let next = ((time + 1) * common.batch + item) * common.classes;
            let mut largest = f32::cast_from(LOWEST);
            let mut state = UNIT_POS;
            while state < live {
                let mut value = select(state + 2 >= states, 0.0f32, LOWEST);
                if time + 1 < steps {
                    value =
                        departures(x, targets, &shared, &common, start, state, states, after, next);
                }
                shared[(now + state) as usize] = value;
                largest = max(largest, value);
                state += LINE_UNITS;
            }
            let largest = over_cube(largest, Fold::Largest);
            sync_cube();
            let row = (item * common.time + time) * width;
            let taken = select(largest > LOWEST, largest, 0.0f32);
            let mut most = f32::cast_from(LOWEST);
            let mut state = UNIT_POS;
            while state < live {
                let own = shared[(now + state) as usize];
                shared[(now + state) as usize] = select(own > LOWEST, own - taken, LOWEST);
                most = max(most, finite(way(rows, &shared, row + state, now + state)));
                state += LINE_UNITS;
            }
            let most = over_cube(most, Fold::Largest);
            sync_cube();
            let mut total = 0.0f32;
            let mut state = UNIT_POS;
            while state < live {
                total += (way(rows, &shared, row + state, now + state) - most).exp();
                state += LINE_UNITS;
            }
            let total = over_cube(total, Fold::Sum);
            let here = (time * common.batch + item) * common.classes;
            let mut class = UNIT_POS;
            while class < common.classes {
                let mut part = 0.0f32;
                for state in 0..live {
                    if class_of(targets, &common, start, state) == class {
                        part += (way(rows, &shared, row + state, now + state) - most).exp();
                    }
                }
                let mut value = -(part / total);
                if comptime!(slope == Slope::OfSoftmax) {
                    value += x[(here + class) as usize].exp();
                }
                value = select(most > LOWEST, value, f32::reinterpret(0x7fc0_0000u32));
                let used = time < steps && weight != 0.0;
                dx[(here + class) as usize] = select(used, value * weight, 0.0f32);
                class += LINE_UNITS;
            }
            sync_cube();
        }
    }
}
