//! Max pools over one, two and three axes with the indices of their maxima.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element};

use super::{Directions, as_slices};
use crate::broadcast::binary::add;
use crate::broadcast::cast::cast;
use crate::pointwise::unary::{floor, scale, shift};
use crate::pool::max_pool2d_indices::MaxPool2dIndices;
use crate::pool::pool_scatter::pool_gather;
use crate::window::sliding::{dimensions, joined, regroup, with_rows, without_axis, without_rows};

/// The largest elements and their indices, by what pools an image of these directions.
pub(crate) fn with_indices<const N: usize>(
    draft: &mut Draft,
    x: Wire,
    operator: impl Fn(&Draft, Wire, Directions) -> MaxPool2dIndices,
) -> [Wire; 2] {
    const { assert!(N >= 1 && N <= 3, "a line, an image or a volume") };
    let mut image = |draft: &mut Draft, x: Wire, directions: Directions| {
        let operator = operator(draft, x, directions);
        let both = draft.apply_many(operator, &[x]);
        [both[0], both[1]]
    };
    match N {
        1 => {
            let rows = with_rows(draft, x);
            image(draft, rows, [None, Some(0)]).map(|wire| without_rows(draft, wire))
        }
        2 => image(draft, x, [Some(0), Some(1)]),
        _ => volume(draft, x, &mut image),
    }
}

/// Slice by slice, then along the depth; the index in a slice is looked up at the depth chosen.
fn volume(
    draft: &mut Draft,
    x: Wire,
    image: &mut dyn FnMut(&mut Draft, Wire, Directions) -> [Wire; 2],
) -> [Wire; 2] {
    let Some(own) = dimensions(draft, x).filter(|own| own.len() >= 4) else {
        return [without_axis(draft, x, 3); 2];
    };
    let slices = as_slices(draft, x);
    let [slices, inner] = image(draft, slices, [Some(1), Some(2)]);
    let Some(pooled) = dimensions(draft, slices) else { return [slices; 2] };
    let (depth, rank) = (own.len() - 3, pooled.len());
    let [rows, columns] = [pooled[rank - 2], pooled[rank - 1]];
    let flat = joined(rows, columns);
    let planes = [&own[..=depth], &[flat]].concat();
    let [slices, inner] = [slices, inner].map(|wire| regroup(draft, wire, &planes));
    let [y, outer] = image(draft, slices, [Some(0), None]);
    let Some(chosen) = dimensions(draft, y) else { return [y; 2] };
    let (places, flat) = (chosen[depth].bound(), flat.bound());
    // Whole numbers below 2^53: exact in f64.
    let inner = draft.apply(cast(Element::F64), &[inner]);
    let gather = pool_gather([own[depth].bound(), flat], [places, flat]);
    let inner = draft.apply(gather, &[inner, outer]);
    let at = draft.apply(cast(Element::F64), &[outer]);
    let at = draft.apply(shift(0.5), &[at]);
    let at = draft.apply(scale(1.0 / flat.max(1) as f64), &[at]);
    let at = draft.apply(floor(), &[at]);
    let pixels: usize = own[depth + 1..].iter().map(|own| own.bound()).product();
    let at = draft.apply(scale(pixels as f64), &[at]);
    let index = draft.apply(add(), &[at, inner]);
    let index = draft.apply(cast(Element::I64), &[index]);
    let whole: Vec<Dimension> = [&chosen[..=depth], &[rows, columns]].concat();
    [y, index].map(|wire| regroup(draft, wire, &whole))
}
