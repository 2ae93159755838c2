//! The map on the host: a tuned loop over `f32`, a plain one over `f64`.

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel};
use synfire_runtime::spec::Element;

use super::{BevMode, PointsToBev};
use crate::host::pieces::pieces;

pub(super) struct OnHost(pub(super) PointsToBev);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (points, mut map) = (firing.input(0), firing.output(0));
        if points.spec().element == Element::F64 {
            in_f64(self.0, points.elements(), map.elements());
            return Ok(());
        }
        let (points, _) = points.elements::<f32>().as_chunks::<4>();
        let map = map.elements::<f32>();
        pieces(firing.crew(), map, 1, &|_, piece| piece.fill(0.0));
        let PointsToBev { size, resolution_m, mode } = self.0;
        let plane = Grid { resolution_m, centre: size as f32 / 2.0, count: size as f32 };
        match mode {
            BevMode::Plain => mark(points, map, plane, |z| f32::from(z > 0.0)),
            BevMode::Voxels { depth, offset } => {
                let grid = Grid { resolution_m, centre: offset as f32, count: depth as f32 };
                mark(points, map, plane, |z| f32::from((z > 0.0) & grid.has(grid.position(z))));
            }
            BevMode::Heights => mark(points, map, plane, |z| if z > 0.0 { z } else { 0.0 }),
        }
        Ok(())
    }
}

/// The same in `f64`, point by point: for derivatives, where speed does not matter.
fn in_f64(bev: PointsToBev, points: &[f64], map: &mut [f64]) {
    map.fill(0.0);
    let cell = |position: f64, centre: f64, count: f64| {
        let position = position / f64::from(bev.resolution_m) + centre;
        (0.0..count).contains(&position).then_some(position as usize)
    };
    let (size, centre) = (bev.size as f64, bev.size as f64 / 2.0);
    for &[x, y, z, _] in points.as_chunks::<4>().0 {
        let place = cell(x, centre, size).zip(cell(y, centre, size)).filter(|_| z > 0.0);
        let Some((row, column)) = place else { continue };
        let value = match bev.mode {
            BevMode::Plain => Some(1.0),
            BevMode::Heights => Some(z),
            BevMode::Voxels { depth, offset } => {
                cell(z, f64::from(offset), f64::from(depth)).map(|_| 1.0)
            }
        };
        let cell = &mut map[row * bev.size + column];
        *cell = cell.max(value.unwrap_or(0.0));
    }
}

/// The cells along one axis.
#[derive(Clone, Copy)]
struct Grid {
    resolution_m: f32,
    centre: f32,
    count: f32,
}

impl Grid {
    /// Where in the grid `position_m` lies, in cells.
    fn position(self, position_m: f32) -> f32 {
        position_m / self.resolution_m + self.centre
    }

    /// Whether a cell is there; never at NaN. From 0 on, truncation is the floor.
    fn has(self, position: f32) -> bool {
        (position >= 0.0) & (position < self.count)
    }
}

/// Points that are located before their cells are raised.
const BLOCK: usize = 256;

/// Raises each cell to the `value`, 0 or more, of the height of every point in it.
///
/// Two loops without a branch, for none could be predicted: a point outside raises some cell to 0,
/// which it is at least, each time another so that none waits for the last. One core does it all,
/// for points hit cells anywhere.
fn mark(points: &[[f32; 4]], map: &mut [f32], plane: Grid, value: impl Fn(f32) -> f32) {
    if map.is_empty() {
        return;
    }
    let size = plane.count as u32;
    let others = (map.len() / 2 + 1).next_power_of_two() as u32 - 1;
    let mut located = [(0, 0.0); BLOCK];
    for points in points.chunks(BLOCK) {
        for ((index, &[x, y, z, _]), located) in points.iter().enumerate().zip(&mut located) {
            let (row, column) = (plane.position(x), plane.position(y));
            let inside = plane.has(row) & plane.has(column);
            let cell = (row as i32 as u32).wrapping_mul(size).wrapping_add(column as i32 as u32);
            // All ones or none: a choice by arithmetic, since `if` here is compiled to a branch.
            let mask = u32::from(inside).wrapping_neg();
            let cell = (cell & mask) | (index as u32 & others & !mask);
            *located = (cell, f32::from_bits(value(z).to_bits() & mask));
        }
        for &(cell, value) in &located[..points.len()] {
            let cell = &mut map[cell as usize];
            *cell = if value > *cell { value } else { *cell };
        }
    }
}
