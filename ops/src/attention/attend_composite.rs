//! Attention written out, a composite: products of matrices with the matrix of all scores between.
//!
//! The oracle of [`attend`](super::attend), and the parts of which its second derivative is made.
//!
//! # Shape
//! As [`attend`](super::attend) with at least one key; where groups are fewer than heads, at most
//! one dimension may be bounded.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As [`attend`](super::attend): where there is nothing to attend to, 0.
//!
//! # Example
//! ```
//! use synfire_ops::attention::{attend::attend, attend_composite::attend_composite};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let inputs = ["q", "k", "v"].map(|name| draft.feed(name, Spec::f32([2, 7, 5])));
//! let y = attend_composite(&mut draft, &attend().causal(), &inputs);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 7, 5])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::attend::{Attend, trials};
use crate::arrange::triangle::{tril, triu};
use crate::broadcast::binary::{add, divide, subtract};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::dense::matmul::{matmul, regroup};
use crate::gradient::spec;
use crate::pointwise::unary::{clamp, exp, fill, scale};
use crate::reduce::reduction::{Keep, max, sum};
use crate::reject::reject;
use crate::sample::Sample;

/// Below every score that counts, and far enough from -inf to be subtracted from it.
const LOW: f64 = -1e30;

/// The same as `operator`, for inputs in its order; `y` only.
///
/// Inputs that do not fit are a fault of the draft.
pub fn attend_composite(draft: &mut Draft, operator: &Attend, inputs: &[Wire]) -> Wire {
    let specs: Vec<Spec> = inputs.iter().filter_map(|&wire| draft.spec(wire).cloned()).collect();
    let wanted = if operator.is_masked { 4 } else { 3 };
    let fits = match specs.len() == wanted {
        true if specs[1].rank() >= 2 && specs[1].bound(specs[1].rank() - 2) == 0 => {
            Err(SpecError::new("input1", &specs[1], "a key"))
        }
        true => operator.check(&specs.iter().collect::<Vec<_>>()),
        false => Err(SpecError::new("input0", "a fault", "q, k, v and a mask where it has one")),
    };
    let built = fits.and_then(|()| {
        let bounded = || SpecError::new("input0", &specs[0], "one bounded dimension, or none");
        written_out(draft, operator, inputs).ok_or_else(bounded)
    });
    built.unwrap_or_else(|error| reject(draft, "attend_composite", ("input", inputs), error))
}

fn written_out(draft: &mut Draft, operator: &Attend, inputs: &[Wire]) -> Option<Wire> {
    let heads = Heads::new(draft, inputs[0], inputs[1]);
    let scores = heads.scores(draft, operator, (inputs[0], inputs[1], inputs.get(3).copied()))?;
    let last = spec(draft, scores).rank() - 1;
    let largest = draft.apply(max(&[last], Keep::Axes), &[scores]);
    let largest = draft.apply(clamp(LOW, f64::INFINITY), &[largest]);
    let apart = draft.apply(subtract(), &[scores, largest]);
    let weights = draft.apply(exp(), &[apart]);
    let total = draft.apply(sum(&[last], Keep::Axes), &[weights]);
    // At least 1 where there is anything to attend to.
    let total = draft.apply(clamp(0.5, f64::INFINITY), &[total]);
    let weights = draft.apply(divide(), &[weights, total]);
    let v = heads.of_keys(draft, inputs[2])?;
    let y = draft.apply(matmul(), &[weights, v]);
    heads.joined(draft, y)
}

/// How heads of `q` share those of `k`: groups, and heads of a group, where these are not one.
pub(crate) struct Heads {
    groups: Option<[usize; 2]>,
    /// The axis of heads.
    axis: usize,
    features: usize,
}

impl Heads {
    pub(crate) fn new(draft: &Draft, q: Wire, k: Wire) -> Self {
        let (q, k) = (spec(draft, q), spec(draft, k));
        let axis = q.rank().saturating_sub(3);
        let groups = match (q.rank(), q.dimensions[axis], k.dimensions[axis]) {
            (3.., own, groups) if own != groups => {
                let count = groups.bound().max(1);
                Some([count, own.bound() / count])
            }
            _ => None,
        };
        Self { groups, axis, features: q.bound(q.rank() - 1) }
    }

