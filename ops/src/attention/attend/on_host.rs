//! The host kernel: blocks of queries, each with an online softmax over blocks of keys.

use std::ops::Range;

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Specs, Workspace};

use super::Attend;
use super::geometry::{Geometry, KEYS, Mask, Multiply, Number, QUERIES, check_mask, rows, scores};
use crate::host::blocks::{Blocks, blocks};
use crate::host::kernel::Base;
use crate::host::pack::Matrix;
use crate::host::real::Real;
use crate::host::tile::workspace_bytes;

/// The kernel of [`Attend`].
pub(super) struct OnHost<T> {
    operator: Attend,
    multiply: Multiply,
    /// Elements of scratch of one core.
    scratch: usize,
    cores: usize,
    number: std::marker::PhantomData<T>,
}

impl<T: Number> OnHost<T> {
    pub(super) fn new(operator: &Attend, specs: &Specs<'_>) -> Self {
        let last = |input: usize| specs.inputs[input].bounds().pop().unwrap_or(0);
        let multiply = Multiply::new();
        let products = multiply.scratch_len::<T>(last(0).max(last(2)));
        Self {
            operator: operator.clone(),
            multiply,
            scratch: QUERIES * KEYS + 2 * QUERIES + products,
            cores: specs.cores,
            number: std::marker::PhantomData,
        }
    }
}

impl<T: Number> Kernel for OnHost<T> {
    fn workspace(&self) -> Workspace {
        let scratch_bytes = workspace_bytes::<T>(self.scratch, self.cores);
        Workspace { kept_bytes: 0, scratch_bytes }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let [q, k, v] = [0, 1, 2].map(|input| firing.input(input));
        let extents = q.extents();
        let geometry = Geometry::new(&self.operator, [&extents, &k.extents(), &v.extents()])?;
        let mask = self.operator.is_masked.then(|| firing.input(3));
        if let Some(mask) = &mask {
            check_mask(mask, &extents, geometry.keys)?;
        }
        let mask = mask.map(|mask| Mask::<T>::new(&self.operator, &mask, &extents));
        let (mut y, mut log_sum) = (firing.output(0), firing.output(1));
        let rank = extents.len();
        let mut of_y = [0; synfire_runtime::spec::RANK_MAX];
        of_y[..rank].copy_from_slice(&extents);
        of_y[rank - 1] = geometry.values;
        y.set_extents(&of_y[..rank]);
        log_sum.set_extents(&extents[..rank - 1]);
        let task = Task {
            geometry,
            multiply: &self.multiply,
            operands: [q.elements(), k.elements(), v.elements()],
            mask: mask.as_ref(),
        };
        let count = geometry.heads * geometry.query_blocks();
        let cut = Blocks { count, ranges: &|number| task.ranges(number) };
        let outputs = [y.elements::<T>(), log_sum.elements::<T>()];
        let workspace = (firing.scratch(), self.scratch);
        blocks(firing.crew(), outputs, &cut, workspace, &|number, [y, log_sum], scratch| {
            task.block(number, y, log_sum, scratch);
        });
        Ok(())
    }
}

/// What all blocks of a firing share.
struct Task<'a, T> {
    geometry: Geometry,
    multiply: &'a Multiply,
    operands: [&'a [T]; 3],
    mask: Option<&'a Mask<'a, T>>,
}

impl<T: Number> Task<'_, T> {
    /// Head and queries of a block.
    fn place(&self, number: usize) -> (usize, Range<usize>) {
        let count = self.geometry.query_blocks();
        (number / count, self.geometry.queries_of(number % count))
    }

    /// What a block writes of `y` and of `log_sum`.
    fn ranges(&self, number: usize) -> [Range<usize>; 2] {
        let (head, queries) = self.place(number);
        let first = head * self.geometry.queries;
        [self.geometry.values, 1]
            .map(|unit| (first + queries.start) * unit..(first + queries.end) * unit)
    }

    fn block(&self, number: usize, y: &mut [T], log_sum: &mut [T], scratch: &mut [T]) {
        let (head, queries) = self.place(number);
        let (geometry, count, values) = (&self.geometry, queries.len(), self.geometry.values);
        let (tile, rest) = scratch.split_at_mut(QUERIES * KEYS);
        let (largest, rest) = rest.split_at_mut(QUERIES);
        let (sums, rest) = rest.split_at_mut(QUERIES);
        y.fill(T::of(0.0));
        largest.fill(T::of(f64::NEG_INFINITY));
        sums.fill(T::of(0.0));
        for number in 0..geometry.key_blocks() {
            let keys = geometry.keys_of(number);
            if !geometry.meet(&queries, &keys) {
                continue;
            }
            let tile = &mut tile[..count * keys.len()];
            let [q, k, v] = self.operands;
            let place = (head, &queries, &keys);
            scores((geometry, self.multiply, self.mask), place, [q, k], (tile, rest));
            for (row, weights) in tile.chunks_exact_mut(keys.len()).enumerate() {
                let y = &mut y[row * values..(row + 1) * values];
                accumulate(weights, (&mut largest[row], &mut sums[row]), y);
            }
            let v = rows(v, head / geometry.group, [geometry.keys, values], &keys);
            let operands = [Matrix::row_major(tile, keys.len()), Matrix::row_major(v, values)];
            let extents = [count, keys.len(), values];
            self.multiply.product(Base::Output, operands, extents, (y, rest));
        }
        for (row, log_sum) in log_sum.iter_mut().enumerate() {
            let sum = sums[row];
            let y = &mut y[row * values..(row + 1) * values];
            if sum == T::of(0.0) {
                // Nothing to attend to: `y` is 0 as it is.
                *log_sum = T::of(f64::NEG_INFINITY);
                let nothing = T::of(geometry.nothing);
                y.iter_mut().for_each(|y| *y += nothing);
                continue;
            }
            *log_sum = largest[row] + sum.ln();
            y.iter_mut().for_each(|y| *y = *y / sum);
        }
    }
}

/// Replaces scores by weights relative to the largest score so far, to which what was summed before
/// is brought down.
fn accumulate<T: Number>(weights: &mut [T], (largest, sum): (&mut T, &mut T), y: &mut [T]) {
    let new = weights.iter().fold(*largest, |new, &score| if score > new { score } else { new });
    // Without any score above -inf, subtracting it would be NaN.
    let base = if new == T::of(f64::NEG_INFINITY) { T::of(0.0) } else { new };
    let factor = Real::exp(*largest - base);
    let mut own = T::of(0.0);
    for weight in weights {
        *weight = Real::exp(*weight - base);
        own += *weight;
    }
    *sum = *sum * factor + own;
    *largest = new;
    y.iter_mut().for_each(|y| *y = *y * factor);
}
