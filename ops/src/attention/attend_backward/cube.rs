//! The gradient on accelerators: a unit for each query gives `dq`, one for each key `dk` and `dv`.
#![expect(clippy::manual_div_ceil, reason = "kernels have no such method")]
#![expect(clippy::too_many_lines, reason = "a kernel is one walk over shared memory")]

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};

use super::AttendBackward;
use crate::attention::attend::cube::{LOW, Shape, Static, UNITS, mask_of, masked, reaches, shape};
use crate::device::kernel::{Call, CubeKernel, Tensor, sizes};
use crate::device::real::exp;
use crate::device::words::offset_of;

pub(super) struct OnCube {
    operator: AttendBackward,
    fixed: Static,
}

impl OnCube {
    pub(super) fn new(operator: &AttendBackward, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let fixed = Static::new(&operator.attend, specs)?;
        Ok(Self { operator: operator.clone(), fixed })
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [q, k, v, log_sum, delta, dy] = [0, 1, 2, 3, 4, 5].map(|input| call.input(input));
        let operator = &self.operator.attend;
        let mask = mask_of(call, operator, 6);
        let own = mask.as_ref().map(Tensor::extents);
        let extents = [q.extents(), k.extents(), v.extents()];
        let dq = call.set_extents(0, &extents[0]);
        let dk = call.set_extents(1, &extents[1]);
        let dv = call.set_extents(2, &extents[2]);
        let mask = mask.unwrap_or(q.clone());
        let whole = || shape::<R>(operator, extents.each_ref(), own.as_ref());
        let (shape, geometry, [outer, strides]) = whole()?;
        let blocks = geometry.queries.div_ceil(UNITS as usize);
        call.cubes(geometry.heads * blocks, UNITS, |client, cubes, units| {
            by_queries::launch::<R>(
                client,
                cubes,
                units,
                q.array(),
                k.array(),
                v.array(),
                log_sum.array(),
                delta.array(),
                dy.array(),
                mask.array(),
                mask.array(),
                dq.array(),
                shape,
                sizes(&outer),
                sizes(&strides),
                self.fixed,
            );
        })?;
        let (shape, geometry, [outer, strides]) = whole()?;
        let blocks = geometry.keys.div_ceil(UNITS as usize);
        let groups = geometry.heads / geometry.group;
        call.cubes(groups * blocks, UNITS, |client, cubes, units| {
            by_keys::launch::<R>(
                client,
                cubes,
                units,
                q.array(),
                k.array(),
                v.array(),
                log_sum.array(),
                delta.array(),
                dy.array(),
                mask.array(),
                mask.array(),
                dk.array(),
                dv.array(),
                shape,
                sizes(&outer),
                sizes(&strides),
                self.fixed,
            );
        })
    }
}

/// The weight of a score; 0 where there is nothing to attend to.
#[cube]
fn weight_of(score: f32, log_sum: f32) -> f32 {
    let base = select(log_sum < LOW, 0.0, log_sum);
    exp(score - base)
}

#[cube(launch)]
fn by_queries(
    q: &Array<f32>,
    k: &Array<f32>,
    v: &Array<f32>,
    log_sum: &Array<f32>,
    delta: &Array<f32>,
    dy: &Array<f32>,
    kept: &Array<u32>,
    added: &Array<f32>,
    dq: &mut Array<f32>,
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
    let mut sums = Array::<f32>::new(comptime!(fixed.features.max(1)));
    let mut above = Array::<f32>::new(comptime!(fixed.values.max(1)));
    let blocks = (shape.queries + UNITS - 1) / UNITS;
    let head = CUBE_POS as u32 / blocks;
    if head < shape.heads {
        let query = CUBE_POS as u32 % blocks * UNITS + UNIT_POS;
        let inside = min(query, shape.queries - 1);
        let row = head * shape.queries + inside;
        let place = offset_of(head, 0u32, &outer, &strides) + inside * shape.to_query;
        for f in 0..features {
            own[f as usize] = q[(row * features + f) as usize] * shape.scale;
            sums[f as usize] = 0.0;
        }
        for f in 0..values {
            above[f as usize] = dy[(row * values + f) as usize];
        }
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
            for j in 0..count {
                if reaches(&shape, query, first + j) {
                    let mut score = 0.0f32;
                    for f in 0..features {
                        score += own[f as usize] * tile_k[(j * features + f) as usize];
                    }
                    let mut dweight = 0.0f32;
                    for f in 0..values {
                        dweight += above[f as usize] * tile_v[(j * values + f) as usize];
                    }
                    let at = place + (first + j) * shape.to_key;
                    let score = masked(score, at, kept, added, comptime!(fixed.mask));
                    let weight = weight_of(score, log_sum[row as usize]);
                    let dscore = weight * (dweight - delta[row as usize]) * shape.scale;
                    for f in 0..features {
                        sums[f as usize] += dscore * tile_k[(j * features + f) as usize];
                    }
                }
            }
            first += tile;
        }
        if query < shape.queries {
            for f in 0..features {
                dq[(row * features + f) as usize] = sums[f as usize];
            }
        }
    }
}

