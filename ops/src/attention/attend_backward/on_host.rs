//! The host kernel: weights are computed again, block by block.
//!
//! Two passes, so that each output element is summed by one task in one order: blocks of queries
//! give `dq`, blocks of keys `dk` and `dv`.

use std::ops::Range;

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Specs, Workspace};

use super::AttendBackward;
use crate::attention::attend::geometry::{
    Geometry, KEYS, Mask, Multiply, Number, QUERIES, check_mask, rows, scores,
};
use crate::host::blocks::{Blocks, blocks};
use crate::host::kernel::Base;
use crate::host::pack::Matrix;
use crate::host::real::Real;
use crate::host::tile::workspace_bytes;

/// The kernel of [`AttendBackward`].
pub(super) struct OnHost<T> {
    operator: AttendBackward,
    multiply: Multiply,
    /// Elements of scratch of one core.
    scratch: usize,
    cores: usize,
    number: std::marker::PhantomData<T>,
}

impl<T: Number> OnHost<T> {
    pub(super) fn new(operator: &AttendBackward, specs: &Specs<'_>) -> Self {
        let last = |input: usize| specs.inputs[input].bounds().pop().unwrap_or(0);
        let multiply = Multiply::new();
        let products = multiply.scratch_len::<T>(last(0).max(last(2)));
        Self {
            operator: operator.clone(),
            multiply,
            scratch: 2 * QUERIES * KEYS + products,
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
        let [q, k, v, log_sum, delta, dy] = [0, 1, 2, 3, 4, 5].map(|input| firing.input(input));
        let extents = [q.extents(), k.extents(), v.extents()];
        let operator = &self.operator.attend;
        let geometry = Geometry::new(operator, extents.each_ref())?;
        let of_queries = geometry.heads * geometry.queries;
        for (name, view, unit) in
            [("log_sum", &log_sum, 1), ("delta", &delta, 1), ("dy", &dy, geometry.values)]
        {
            if view.extents().elements() != of_queries * unit {
                let text = format!("port {name} is no output for port q");
                return Err(FireError::failed(text));
            }
        }
        let mask = operator.is_masked.then(|| firing.input(6));
        if let Some(mask) = &mask {
            check_mask(mask, &extents[0], geometry.keys)?;
        }
        let mask = mask.map(|mask| Mask::<T>::new(operator, &mask, &extents[0]));
        let (mut dq, mut dk, mut dv) = (firing.output(0), firing.output(1), firing.output(2));
        dq.set_extents(&extents[0]);
        dk.set_extents(&extents[1]);
        dv.set_extents(&extents[2]);
        let task = Task {
            geometry,
            multiply: &self.multiply,
            operands: [q.elements(), k.elements(), v.elements()],
            of_queries: [log_sum.elements(), delta.elements()],
            dy: dy.elements(),
            mask: mask.as_ref(),
        };
        let (scratch, crew) = (firing.scratch(), firing.crew());
        let count = geometry.heads * geometry.query_blocks();
        let cut = Blocks { count, ranges: &|number| [task.query_range(number)] };
        let room = (&mut *scratch, self.scratch);
        blocks(crew, [dq.elements::<T>()], &cut, room, &|number, [dq], scratch| {
            task.by_queries(number, dq, scratch);
        });
        let count = geometry.heads / geometry.group * geometry.key_blocks();
        let cut = Blocks { count, ranges: &|number| task.key_ranges(number) };
        let outputs = [dk.elements::<T>(), dv.elements::<T>()];
        blocks(crew, outputs, &cut, (scratch, self.scratch), &|number, [dk, dv], scratch| {
            task.by_keys(number, (dk, dv), scratch);
        });
        Ok(())
    }
}

/// What all blocks of a firing share.
struct Task<'a, T> {
    geometry: Geometry,
    multiply: &'a Multiply,
    /// `q`, `k`, `v`.
    operands: [&'a [T]; 3],
    /// `log_sum` and `delta`.
    of_queries: [&'a [T]; 2],
    dy: &'a [T],
    mask: Option<&'a Mask<'a, T>>,
}

/// A head of `q`, queries and keys of it.
type Place<'a> = (usize, &'a Range<usize>, &'a Range<usize>);

impl<T: Number> Task<'_, T> {
    fn query_range(&self, number: usize) -> Range<usize> {
        let (count, features) = (self.geometry.query_blocks(), self.geometry.features);
        let (head, queries) = (number / count, self.geometry.queries_of(number % count));
        let first = head * self.geometry.queries;
        (first + queries.start) * features..(first + queries.end) * features
    }

    fn key_ranges(&self, number: usize) -> [Range<usize>; 2] {
        let count = self.geometry.key_blocks();
        let (group, keys) = (number / count, self.geometry.keys_of(number % count));
        let first = group * self.geometry.keys;
        [self.geometry.features, self.geometry.values]
            .map(|unit| (first + keys.start) * unit..(first + keys.end) * unit)
    }

    /// The part of an operand with one row for each query.
    fn of_queries<'b>(&self, all: &'b [T], (head, queries, _): Place<'_>, unit: usize) -> &'b [T] {
        rows(all, head, [self.geometry.queries, unit], queries)
    }

    /// Weights, and the gradient of the scaled scores, of a block.
    fn weights(&self, place: Place<'_>, tiles: [&mut [T]; 2], scratch: &mut [T]) {
        let (geometry, (head, queries, keys)) = (&self.geometry, place);
        let ([weights, dscores], [q, k, v]) = (tiles, self.operands);
        let whole = (geometry, self.multiply, self.mask);
        scores(whole, place, [q, k], (weights, scratch));
        let values = geometry.values;
        let dy = self.of_queries(self.dy, place, values);
        let v = rows(v, head / geometry.group, [geometry.keys, values], keys);
        let operands = [Matrix::row_major(dy, values), Matrix::row_major(v, values).transposed()];
        let extents = [queries.len(), values, keys.len()];
        self.multiply.product(Base::Zero, operands, extents, (dscores, scratch));
        let [log_sums, deltas] = self.of_queries.map(|all| self.of_queries(all, place, 1));
        let rows = weights.chunks_exact_mut(keys.len()).zip(dscores.chunks_exact_mut(keys.len()));
        let scale = T::of(geometry.scale);
        for ((weights, dscores), (&log_sum, &delta)) in rows.zip(log_sums.iter().zip(deltas)) {
            // Where there is nothing to attend to every score is -inf, and stays so.
            let is_empty = log_sum == T::of(f64::NEG_INFINITY);
            let log_sum = if is_empty { T::of(0.0) } else { log_sum };
            for (weight, dscore) in weights.iter_mut().zip(dscores) {
                *weight = Real::exp(*weight - log_sum);
                *dscore = *weight * (*dscore - delta) * scale;
            }
        }
    }

    fn by_queries(&self, number: usize, dq: &mut [T], scratch: &mut [T]) {
        let geometry = &self.geometry;
        let count = geometry.query_blocks();
        let (head, queries) = (number / count, geometry.queries_of(number % count));
        let (tiles, rest) = scratch.split_at_mut(2 * QUERIES * KEYS);
        let (weights, dscores) = tiles.split_at_mut(QUERIES * KEYS);
        dq.fill(T::of(0.0));
        for number in 0..geometry.key_blocks() {
            let keys = geometry.keys_of(number);
            if !geometry.meet(&queries, &keys) {
                continue;
            }
            let size = queries.len() * keys.len();
            let (weights, dscores) = (&mut weights[..size], &mut dscores[..size]);
            self.weights((head, &queries, &keys), [weights, dscores], rest);
            let features = geometry.features;
            let k = self.operands[1];
            let k = rows(k, head / geometry.group, [geometry.keys, features], &keys);
            let operands = [Matrix::row_major(dscores, keys.len()), Matrix::row_major(k, features)];
            let extents = [queries.len(), keys.len(), features];
            self.multiply.product(Base::Output, operands, extents, (dq, rest));
        }
    }

    fn by_keys(&self, number: usize, (dk, dv): (&mut [T], &mut [T]), scratch: &mut [T]) {
        let geometry = &self.geometry;
        let count = geometry.key_blocks();
        let (group, keys) = (number / count, geometry.keys_of(number % count));
        let (tiles, rest) = scratch.split_at_mut(2 * QUERIES * KEYS);
        let (weights, dscores) = tiles.split_at_mut(QUERIES * KEYS);
        dk.fill(T::of(0.0));
        dv.fill(T::of(0.0));
        for head in group * geometry.group..(group + 1) * geometry.group {
            for number in 0..geometry.query_blocks() {
                let queries = geometry.queries_of(number);
                if !geometry.meet(&queries, &keys) {
                    continue;
                }
                let (place, size) = ((head, &queries, &keys), queries.len() * keys.len());
                let (weights, dscores) = (&mut weights[..size], &mut dscores[..size]);
                self.weights(place, [weights, dscores], rest);
                let [features, values] = [geometry.features, geometry.values];
                let dy = self.of_queries(self.dy, place, values);
                let q = self.of_queries(self.operands[0], place, features);
                for (left, right, columns, output) in
                    [(&*weights, dy, values, &mut *dv), (&*dscores, q, features, &mut *dk)]
                {
                    let left = Matrix::row_major(left, keys.len()).transposed();
                    let right = Matrix::row_major(right, columns);
                    let extents = [keys.len(), queries.len(), columns];
                    let output = (output, &mut *rest);
                    self.multiply.product(Base::Output, [left, right], extents, output);
                }
            }
        }
    }
}
