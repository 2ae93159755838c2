//! Attention on accelerators: a unit for each query, keys and values in shared memory tile by tile.
#![expect(clippy::manual_div_ceil, reason = "kernels have no such method")]
#![expect(clippy::too_many_lines, reason = "a kernel is one walk over shared memory")]

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::{Element, Extents};

use super::Attend;
use super::geometry::Geometry;
use crate::device::kernel::{Call, CubeKernel, Tensor, size, sizes};
use crate::device::real::exp;
use crate::device::words::{load, offset_of};

/// Queries, or keys, of a cube.
pub(crate) const UNITS: u32 = 64;

/// Numbers of a tile in shared memory: 16 KiB of `f32`.
const TILE_NUMBERS: usize = 4096;

/// Numbers that a unit keeps of each row at most.
const ROW_MAX: usize = 256;

/// Below every score that counts, and finite, so that a difference to it is a number.
pub(crate) const LOW: f32 = -1e30;

/// What a mask holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MaskKind {
    /// There is none.
    None,
    /// Bytes that are 0 or 1.
    Kept,
    /// Numbers that are added.
    Added,
}

/// What kernels know when they are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Static {
    pub(crate) features: usize,
    pub(crate) values: usize,
    /// Rows of a tile.
    pub(crate) tile: usize,
    pub(crate) mask: MaskKind,
}

impl Static {
    /// For ports of `q`, `k`, `v`, and a mask last.
    ///
    /// # Errors
    /// When rows are too long, or no `f32`.
    pub(crate) fn new(operator: &Attend, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let last = |input: usize| specs.inputs[input].bounds().pop().unwrap_or(0);
        let (features, values) = (last(0), last(2));
        if specs.inputs[0].element != Element::F32 {
            return Err(KernelError::Absent);
        }
        if features.max(values) > ROW_MAX {
            let text = format!("{features} features and {values} values, at most {ROW_MAX}");
            return Err(KernelError::Refused(text));
        }
        let mask = match specs.inputs.last().map(|mask| mask.element) {
            Some(Element::Bool) if operator.is_masked => MaskKind::Kept,
            _ if operator.is_masked => MaskKind::Added,
            _ => MaskKind::None,
        };
        let tile = (TILE_NUMBERS / (features + values).max(1)).clamp(1, 32);
        Ok(Self { features, values, tile, mask })
    }
}

/// A firing as kernels take it.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
pub(crate) struct Shape {
    /// Heads of `q`, with all dimensions before.
    pub(crate) heads: u32,
    /// Heads of `q` that share one of `k`.
    pub(crate) group: u32,
    pub(crate) queries: u32,
    pub(crate) keys: u32,
    /// How far behind and ahead of a query its keys are.
    pub(crate) before: u32,
    pub(crate) after: u32,
    /// Elements of the mask from one query, and one key, to the next.
    pub(crate) to_query: u32,
    pub(crate) to_key: u32,
    pub(crate) scale: f32,
}

/// Further than any key.
const FAR: usize = 1 << 30;

/// A shape, its geometry, and the dimensions and strides before the rows.
type Shaped<R> = (ShapeLaunch<R>, Geometry, [Vec<usize>; 2]);

/// The shape of a firing, and the dimensions of `q` before its rows with what the mask moves along
/// each.
pub(crate) fn shape<R: Runtime>(
    operator: &Attend,
    [q, k, v]: [&Extents; 3],
    mask: Option<&Extents>,
) -> Result<Shaped<R>, FireError> {
    let geometry = Geometry::new(operator, [q, k, v])?;
    let rank = q.len();
    let mut strides = vec![0; rank];
    if let Some(own) = mask {
        let mut stride = 1;
        for axis in (0..own.len()).rev() {
            strides[rank - own.len() + axis] = if own[axis] == 1 { 0 } else { stride };
            stride *= own[axis];
        }
    }
    let far = |steps: Option<usize>| size(steps.map_or(FAR, |steps| steps.min(FAR)));
    let [before, after] = geometry.reach();
    let shape = ShapeLaunch::new(
        size(geometry.heads),
        size(geometry.group),
        size(geometry.queries),
        size(geometry.keys),
        far(before),
        far(after),
        size(strides[rank - 2]),
        size(strides[rank - 1]),
        geometry.scale as f32,
    );
    // At least one dimension, for the kernels' sake.
    let outer = [&[1], &q[..rank - 2]].concat();
    let strides = [&[0], &strides[..rank - 2]].concat();
    Ok((shape, geometry, [outer, strides]))
}

/// Whether a query may attend to a key, but for the mask.
#[cube]
pub(crate) fn reaches(shape: &Shape, query: u32, key: u32) -> bool {
    key + shape.before >= query && key <= query + shape.after
}

/// A score with the mask; one that is kept out is -inf.
#[cube]
pub(crate) fn masked(
    score: f32,
    place: u32,
    kept: &Array<u32>,
    added: &Array<f32>,
    #[comptime] kind: MaskKind,
) -> f32 {
    match comptime!(kind) {
        MaskKind::None => score,
        MaskKind::Kept => {
            let outside = f32::reinterpret(0xff80_0000u32);
            select(load(kept, place, 4u32) != 0u32, score, outside)
        }
        MaskKind::Added => score + added[place as usize],
    }
}

