//! Lookups on the host: first the taps of all points, then the image channel by channel.

use synfire_runtime::crew::Crew;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Specs, Workspace};
use synfire_runtime::spec::{Element, RANK_MAX};

use super::GridSample;
use super::points::{Axis, Method};
use crate::host::pieces::pieces;
use crate::host::real::Real;

/// Bytes at whose multiples the table starts.
const ALIGNMENT: usize = 8;

pub(super) struct OnHost {
    operator: GridSample,
    image: Vec<usize>,
    points: usize,
    table_bytes: usize,
    narrow: Vec<Axis<f32>>,
    wide: Vec<Axis<f64>>,
}

/// A number that pixels are counted in.
trait Count: Real + Into<f64> {}
impl Count for f32 {}
impl Count for f64 {}

impl OnHost {
    pub(super) fn new(
        operator: GridSample,
        [image, points]: [Vec<usize>; 2],
        specs: &Specs<'_>,
    ) -> Self {
        let points = points.iter().product::<usize>();
        let spec = &specs.inputs[0];
        let numbers = 2 * image.len() * operator.method.taps();
        let table_bytes = spec.bound(0) * points * numbers * spec.element.bytes();
        // The first coordinate goes along the last axis.
        let extents = || image.iter().rev().enumerate();
        let narrow = extents().map(|(k, &extent)| Axis::new(&operator, k, extent)).collect();
        let wide = extents().map(|(k, &extent)| Axis::new(&operator, k, extent)).collect();
        Self { operator, image, points, table_bytes, narrow, wide }
    }

    fn run<T: Count>(&self, firing: &mut Firing<'_>, axes: &[Axis<T>]) -> Result<(), FireError> {
        match (axes.len(), self.operator.method) {
            (2, Method::Nearest) => self.with::<T, 2, 1>(firing, axes),
            (2, Method::Linear) => self.with::<T, 2, 2>(firing, axes),
            (2, Method::Cubic) => self.with::<T, 2, 4>(firing, axes),
            (_, Method::Nearest) => self.with::<T, 3, 1>(firing, axes),
            (_, Method::Linear) => self.with::<T, 3, 2>(firing, axes),
            (_, Method::Cubic) => self.with::<T, 3, 4>(firing, axes),
        }
    }

    /// With `D` axes and `K` taps along each.
    fn with<T: Count, const D: usize, const K: usize>(
        &self,
        firing: &mut Firing<'_>,
        axes: &[Axis<T>],
    ) -> Result<(), FireError> {
        let (x, grid) = (firing.input(0), firing.input(1));
        let (extents, batch) = (x.extents(), grid.extents()[0]);
        if extents[0] != batch {
            let found = extents[0];
            let cause = format!("port grid, dimension 0: found {batch}; wanted {found} as x has");
            return Err(FireError::failed(cause));
        }
        let (scratch, crew) = (firing.scratch(), firing.crew());
        let start = scratch.as_ptr().align_offset(ALIGNMENT);
        let numbers = 2 * D * K;
        let bytes = batch * self.points * numbers * size_of::<T>();
        let table: &mut [T] = bytemuck::cast_slice_mut(&mut scratch[start..start + bytes]);
        fill::<T, D, K>(crew, table, grid.elements::<T>(), axes);
        let mut y = firing.output(0);
        let (x, channels) = (x.elements::<T>(), extents[1]);
        let pixels: usize = self.image.iter().product();
        let mut target = [0; RANK_MAX];
        target[..extents.len()].copy_from_slice(&y.extents());
        target[0] = batch;
        y.set_extents(&target[..extents.len()]);
        let image: [usize; D] = std::array::from_fn(|axis| self.image[axis]);
        let of_plane = |plane: usize| {
            let first = plane / channels * self.points * numbers;
            table[first..][..self.points * numbers].chunks_exact(numbers)
        };
        if self.operator.onto.is_some() {
            pieces(crew, y.elements::<T>(), pixels, &|offset, piece| {
                for (y, plane) in piece.chunks_exact_mut(pixels).zip(offset / pixels..) {
                    y.fill(T::of(0.0));
                    let x = &x[plane * self.points..][..self.points];
                    for (point, &value) in of_plane(plane).zip(x) {
                        each::<T, D, K>(point, image, |at, weight| {
                            if let Some(at) = at {
                                y[at] = y[at] + weight * value;
                            }
                        });
                    }
                }
            });
            return Ok(());
        }
        pieces(crew, y.elements::<T>(), 1, &|offset, piece| {
            let (mut plane, mut first) = (offset / self.points, offset % self.points);
            let mut rest = piece;
            while !rest.is_empty() {
                let count = (self.points - first).min(rest.len());
                let (run, later) = rest.split_at_mut(count);
                let x = &x[plane * pixels..][..pixels];
                for (y, point) in run.iter_mut().zip(of_plane(plane).skip(first)) {
                    let mut sum = T::of(0.0);
                    each::<T, D, K>(point, image, |at, weight| {
                        sum = sum + weight * at.map_or(T::of(0.0), |at| x[at]);
                    });
                    *y = sum;
                }
                (plane, first, rest) = (plane + 1, 0, later);
            }
        });
        Ok(())
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        Workspace { kept_bytes: 0, scratch_bytes: self.table_bytes + ALIGNMENT }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => self.run(firing, &self.narrow),
            _ => self.run(firing, &self.wide),
        }
    }
}

/// Fills the table: for each point the weights, then the pixels of its taps, each by axis from the
/// last to the first.
fn fill<T: Count, const D: usize, const K: usize>(
    crew: &Crew,
    table: &mut [T],
    grid: &[T],
    axes: &[Axis<T>],
) {
    let numbers = 2 * D * K;
    pieces(crew, table, numbers, &|offset, piece| {
        let points = grid[offset / numbers * D..].chunks_exact(D);
        for (record, point) in piece.chunks_exact_mut(numbers).zip(points) {
            let (weights, places) = record.split_at_mut(D * K);
            let taps = weights.chunks_exact_mut(K).zip(places.chunks_exact_mut(K));
            for ((&at, axis), (weights, places)) in point.iter().zip(axes).zip(taps) {
                axis.taps(at, weights, places);
            }
        }
    });
}

/// Calls `tap(pixel, weight)` for every tap of a point; no pixel where it lies outside.
#[inline]
fn each<T: Count, const D: usize, const K: usize>(
    record: &[T],
    image: [usize; D],
    mut tap: impl FnMut(Option<usize>, T),
) {
    let (weights, places) = record.split_at(D * K);
    for corner in 0..K.pow(D as u32) {
        let (mut weight, mut at, mut is_inside, mut rest) = (T::of(1.0), 0, true, corner);
        let mut step = 1;
        for axis in 0..D {
            let k = axis * K + rest % K;
            rest /= K;
            weight = weight * weights[k];
            let place: f64 = places[k].into();
            is_inside &= place >= 0.0;
            at += place as usize * step;
            step *= image[D - 1 - axis];
        }
        tap(is_inside.then_some(at), weight);
    }
}
