//! PyTorch's names of what is a reshape here.

use synfire_runtime::define::Wire;

use super::{Extent, reshape};
use crate::torch::{Case, Torch, place};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("reshape", reshaped),
    ("view", reshaped),
    ("flatten", flattened),
    ("ravel", flattened),
    ("unflatten", unflattened),
    ("squeeze", squeezed),
    ("unsqueeze", unsqueezed),
];

fn to(case: &mut Case<'_>, x: Wire, extents: &[usize]) -> Result<Vec<Wire>, String> {
    let extents: Vec<Extent> = extents.iter().copied().map(Extent::Is).collect();
    Ok(vec![case.apply(reshape(&extents), &[x])])
}

/// The extents that `sizes`, at most one of them -1, are for `elements` elements.
fn inferred(sizes: &[i64], elements: usize) -> Result<Vec<usize>, String> {
    let given: usize = sizes.iter().filter_map(|&size| usize::try_from(size).ok()).product();
    let rest = elements.checked_div(given).unwrap_or(0);
    let unknown = sizes.iter().filter(|&&size| size < 0).count();
    if unknown > 1 || (unknown == 1 && (given == 0 || rest * given != elements)) {
        return Err(format!("{sizes:?} of {elements} elements"));
    }
    Ok(sizes.iter().map(|&size| usize::try_from(size).unwrap_or(rest)).collect())
}

fn reshaped(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let sizes = case.integers(case.spelling(&["shape", "size", "sizes"]))?.ok_or("no shape")?;
    let extents = inferred(&sizes, case.spec_of(x)?.elements())?;
    to(case, x, &extents)
}

fn flattened(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let extents = case.spec_of(x)?.bounds();
    if extents.is_empty() {
        return to(case, x, &[1]);
    }
    let first = case.axis("start_dim", x, 0)?;
    let last = case.axis("end_dim", x, -1)?;
    if first > last {
        return Err(format!("start_dim {first} after end_dim {last}"));
    }
    let joined = extents[first..=last].iter().product();
    to(case, x, &[&extents[..first], &[joined], &extents[last + 1..]].concat())
}

fn unflattened(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let extents = case.spec_of(x)?.bounds();
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
    let spellings = ["sizes", "unflattened_size", "size", "shape"];
    let sizes = case.integers(case.spelling(&spellings))?.ok_or("no sizes")?;
    let parts = inferred(&sizes, extents[axis])?;
    to(case, x, &[&extents[..axis], &parts, &extents[axis + 1..]].concat())
}

fn squeezed(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let axes = case.axes(case.spelling(&["dim", "dims", "axis"]), x)?;
    let extents = case.spec_of(x)?.bounds().into_iter().enumerate();
    let kept = extents.filter(|(axis, extent)| *extent != 1 || !axes.contains(axis));
    to(case, x, &kept.map(|(_, extent)| extent).collect::<Vec<_>>())
}

fn unsqueezed(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let mut extents = case.spec_of(x)?.bounds();
    let axis = place(case.integer(case.spelling(&["dim", "axis"]), 0)?, extents.len() + 1)?;
    extents.insert(axis, 1);
    to(case, x, &extents)
}
