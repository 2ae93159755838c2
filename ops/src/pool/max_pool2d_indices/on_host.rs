//! The host kernel: windows that slide in blocks, others one after the other.

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel};
use synfire_runtime::spec::Element;

use super::Windows;
use crate::host::number::Number;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::host::simd::{Element as Vectored, Path};
use crate::window::{self, Pool};

/// The kernel of [`MaxPool2dIndices`](super::MaxPool2dIndices).
pub(super) struct OnHost {
    /// Unless it is adaptive, or its windows are huge.
    pub(super) pool: Option<Pool>,
    pub(super) windows: Windows,
    pub(super) path: Path,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F64 => self.fire_as(firing, f64::NEG_INFINITY),
            _ => self.fire_as(firing, f32::NEG_INFINITY),
        }
        Ok(())
    }
}

impl OnHost {
    fn fire_as<T: Vectored + Number + Real + Into<f64>>(&self, firing: &mut Firing<'_>, least: T) {
        if let Some(pool) = &self.pool {
            return pool.largest_indexed(firing, self.path, least);
        }
        let (crew, x) = (firing.crew(), firing.input(0));
        let (mut y, mut index) = (firing.output(0), firing.output(1));
        window::set_batch(&mut y, &x);
        window::set_batch(&mut index, &x);
        let x = x.elements::<T>();
        let [rows, columns] = self.windows.spans;
        let pixels = rows.extent * columns.extent;
        pieces(crew, index.elements::<i64>(), columns.places, &|offset, piece| {
            for (number, index) in piece.chunks_exact_mut(columns.places).enumerate() {
                let row = offset / columns.places + number;
                let plane = &x[row / rows.places * pixels..][..pixels];
                for (column, index) in index.iter_mut().enumerate() {
                    *index = self.largest(plane, [row % rows.places, column]);
                }
            }
        });
        let (index, places) = (&*index.elements::<i64>(), rows.places * columns.places);
        pieces(crew, y.elements::<T>(), 1, &|offset, piece| {
            for (number, y) in piece.iter_mut().enumerate() {
                let plane = (offset + number) / places * pixels;
                let pixel = usize::try_from(index[offset + number]);
                *y = pixel.map_or(least, |pixel| x[plane + pixel]);
            }
        });
    }

    /// Where the largest pixel of a window is, -1 for none.
    fn largest<T: Number>(&self, plane: &[T], [row, column]: [usize; 2]) -> i64 {
        let (mut index, mut largest) = (-1, None);
        for i in self.windows.seen(0, row) {
            let line = i * self.windows.spans[1].extent;
            for j in self.windows.seen(1, column) {
                let pixel = plane[line + j];
                if largest.is_none_or(|largest| pixel > largest) || pixel.is_nan() {
                    (index, largest) = ((line + j) as i64, Some(pixel));
                }
            }
        }
        index
    }
}
