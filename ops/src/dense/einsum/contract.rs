//! The steps of a sum of products: diagonals, sums, and products of two operands at a time.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, RANK_MAX, Spec};

use super::parse::{Equation, Label, port};
use crate::arrange::reshape::reshape;
use crate::arrange::slice::slice;
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::multiply;
use crate::dense::matmul::{matmul, regroup};
use crate::gradient::spec;
use crate::reduce::reduction::{Keep, sum};

/// A wire with the labels of its axes, no two alike.
#[derive(Clone)]
struct Term {
    wire: Wire,
    labels: Vec<Label>,
}

/// Adds all steps to the draft.
///
/// # Errors
/// Where dimensions must be joined of which several are bounded, or there are too many.
pub(super) fn build(
    draft: &mut Draft,
    equation: &Equation,
    operands: &[Wire],
) -> Result<Wire, SpecError> {
    let mut terms = Vec::new();
    for (labels, &wire) in equation.operands.iter().zip(operands) {
        terms.push(diagonal(draft, Term { wire, labels: labels.clone() })?);
    }
    let mut rest = terms.into_iter();
    let mut product = rest.next().ok_or_else(|| SpecError::new(&port(0), "none", "an operand"))?;
    while let Some(term) = rest.next() {
        let later = rest.as_slice().iter().flat_map(|term| &term.labels);
        let needed: Vec<Label> = equation.output.iter().chain(later).copied().collect();
        product = pair(draft, product, term, &needed)?;
    }
    let product = summed(draft, product, &equation.output);
    Ok(ordered(draft, product, &equation.output).wire)
}

/// The same with each label once: of axes that share one, the diagonal.
fn diagonal(draft: &mut Draft, mut term: Term) -> Result<Term, SpecError> {
    let twice = |labels: &[Label]| {
        (0..labels.len()).find_map(|at| {
            let earlier = labels[..at].iter().position(|&label| label == labels[at])?;
            Some((earlier, at))
        })
    };
    while let Some((first, second)) = twice(&term.labels) {
        // Both axes to the end, joined, and every (n + 1)th element of that.
        let others = (0..term.labels.len()).filter(|&axis| axis != first && axis != second);
        let order: Vec<usize> = others.chain([first, second]).collect();
        let mut wire = moved(draft, term.wire, &order);
        let mut dimensions = spec(draft, wire).dimensions;
        let extent = dimensions.pop().map_or(0, Dimension::bound);
        if let Some(last) = dimensions.last_mut() {
            *last = Dimension::Fixed(extent * extent);
        }
        wire = joined(draft, wire, &dimensions)?;
        let axis = dimensions.len() - 1;
        wire = draft.apply(slice(axis, 0, extent * extent, extent + 1), &[wire]);
        let mut labels: Vec<Label> = order.iter().map(|&axis| term.labels[axis]).collect();
        labels.pop();
        term = Term { wire, labels };
    }
    Ok(term)
}

/// Summed over all axes whose label is not in `kept`.
fn summed(draft: &mut Draft, term: Term, kept: &[Label]) -> Term {
    let gone = |axis: &usize| !kept.contains(&term.labels[*axis]);
    let axes: Vec<usize> = (0..term.labels.len()).filter(gone).collect();
    if axes.is_empty() {
        return term;
    }
    let wire = draft.apply(sum(&axes, Keep::Nothing), &[term.wire]);
    let labels = term.labels.into_iter().filter(|label| kept.contains(label)).collect();
    Term { wire, labels }
}

/// With its axes in this order, nothing where they are.
fn moved(draft: &mut Draft, wire: Wire, order: &[usize]) -> Wire {
    let is_moved = order.iter().enumerate().any(|(to, &from)| to != from);
    if is_moved { draft.apply(transpose(order), &[wire]) } else { wire }
}

/// With its axes in the order of `labels`, which are its own.
fn ordered(draft: &mut Draft, term: Term, labels: &[Label]) -> Term {
    let place = |label: &Label| term.labels.iter().position(|own| own == label);
    let order: Vec<usize> = labels.iter().filter_map(place).collect();
    Term { wire: moved(draft, term.wire, &order), labels: labels.to_vec() }
}

fn joined(draft: &mut Draft, wire: Wire, to: &[Dimension]) -> Result<Wire, SpecError> {
    let own = spec(draft, wire);
    let target = Spec::new(own.element, to.iter().copied());
    regroup(draft, wire, to).ok_or_else(|| {
        let error = SpecError::new(&port(0), own, format!("to be joined to {target}"));
        error.hint("join dimensions of which at most one is bounded")
    })
}

/// The dimensions of these labels.
fn dimensions(draft: &Draft, term: &Term, labels: &[Label]) -> Vec<Dimension> {
    let own = spec(draft, term.wire).dimensions;
    let place = |label: &Label| term.labels.iter().position(|own| own == label);
    labels.iter().filter_map(place).map(|axis| own[axis]).collect()
}

