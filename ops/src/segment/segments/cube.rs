//! Segment reductions on accelerators, for `f32`.
//!
//! Each output searches all identities for its own, so that sums have one order.

use cubecl::prelude::*;

use super::{Element, FireError, KernelError, Reduction, Segments, Specs};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, nothing, together};
use crate::device::lookup::index_at;

pub(super) struct OnCube(Segments);

impl OnCube {
    pub(super) fn new(operator: Segments, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let known = specs.inputs[0].element == Element::F32;
        if known { Ok(Self(operator)) } else { Err(KernelError::Absent) }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let Segments { axis, count, reduction } = self.0;
        let (x, ids) = (call.input(0), call.input(1));
        let extents = self.0.outcome(&x.extents(), &ids.extents())?;
        let y = call.set_extents(0, &extents);
        let inner = extents[axis + 1..].iter().product();
        let fold = match reduction {
            Reduction::Sum => Fold::Sum,
            Reduction::Max => Fold::Largest,
            Reduction::Min => Fold::Smallest,
        };
        call.each(y.elements(), |client, cubes, units| {
            let [outputs, length, inner, count] =
                [y.elements(), ids.elements(), inner, count].map(size);
            let (x, ids, y) = (x.array(), ids.array(), y.array());
            segments::launch::<R>(
                client, cubes, units, x, ids, y, outputs, length, inner, count, fold,
            );
        })
    }
}

#[cube(launch)]
fn segments(
    x: &Array<f32>,
    ids: &Array<u32>,
    y: &mut Array<f32>,
    outputs: u32,
    length: u32,
    inner: u32,
    count: u32,
    #[comptime] fold: Fold,
) {
    let output = ABSOLUTE_POS as u32;
    if output < outputs {
        let segment = output / inner % count;
        let start = output / inner / count * length * inner + output % inner;
        let mut total = nothing(fold);
        for k in 0..length {
            if index_at(ids, k) == segment {
                total = together(total, x[(start + k * inner) as usize], fold);
            }
        }
        y[output as usize] = total;
    }
}
