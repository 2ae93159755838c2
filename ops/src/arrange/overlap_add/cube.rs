//! Overlap-add on accelerators: each element of the whole gathers what the frames have of it.
#![expect(clippy::manual_is_multiple_of, reason = "kernels have no such method")]

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::{Layout, OverlapAdd};
use crate::device::kernel::{Call, CubeKernel, size, sizes};
use crate::device::words::{offset_of, strides};

pub(super) struct OnCube(pub(super) OverlapAdd);

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = call.set_extents(0, &self.0.whole(&x.extents()));
        let Layout { extents, strides: moves, positions, places, steps } =
            self.0.layout(&x.extents());
        let (framing, rank) = (self.0.framing, extents.len());
        let taps = TapsLaunch::new(
            size(framing.taps),
            size(framing.stride),
            size(framing.dilation),
            size(framing.padding[0]),
            size(places),
            size(steps[0] as usize),
            size(steps[1] as usize),
        );
        call.each(y.elements(), |client, cubes, units| {
            let (x, count, y) = (x.array(), size(y.elements()), y.array());
            let extents = sizes(&extents);
            let moves = strides(moves[..rank].iter().copied());
            let positions = strides(positions[..rank].iter().copied());
            add::launch::<R>(client, cubes, units, x, y, count, taps, extents, moves, positions);
        })
    }
}

#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Taps {
    count: u32,
    stride: u32,
    dilation: u32,
    before: u32,
    places: u32,
    /// Elements of the frames from one place to the next.
    place_step: u32,
    /// Elements of the frames from one tap to the next.
    tap_step: u32,
}

#[cube(launch)]
fn add(
    x: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    taps: Taps,
    extents: Sequence<u32>,
    moves: Sequence<u32>,
    positions: Sequence<u32>,
) {
    let element = ABSOLUTE_POS as u32;
    if element < count {
        let start = offset_of(element, 0u32, &extents, &moves);
        let position = offset_of(element, taps.before, &extents, &positions);
        let mut sum = 0.0f32;
        for tap in 0..taps.count {
            // A place before the first wraps: it is behind the last.
            let reach = position - tap * taps.dilation;
            let place = reach / taps.stride;
            if reach % taps.stride == 0 && place < taps.places {
                let at = start + place * taps.place_step + tap * taps.tap_step;
                sum += x[at as usize];
            }
        }
        y[element as usize] = sum;
    }
}
