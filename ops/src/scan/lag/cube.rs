//! Lag on accelerators, for `f32`.

use cubecl::prelude::*;

use super::{Element, FireError, KernelError, Lag, Specs};
use crate::device::kernel::{Call, CubeKernel, size};

pub(super) struct OnCube(Lag);

impl OnCube {
    pub(super) fn new(operator: Lag, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = specs.inputs[0].element == Element::F32;
        if known { Ok(Self(operator)) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let Lag { axis, is_reversed, has_first } = self.0;
        let x = call.input(0);
        let first = call.input(usize::from(has_first));
        let extents = x.extents();
        let y = call.set_extents(0, &extents);
        let (length, inner) = (extents[axis], extents[axis + 1..].iter().product());
        call.each(y.elements(), |client, cubes, units| {
            let (x, first, out) = (x.array(), first.array(), y.array());
            let [count, length, inner] = [y.elements(), length, inner].map(size);
            lag::launch::<R>(
                client,
                cubes,
                units,
                x,
                first,
                out,
                count,
                length,
                inner,
                is_reversed,
                has_first,
            );
        })
    }
}

#[cube(launch)]
fn lag(
    x: &Array<f32>,
    first: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    length: u32,
    inner: u32,
    #[comptime] is_reversed: bool,
    #[comptime] has_first: bool,
) {
    let output = ABSOLUTE_POS as u32;
    if output < count {
        let place = output / inner % length;
        let edge = if comptime!(is_reversed) { length - 1 } else { 0u32.runtime() };
        if place != edge {
            let source = if comptime!(is_reversed) { output + inner } else { output - inner };
            y[output as usize] = x[source as usize];
        } else if comptime!(has_first) {
            let line = output / inner / length * inner + output % inner;
            y[output as usize] = first[line as usize];
        } else {
            y[output as usize] = 0.0f32;
        }
    }
}
