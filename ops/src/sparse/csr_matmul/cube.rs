//! The product on accelerators, for `f32`: a unit for each output walks its row.

use cubecl::prelude::*;

use super::{Element, FireError, KernelError, Specs, edges};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lookup::index_at;

pub(super) struct OnCube;

impl OnCube {
    pub(super) fn new(specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = specs.inputs[0].element == Element::F32;
        if known { Ok(Self) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [values, offsets, column, x] = [0, 1, 2, 3].map(|port| call.input(port));
        let ports = [("values", values.extents()), ("column", column.extents())];
        let count = edges("csr_matmul", ports)?;
        let [columns, features] = [x.extents()[0], x.extents()[1]];
        let y = call.set_extents(0, &[offsets.elements() - 1, features]);
        call.each(y.elements(), |client, cubes, units| {
            let [outputs, count, columns, features] =
                [y.elements(), count, columns, features].map(size);
            csr_matmul::launch::<R>(
                client,
                cubes,
                units,
                values.array(),
                offsets.array(),
                column.array(),
                x.array(),
                y.array(),
                outputs,
                count,
                columns,
                features,
            );
        })
    }
}

#[cube(launch)]
fn csr_matmul(
    values: &Array<f32>,
    offsets: &Array<u32>,
    column: &Array<u32>,
    x: &Array<f32>,
    y: &mut Array<f32>,
    outputs: u32,
    count: u32,
    columns: u32,
    features: u32,
) {
    let output = ABSOLUTE_POS as u32;
    if output < outputs {
        let row = output / features;
        let feature = output % features;
        let first = min(index_at(offsets, row), count);
        let end = min(index_at(offsets, row + 1), count);
        let mut total = 0.0f32;
        for edge in first..end {
            let at = index_at(column, edge);
            if at < columns {
                total += values[edge as usize] * x[(at * features + feature) as usize];
            }
        }
        y[output as usize] = total;
    }
}
