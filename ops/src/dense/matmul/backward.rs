//! The gradient of the product: two products.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient};
use synfire_runtime::spec::{Dimension, RANK_MAX};

use super::Matmul;
use crate::arrange::reshape::{Extent, reshape};
use crate::gradient::{spec, sum_to};

/// Reshapes to these dimensions, of which at most one is bounded and then follows from the others;
/// `None` where that is not possible.
pub(crate) fn regroup(draft: &mut Draft, wire: Wire, to: &[Dimension]) -> Option<Wire> {
    let own = spec(draft, wire).dimensions;
    if own == to {
        return Some(wire);
    }
    let bounded = |dimensions: &[Dimension]| dimensions.iter().filter(|d| d.is_bounded()).count();
    let is_empty = to.contains(&Dimension::Fixed(0));
    if to.len() > RANK_MAX
        || bounded(&own) > 1
        || bounded(to) != bounded(&own)
        || (bounded(to) == 1 && is_empty)
    {
        return None;
    }
    let extent = |dimension: &Dimension| match *dimension {
        Dimension::Fixed(extent) => Extent::Is(extent),
        Dimension::UpTo(_) => Extent::Infer,
    };
    let extents: Vec<Extent> = to.iter().map(extent).collect();
    Some(draft.apply(reshape(&extents), &[wire]))
}

/// Joins all dimensions but the last; `None` where that is not possible.
pub(crate) fn as_rows(draft: &mut Draft, wire: Wire) -> Option<Wire> {
    let own = spec(draft, wire);
    let (&last, before) = own.dimensions.split_last()?;
    let rows = before.iter().map(|dimension| dimension.bound()).product();
    let is_bounded = before.iter().any(|dimension| dimension.is_bounded());
    let rows = if is_bounded { Dimension::UpTo(rows) } else { Dimension::Fixed(rows) };
    regroup(draft, wire, &[rows, last])
}

/// See [`Matmul::gradient`](synfire_runtime::operator::Operator::gradient).
pub(super) fn gradient(operator: &Matmul, backward: &mut Backward<'_>) -> Gradient {
    const BOUNDED: &str = "a vector beside two bounded dimensions";
    let own = [backward.input(0), backward.input(1)];
    let specs = [0, 1].map(|input| backward.input_spec(input));
    let dy = backward.upstream(0);
    let mut operands = own;
    for input in [0, 1] {
        let to = operator.as_matrix(input, &specs[input]).dimensions;
        let Some(matrix) = regroup(backward, operands[input], &to) else {
            return Gradient::Absent(BOUNDED);
        };
        operands[input] = matrix;
    }
    let mut dimensions = spec(backward, dy).dimensions;
    if specs[1].rank() == 1 {
        dimensions.push(Dimension::Fixed(1));
    }
    if specs[0].rank() == 1 {
        dimensions.insert(dimensions.len() - 1, Dimension::Fixed(1));
    }
    let Some(dy) = regroup(backward, dy, &dimensions) else {
        return Gradient::Absent(BOUNDED);
    };
    let mut gradients = [None, None];
    for input in (0..2).filter(|&input| backward.wants(input)).collect::<Vec<_>>() {
        let dx = match input {
            0 => by_a(operator, backward, dy, operands[1]),
            _ => by_b(operator, backward, dy, operands),
        };
        let dx = sum_to(backward, dx, operands[input]);
        gradients[input] = regroup(backward, dx, &specs[input].dimensions);
    }
    Gradient::Of(gradients.to_vec())
}

/// The product of two operands that may be taken transposed.
fn product(draft: &mut Draft, a: (Wire, bool), b: (Wire, bool)) -> Wire {
    let operator = Matmul { a_is_transposed: a.1, b_is_transposed: b.1 };
    draft.apply(operator, &[a.0, b.0])
}

/// `dy * b^T`, or its transposition.
fn by_a(operator: &Matmul, draft: &mut Draft, dy: Wire, b: Wire) -> Wire {
    let b_is_transposed = operator.b_is_transposed;
    match operator.a_is_transposed {
        false => product(draft, (dy, false), (b, !b_is_transposed)),
        true => product(draft, (b, b_is_transposed), (dy, true)),
    }
}

/// `a^T * dy`, or its transposition. One `b` for a batch: the sum over the batch is part of the
/// sum over rows.
fn by_b(operator: &Matmul, draft: &mut Draft, dy: Wire, [a, b]: [Wire; 2]) -> Wire {
    let (mut a, mut dy) = (a, dy);
    if spec(draft, b).rank() == 2
        && spec(draft, a).rank() > 2
        && !operator.a_is_transposed
        && let (Some(a_rows), Some(dy_rows)) = (as_rows(draft, a), as_rows(draft, dy))
    {
        (a, dy) = (a_rows, dy_rows);
    }
    let a_is_transposed = operator.a_is_transposed;
    match operator.b_is_transposed {
        false => product(draft, (a, !a_is_transposed), (dy, false)),
        true => product(draft, (dy, true), (a, a_is_transposed)),
    }
}
