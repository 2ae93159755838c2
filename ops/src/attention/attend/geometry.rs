//! What attention and its gradient share on the host: extents, masks, and blocks of scores.
//!
//! Scores exist for one block of queries by one block of keys at a time. Blocks depend on extents
//! only, so results do not depend on the crew.

use std::ops::Range;

use synfire_runtime::crew::Crew;
use synfire_runtime::firing::View;
use synfire_runtime::operator::FireError;
use synfire_runtime::spec::{Dimension, Element as Kind, Extents, RANK_MAX, Scalar, Spec};

use super::Attend;
use crate::host::gemm::{Gemm, GemmShape, gemm};
use crate::host::kernel::Base;
use crate::host::pack::{Matrix, Operand};
use crate::host::real::Real;
use crate::host::{Element, Path};

/// Queries of a block.
pub(crate) const QUERIES: usize = 64;

/// Keys of a block.
pub(crate) const KEYS: usize = 64;

/// The number types of attention.
pub(crate) trait Number: Element + Real + Scalar {}
impl<T: Element + Real + Scalar> Number for T {}

/// The extents of one firing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// All leading dimensions with the heads of `q`.
    pub(crate) heads: usize,
    /// Heads of `q` that share one of `k` and `v`; at least one.
    pub(crate) group: usize,
    /// Rows of `q`.
    pub(crate) queries: usize,
    /// Rows of `k` and `v`.
    pub(crate) keys: usize,
    /// The last extent of `q` and `k`.
    pub(crate) features: usize,
    /// The last extent of `v`.
    pub(crate) values: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f64,
    /// What a query gives that may attend to nothing.
    pub(crate) nothing: f64,
    before: Option<usize>,
    after: Option<usize>,
}

/// The extents before the last two.
fn leading(extents: &Extents) -> &[usize] {
    &extents[..extents.len() - 2]
}

impl Geometry {
    /// That of these inputs.
    ///
    /// # Errors
    /// When bounded dimensions differ.
    pub(crate) fn new(operator: &Attend, [q, k, v]: [&Extents; 3]) -> Result<Self, FireError> {
        let rank = q.len();
        let outer = rank.saturating_sub(3);
        let agree = q[..outer] == k[..outer] && k[..rank - 1] == v[..rank - 1];
        if !agree {
            let text = format!("q {q:?}, k {k:?} and v {v:?} differ in dimensions they share");
            return Err(FireError::failed(text));
        }
        let heads = leading(q).iter().product();
        let group = match (rank, k.get(outer)) {
            (3.., Some(&own)) if own > 0 => q[outer] / own,
            _ => 1,
        };
        let features = q[rank - 1];
        Ok(Self {
            heads,
            group: group.max(1),
            queries: q[rank - 2],
            keys: k[rank - 2],
            features,
            values: v[rank - 1],
            scale: operator.factor(features),
            nothing: if operator.written.is_some() && k[rank - 2] > 0 { f64::NAN } else { 0.0 },
            before: operator.before,
            after: operator.after,
        })
    }

    /// How far behind and ahead of a query its keys are.
    #[cfg(feature = "cube")]
    pub(crate) fn reach(&self) -> [Option<usize>; 2] {
        [self.before, self.after]
    }

    /// Blocks of queries of one head.
    pub(crate) fn query_blocks(&self) -> usize {
        self.queries.div_ceil(QUERIES)
    }

    /// Blocks of keys of one head of `k`.
    pub(crate) fn key_blocks(&self) -> usize {
        self.keys.div_ceil(KEYS)
    }

    /// Queries of block `number`.
    pub(crate) fn queries_of(&self, number: usize) -> Range<usize> {
        number * QUERIES..((number + 1) * QUERIES).min(self.queries)
    }

    /// Keys of block `number`.
    pub(crate) fn keys_of(&self, number: usize) -> Range<usize> {
        number * KEYS..((number + 1) * KEYS).min(self.keys)
    }

    /// The keys that one query may attend to.
    pub(crate) fn window(&self, query: usize) -> Range<usize> {
        let start = self.before.map_or(0, |before| query.saturating_sub(before));
        let end = self.after.map_or(self.keys, |after| {
            query.saturating_add(after).saturating_add(1).min(self.keys)
        });
        start.min(end)..end
    }

