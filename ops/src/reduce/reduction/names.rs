//! What PyTorch calls the reductions.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::{Keep, Reduction};
use crate::broadcast::binary::{maximum, minimum};
use crate::broadcast::cast::cast;
use crate::reduce::extreme::{max_along, min_along};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("sum", |case| over(case, super::sum)),
    ("mean", |case| over(case, super::mean)),
    ("prod", |case| over(case, super::prod)),
    ("amax", |case| over(case, super::max)),
    ("amin", |case| over(case, super::min)),
    ("aminmax", |case| {
        let least = over(case, super::min)?;
        Ok([least, over(case, super::max)?].concat())
    }),
    ("logsumexp", |case| over(case, super::logsumexp)),
    ("any", |case| truth(case, super::any)),
    ("all", |case| truth(case, super::all)),
    ("max", |case| match (second(case), one_axis(case)?) {
        (Some(y), _) => Ok(vec![case.input("x").map(|x| case.apply(maximum(), &[x, y]))?]),
        (None, None) => over(case, super::max),
        (None, Some(axis)) => {
            let (x, keep) = (case.input("x")?, keep(case)?);
            Ok(max_along(case, x, axis, keep).to_vec())
        }
    }),
    ("min", |case| match (second(case), one_axis(case)?) {
        (Some(y), _) => Ok(vec![case.input("x").map(|x| case.apply(minimum(), &[x, y]))?]),
        (None, None) => over(case, super::min),
        (None, Some(axis)) => {
            let (x, keep) = (case.input("x")?, keep(case)?);
            Ok(min_along(case, x, axis, keep).to_vec())
        }
    }),
];

/// The other operand of the elementwise function of the same name.
fn second(case: &Case<'_>) -> Option<Wire> {
    ["y", "other", "b"].into_iter().find_map(|name| case.optional(name))
}

/// The names that an axis goes by.
const AXES: [&str; 4] = ["dim", "axis", "dims", "axes"];

/// Axes by any of their names; all of them where none is given.
pub(crate) fn axes(case: &Case<'_>, x: Wire) -> Result<Vec<usize>, String> {
    let given = AXES.into_iter().find(|name| case.attribute(name).is_some());
    let axes = case.axes(given.unwrap_or("dim"), x)?;
    let rank = case.spec_of(x)?.rank();
    // No axes at all stand for all of them, and a scalar has a last axis.
    let all = axes.is_empty() || rank == 0;
    Ok(if all { (0..rank).collect() } else { axes })
}

/// One axis of `x` by any of its names, if it is given.
pub(crate) fn one_axis(case: &Case<'_>) -> Result<Option<usize>, String> {
    let x = case.input("x")?;
    match AXES.into_iter().find(|name| case.attribute(name).is_some()) {
        None => Ok(None),
        Some(name) => match case.axes(name, x)?[..] {
            [axis] => Ok(Some(axis)),
            ref axes => Err(format!("`{name}` is {axes:?}, wanted one axis")),
        },
    }
}

/// Whether the axes stay.
pub(crate) fn keep(case: &Case<'_>) -> Result<Keep, String> {
    let kept = case.flag("keepdim", false)? || case.flag("keepdims", false)?;
    Ok(if kept { Keep::Axes } else { Keep::Nothing })
}

fn over(case: &mut Case<'_>, row: fn(&[usize], Keep) -> Reduction) -> Result<Vec<Wire>, String> {
    let x = case.input("x")?;
    let (axes, keep) = (axes(case, x)?, keep(case)?);
    Ok(vec![case.apply(row(&axes, keep), &[x])])
}

/// The same of whether elements are not zero.
fn truth(case: &mut Case<'_>, row: fn(&[usize], Keep) -> Reduction) -> Result<Vec<Wire>, String> {
    let x = case.input("x")?;
    let (axes, keep) = (axes(case, x)?, keep(case)?);
    let x = case.apply(cast(Element::Bool), &[x]);
    Ok(vec![case.apply(row(&axes, keep), &[x])])
}
