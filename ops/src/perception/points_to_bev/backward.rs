//! The gradient of a map of heights, as a graph: points look up their cells again.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::Backward;
use synfire_runtime::spec::Element;

use super::PointsToBev;
use crate::arrange::pad::{PadMode, pad};
use crate::arrange::reshape::{Extent, extent_of, reshape};
use crate::arrange::slice::slice;
use crate::broadcast::binary::{
    add, divide, equal, greater, greater_equal, less, logical_and, maximum, multiply,
};
use crate::broadcast::{cast::cast, select::where_};
use crate::gradient::spec;
use crate::index::{index_add::index_add, index_select::index_select};
use crate::pointwise::unary::{fill, floor, shift};

/// `dy` of each cell, in equal parts, to the z of the points that are as high as it.
pub(super) fn of_heights(bev: PointsToBev, backward: &mut Backward<'_>) -> Wire {
    let (points, map, dy) = (backward.input(0), backward.output(0), backward.upstream(0));
    let draft: &mut Draft = backward;
    let points_spec = spec(draft, points);
    let (element, count) = (points_spec.element, extent_of(points_spec.dimensions[0]));
    let [x, y, z] = [0, 1, 2].map(|column| {
        let column = draft.apply(slice(1, column, column + 1, 1), &[points]);
        draft.apply(reshape(&[count]), &[column])
    });
    let [row, column] = [x, y].map(|position| places(bev, draft, position));
    let zero = draft.apply(fill(0.0), &[z]);
    let is_high = draft.apply(greater(), &[z, zero]);
    let is_inside = draft.apply(logical_and(), &[row.1, column.1]);
    let is_inside = draft.apply(logical_and(), &[is_inside, is_high]);
    // Points outside look at cell 0, whatever it is.
    let [row, column] = [row.0, column.0].map(|place| {
        let place = draft.apply(where_(), &[is_inside, place, zero]);
        draft.apply(cast(Element::I64), &[place])
    });
    let size = draft.apply(fill(bev.size as f64), &[z]);
    let size = draft.apply(cast(Element::I64), &[size]);
    let first = draft.apply(multiply(), &[row, size]);
    let cell = draft.apply(add(), &[first, column]);
    let [map, dy] =
        [map, dy].map(|map| draft.apply(reshape(&[Extent::Is(bev.size * bev.size)]), &[map]));
    let height = draft.apply(index_select(0), &[map, cell]);
    let is_top = draft.apply(equal(), &[z, height]);
    let is_top = draft.apply(logical_and(), &[is_top, is_inside]);
    let one = draft.apply(cast(element), &[is_top]);
    let none = draft.apply(fill(0.0), &[map]);
    let tops = draft.apply(index_add(0, 1.0), &[none, cell, one]);
    // Cells without a point are not looked at, but must be numbers.
    let own = draft.apply(fill(1.0), &[map]);
    let tops = draft.apply(maximum(), &[tops, own]);
    let share = draft.apply(divide(), &[dy, tops]);
    let share = draft.apply(index_select(0), &[share, cell]);
    let dz = draft.apply(where_(), &[is_top, share, zero]);
    let dz = draft.apply(reshape(&[count, Extent::Is(1)]), &[dz]);
    draft.apply(pad(&[0, 2], &[0, 1], PadMode::Constant(0.0)), &[dz])
}

/// The cells of positions along one axis, and whether they are on the map.
fn places(bev: PointsToBev, draft: &mut Draft, position_m: Wire) -> (Wire, Wire) {
    let resolution = draft.apply(fill(f64::from(bev.resolution_m)), &[position_m]);
    let position = draft.apply(divide(), &[position_m, resolution]);
    let position = draft.apply(shift(bev.size as f64 / 2.0), &[position]);
    let [zero, size] = [0.0, bev.size as f64].map(|edge| draft.apply(fill(edge), &[position]));
    let is_from = draft.apply(greater_equal(), &[position, zero]);
    let is_below = draft.apply(less(), &[position, size]);
    (draft.apply(floor(), &[position]), draft.apply(logical_and(), &[is_from, is_below]))
}