    /// Whether a query of a block may attend to a key of another.
    pub(crate) fn meet(&self, queries: &Range<usize>, keys: &Range<usize>) -> bool {
        if queries.is_empty() {
            return false;
        }
        let (first, last) = (self.window(queries.start), self.window(queries.end - 1));
        first.start < keys.end && last.end > keys.start
    }
}

/// The rows of one head in an operand.
pub(crate) fn rows<'a, T>(
    all: &'a [T],
    head: usize,
    extents: [usize; 2],
    rows: &Range<usize>,
) -> &'a [T] {
    let start = head * extents[0] * extents[1];
    &all[start + rows.start * extents[1]..start + rows.end * extents[1]]
}

/// A mask, broadcast to `[.., head, query, key]`.
pub(crate) struct Mask<'a, T> {
    kept: Option<&'a [u8]>,
    /// Whether what is kept is hidden instead.
    hides: bool,
    added: &'a [T],
    /// Extents of the dimensions before the last two, as those of `q`.
    leading: Extents,
    strides: [usize; RANK_MAX],
    query_stride: usize,
    key_stride: usize,
}

impl<'a, T: Number> Mask<'a, T> {
    /// The mask of one firing.
    pub(crate) fn new(operator: &Attend, mask: &View<'a>, q: &Extents) -> Self {
        let own = mask.extents();
        let rank = q.len();
        let (mut strides, mut stride) = ([0; RANK_MAX], 1);
        for axis in (0..own.len()).rev() {
            // An extent of 1 is repeated; a bounded one that happens to be 1 has one place anyway.
            let place = rank - own.len() + axis;
            strides[place] = if own[axis] == 1 { 0 } else { stride };
            stride *= own[axis];
        }
        let is_bool = mask.spec().element == Kind::Bool;
        Self {
            kept: is_bool.then(|| mask.bytes()),
            hides: operator.written.is_some_and(|written| written.hides),
            added: if is_bool { &[] } else { mask.elements() },
            leading: Extents::new(leading(q)),
            query_stride: strides[rank - 2],
            key_stride: strides[rank - 1],
            strides,
        }
    }

    /// Where the mask of one head starts.
    fn start(&self, mut head: usize) -> usize {
        let mut start = 0;
        for axis in (0..self.leading.len()).rev() {
            start += head % self.leading[axis] * self.strides[axis];
            head /= self.leading[axis];
        }
        start
    }

    /// Applies it to the scores of a row.
    fn apply(&self, (head, query): (usize, usize), first_key: usize, scores: &mut [T]) {
        let start = self.start(head) + query * self.query_stride + first_key * self.key_stride;
        let places = (start..).step_by(self.key_stride.max(1));
        let places = places.map(|place| if self.key_stride == 0 { start } else { place });
        match self.kept {
            Some(kept) => scores.iter_mut().zip(places).for_each(|(score, place)| {
                if (kept[place] == 0) != self.hides {
                    *score = T::of(f64::NEG_INFINITY);
                }
            }),
            None => {
                scores.iter_mut().zip(places).for_each(|(score, place)| *score += self.added[place])
            }
        }
    }
}

/// The actual extents of a mask fit those of the scores.
///
/// # Errors
/// When bounded dimensions differ.
pub(crate) fn check_mask(mask: &View<'_>, q: &Extents, keys: usize) -> Result<(), FireError> {
    let own = mask.extents();
    let rank = q.len();
    let fits = own.iter().zip(&mask.spec().dimensions).enumerate().all(|(axis, (&n, &spec))| {
        let place = rank - own.len() + axis;
        let wanted = if place == rank - 1 { keys } else { q[place] };
        n == wanted || spec == Dimension::Fixed(1)
    });
    if fits {
        return Ok(());
    }
    Err(FireError::failed(format!("port mask has extents {own:?}, port q {q:?} by {keys} keys")))
}

/// Multiplies matrices on the calling core.
pub(crate) struct Multiply {
    path: Path,
    crew: Crew,
}

impl Multiply {
    /// With the best instructions.
    pub(crate) fn new() -> Self {
        Self { path: Path::best(), crew: Crew::solo() }
    }

