//! The edge dot product on accelerators, for `f32`: a unit for each edge.

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
        let [x, y, row, column] = [0, 1, 2, 3].map(|port| call.input(port));
        let ports = [("row", row.extents()), ("column", column.extents())];
        let count = edges("edge_dot", ports)?;
        let [rows, features, columns] = [x.extents()[0], x.extents()[1], y.extents()[0]];
        let z = call.set_extents(0, &[count]);
        call.each(count, |client, cubes, units| {
            let [count, rows, columns, features] = [count, rows, columns, features].map(size);
            edge_dot::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                row.array(),
                column.array(),
                z.array(),
                count,
                rows,
                columns,
                features,
            );
        })
    }
}

#[cube(launch)]
fn edge_dot(
    x: &Array<f32>,
    y: &Array<f32>,
    row: &Array<u32>,
    column: &Array<u32>,
    z: &mut Array<f32>,
    count: u32,
    rows: u32,
    columns: u32,
    features: u32,
) {
    let edge = ABSOLUTE_POS as u32;
    if edge < count {
        let left = index_at(row, edge);
        let right = index_at(column, edge);
        let mut total = 0.0f32;
        if left < rows && right < columns {
            for k in 0..features {
                total += x[(left * features + k) as usize] * y[(right * features + k) as usize];
            }
        }
        z[edge as usize] = total;
    }
}
