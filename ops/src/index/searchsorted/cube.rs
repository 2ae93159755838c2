//! Searching on accelerators, for `f32`: one unit halves the row of each value.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{Searchsorted, Side, has_rows};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::real::is_nan;

pub(super) struct OnCube(Searchsorted);

impl OnCube {
    pub(super) fn new(operator: Searchsorted, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (sorted, values) = (call.input(0), call.input(1));
        let (own, extents) = (sorted.extents(), values.extents());
        let has_rows = has_rows(&own, &extents)?;
        let y = call.set_extents(0, &extents);
        // One row for all is a row for as many values as there are.
        let width = if has_rows { extents[extents.len() - 1] } else { y.elements() };
        call.each(y.elements(), |client, cubes, units| {
            search::launch::<R>(
                client,
                cubes,
                units,
                sorted.array(),
                values.array(),
                y.array(),
                size(y.elements()),
                size(own[own.len() - 1]),
                size(width),
                self.0.side,
            );
        })
    }
}

#[cube(launch)]
fn search(
    sorted: &Array<f32>,
    values: &Array<f32>,
    y: &mut Array<u32>,
    count: u32,
    length: u32,
    width: u32,
    #[comptime] side: Side,
) {
    let at = ABSOLUTE_POS as u32;
    if at < count {
        let value = values[at as usize];
        let first = at / width * length;
        let mut low = 0u32;
        let mut high = length;
        while low < high {
            let middle = (low + high) / 2;
            let x = sorted[(first + middle) as usize];
            let mut is_below = x <= value;
            if comptime!(side == Side::Left) {
                is_below = x < value;
            }
            if is_below || is_nan(value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        y[(2 * at) as usize] = low;
        y[(2 * at + 1) as usize] = 0u32;
    }
}
