//! The sums on accelerators: a unit for each.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::{Sizes, WindowSum};
use crate::device::image::fit;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::spans::{Span, end_of, size_of, span, start_of};

pub(super) struct OnCube(pub(super) WindowSum);

/// What is divided by sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Divided {
    Nothing,
    Input,
    Output,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = fit(call, &x);
        let [rows, columns] = self.0.spans;
        let divided = match self.0.sizes {
            None => Divided::Nothing,
            Some(_) if self.0.is_transposed => Divided::Input,
            Some(_) => Divided::Output,
        };
        let unused = [rows, columns].map(|spans| Sizes { spans, low: 0, high: 0 });
        let [tall, wide] = self.0.sizes.unwrap_or(unused);
        let (rows, columns) = (span(&rows)?, span(&columns)?);
        let (tall, wide) = (sized(&tall)?, sized(&wide)?);
        call.each(y.elements(), |client, cubes, units| {
            let (x, count, y) = (x.array(), size(y.elements()), y.array());
            total::launch::<R>(
                client, cubes, units, x, y, count, rows, columns, tall, wide, divided,
            );
        })
    }
}

/// [`Sizes`] as kernels take them.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Sized {
    span: Span,
    low: i32,
    high: i32,
}

fn sized<R: Runtime>(sizes: &Sizes) -> Result<SizedLaunch<R>, FireError> {
    let [low, high] = [sizes.low, sizes.high].map(|n| n as i32);
    Ok(SizedLaunch::new(span(&sizes.spans)?, low, high))
}

#[cube]
fn sizes_of(tall: &Sized, wide: &Sized, row: u32, column: u32) -> f32 {
    let rows = size_of(&tall.span, row, tall.low, tall.high);
    let columns = size_of(&wide.span, column, wide.low, wide.high);
    f32::cast_from(rows) * f32::cast_from(columns)
}

#[cube(launch)]
fn total(
    x: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    rows: Span,
    columns: Span,
    tall: Sized,
    wide: Sized,
    #[comptime] divided: Divided,
) {
    let place = ABSOLUTE_POS as u32;
    if place < count {
        let (line, q) = (place / columns.places, place % columns.places);
        let (plane, p) = (line / rows.places * rows.extent, line % rows.places);
        let mut sum = 0.0f32;
        for i in start_of(&rows, p)..end_of(&rows, p) {
            for j in start_of(&columns, q)..end_of(&columns, q) {
                let value = x[((plane + i) * columns.extent + j) as usize];
                if comptime!(divided == Divided::Input) {
                    sum += value / sizes_of(&tall, &wide, i, j);
                } else {
                    sum += value;
                }
            }
        }
        if comptime!(divided == Divided::Output) {
            y[place as usize] = sum / sizes_of(&tall, &wide, p, q);
        } else {
            y[place as usize] = sum;
        }
    }
}
