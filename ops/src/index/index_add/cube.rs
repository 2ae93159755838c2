//! Slices added or copied on accelerators, for `f32`.
//!
//! Each output looks through the whole index for itself, so that sums have one order: good for few
//! indices, slow for thousands. An index out of range finds no output.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{Effect, IndexAdd};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lookup::index_at;

pub(super) struct OnCube(IndexAdd);

impl OnCube {
    pub(super) fn new(operator: IndexAdd, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [x, index, source] = [0, 1, 2].map(|port| call.input(port));
        let extents = x.extents();
        self.0.fits([&extents, &index.extents(), &source.extents()])?;
        let y = call.set_extents(0, &extents);
        let slice = extents[self.0.axis + 1..].iter().product::<usize>();
        let (is_sum, alpha) = match self.0.effect {
            Effect::Add(alpha) => (true, alpha as f32),
            Effect::Copy => (false, 1.0),
        };
        call.each(y.elements(), |client, cubes, units| {
            slices::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                index.array(),
                source.array(),
                y.array(),
                size(y.elements()),
                size(extents[self.0.axis]),
                size(slice),
                size(index.elements()),
                alpha,
                is_sum,
            );
        })
    }
}

#[cube(launch)]
fn slices(
    x: &Array<f32>,
    index: &Array<u32>,
    source: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    extent: u32,
    slice: u32,
    indices: u32,
    alpha: f32,
    #[comptime] is_sum: bool,
) {
    let output = ABSOLUTE_POS as u32;
    if output < count {
        let place = output / slice % extent;
        let first = output / slice / extent * indices * slice + output % slice;
        let mut total = x[output as usize];
        for k in 0..indices {
            if index_at(index, k) == place {
                let value = source[(first + k * slice) as usize];
                if comptime!(is_sum) {
                    total += alpha * value;
                } else {
                    total = value;
                }
            }
        }
        y[output as usize] = total;
    }
}
