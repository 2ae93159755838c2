//! Running extremes on accelerators, for `f32`: a unit for each line.

use cubecl::prelude::*;

use super::{Element, FireError, KernelError, RunningArg, Specs};
use crate::device::kernel::{Call, CubeKernel};
use crate::device::lines::{Lines, along, start_of};
use crate::device::real::is_nan;

pub(super) struct OnCube(RunningArg);

impl OnCube {
    pub(super) fn new(operator: RunningArg, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = specs.inputs[0].element == Element::F32;
        if known { Ok(Self(operator)) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let RunningArg { axis, is_smallest } = self.0;
        let x = call.input(0);
        let y = call.set_extents(0, &x.extents());
        let lines = along(&x.extents(), axis);
        call.each(lines.count as usize, |client, cubes, units| {
            let (x, y, lines) = (x.array(), y.array(), lines.argument());
            leaders::launch::<R>(client, cubes, units, x, y, lines, is_smallest);
        })
    }
}

/// A unit for each line.
#[cube(launch)]
fn leaders(x: &Array<f32>, y: &mut Array<u32>, lines: Lines, #[comptime] is_smallest: bool) {
    let line = ABSOLUTE_POS as u32;
    if line < lines.count && lines.length > 0 {
        let start = start_of(&lines, line);
        let mut best = x[start as usize];
        let mut place = 0u32;
        for k in 0..lines.length {
            let at = start + k * lines.stride;
            let other = x[at as usize];
            let is_better = if comptime!(is_smallest) { other <= best } else { other >= best };
            // A number never takes the place of NaN.
            let takes = is_nan(other) || (is_better && !is_nan(best));
            place = select(takes, k, place);
            best = select(takes, other, best);
            y[(2 * at) as usize] = place;
            y[(2 * at + 1) as usize] = 0;
        }
    }
}
