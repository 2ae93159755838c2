//! The pool on accelerators: a unit for each window.

use cubecl::prelude::*;

use super::{Counting, FireError};
use crate::device::image::{Direction, fit};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::host::window::{Padding, Window};

pub(super) struct OnCube {
    pub(super) window: Window,
    pub(super) counting: Counting,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = fit(call, &x);
        let [down, across] = Direction::both(&self.window, &x.extents(), &y.extents());
        let Padding { top, bottom, left, right } = self.window.padding;
        let [before, after] = match self.counting {
            Counting::Padding => [[0, 0], [bottom, right]],
            Counting::Image => [[top, left], [0, 0]],
        };
        let ends = [down.extent, across.extent];
        let ends = [0, 1].map(|axis| ends[axis] + size([top, left][axis] + after[axis]));
        call.each(y.elements(), |client, cubes, units| {
            let (x, count, y) = (x.array(), size(y.elements()), y.array());
            average::launch::<R>(
                client,
                cubes,
                units,
                x,
                y,
                count,
                down.argument(),
                across.argument(),
                CountedLaunch::new(size(before[0]), ends[0]),
                CountedLaunch::new(size(before[1]), ends[1]),
            );
        })
    }
}

/// The rows or columns, from the first of the padding on, that count.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Counted {
    first: u32,
    end: u32,
}

/// How many of the `length` from `start` on count.
#[cube]
fn counted(start: u32, length: u32, counted: Counted) -> u32 {
    let first = max(start, counted.first);
    max(min(start + length, counted.end), first) - first
}

#[cube(launch)]
fn average(
    x: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    down: Direction,
    across: Direction,
    rows: Counted,
    columns: Counted,
) {
    let place = ABSOLUTE_POS as u32;
    if place < count {
        let line = place / across.places;
        let plane = line / down.places * down.extent;
        let row = line % down.places * down.place_step;
        let column = place % across.places * across.place_step;
        let mut sum = 0.0f32;
        for i in 0..down.taps {
            let pixel_row = row + down.first + i;
            if pixel_row < down.extent {
                for j in 0..across.taps {
                    let pixel_column = column + across.first + j;
                    if pixel_column < across.extent {
                        let at = (plane + pixel_row) * across.extent + pixel_column;
                        sum += x[at as usize];
                    }
                }
            }
        }
        let size = counted(row, down.taps, rows) * counted(column, across.taps, columns);
        y[place as usize] = sum / f32::cast_from(max(size, 1u32));
    }
}
