//! Softmax on accelerators, for `f32`: a cube for each line.

use cubecl::prelude::*;

use synfire_runtime::operator::FireError;

use super::{Element, Form, KernelError, Softmax, Specs};
use crate::device::kernel::{Call, CubeKernel};
use crate::device::lines::{Fold, LINE_UNITS, Lines, along, over_cube, start_of};

pub(super) struct OnCube(Softmax);

impl OnCube {
    pub(super) fn new(operator: Softmax, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = specs.inputs[0].element == Element::F32;
        if known { Ok(Self(operator)) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = call.set_extents(0, &x.extents());
        let Softmax { axis, form } = self.0;
        let lines = along(&x.extents(), axis);
        call.cubes(lines.count as usize, LINE_UNITS, |client, cubes, units| {
            let lines = lines.argument();
            softmax::launch::<R>(client, cubes, units, x.array(), y.array(), lines, form);
        })
    }
}

#[cube(launch)]
fn softmax(x: &Array<f32>, y: &mut Array<f32>, lines: Lines, #[comptime] form: Form) {
    let line = CUBE_POS as u32;
    if line < lines.count {
        let start = start_of(&lines, line);
        // Finite, so that a line of -inf divides 0 by 0.
        let mut largest = f32::min_value();
        let mut k = UNIT_POS;
        while k < lines.length {
            largest = max(largest, x[(start + k * lines.stride) as usize]);
            k += LINE_UNITS;
        }
        let largest = over_cube(largest, Fold::Largest);
        let mut sum = 0.0f32;
        let mut k = UNIT_POS;
        while k < lines.length {
            sum += (x[(start + k * lines.stride) as usize] - largest).exp();
            k += LINE_UNITS;
        }
        let sum = over_cube(sum, Fold::Sum);
        let mut k = UNIT_POS;
        while k < lines.length {
            let index = (start + k * lines.stride) as usize;
            let below = x[index] - largest;
            if comptime!(form == Form::Shares) {
                y[index] = below.exp() / sum;
            } else {
                y[index] = below - sum.ln();
            }
            k += LINE_UNITS;
        }
    }
}
