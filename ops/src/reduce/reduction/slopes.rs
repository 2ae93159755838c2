//! The gradient of each reduction, from `dy` with its axes kept.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient};
use synfire_runtime::spec::{Dimension, Spec};

use super::family::{Keep, extent};
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::{divide, equal, multiply, subtract};
use crate::broadcast::cast::cast;
use crate::gradient::expand_like;
use crate::pointwise::unary::{exp, fill, scale};
use crate::scan::cumulative::cumprod;

/// `dy` to every element.
pub(super) fn sum(_axes: &[usize], backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    let x = backward.input(0);
    Gradient::one(expand_like(backward, dy, x))
}

/// `dy / n` to every element.
pub(super) fn mean(axes: &[usize], backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    let x = backward.input(0);
    let part = divided(backward, dy, x, axes);
    Gradient::one(expand_like(backward, part, x))
}

/// `wire` divided by the number of elements of `x` along `axes`.
fn divided(draft: &mut Draft, wire: Wire, x: Wire, axes: &[usize]) -> Wire {
    let spec = crate::gradient::spec(draft, x);
    match count(&spec, axes) {
        // A part of nothing goes nowhere.
        Some(count) => draft.apply(scale(1.0 / count.max(1) as f64), &[wire]),
        None => {
            let ones = draft.apply(fill(1.0), &[x]);
            let count = draft.apply(super::sum(axes, Keep::Axes), &[ones]);
            draft.apply(divide(), &[wire, count])
        }
    }
}

/// The number of elements along `axes`, unless it varies.
pub(crate) fn count(x: &Spec, axes: &[usize]) -> Option<usize> {
    let inside = (0..x.rank()).filter(|axis| axes.contains(axis));
    inside.map(|axis| x.dimensions[axis]).try_fold(1, |count, dimension| match dimension {
        Dimension::Fixed(extent) => Some(count * extent),
        Dimension::UpTo(_) => None,
    })
}

/// `dy` in equal parts to the elements that are equal to the extreme.
pub(super) fn extreme(axes: &[usize], backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    let (x, element) = (backward.input(0), backward.input_spec(0).element);
    let y = with_axes(axes, backward);
    let is_extreme = backward.apply(equal(), &[x, y]);
    let is_extreme = backward.apply(cast(element), &[is_extreme]);
    let count = backward.apply(super::sum(axes, Keep::Axes), &[is_extreme]);
    let part = backward.apply(divide(), &[dy, count]);
    Gradient::one(backward.apply(multiply(), &[is_extreme, part]))
}

/// `dy * exp(x - y)`.
pub(super) fn logsumexp(axes: &[usize], backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    let (x, y) = (backward.input(0), with_axes(axes, backward));
    let below = backward.apply(subtract(), &[x, y]);
    let share = backward.apply(exp(), &[below]);
    Gradient::one(backward.apply(multiply(), &[share, dy]))
}

/// The output with its axes kept.
fn with_axes(axes: &[usize], backward: &mut Backward<'_>) -> Wire {
    let (x, y) = (backward.input_spec(0), backward.output(0));
    let keep = match backward.spec(y) {
        Some(spec) if spec.rank() == x.rank() => Keep::Axes,
        _ => Keep::Nothing,
    };
    keep.restored(backward, y, &x, axes)
}

/// `dy` times the product of all elements before, and that of all behind: no division, so zeros
/// are numbers like others.
pub(super) fn product(axes: &[usize], backward: &mut Backward<'_>, dy: Wire) -> Gradient {
    let (x, spec) = (backward.input(0), backward.input_spec(0));
    let (inside, outside): (Vec<usize>, Vec<usize>) =
        (0..spec.rank()).partition(|axis| axes.contains(axis));
    let others = match inside[..] {
        [] => return Gradient::one(dy),
        [axis] => of_others(backward, x, axis),
        _ => {
            // The reduced axes become one, behind the others.
            let order = [&outside[..], &inside].concat();
            let sorted = backward.apply(transpose(&order), &[x]);
            let dimension = |axis: &usize| extent(spec.dimensions[*axis]);
            let behind = count(&spec, axes).map_or(Extent::Infer, Extent::Is);
            let flat: Vec<Extent> = outside.iter().map(dimension).chain([behind]).collect();
            let flat = backward.apply(reshape(&flat), &[sorted]);
            let others = of_others(backward, flat, outside.len());
            let extents: Vec<Extent> = order.iter().map(dimension).collect();
            let others = backward.apply(reshape(&extents), &[others]);
            let mut back = vec![0; order.len()];
            order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
            backward.apply(transpose(&back), &[others])
        }
    };
    Gradient::one(backward.apply(multiply(), &[others, dy]))
}

/// The product of all other elements along `axis`, for each.
fn of_others(draft: &mut Draft, x: Wire, axis: usize) -> Wire {
    let before = draft.apply(cumprod(axis).exclusive(), &[x]);
    let behind = draft.apply(cumprod(axis).exclusive().reversed(), &[x]);
    draft.apply(multiply(), &[before, behind])
}
