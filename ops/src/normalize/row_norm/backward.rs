//! The gradients of both norms, as graphs.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient};

use super::{Affine, Centre, RowNorm};
use crate::broadcast::binary::{multiply, subtract};
use crate::gradient::sum_to;
use crate::pointwise::unary::{rsqrt, shift, square};
use crate::reduce::reduction::{Keep, mean};

/// The gradient by `x`, weight and bias.
pub(super) fn gradient(norm: &RowNorm, backward: &mut Backward<'_>) -> Gradient {
    let (x, dy) = (backward.input(0), backward.upstream(0));
    let rank = backward.input_spec(0).rank();
    let row = norm.row_axes(rank);
    let average = |draft: &mut Draft, x: Wire| draft.apply(mean(&row, Keep::Axes), &[x]);
    let [normal, inverse] = normal(backward, norm, x, rank);
    let mut gradients = vec![None; backward.inputs()];
    if backward.wants(0) {
        let slope = match norm.affine {
            Affine::None => dy,
            _ => {
                let weight = backward.input(1);
                backward.apply(multiply(), &[dy, weight])
            }
        };
        let weighed = backward.apply(multiply(), &[slope, normal]);
        let along = average(backward, weighed);
        let along = backward.apply(multiply(), &[normal, along]);
        let mut rest = backward.apply(subtract(), &[slope, along]);
        if norm.centre == Centre::Mean {
            let level = average(backward, slope);
            rest = backward.apply(subtract(), &[rest, level]);
        }
        gradients[0] = Some(backward.apply(multiply(), &[rest, inverse]));
    }
    if norm.affine >= Affine::Weight && backward.wants(1) {
        let (weight, weighed) = (backward.input(1), backward.apply(multiply(), &[dy, normal]));
        gradients[1] = Some(sum_to(backward, weighed, weight));
    }
    if norm.affine == Affine::WeightAndBias && backward.wants(2) {
        let bias = backward.input(2);
        gradients[2] = Some(sum_to(backward, dy, bias));
    }
    Gradient::Of(gradients)
}

/// The rows of `x` without weight and bias, and one over their deviation, as a graph.
pub(super) fn normal(draft: &mut Draft, norm: &RowNorm, x: Wire, rank: usize) -> [Wire; 2] {
    let row = norm.row_axes(rank);
    let apart = match norm.centre {
        Centre::Zero => x,
        Centre::Mean => {
            let centre = draft.apply(mean(&row, Keep::Axes), &[x]);
            draft.apply(subtract(), &[x, centre])
        }
    };
    let squares = draft.apply(square(), &[apart]);
    let variance = draft.apply(mean(&row, Keep::Axes), &[squares]);
    let above = draft.apply(shift(norm.epsilon), &[variance]);
    let inverse = draft.apply(rsqrt(), &[above]);
    [draft.apply(multiply(), &[apart, inverse]), inverse]
}
