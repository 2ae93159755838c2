//! Both norms on accelerators, in `f32`: a cube for each row.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{Affine, Centre, RowNorm};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, LINE_UNITS, over_cube};

/// The kernel of both norms.
pub(super) struct OnCube(RowNorm);

impl OnCube {
    pub(super) fn new(norm: &RowNorm, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(norm.clone())),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let extents = x.extents();
        let y = call.set_extents(0, &extents);
        let (outer, row) = extents.split_at(extents.len() - self.0.axes);
        let length: usize = row.iter().product();
        let rows: usize = outer.iter().product();
        // What is absent is not read; something must stand for it.
        let weight = call.input(1.min(call.inputs() - 1));
        let bias = call.input(call.inputs() - 1);
        call.cubes(if length > 0 { rows } else { 0 }, LINE_UNITS, |client, cubes, units| {
            row_norm::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                weight.array(),
                bias.array(),
                y.array(),
                size(rows),
                size(length),
                self.0.epsilon as f32,
                self.0.centre,
                self.0.affine,
            );
        })
    }
}

#[cube(launch)]
fn row_norm(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    y: &mut Array<f32>,
    rows: u32,
    length: u32,
    epsilon: f32,
    #[comptime] from: Centre,
    #[comptime] affine: Affine,
) {
    let row = CUBE_POS as u32;
    if row < rows {
        let start = row * length;
        let count = f32::cast_from(length);
        let mut centre = 0.0f32;
        if comptime!(from == Centre::Mean) {
            let mut sum = 0.0f32;
            let mut k = UNIT_POS;
            while k < length {
                sum += x[(start + k) as usize];
                k += LINE_UNITS;
            }
            centre = over_cube(sum, Fold::Sum) / count;
            // Nobody writes the shared sums again before all have read them.
            sync_cube();
        }
        let mut squares = 0.0f32;
        let mut k = UNIT_POS;
        while k < length {
            let distance = x[(start + k) as usize] - centre;
            squares += distance * distance;
            k += LINE_UNITS;
        }
        let squares = over_cube(squares, Fold::Sum);
        let inverse = 1.0 / (squares / count + epsilon).sqrt();
        let mut k = UNIT_POS;
        while k < length {
            let at = (start + k) as usize;
            let mut normal = (x[at] - centre) * inverse;
            if comptime!(affine >= Affine::Weight) {
                normal *= weight[k as usize];
            }
            if comptime!(affine == Affine::WeightAndBias) {
                normal += bias[k as usize];
            }
            y[at] = normal;
            k += LINE_UNITS;
        }
    }
}