pub(super) struct OnCube {
    operator: Attend,
    fixed: Static,
}

impl OnCube {
    pub(super) fn new(operator: &Attend, specs: &Specs<'_>) -> Result<Self, KernelError> {
        Ok(Self { operator: operator.clone(), fixed: Static::new(operator, specs)? })
    }
}

/// The mask of a call as both kinds of array; any other array where there is none.
pub(crate) fn mask_of<R: Runtime>(
    call: &Call<'_, R>,
    operator: &Attend,
    input: usize,
) -> Option<Tensor> {
    operator.is_masked.then(|| call.input(input))
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [q, k, v] = [0, 1, 2].map(|input| call.input(input));
        let mask = mask_of(call, &self.operator, 3);
        let own = mask.as_ref().map(Tensor::extents);
        let extents = [q.extents(), k.extents(), v.extents()];
        let (shape, geometry, [outer, strides]) =
            shape::<R>(&self.operator, extents.each_ref(), own.as_ref())?;
        let rank = extents[0].len();
        let of_y = [&extents[0][..rank - 1], &[geometry.values]].concat();
        let y = call.set_extents(0, &of_y);
        let log_sum = call.set_extents(1, &extents[0][..rank - 1]);
        let blocks = geometry.queries.div_ceil(UNITS as usize);
        let mask = mask.unwrap_or(q.clone());
        call.cubes(geometry.heads * blocks, UNITS, |client, cubes, units| {
            attend::launch::<R>(
                client,
                cubes,
                units,
                q.array(),
                k.array(),
                v.array(),
                mask.array(),
                mask.array(),
                y.array(),
                log_sum.array(),
                shape,
                sizes(&outer),
                sizes(&strides),
                self.fixed,
            );
        })
    }
}

#[cube(launch)]
fn attend(
    q: &Array<f32>,
    k: &Array<f32>,
    v: &Array<f32>,
    kept: &Array<u32>,
    added: &Array<f32>,
    y: &mut Array<f32>,
    log_sum: &mut Array<f32>,
    shape: Shape,
    outer: Sequence<u32>,
    strides: Sequence<u32>,
    #[comptime] fixed: Static,
) {
    let (features, values) = comptime!((fixed.features as u32, fixed.values as u32));
    let tile = comptime!(fixed.tile as u32);
    let mut tile_k = SharedMemory::<f32>::new(comptime!((fixed.tile * fixed.features).max(1)));
    let mut tile_v = SharedMemory::<f32>::new(comptime!((fixed.tile * fixed.values).max(1)));
    let mut own = Array::<f32>::new(comptime!(fixed.features.max(1)));
    let mut sums = Array::<f32>::new(comptime!(fixed.values.max(1)));
    let mut weights = Array::<f32>::new(comptime!(fixed.tile));
    let blocks = (shape.queries + UNITS - 1) / UNITS;
    let head = CUBE_POS as u32 / blocks;
    if head < shape.heads {
        let query = CUBE_POS as u32 % blocks * UNITS + UNIT_POS;
        // Units behind the last query repeat it, and store nothing.
        let row = head * shape.queries + min(query, shape.queries - 1);
        let place = offset_of(head, 0u32, &outer, &strides)
            + min(query, shape.queries - 1) * shape.to_query;
        for f in 0..features {
            own[f as usize] = q[(row * features + f) as usize] * shape.scale;
        }
        for f in 0..values {
            sums[f as usize] = 0.0;
        }
        let mut largest = LOW.runtime();
        let mut total = 0.0f32;
        let mut first = 0u32;
        while first < shape.keys {
            let count = min(tile, shape.keys - first);
            let start = head / shape.group * shape.keys + first;
            sync_cube();
            let mut i = UNIT_POS;
            while i < count * features {
                tile_k[i as usize] = k[(start * features + i) as usize];
                i += UNITS;
            }
            let mut i = UNIT_POS;
            while i < count * values {
                tile_v[i as usize] = v[(start * values + i) as usize];
                i += UNITS;
            }
            sync_cube();
            let mut new = largest;
            for j in 0..count {
                let mut score = 0.0f32;
                for f in 0..features {
                    score += own[f as usize] * tile_k[(j * features + f) as usize];
                }
                let at = place + (first + j) * shape.to_key;
                let score = masked(score, at, kept, added, comptime!(fixed.mask));
                let outside = f32::reinterpret(0xff80_0000u32);
                let score = select(reaches(&shape, query, first + j), score, outside);
                weights[j as usize] = score;
                new = select(score > new, score, new);
            }
            let factor = exp(largest - new);
            total *= factor;
            for f in 0..values {
                sums[f as usize] *= factor;
            }
            for j in 0..count {
                let weight = exp(weights[j as usize] - new);
                total += weight;
                for f in 0..values {
                    sums[f as usize] += weight * tile_v[(j * values + f) as usize];
                }
            }
            largest = new;
            first += tile;
        }
        if query < shape.queries {
            let is_empty = total == 0.0;
            for f in 0..values {
                y[(row * values + f) as usize] = select(is_empty, 0.0, sums[f as usize] / total);
            }
            let nothing = f32::reinterpret(0xff80_0000u32);
            log_sum[row as usize] = select(is_empty, nothing, largest + total.ln());
        }
    }
}