/// Several dimensions as one.
fn together(dimensions: &[Dimension]) -> Dimension {
    let extent = dimensions.iter().map(|dimension| dimension.bound()).product();
    match dimensions.iter().any(|dimension| dimension.is_bounded()) {
        true => Dimension::UpTo(extent),
        false => Dimension::Fixed(extent),
    }
}

/// Without the axes of extent 1 that `other` has with another extent: they are repeated.
fn narrowed(draft: &mut Draft, term: Term, other: &Term) -> Term {
    let one = Dimension::Fixed(1);
    let repeated = |label: &Label| {
        let [own, others] = [&term, other].map(|term| dimensions(draft, term, &[*label]));
        own == [one] && others.first().is_some_and(|&found| found != one)
    };
    let kept: Vec<Label> = term.labels.iter().filter(|label| !repeated(label)).copied().collect();
    let to = dimensions(draft, &term, &kept);
    match regroup(draft, term.wire, &to) {
        Some(wire) => Term { wire, labels: kept },
        None => summed(draft, term, &kept),
    }
}

/// The product of two terms, summed over what is not needed later.
fn pair(draft: &mut Draft, a: Term, b: Term, needed: &[Label]) -> Result<Term, SpecError> {
    let a = narrowed(draft, a, &b);
    let b = narrowed(draft, b, &a);
    let wanted_of = |other: &Term| [needed, &other.labels].concat();
    let (of_a, of_b) = (wanted_of(&b), wanted_of(&a));
    let (a, b) = (summed(draft, a, &of_a), summed(draft, b, &of_b));
    let labels = |from: &Term, is: &dyn Fn(&Label) -> bool| -> Vec<Label> {
        from.labels.iter().copied().filter(|label| is(label)).collect()
    };
    let is_shared = |label: &Label| b.labels.contains(label);
    let batch = labels(&a, &|label| is_shared(label) && needed.contains(label));
    let inner = labels(&a, &|label| is_shared(label) && !needed.contains(label));
    let left = labels(&a, &|label| !is_shared(label));
    let right = labels(&b, &|label| !a.labels.contains(label));
    if batch.len() + left.len() + right.len() > RANK_MAX {
        let wanted = format!("at most {RANK_MAX} dimensions of each product");
        return Err(SpecError::new(&port(0), format!("{batch:?} {left:?} {right:?}"), wanted));
    }
    let output = [&batch[..], &left, &right].concat();
    let wire = match inner.is_empty() {
        true => spread(draft, a, b, [&batch, &left, &right])?,
        false => contracted(draft, a, b, [&batch, &left, &right, &inner])?,
    };
    Ok(Term { wire, labels: output })
}

/// A product of elements that is summed over nothing.
fn spread(
    draft: &mut Draft,
    a: Term,
    b: Term,
    [batch, left, right]: [&[Label]; 3],
) -> Result<Wire, SpecError> {
    let a = ordered(draft, a, &[batch, left].concat());
    let b = ordered(draft, b, &[batch, right].concat());
    let ones = |labels: &[Label]| vec![Dimension::Fixed(1); labels.len()];
    let to = [dimensions(draft, &a, &a.labels), ones(right)].concat();
    let a_wire = joined(draft, a.wire, &to)?;
    let to = [dimensions(draft, &b, batch), ones(left), dimensions(draft, &b, right)].concat();
    let b_wire = joined(draft, b.wire, &to)?;
    Ok(draft.apply(multiply(), &[a_wire, b_wire]))
}

/// A product of matrices: rows are `left`, columns `right`, sums run over `inner`.
fn contracted(
    draft: &mut Draft,
    a: Term,
    b: Term,
    [batch, left, right, inner]: [&[Label]; 4],
) -> Result<Wire, SpecError> {
    let outer = dimensions(draft, &a, batch);
    let mut matrices = Vec::new();
    for (term, [first, second]) in [(a.clone(), [left, inner]), (b.clone(), [inner, right])] {
        let as_is = |groups: [&[Label]; 2]| term.labels == [batch, groups[0], groups[1]].concat();
        let is_turned = as_is([second, first]) && !as_is([first, second]);
        let groups = if is_turned { [second, first] } else { [first, second] };
        let term = ordered(draft, term, &[batch, groups[0], groups[1]].concat());
        let sides = groups.map(|labels| together(&dimensions(draft, &term, labels)));
        let to = [&outer[..], &sides].concat();
        matrices.push((joined(draft, term.wire, &to)?, is_turned));
    }
    let mut operator = matmul();
    if matrices[0].1 {
        operator = operator.transpose_a();
    }
    if matrices[1].1 {
        operator = operator.transpose_b();
    }
    let product = draft.apply(operator, &[matrices[0].0, matrices[1].0]);
    let to = [outer, dimensions(draft, &a, left), dimensions(draft, &b, right)].concat();
    if to.is_empty() {
        return Ok(draft.apply(reshape(&[]), &[product]));
    }
    joined(draft, product, &to)
}
