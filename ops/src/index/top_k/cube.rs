//! Ranking on accelerators, for `f32`: each element counts those before it, which is its place.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{Order, TopK};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::real::is_nan;

pub(super) struct OnCube(TopK);

impl OnCube {
    pub(super) fn new(operator: TopK, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let extents = x.extents();
        let (taken, count) = self.0.taken(&extents);
        let values = call.set_extents(0, &taken[..extents.len()]);
        let indices = call.set_extents(1, &taken[..extents.len()]);
        let is_ascending = self.0.order == Order::Ascending;
        let elements = if count == 0 { 0 } else { x.elements() };
        call.each(elements, |client, cubes, units| {
            rank::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                values.array(),
                indices.array(),
                size(elements),
                size(extents[extents.len() - 1]),
                size(count),
                is_ascending,
            );
        })
    }
}

#[cube(launch)]
fn rank(
    x: &Array<f32>,
    values: &mut Array<f32>,
    indices: &mut Array<u32>,
    elements: u32,
    length: u32,
    count: u32,
    #[comptime] is_ascending: bool,
) {
    let element = ABSOLUTE_POS as u32;
    if element < elements {
        let (line, own) = (element / length, element % length);
        let value = x[element as usize];
        let mut place = 0u32;
        for k in 0..length {
            let other = x[(line * length + k) as usize];
            let mut is_before = comes_before(value, other);
            let mut is_after = comes_before(other, value);
            if comptime!(is_ascending) {
                is_before = comes_before(other, value);
                is_after = comes_before(value, other);
            }
            place += select(is_before || (!is_after && k < own), 1u32, 0u32);
        }
        if place < count {
            let to = line * count + place;
            values[to as usize] = value;
            indices[(2 * to) as usize] = own;
            indices[(2 * to + 1) as usize] = 0u32;
        }
    }
}

/// Whether `a < b`; a NaN is larger than every number.
#[cube]
fn comes_before(a: f32, b: f32) -> bool {
    (is_nan(b) && !is_nan(a)) || (!is_nan(a) && !is_nan(b) && a < b)
}
