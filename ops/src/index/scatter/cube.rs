//! Scatter on accelerators, for `f32`.
//!
//! Each output searches the whole axis of the index for itself, so that sums have one order: good
//! for short axes, slow where thousands of elements go to thousands of places. An index out of
//! range finds no output.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{Reduction, Scatter, fits};
use crate::device::kernel::{Call, CubeKernel, size, sizes};
use crate::device::lookup::{dense, index_at};
use crate::device::real::is_nan;

pub(super) struct OnCube(Scatter);

impl OnCube {
    pub(super) fn new(operator: Scatter, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let Scatter { axis, reduction } = self.0;
        let [x, index, source] = [0, 1, 2].map(|port| call.input(port));
        let (extents, places, sources) = (x.extents(), index.extents(), source.extents());
        fits(reduction.name(), &places, &sources, None)?;
        fits(reduction.name(), &places, &extents, Some(axis))?;
        let y = call.set_extents(0, &extents);
        let [mut to_index, mut to_source] = [&places, &sources].map(|extents| dense(extents));
        let [index_step, source_step] =
            [&mut to_index, &mut to_source].map(|strides| std::mem::take(&mut strides[axis]));
        // Along the axis every output has a place; elsewhere the index may be shorter.
        let length = places[axis];
        let mut limits = places.to_vec();
        limits[axis] = extents[axis];
        let mut to_target = vec![0; extents.len()];
        to_target[axis] = 1;
        call.each(y.elements(), |client, cubes, units| {
            scatter::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                index.array(),
                source.array(),
                y.array(),
                size(y.elements()),
                size(length),
                size(index_step),
                size(source_step),
                sizes(&extents),
                sizes(&limits),
                sizes(&to_target),
                sizes(&to_index),
                sizes(&to_source),
                reduction,
            );
        })
    }
}

#[cube(launch)]
fn scatter(
    x: &Array<f32>,
    index: &Array<u32>,
    source: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    length: u32,
    index_step: u32,
    source_step: u32,
    extents: Sequence<u32>,
    limits: Sequence<u32>,
    to_target: Sequence<u32>,
    to_index: Sequence<u32>,
    to_source: Sequence<u32>,
    #[comptime] reduction: Reduction,
) {
    let output = ABSOLUTE_POS as u32;
    if output < count {
        let rank = comptime!(extents.len());
        let mut left = output;
        let mut inside = true;
        let mut target = 0u32;
        let mut from_index = 0u32;
        let mut from_source = 0u32;
        #[unroll]
        for k in 0..rank {
            let axis = comptime!(rank - 1 - k);
            let place = left % extents[axis];
            left /= extents[axis];
            inside = inside && place < limits[axis];
            target += place * to_target[axis];
            from_index += place * to_index[axis];
            from_source += place * to_source[axis];
        }
        let mut total = x[output as usize];
        if inside {
            for k in 0..length {
                if index_at(index, from_index + k * index_step) == target {
                    let value = source[(from_source + k * source_step) as usize];
                    total = match comptime!(reduction) {
                        Reduction::Add => total + value,
                        Reduction::Product => total * value,
                        Reduction::Max => larger(total, value),
                        Reduction::Min => -larger(-total, -value),
                        Reduction::Replace => value,
                    };
                }
            }
        }
        y[output as usize] = total;
    }
}

/// The larger one; NaN where one is, and 0 of two zeros unless both are -0.
#[cube]
fn larger(a: f32, b: f32) -> f32 {
    let of_equals = f32::reinterpret(u32::reinterpret(a) & u32::reinterpret(b));
    let of_numbers = select(a == b, of_equals, select(a > b, a, b));
    select(is_nan(a), a, select(is_nan(b), b, of_numbers))
}
