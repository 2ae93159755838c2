//! The pool on accelerators: a unit for each window.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use crate::device::image::{Direction, fit};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, nothing, together};
use crate::host::window::Window;

pub(super) struct OnCube {
    pub(super) window: Window,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = fit(call, &x);
        let [down, across] = Direction::both(&self.window, &x.extents(), &y.extents());
        call.each(y.elements(), |client, cubes, units| {
            let (x, count, y) = (x.array(), size(y.elements()), y.array());
            let (down, across) = (down.argument(), across.argument());
            largest::launch::<R>(client, cubes, units, x, y, count, down, across);
        })
    }
}

#[cube(launch)]
fn largest(x: &Array<f32>, y: &mut Array<f32>, count: u32, down: Direction, across: Direction) {
    let place = ABSOLUTE_POS as u32;
    if place < count {
        let line = place / across.places;
        let plane = line / down.places * down.extent;
        let first_row = down.first + line % down.places * down.place_step;
        let first_column = across.first + place % across.places * across.place_step;
        let mut most = nothing(Fold::Largest);
        for i in 0..down.taps {
            let row = first_row + i * down.tap_step;
            if row < down.extent {
                for j in 0..across.taps {
                    let column = first_column + j * across.tap_step;
                    if column < across.extent {
                        let at = (plane + row) * across.extent + column;
                        most = together(most, x[at as usize], Fold::Largest);
                    }
                }
            }
        }
        y[place as usize] = most;
    }
}
