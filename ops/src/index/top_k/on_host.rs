//! Ranking on the host: the line of indices is its own heap, so nothing else is needed.

use std::cmp::Ordering;

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::crew::Crew;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel};
use synfire_runtime::spec::Element;

use super::{Order, TopK};
use crate::host::erased::shares;
use crate::host::number::Number;

/// Input elements below which a share of the output is not worth another core.
const GRAIN: usize = 4 * 1024;

pub(super) struct OnHost(pub(super) TopK);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x) = (firing.crew(), firing.input(0));
        let (mut values, mut indices) = (firing.output(0), firing.output(1));
        let extents = x.extents();
        let (taken, count) = self.0.taken(&extents);
        values.set_extents(&taken[..extents.len()]);
        indices.set_extents(&taken[..extents.len()]);
        let line = [extents[extents.len() - 1], count];
        if indices.bytes().is_empty() {
            return Ok(());
        }
        let on_lines = match x.spec().element {
            Element::F32 => on_lines::<f32>,
            Element::F64 => on_lines::<f64>,
            Element::I32 => on_lines::<i32>,
            Element::I64 => on_lines::<i64>,
            _ => on_lines::<u8>,
        };
        on_lines((crew, self.0.order), line, x.bytes(), [values.bytes(), indices.bytes()]);
        Ok(())
    }
}

/// Ranks each line of `length` elements: the first `count` of them, none of both is zero.
fn on_lines<T: Number>(
    (crew, order): (&Crew, Order),
    [length, count]: [usize; 2],
    x: &[u8],
    [values, indices]: [&mut [u8]; 2],
) {
    let x: &[T] = cast_slice(x);
    let lines = (GRAIN / length).max(1);
    shares(crew, indices, lines * count * size_of::<i64>(), &|first, share| {
        let first = first / size_of::<i64>() / count;
        let share = cast_slice_mut::<u8, i64>(share).chunks_exact_mut(count);
        for (indices, x) in share.zip(x[first * length..].chunks_exact(length)) {
            rank(indices, x, order);
        }
    });
    let indices: &[i64] = cast_slice(indices);
    shares(crew, values, lines * count * size_of::<T>(), &|first, share| {
        let first = first / size_of::<T>();
        for (k, value) in (first..).zip(cast_slice_mut::<u8, T>(share)) {
            *value = x[k / count * length + indices[k] as usize];
        }
    });
}

/// The indices of the first elements of a line, as many as there is room for.
fn rank<T: Number>(indices: &mut [i64], x: &[T], order: Order) {
    let compare = |&a: &i64, &b: &i64| {
        let by_value = match order {
            Order::Ascending => ascending(x[a as usize], x[b as usize]),
            Order::Descending => ascending(x[b as usize], x[a as usize]),
        };
        by_value.then(a.cmp(&b))
    };
    indices.iter_mut().zip(0..).for_each(|(index, number)| *index = number);
    if indices.len() < x.len() {
        // A heap whose root is the last of those kept.
        (0..indices.len() / 2).rev().for_each(|root| sift(indices, root, compare));
        for candidate in indices.len() as i64..x.len() as i64 {
            if compare(&candidate, &indices[0]) == Ordering::Less {
                indices[0] = candidate;
                sift(indices, 0, compare);
            }
        }
    }
    indices.sort_unstable_by(compare);
}

/// Lets `heap[root]` sink below all that come after it.
fn sift(heap: &mut [i64], mut root: usize, compare: impl Fn(&i64, &i64) -> Ordering) {
    loop {
        let mut last = root;
        for child in [2 * root + 1, 2 * root + 2] {
            if child < heap.len() && compare(&heap[child], &heap[last]) == Ordering::Greater {
                last = child;
            }
        }
        if last == root {
            return;
        }
        heap.swap(root, last);
        root = last;
    }
}

/// By size; a NaN is larger than every number.
fn ascending<T: Number>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
