//! The recursion on accelerators, in `f32`: a cube for each item, its states side by side.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::Ctc;
use super::on_host::Extents;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, LINE_UNITS, over_cube};
use crate::device::lookup::index_at;

/// States of which a cube can hold two rows.
const STATES_MAX: usize = 2048;

/// Stands for the logarithm of no probability, since devices do not count with infinities.
pub(in crate::loss) const LOWEST: f32 = -1e30;

/// `-inf`.
const NOTHING: u32 = 0xff80_0000;

/// The extents of the inputs of a kernel.
///
/// # Errors
/// When a cube cannot hold the states, or the element type is no `f32`.
pub(in crate::loss) fn extents(ctc: &Ctc, specs: &Specs<'_>) -> Result<Extents, KernelError> {
    let extents = ctc.extents(specs.inputs).map_err(|e| KernelError::Refused(e.to_string()))?;
    if 2 * extents[3] + 1 > STATES_MAX {
        let found = format!("{} labels are more than a cube can hold", extents[3]);
        return Err(KernelError::Refused(found));
    }
    match specs.inputs[0].element {
        Element::F32 => Ok(extents),
        _ => Err(KernelError::Absent),
    }
}

/// What all items have in common.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
pub(in crate::loss) struct Common {
    pub(in crate::loss) time: u32,
    pub(in crate::loss) batch: u32,
    pub(in crate::loss) classes: u32,
    pub(in crate::loss) labels: u32,
    pub(in crate::loss) blank: u32,
    /// Labels from one item to the next; 0 where they follow each other.
    pub(in crate::loss) stride: u32,
    /// All labels there are.
    pub(in crate::loss) targets: u32,
}

/// As an argument of a kernel.
pub(in crate::loss) fn common<R: Runtime>(
    [time, batch, classes, labels]: Extents,
    blank: usize,
    targets: &[usize],
) -> CommonLaunch<R> {
    CommonLaunch::new(
        size(time),
        size(batch),
        size(classes),
        size(labels),
        size(blank),
        size(if targets.len() == 1 { 0 } else { labels }),
        size(targets.iter().product()),
    )
}

/// The kernel of [`ctc_each`](super::ctc_each).
pub(in crate::loss) struct Forward {
    extents: Extents,
    blank: usize,
}

impl Forward {
    pub(super) fn new(ctc: &Ctc, specs: &Specs<'_>) -> Result<Self, KernelError> {
        Ok(Self { extents: extents(ctc, specs)?, blank: ctc.blank })
    }
}

impl CubeKernel for Forward {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [x, targets, inputs, labels] = [0, 1, 2, 3].map(|input| call.input(input));
        let (loss, rows) = (call.output(0), call.output(1));
        let states = size(2 * self.extents[3] + 1);
        call.cubes(self.extents[1], LINE_UNITS, |client, cubes, units| {
            forward::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                targets.array(),
                inputs.array(),
                labels.array(),
                loss.array(),
                rows.array(),
                common(self.extents, self.blank, &targets.extents()),
                states,
            );
        })
    }
}

/// Where the labels of an item start.
#[cube]
pub(in crate::loss) fn start_of(lengths: &Array<u32>, common: &Common, item: u32) -> u32 {
    let mut start = item * common.stride;
    if common.stride == 0 {
        for before in 0..item {
            start += index_at(lengths, before);
        }
    }
    start
}

/// The class of a state of the item whose labels start there.
#[cube]
pub(in crate::loss) fn class_of(
    targets: &Array<u32>,
    common: &Common,
    start: u32,
    state: u32,
) -> u32 {
    let mut class = common.blank;
    if state % 2 == 1 && start + state / 2 < common.targets {
        class = min(index_at(targets, start + state / 2), common.classes - 1);
    }
    class
}

/// The logarithm of the sum of three powers.
#[cube]
pub(in crate::loss) fn log_sum(a: f32, b: f32, c: f32) -> f32 {
    let largest = max(max(a, b), c);
    let total = (a - largest).exp() + (b - largest).exp() + (c - largest).exp();
    select(largest > LOWEST, largest + total.ln(), LOWEST)
}

/// The ways that lead to a state from the row before, in which `place` is its own.
#[cube]
fn arrivals(shared: &SharedMemory<f32>, place: u32, state: u32, may_skip: bool) -> f32 {
    let mut step = f32::cast_from(LOWEST);
    let mut skip = f32::cast_from(LOWEST);
    if state > 0 {
        step = shared[(place - 1) as usize];
    }
    if may_skip {
        skip = shared[(place - 2) as usize];
    }
    log_sum(shared[place as usize], step, skip)
}

#[cube(launch)]
fn forward(
    x: &Array<f32>,
    targets: &Array<u32>,
    inputs: &Array<u32>,
    lengths: &Array<u32>,
    loss: &mut Array<f32>,
    rows: &mut Array<f32>,
    common: Common,
    #[comptime] states_max: u32,
) {
    let item = CUBE_POS as u32;
    if item < common.batch {
        let mut shared = SharedMemory::<f32>::new(comptime!(2 * states_max as usize));
        let steps = min(index_at(inputs, item), common.time);
        let states = 2 * min(index_at(lengths, item), common.labels) + 1;
        let start = start_of(lengths, &common, item);
        let width = states_max + 1;
        let mut taken_total = 0.0f32;
        for time in 0..common.time {
            // Every unit meets every barrier, also behind the last step.
            let live = select(time < steps, states, 0);
            let (now, before) = (time % 2 * states_max, (time + 1) % 2 * states_max);
            let mut largest = f32::cast_from(LOWEST);
            let mut state = UNIT_POS;
            while state < live {
                let class = class_of(targets, &common, start, state);
                let mut ways = select(state < 2, 0.0f32, LOWEST);
                if time > 0 {
                    let mut may_skip = false;
                    if state > 1 && state % 2 == 1 {
                        may_skip = class_of(targets, &common, start, state - 2) != class;
                    }
                    ways = arrivals(&shared, before + state, state, may_skip);
                }
                let at = (time * common.batch + item) * common.classes + class;
                let value = max(ways + x[at as usize], LOWEST);
                shared[(now + state) as usize] = value;
                largest = max(largest, value);
                state += LINE_UNITS;
            }
            let largest = over_cube(largest, Fold::Largest);
            let taken = select(largest > LOWEST, largest, 0.0f32);
            taken_total += select(time < steps, taken, 0.0f32);
            let row = (item * common.time + time) * width;
            let mut state = UNIT_POS;
            while state < width {
                let mut value = f32::reinterpret(NOTHING);
                if state < live {
                    let own = shared[(now + state) as usize];
                    let own = select(own > LOWEST, own - taken, LOWEST);
                    shared[(now + state) as usize] = own;
                    value = select(own > LOWEST, own, value);
                }
                if state == width - 1 && time < steps {
                    value = taken;
                }
                rows[(row + state) as usize] = value;
                state += LINE_UNITS;
            }
            sync_cube();
        }
        if UNIT_POS == 0 {
            let endless = f32::reinterpret(0x7f80_0000u32);
            let mut value = select(states == 1, 0.0f32, endless);
            if steps > 0 {
                let row = (steps - 1) % 2 * states_max;
                let last = shared[(row + states - 1) as usize];
                let mut label = f32::cast_from(LOWEST);
                if states > 1 {
                    label = shared[(row + states - 2) as usize];
                }
                let end = log_sum(last, label, LOWEST);
                value = select(end > LOWEST, -(end + taken_total), endless);
            }
            loss[item as usize] = value;
        }
    }
}
