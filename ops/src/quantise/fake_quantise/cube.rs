//! The round trip on accelerators, for `f32`.

use cubecl::prelude::*;

use super::{FakeQuantise, FireError};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::real::round_ties_even;

pub(super) struct OnCube(pub(super) FakeQuantise);

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (x, scale, zero) = (call.input(0), call.input(1), call.input(2));
        let y = call.set_extents(0, &x.extents());
        let inner = self.0.axis.map_or(1, |axis| x.extents()[axis + 1..].iter().product());
        let (low, high) = (self.0.low as f32, self.0.high as f32);
        call.each(x.elements(), |client, cubes, units| {
            round_trip::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                scale.array(),
                zero.array(),
                y.array(),
                [size(x.elements()), size(inner.max(1)), size(scale.elements().max(1))]
                    .into_iter()
                    .collect(),
                low,
                high,
            );
        })
    }
}

#[cube(launch)]
fn round_trip(
    x: &Array<f32>,
    scales: &Array<f32>,
    zeros: &Array<f32>,
    y: &mut Array<f32>,
    extents: Sequence<u32>,
    low: f32,
    high: f32,
) {
    let at = ABSOLUTE_POS as u32;
    if at < extents[0] {
        let channel = (at / extents[1] % extents[2]) as usize;
        let (scale, zero) = (scales[channel], zeros[channel]);
        let rounded = round_ties_even(x[at as usize] * (1.0 / scale)) + zero;
        let raised = select(rounded > low, rounded, low);
        let rounded = select(raised < high, raised, high);
        y[at as usize] = (rounded - zero) * scale;
    }
}
