//! The gradient of an index select, as a graph.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient};
use synfire_runtime::spec::{Element, Spec};

use super::IndexSelect;
use crate::arrange::reshape::{Extent, extent_of, reshape};
use crate::broadcast::{binary::equal, cast::cast, select::where_};
use crate::gradient::spec;
use crate::index::index_add::index_add;
use crate::pointwise::unary::fill;

pub(super) fn gradient(operator: IndexSelect, backward: &mut Backward<'_>) -> Gradient {
    let [x, index] = [0, 1].map(|input| backward.input(input));
    let (dy, places, axis) = (backward.upstream(0), backward.input_spec(1), operator.axis);
    let output = spec(backward, dy);
    let bounded = output.dimensions.iter().filter(|d| d.is_bounded()).count();
    let (mut flat, mut flat_dy) = (index, dy);
    if places.rank() != 1 {
        if bounded > 1 {
            return Gradient::Absent("it has two bounded dimensions and an index of several");
        }
        let count = joined(&places);
        let own = output.dimensions.iter().copied().map(extent_of);
        let mut extents: Vec<Extent> = own.collect();
        extents.splice(axis..axis + places.rank(), [count]);
        flat = backward.apply(reshape(&[count]), &[index]);
        flat_dy = backward.apply(reshape(&extents), &[dy]);
    }
    if let Some(place) = operator.padding {
        flat_dy = without(backward, (axis, place), [flat, flat_dy]);
    }
    let zeros = backward.apply(fill(0.0), &[x]);
    let dx = backward.apply(index_add(axis, 1.0), &[zeros, flat, flat_dy]);
    Gradient::Of(vec![Some(dx), None])
}

/// All places of an index as one axis.
fn joined(places: &Spec) -> Extent {
    if places.is_fixed() { Extent::Is(places.elements()) } else { Extent::Infer }
}

/// `dy` with zeros where the index along `axis` is `place`.
fn without(draft: &mut Draft, (axis, place): (usize, usize), [index, dy]: [Wire; 2]) -> Wire {
    let (spec, places) = (spec(draft, dy), spec(draft, index));
    let floats = draft.apply(cast(spec.element), &[index]);
    let place = draft.apply(fill(place as f64), &[floats]);
    let place = draft.apply(cast(Element::I64), &[place]);
    let is_place = draft.apply(equal(), &[index, place]);
    let mut along = vec![Extent::Is(1); spec.rank()];
    along[axis] = joined(&places);
    let is_place = draft.apply(reshape(&along), &[is_place]);
    let zeros = draft.apply(fill(0.0), &[dy]);
    draft.apply(where_(), &[is_place, zeros, dy])
}
