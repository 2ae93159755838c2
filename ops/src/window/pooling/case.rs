//! Pools of PyTorch: their attributes, in every spelling.

use synfire_runtime::define::Wire;

use super::Pooling;
use crate::torch::{Attribute, Case};
use crate::window::Rounding;
use crate::window::sliding::case::{each, padding};

/// `x` and how the window moves.
pub(crate) fn pooling<const N: usize>(case: &Case<'_>) -> Result<(Wire, Pooling<N>), String> {
    let x = case.operand(&["x", "input"])?;
    let kernel = kernel(case)?;
    let stride = each(case, &["stride", "strides"], kernel)?;
    let [before, after] = padding(case, kernel, [1; N])?;
    let rounding = match case.flag("ceil_mode", false)? {
        true => Rounding::Ceiling,
        false => Rounding::Floor,
    };
    Ok((x, Pooling { kernel, stride, before, after, rounding }))
}

/// The extent of the window.
pub(crate) fn kernel<const N: usize>(case: &Case<'_>) -> Result<[usize; N], String> {
    let kernel = case.spelling(&["kernel_size", "kernel", "kernel_shape"]);
    if case.attribute(kernel).is_none() {
        return Err("no kernel size".into());
    }
    each(case, &[kernel], [1; N])
}

/// The places of an adaptive pool over the last `N` axes of `x`; an axis without stays as it is.
pub(crate) fn places<const N: usize>(case: &Case<'_>, x: Wire) -> Result<[usize; N], String> {
    let name = case.spelling(&["output_size", "size"]);
    let own = case.spec_of(x)?.bounds();
    let first = own.len().checked_sub(N).ok_or_else(|| format!("{own:?}, wanted {N} axes"))?;
    let Some(Attribute::List(list)) = case.attribute(name) else {
        return each(case, &[name], std::array::from_fn(|axis| own[first + axis]));
    };
    let place = |axis: usize| match list.get(if list.len() == 1 { 0 } else { axis }) {
        Some(Attribute::Null) => Ok(own[first + axis]),
        Some(Attribute::Number(n)) if *n >= 0.0 && n.fract() == 0.0 => Ok(*n as usize),
        other => Err(format!("`{name}` has {other:?} for axis {axis}, wanted a size")),
    };
    let places: Vec<usize> = (0..N).map(place).collect::<Result<_, _>>()?;
    places.try_into().map_err(|_| format!("`{name}`: wanted {N} sizes"))
}

/// Whether the indices are wanted too.
pub(crate) fn with_indices(case: &Case<'_>) -> Result<bool, String> {
    case.flag(case.spelling(&["return_indices", "with_indices"]), false)
}