    /// What has the heads of `q`, with heads apart from groups.
    pub(crate) fn of_queries(&self, draft: &mut Draft, wire: Wire) -> Option<Wire> {
        let Some(groups) = self.groups else { return Some(wire) };
        let mut to = spec(draft, wire).dimensions;
        to.splice(self.axis..=self.axis, groups.map(Dimension::Fixed));
        regroup(draft, wire, &to)
    }

    /// What has the heads of `k`, for all heads of a group.
    pub(crate) fn of_keys(&self, draft: &mut Draft, wire: Wire) -> Option<Wire> {
        if self.groups.is_none() {
            return Some(wire);
        }
        let mut to = spec(draft, wire).dimensions;
        to.insert(self.axis + 1, Dimension::Fixed(1));
        regroup(draft, wire, &to)
    }

    /// A mask, likewise.
    fn of_mask(&self, draft: &mut Draft, wire: Wire, rank: usize) -> Option<Wire> {
        let mut to = spec(draft, wire).dimensions;
        let (Some(groups), Some(axis)) = (self.groups, (self.axis + to.len()).checked_sub(rank))
        else {
            return Some(wire);
        };
        let groups = if to[axis] == Dimension::Fixed(1) { [1, 1] } else { groups };
        to.splice(axis..=axis, groups.map(Dimension::Fixed));
        regroup(draft, wire, &to)
    }

    /// Back to the heads of `q`.
    pub(crate) fn joined(&self, draft: &mut Draft, wire: Wire) -> Option<Wire> {
        let Some([groups, heads]) = self.groups else { return Some(wire) };
        let mut to = spec(draft, wire).dimensions;
        to.splice(self.axis..self.axis + 2, [Dimension::Fixed(groups * heads)]);
        regroup(draft, wire, &to)
    }

    /// Back to the heads of `k`: summed over the heads of a group.
    pub(crate) fn shared(&self, draft: &mut Draft, wire: Wire) -> Wire {
        match self.groups {
            Some(_) => draft.apply(sum(&[self.axis + 1], Keep::Nothing), &[wire]),
            None => wire,
        }
    }

    /// All scores, scaled and masked, with heads apart from groups.
    pub(crate) fn scores(
        &self,
        draft: &mut Draft,
        operator: &Attend,
        (q, k, mask): (Wire, Wire, Option<Wire>),
    ) -> Option<Wire> {
        let rank = spec(draft, q).rank();
        let (q, k) = (self.of_queries(draft, q)?, self.of_keys(draft, k)?);
        let scores = draft.apply(matmul().transpose_b(), &[q, k]);
        let mut scores = draft.apply(scale(operator.factor(self.features)), &[scores]);
        if let Some(mask) = mask {
            let is_kept = spec(draft, mask).element == Element::Bool;
            let mask = self.of_mask(draft, mask, rank)?;
            scores = match is_kept {
                true => {
                    let outside = draft.apply(fill(f64::NEG_INFINITY), &[scores]);
                    draft.apply(where_(), &[mask, scores, outside])
                }
                false => draft.apply(add(), &[scores, mask]),
            };
        }
        let [lower, upper] = operator.diagonals();
        if lower.or(upper).is_some() {
            let mut inside = draft.apply(fill(1.0), &[scores]);
            for triangle in [lower.map(triu), upper.map(tril)].into_iter().flatten() {
                inside = draft.apply(triangle, &[inside]);
            }
            let inside = draft.apply(cast(Element::Bool), &[inside]);
            let outside = draft.apply(fill(f64::NEG_INFINITY), &[scores]);
            scores = draft.apply(where_(), &[inside, scores, outside]);
        }
        Some(scores)
    }

    /// What has one number for each query, as a column beside the scores.
    pub(crate) fn column(&self, draft: &mut Draft, wire: Wire) -> Option<Wire> {
        let wire = self.of_queries(draft, wire)?;
        let to = [spec(draft, wire).dimensions, vec![Dimension::Fixed(1)]].concat();
        regroup(draft, wire, &to)
    }

    /// All weights, from scores and the logarithms of their sums.
    pub(crate) fn weights(&self, draft: &mut Draft, scores: Wire, log_sum: Wire) -> Option<Wire> {
        let log_sum = self.column(draft, log_sum)?;
        let log_sum = draft.apply(clamp(LOW, f64::INFINITY), &[log_sum]);
        let apart = draft.apply(subtract(), &[scores, log_sum]);
        Some(draft.apply(exp(), &[apart]))
    }
}

/// Those of [`attend`](super::attend) that have keys.
#[must_use]
pub fn samples() -> Vec<Sample> {
    trials::written_out()
}
