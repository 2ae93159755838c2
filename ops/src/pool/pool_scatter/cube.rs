//! Gather and scatter on accelerators: a unit for each element of the output.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::on_host::check_batch;
use super::{Kind, PoolScatter};
use crate::device::image::fit;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lookup::index_at;
use crate::device::spans::{Span, end_of, span, start_of};

pub(super) struct OnCube(pub(super) PoolScatter);

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (x, index) = (call.input(0), call.input(1));
        check_batch(self.0.name(), &x.extents(), &index.extents())?;
        let y = fit(call, &x);
        // The windows that a pixel is in.
        let spans = self.0.spans.map(|spans| spans.transposed());
        let (rows, columns) = (span(&spans[0])?, span(&spans[1])?);
        let kind = self.0.kind;
        call.each(y.elements(), |client, cubes, units| {
            let (x, index, y, count) = (x.array(), index.array(), y.array(), size(y.elements()));
            pick::launch::<R>(client, cubes, units, x, index, y, count, rows, columns, kind);
        })
    }
}

#[cube(launch)]
fn pick(
    x: &Array<f32>,
    index: &Array<u32>,
    y: &mut Array<f32>,
    count: u32,
    rows: Span,
    columns: Span,
    #[comptime] kind: Kind,
) {
    let element = ABSOLUTE_POS as u32;
    if element < count {
        // Pixels are the places of these spans, windows their extent.
        let (pixels, windows) = (rows.places * columns.places, rows.extent * columns.extent);
        if comptime!(kind == Kind::Gather) {
            let pixel = index_at(index, element);
            let is_pixel = pixel < pixels;
            let at = element / windows * pixels + pixel;
            let value = x[select(is_pixel, at, 0u32) as usize];
            y[element as usize] = select(is_pixel, value, 0.0f32);
        } else {
            let (plane, pixel) = (element / pixels * windows, element % pixels);
            let (i, j) = (pixel / columns.places, pixel % columns.places);
            let mut total = 0.0f32;
            for p in start_of(&rows, i)..end_of(&rows, i) {
                for q in start_of(&columns, j)..end_of(&columns, j) {
                    let window = plane + p * columns.extent + q;
                    if index_at(index, window) == pixel {
                        if comptime!(kind == Kind::Scatter) {
                            total += x[window as usize];
                        } else {
                            total = x[window as usize];
                        }
                    }
                }
            }
            y[element as usize] = total;
        }
    }
}