    /// Elements of scratch for products inside blocks of at most these extents.
    pub(crate) fn scratch_len<T: Element>(&self, features: usize) -> usize {
        let most = features.max(KEYS).max(QUERIES);
        let shape = GemmShape { batch: 1, rows: most, inner: most, columns: most };
        shape.workspace_bytes::<T>(self.path, 1).div_ceil(size_of::<T>()) + 1
    }

    /// `y = base + left * right`, extents `[rows, inner, columns]`.
    pub(crate) fn product<T: Number>(
        &self,
        base: Base<'_, T>,
        [left, right]: [Matrix<'_, T>; 2],
        [rows, inner, columns]: [usize; 3],
        (y, scratch): (&mut [T], &mut [T]),
    ) {
        let call = Gemm {
            path: self.path,
            shape: GemmShape { batch: 1, rows, inner, columns },
            left: Operand::Plain(left),
            right: Operand::Plain(right),
            batch_strides: [0, 0],
            base,
            epilogue: None,
        };
        gemm(&call, y, bytemuck::cast_slice_mut(scratch), &self.crew);
    }
}

/// The scaled and masked scores of a block: `scores[query, key]`.
pub(crate) fn scores<T: Number>(
    (geometry, multiply, mask): (&Geometry, &Multiply, Option<&Mask<'_, T>>),
    (head, queries, keys): (usize, &Range<usize>, &Range<usize>),
    [q, k]: [&[T]; 2],
    (scores, scratch): (&mut [T], &mut [T]),
) {
    let features = geometry.features;
    let q = rows(q, head, [geometry.queries, features], queries);
    let k = rows(k, head / geometry.group, [geometry.keys, features], keys);
    let operands = [Matrix::row_major(q, features), Matrix::row_major(k, features).transposed()];
    let extents = [queries.len(), features, keys.len()];
    multiply.product(Base::Zero, operands, extents, (scores, scratch));
    let scale = T::of(geometry.scale);
    for (row, query) in scores.chunks_exact_mut(keys.len()).zip(queries.clone()) {
        row.iter_mut().for_each(|score| *score = *score * scale);
        if let Some(mask) = mask {
            mask.apply((head, query), keys.start, row);
        }
        let window = geometry.window(query);
        let outside = T::of(f64::NEG_INFINITY);
        let before = window.start.clamp(keys.start, keys.end) - keys.start;
        let behind = window.end.clamp(keys.start, keys.end) - keys.start;
        row[..before].fill(outside);
        row[behind.max(before)..].fill(outside);
    }
}

/// The labels of the axes of `q`, `k`, `v` and a mask, and of what has one number for each query.
pub(crate) struct Labels {
    rank: u8,
}

impl Labels {
    pub(crate) fn of(q: &Spec) -> Self {
        Self { rank: q.rank() as u8 }
    }

    fn with(&self, last: &[u8]) -> Vec<u8> {
        (0..self.rank - 2).chain(last.iter().map(|label| self.rank + label)).collect()
    }

    /// Of `q`, `k` or `v`: the row label (0 query, 1 key) and the feature label (2 or 3).
    pub(crate) fn matrix(&self, row: u8, feature: u8, spec: &Spec, q: &Spec) -> Vec<u8> {
        let mut labels = self.with(&[row, feature]);
        // Fewer heads than `q` has are a dimension of their own.
        if spec.rank() > 2 && spec.dimensions[spec.rank() - 3] != q.dimensions[q.rank() - 3] {
            labels[spec.rank() - 3] = self.rank + 4;
        }
        labels
    }

    /// Of what has one number for each query.
    pub(crate) fn of_queries(&self) -> Vec<u8> {
        self.with(&[0])
    }

    /// Of a mask.
    pub(crate) fn mask(&self, mask: &Spec) -> Vec<u8> {
        let all = self.with(&[0, 1]);
        let own = &all[all.len() - mask.rank()..];
        let label = |(axis, &label): (usize, &u8)| match mask.dimensions[axis] {
            Dimension::Fixed(1) => synfire_runtime::operator::Axes::BROADCAST,
            _ => label,
        };
        own.iter().enumerate().map(label).collect()
    }
}
