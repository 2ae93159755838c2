//! The map on accelerators: it is cleared, then every point raises its cell by an atomic maximum.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{BevMode, PointsToBev};
use crate::device::kernel::{Call, CubeKernel, size};

pub(super) struct OnCube(PointsToBev);

impl OnCube {
    pub(super) fn new(operator: PointsToBev, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (points, map) = (call.input(0), call.output(0));
        let PointsToBev { size: cells, resolution_m, mode } = self.0;
        call.each(map.elements(), |client, cubes, units| {
            clear::launch::<R>(client, cubes, units, map.array(), size(map.elements()));
        })?;
        if map.elements() == 0 {
            return Ok(());
        }
        let [depth, offset] = match mode {
            BevMode::Voxels { depth, offset } => [depth as f32, offset as f32],
            _ => [0.0, 0.0],
        };
        let kind = match mode {
            BevMode::Plain => Kind::Plain,
            BevMode::Voxels { .. } => Kind::Voxels,
            BevMode::Heights => Kind::Heights,
        };
        let count = points.extents()[0];
        call.each(count, |client, cubes, units| {
            let (points, map) = (points.array(), map.array());
            let (count, cells) = (size(count), size(cells));
            mark::launch::<R>(
                client,
                cubes,
                units,
                points,
                map,
                count,
                cells,
                resolution_m,
                depth,
                offset,
                kind,
            );
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Plain,
    Voxels,
    Heights,
}

#[cube(launch)]
fn clear(map: &mut Array<u32>, count: u32) {
    if ABSOLUTE_POS < count as usize {
        map[ABSOLUTE_POS] = 0;
    }
}

/// Numbers from 0 on are ordered as their bits are, so the maximum needs no order of points.
#[cube(launch)]
fn mark(
    points: &Array<f32>,
    map: &mut Array<Atomic<u32>>,
    count: u32,
    cells: u32,
    resolution_m: f32,
    depth: f32,
    offset: f32,
    #[comptime] kind: Kind,
) {
    let point = ABSOLUTE_POS;
    if point < count as usize {
        let size = f32::cast_from(cells);
        let row = points[4 * point] / resolution_m + size / 2.0;
        let column = points[4 * point + 1] / resolution_m + size / 2.0;
        let z = points[4 * point + 2];
        let mut counts = z > 0.0;
        if comptime!(kind == Kind::Voxels) {
            let height = z / resolution_m + offset;
            counts = counts && height >= 0.0 && height < depth;
        }
        if counts && row >= 0.0 && row < size && column >= 0.0 && column < size {
            let cell = u32::cast_from(row) * cells + u32::cast_from(column);
            let value = if comptime!(kind == Kind::Heights) { z } else { 1.0f32.runtime() };
            map[cell as usize].fetch_max(u32::reinterpret(value));
        }
    }
}
