//! The gradient of the gradient, with the matrices of all scores.
//!
//! With `gq`, `gk`, `gv` the gradients by `dq`, `dk`, `dv`, and `s` the scale:
//! `a = s (gq k^T + q gk^T)` is the gradient by `ds`, `c = a (dp - delta) + dy gv^T` that by `p`,
//! `e = a p` that by `dp = dy v^T`, and `f = c p` that by the scores.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient};

use crate::attention::attend::Attend;
use crate::attention::attend_composite::Heads;
use crate::broadcast::binary::{add, multiply, subtract};
use crate::dense::matmul::matmul;
use crate::gradient::{spec, sum_to};
use crate::pointwise::unary::{neg, scale};
use crate::reduce::reduction::{Keep, sum};

/// See [`super::AttendBackward`].
pub(super) fn gradient(operator: &Attend, backward: &mut Backward<'_>) -> Gradient {
    let inputs: Vec<Wire> = (0..backward.inputs()).map(|input| backward.input(input)).collect();
    let upstream = [0, 1, 2].map(|output| backward.upstream(output));
    match written_out(operator, backward, &inputs, upstream) {
        Some(mut gradients) => {
            for (input, gradient) in gradients.iter_mut().enumerate() {
                *gradient = gradient.filter(|_| backward.wants(input));
            }
            Gradient::Of(gradients)
        }
        None => Gradient::Absent("several bounded dimensions of attention"),
    }
}

/// `a * b` of two stacks of matrices, either transposed.
fn product(
    draft: &mut Draft,
    (a, a_is_turned): (Wire, bool),
    (b, b_is_turned): (Wire, bool),
) -> Wire {
    let operator = if a_is_turned { matmul().transpose_a() } else { matmul() };
    let operator = if b_is_turned { operator.transpose_b() } else { operator };
    draft.apply(operator, &[a, b])
}

/// The sum of both.
fn plus(draft: &mut Draft, a: Wire, b: Wire) -> Wire {
    draft.apply(add(), &[a, b])
}

/// What the passes over all scores give.
struct Scores {
    /// `p`.
    weights: Wire,
    /// `ds`.
    dscores: Wire,
    /// `e`.
    by_dweights: Wire,
    /// `f`.
    by_scores: Wire,
}

fn written_out(
    operator: &Attend,
    draft: &mut Draft,
    inputs: &[Wire],
    upstream: [Wire; 3],
) -> Option<Vec<Option<Wire>>> {
    let heads = Heads::new(draft, inputs[0], inputs[1]);
    let features = spec(draft, inputs[0]).bounds().pop()?;
    let factor = operator.factor(features);
    let mask = inputs.get(6).copied();
    let scores = heads.scores(draft, operator, (inputs[0], inputs[1], mask))?;
    let weights = heads.weights(draft, scores, inputs[3])?;
    let delta = heads.column(draft, inputs[4])?;
    let q = heads.of_queries(draft, inputs[0])?;
    let (k, v) = (heads.of_keys(draft, inputs[1])?, heads.of_keys(draft, inputs[2])?);
    let dy = heads.of_queries(draft, inputs[5])?;
    let gq = heads.of_queries(draft, upstream[0])?;
    let (gk, gv) = (heads.of_keys(draft, upstream[1])?, heads.of_keys(draft, upstream[2])?);
    let (plain, turned) = (|wire| (wire, false), |wire| (wire, true));

    let left = product(draft, plain(gq), turned(k));
    let right = product(draft, plain(q), turned(gk));
    let both = plus(draft, left, right);
    let by_dscores = draft.apply(scale(factor), &[both]);
    let dweights = product(draft, plain(dy), turned(v));
    let apart = draft.apply(subtract(), &[dweights, delta]);
    let through = draft.apply(multiply(), &[by_dscores, apart]);
    let beside = product(draft, plain(dy), turned(gv));
    let by_weights = plus(draft, through, beside);
    let all = Scores {
        weights,
        dscores: draft.apply(multiply(), &[weights, apart]),
        by_dweights: draft.apply(multiply(), &[by_dscores, weights]),
        by_scores: draft.apply(multiply(), &[by_weights, weights]),
    };
    let scaled = |draft: &mut Draft, wire| draft.apply(scale(factor), &[wire]);

    let left = product(draft, plain(all.by_scores), plain(k));
    let right = product(draft, plain(all.dscores), plain(gk));
    let dq = plus(draft, left, right);
    let dq = scaled(draft, dq);
    let left = product(draft, turned(all.by_scores), plain(q));
    let right = product(draft, turned(all.dscores), plain(gq));
    let dk = plus(draft, left, right);
    let dk = scaled(draft, dk);
    let dv = product(draft, turned(all.by_dweights), plain(dy));
    let left = product(draft, plain(all.by_dweights), plain(v));
    let right = product(draft, plain(all.weights), plain(gv));
    let ddy = plus(draft, left, right);

    let last = spec(draft, all.by_scores).rank() - 1;
    let less = |draft: &mut Draft, wire| {
        let total = draft.apply(sum(&[last], Keep::Nothing), &[wire]);
        draft.apply(neg(), &[total])
    };
    let (dlog_sum, ddelta) = (less(draft, all.by_scores), less(draft, all.by_dweights));
    let mut gradients = vec![
        heads.joined(draft, dq)?,
        heads.shared(draft, dk),
        heads.shared(draft, dv),
        heads.joined(draft, dlog_sum)?,
        heads.joined(draft, ddelta)?,
        heads.joined(draft, ddy)?,
    ];
    let mut of_mask = None;
    if let Some(mask) = mask.filter(|&mask| spec(draft, mask).element.is_float()) {
        let by_scores = heads.joined(draft, all.by_scores)?;
        of_mask = Some(sum_to(draft, by_scores, mask));
    }
    let mut gradients: Vec<Option<Wire>> = gradients.drain(..).map(Some).collect();
    gradients.extend(mask.map(|_| of_mask));
    Some(gradients)
}
