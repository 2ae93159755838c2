//! The product on accelerators, for `f32`: each output searches all edges for those of its row.

use cubecl::prelude::*;

use super::{CooMatmul, Element, FireError, KernelError, Specs, edges};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lookup::index_at;

pub(super) struct OnCube(CooMatmul);

impl OnCube {
    pub(super) fn new(operator: CooMatmul, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = specs.inputs[0].element == Element::F32;
        if known { Ok(Self(operator)) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [values, row, column, x] = [0, 1, 2, 3].map(|port| call.input(port));
        let ports = [("values", &values), ("row", &row), ("column", &column)];
        let count = edges("coo_matmul", ports.map(|(name, port)| (name, port.extents())))?;
        let [columns, features] = [x.extents()[0], x.extents()[1]];
        let y = call.set_extents(0, &[self.0.rows, features]);
        call.each(y.elements(), |client, cubes, units| {
            let [outputs, count, columns, features] =
                [y.elements(), count, columns, features].map(size);
            coo_matmul::launch::<R>(
                client,
                cubes,
                units,
                values.array(),
                row.array(),
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
fn coo_matmul(
    values: &Array<f32>,
    row: &Array<u32>,
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
        let own = output / features;
        let feature = output % features;
        let mut total = 0.0f32;
        for edge in 0..count {
            if index_at(row, edge) == own {
                let at = index_at(column, edge);
                if at < columns {
                    total += values[edge as usize] * x[(at * features + feature) as usize];
                }
            }
        }
        y[output as usize] = total;
    }
}