#[cube(launch)]
fn by_keys(
    q: &Array<f32>,
    k: &Array<f32>,
    v: &Array<f32>,
    log_sum: &Array<f32>,
    delta: &Array<f32>,
    dy: &Array<f32>,
    kept: &Array<u32>,
    added: &Array<f32>,
    dk: &mut Array<f32>,
    dv: &mut Array<f32>,
    shape: Shape,
    outer: Sequence<u32>,
    strides: Sequence<u32>,
    #[comptime] fixed: Static,
) {
    let (features, values) = comptime!((fixed.features as u32, fixed.values as u32));
    let tile = comptime!(fixed.tile as u32);
    let mut tile_q = SharedMemory::<f32>::new(comptime!((fixed.tile * fixed.features).max(1)));
    let mut tile_dy = SharedMemory::<f32>::new(comptime!((fixed.tile * fixed.values).max(1)));
    let mut own_k = Array::<f32>::new(comptime!(fixed.features.max(1)));
    let mut own_v = Array::<f32>::new(comptime!(fixed.values.max(1)));
    let mut sums_k = Array::<f32>::new(comptime!(fixed.features.max(1)));
    let mut sums_v = Array::<f32>::new(comptime!(fixed.values.max(1)));
    let blocks = (shape.keys + UNITS - 1) / UNITS;
    let group = CUBE_POS as u32 / blocks;
    if group * shape.group < shape.heads {
        let key = CUBE_POS as u32 % blocks * UNITS + UNIT_POS;
        let inside = min(key, shape.keys - 1);
        let column = group * shape.keys + inside;
        for f in 0..features {
            own_k[f as usize] = k[(column * features + f) as usize];
            sums_k[f as usize] = 0.0;
        }
        for f in 0..values {
            own_v[f as usize] = v[(column * values + f) as usize];
            sums_v[f as usize] = 0.0;
        }
        for member in 0..shape.group {
            let head = group * shape.group + member;
            let place = offset_of(head, 0u32, &outer, &strides) + inside * shape.to_key;
            let mut first = 0u32;
            while first < shape.queries {
                let count = min(tile, shape.queries - first);
                let start = head * shape.queries + first;
                sync_cube();
                let mut i = UNIT_POS;
                while i < count * features {
                    tile_q[i as usize] = q[(start * features + i) as usize];
                    i += UNITS;
                }
                let mut i = UNIT_POS;
                while i < count * values {
                    tile_dy[i as usize] = dy[(start * values + i) as usize];
                    i += UNITS;
                }
                sync_cube();
                for j in 0..count {
                    if reaches(&shape, first + j, key) {
                        let mut score = 0.0f32;
                        for f in 0..features {
                            score += own_k[f as usize] * tile_q[(j * features + f) as usize];
                        }
                        let mut dweight = 0.0f32;
                        for f in 0..values {
                            dweight += own_v[f as usize] * tile_dy[(j * values + f) as usize];
                        }
                        let at = place + (first + j) * shape.to_query;
                        let score = score * shape.scale;
                        let score = masked(score, at, kept, added, comptime!(fixed.mask));
                        let row = (start + j) as usize;
                        let weight = weight_of(score, log_sum[row]);
                        let dscore = weight * (dweight - delta[row]) * shape.scale;
                        for f in 0..features {
                            sums_k[f as usize] += dscore * tile_q[(j * features + f) as usize];
                        }
                        for f in 0..values {
                            sums_v[f as usize] += weight * tile_dy[(j * values + f) as usize];
                        }
                    }
                }
                first += tile;
            }
        }
        if key < shape.keys {
            for f in 0..features {
                dk[(column * features + f) as usize] = sums_k[f as usize];
            }
            for f in 0..values {
                dv[(column * values + f) as usize] = sums_v[f as usize];
            }
        }
    }
}
