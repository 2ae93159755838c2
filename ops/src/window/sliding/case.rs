//! Convolutions and pools of PyTorch: their attributes, in every spelling.

use synfire_runtime::define::Wire;

use super::Sliding;
use crate::arrange::pad::PadMode;
use crate::torch::{Attribute, Case};

/// `x` and the weight, the bias, and how the window moves.
pub(crate) type Convolution<const N: usize> = ([Wire; 2], Option<Wire>, Sliding<N>);

/// A convolution over `N` axes, transposed or not.
pub(crate) fn convolution<const N: usize>(case: &Case<'_>) -> Result<Convolution<N>, String> {
    let x = case.operand(&["x", "input"])?;
    let weight = case.operand(&["w", "weight", "kernel", "filters"])?;
    let bias = case.either(&["b", "bias"]);
    let extents = case.spec_of(weight)?.bounds();
    let kernel: [usize; N] = extents
        .get(2..)
        .and_then(|kernel| kernel.try_into().ok())
        .ok_or_else(|| format!("a weight of {extents:?}, wanted {N} axes behind the second"))?;
    let [stride, dilation] = [each(case, &["stride", "strides"], [1; N])?, dilation(case)?];
    let [before, after] = padding(case, kernel, dilation)?;
    let mode = match case.text("padding_mode", "zeros")?.as_str() {
        "zeros" | "constant" => PadMode::Constant(0.0),
        "reflect" => PadMode::Reflect,
        "replicate" | "edge" => PadMode::Replicate,
        "circular" | "wrap" => PadMode::Circular,
        other => return Err(format!("padding mode `{other}`")),
    };
    let groups = case.sizes("groups", 1, 1)?[0];
    Ok(([x, weight], bias, Sliding { stride, dilation, before, after, mode, groups }))
}

/// One size for each of `N` axes.
pub(crate) fn each<const N: usize>(
    case: &Case<'_>,
    names: &[&'static str],
    default: [usize; N],
) -> Result<[usize; N], String> {
    let name = case.spelling(names);
    if case.attribute(name).is_none() || case.attribute(name) == Some(&Attribute::List(vec![])) {
        return Ok(default);
    }
    let sizes = case.sizes(name, N, 0)?;
    sizes.try_into().map_err(|_| format!("`{name}`: wanted {N} sizes"))
}

/// The dilation of a window.
pub(crate) fn dilation<const N: usize>(case: &Case<'_>) -> Result<[usize; N], String> {
    each(case, &["dilation", "dilations"], [1; N])
}

/// The padding before and after each axis: one number, one for each axis, pairs from the last axis
/// on as in `torch.nn.functional.pad`, a list of pairs by axis, or a word.
pub(crate) fn padding<const N: usize>(
    case: &Case<'_>,
    kernel: [usize; N],
    dilation: [usize; N],
) -> Result<[[usize; N]; 2], String> {
    let sides = [&["padding_before", "pad_before"], &["padding_after", "pad_after"]];
    if sides.iter().any(|names| case.attribute(case.spelling(*names)).is_some()) {
        return Ok([each(case, sides[0], [0; N])?, each(case, sides[1], [0; N])?]);
    }
    let name = case.spelling(&["padding", "pad", "pads"]);
    let Some(given) = case.attribute(name) else { return Ok([[0; N]; 2]) };
    if let Attribute::Text(word) = given {
        return in_words(word, kernel, dilation);
    }
    if let Attribute::List(list) = given
        && list.iter().all(|one| matches!(one, Attribute::List(pair) if pair.len() == 2))
        && list.len() == N
    {
        let flat = |one: &Attribute| match one {
            Attribute::List(pair) => pair.clone(),
            _ => Vec::new(),
        };
        let flat: Vec<usize> =
            list.iter().flat_map(flat).map(|one| size(name, &one)).collect::<Result<_, _>>()?;
        let side = |side: usize| std::array::from_fn(|axis| flat[2 * axis + side]);
        return Ok([side(0), side(1)]);
    }
    match case.integers(name)? {
        Some(pads) if N > 1 && pads.len() == 2 * N || N == 1 && pads.len() == 2 => {
            let pads = case.sizes(name, 2 * N, 0)?;
            let side = |side: usize| {
                // ONNX: all beginnings, then all ends.
                let by_side = name == "pads";
                std::array::from_fn(|axis| {
                    pads[if by_side { side * N + axis } else { 2 * (N - 1 - axis) + side }]
                })
            };
            Ok([side(0), side(1)])
        }
        _ => Ok([each(case, &["padding", "pad", "pads"], [0; N])?; 2]),
    }
}

fn size(name: &str, attribute: &Attribute) -> Result<usize, String> {
    match attribute {
        Attribute::Number(n) if *n >= 0.0 && n.fract() == 0.0 => Ok(*n as usize),
        other => Err(format!("`{name}` has {other:?}, wanted sizes")),
    }
}

/// The padding that a word names.
fn in_words<const N: usize>(
    word: &str,
    kernel: [usize; N],
    dilation: [usize; N],
) -> Result<[[usize; N]; 2], String> {
    let all: [usize; N] =
        std::array::from_fn(|axis| dilation[axis] * kernel[axis].saturating_sub(1));
    match word.to_lowercase().as_str() {
        "valid" => Ok([[0; N]; 2]),
        // What is odd goes behind.
        "same" | "same_upper" => Ok([all.map(|n| n / 2), all.map(|n| n.div_ceil(2))]),
        "same_lower" => Ok([all.map(|n| n.div_ceil(2)), all.map(|n| n / 2)]),
        other => Err(format!("padding `{other}`")),
    }
}

/// The kernel and the motion of a window whose image becomes columns.
pub(crate) fn columns(case: &Case<'_>) -> Result<([usize; 2], Sliding<2>), String> {
    let kernel = each(case, &["kernel_size", "kernel"], [1; 2])?;
    let [stride, dilation] = [each(case, &["stride", "strides"], [1; 2])?, dilation(case)?];
    let [before, after] = padding(case, kernel, dilation)?;
    Ok((kernel, Sliding { stride, dilation, before, after, ..Sliding::PLAIN }))
}
