//! The family on accelerators, for `f32` and truth values: a cube, or a unit, for each output.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::family::Reduction;
use crate::device::kernel::{Call, CubeKernel, RowName, size, sizes};
use crate::device::lines::{Fold, LINE_UNITS, nothing, over_cube, together};
use crate::device::lookup::dense;
use crate::device::words::{load, offset_of};

pub(super) struct OnCube(Reduction);

impl OnCube {
    pub(super) fn new(operator: &Reduction, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = match specs.inputs[0].element {
            Element::F32 => true,
            Element::Bool => specs.outputs[0].element == Element::Bool,
            _ => false,
        };
        if known { Ok(Self(operator.clone())) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let extents = x.extents();
        let y = call.set_extents(0, &self.0.outcome(&extents)?);
        let strides = dense(&extents);
        let is_reduced = |axis: &usize| self.0.axes.contains(axis);
        let (inside, outside): (Vec<usize>, Vec<usize>) = (0..extents.len()).partition(is_reduced);
        let of = |axes: &[usize], from: &[usize]| -> Vec<usize> {
            // At least one axis, of extent one.
            axes.iter().map(|&axis| from[axis]).chain([1]).collect()
        };
        let (kept, to_kept) = (of(&outside, &extents), of(&outside, &strides));
        let (reduced, to_reduced) = (of(&inside, &extents), of(&inside, &strides));
        let (outputs, length) = (y.elements(), reduced.iter().product());
        let name = RowName(self.0.row.name);
        if x.element() == Element::Bool {
            return call.each(outputs.div_ceil(4), |client, cubes, units| {
                truths::launch::<R>(
                    client,
                    cubes,
                    units,
                    x.array(),
                    y.array(),
                    size(outputs),
                    size(length),
                    sizes(&kept),
                    sizes(&to_kept),
                    sizes(&reduced),
                    sizes(&to_reduced),
                    name,
                );
            });
        }
        call.cubes(outputs, LINE_UNITS, |client, cubes, units| {
            reduction::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                size(outputs),
                size(length),
                sizes(&kept),
                sizes(&to_kept),
                sizes(&reduced),
                sizes(&to_reduced),
                name,
            );
        })
    }
}

#[cube(launch)]
fn reduction(
    x: &Array<f32>,
    y: &mut Array<f32>,
    outputs: u32,
    length: u32,
    kept: Sequence<u32>,
    to_kept: Sequence<u32>,
    reduced: Sequence<u32>,
    to_reduced: Sequence<u32>,
    #[comptime] name: RowName,
) {
    let output = CUBE_POS as u32;
    if output < outputs {
        let fold = comptime!(match name.0 {
            "sum" | "mean" => Fold::Sum,
            "prod" => Fold::Product,
            // Of the exponentials a second walk takes the sum.
            "max" | "logsumexp" => Fold::Largest,
            "min" => Fold::Smallest,
            other => unreachable!("a row `{other}` without a formula for accelerators"),
        });
        let start = offset_of(output, 0u32, &kept, &to_kept);
        let mut total = nothing(fold);
        let mut k = UNIT_POS;
        while k < length {
            let element = offset_of(k, start, &reduced, &to_reduced);
            total = together(total, x[element as usize], fold);
            k += LINE_UNITS;
        }
        let mut total = over_cube(total, fold);
        if comptime!(name.0 == "logsumexp") {
            // Finite, so that -inf differs from it by -inf.
            let top = select(total < f32::min_value(), f32::min_value(), total);
            let mut sum = 0.0f32;
            let mut k = UNIT_POS;
            while k < length {
                let x = x[offset_of(k, start, &reduced, &to_reduced) as usize];
                sum += select(x == top, 1.0f32, (x - top).exp());
                k += LINE_UNITS;
            }
            total = top + over_cube(sum, Fold::Sum).ln();
        }
        if UNIT_POS == 0 {
            if comptime!(name.0 == "mean") {
                y[output as usize] = total / f32::cast_from(length);
            } else {
                y[output as usize] = total;
            }
        }
    }
}

/// Four outputs for each unit, since they lie in one word.
#[cube(launch)]
fn truths(
    x: &Array<u32>,
    y: &mut Array<u32>,
    outputs: u32,
    length: u32,
    kept: Sequence<u32>,
    to_kept: Sequence<u32>,
    reduced: Sequence<u32>,
    to_reduced: Sequence<u32>,
    #[comptime] name: RowName,
) {
    let word = ABSOLUTE_POS as u32;
    if word * 4 < outputs {
        let mut bits = 0u32;
        #[unroll]
        for part in 0..4u32 {
            let output = word * 4 + part;
            if output < outputs {
                let start = offset_of(output, 0u32, &kept, &to_kept);
                let mut count = 0u32;
                for k in 0..length {
                    count += load(x, offset_of(k, start, &reduced, &to_reduced), 4u32);
                }
                let holds = if comptime!(name.0 == "any") { count > 0 } else { count == length };
                bits |= u32::cast_from(holds) << comptime!(part * 8);
            }
        }
        y[word as usize] = bits;
    }
}
