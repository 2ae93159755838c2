//! The pool on accelerators: a unit for each window.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::Windows;
use crate::device::image::fit;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lines::{Fold, nothing};
use crate::device::real::is_nan;
use crate::device::spans::{Span, end_of, first_of, span};

pub(super) struct OnCube(pub(super) Windows);

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = fit(call, &x);
        let index = call.set_extents(1, &y.extents());
        let Windows { spans: [rows, columns], dilation: [down, across] } = self.0;
        let (rows, columns) = (span(&rows)?, span(&columns)?);
        call.each(y.elements(), |client, cubes, units| {
            let (x, count, y, index) = (x.array(), size(y.elements()), y.array(), index.array());
            let (down, across) = (size(down), size(across));
            largest::launch::<R>(
                client, cubes, units, x, y, index, count, rows, columns, down, across,
            );
        })
    }
}

#[cube(launch)]
fn largest(
    x: &Array<f32>,
    y: &mut Array<f32>,
    index: &mut Array<u32>,
    count: u32,
    rows: Span,
    columns: Span,
    down: u32,
    across: u32,
) {
    let place = ABSOLUTE_POS as u32;
    if place < count {
        let (line, q) = (place / columns.places, place % columns.places);
        let (plane, p) = (line / rows.places * rows.extent, line % rows.places);
        let mut most = nothing(Fold::Largest);
        // The words of -1.
        let mut low = 0xffff_ffffu32;
        let mut high = 0xffff_ffffu32;
        let (end_row, end_column) = (end_of(&rows, p), end_of(&columns, q));
        let mut i = first_of(&rows, p, down);
        while i < end_row {
            let mut j = first_of(&columns, q, across);
            while j < end_column {
                let value = x[((plane + i) * columns.extent + j) as usize];
                if value > most || is_nan(value) || high != 0 {
                    most = value;
                    low = i * columns.extent + j;
                    high = 0u32;
                }
                j += across;
            }
            i += down;
        }
        y[place as usize] = most;
        index[(2 * place) as usize] = low;
        index[(2 * place + 1) as usize] = high;
    }
}
