//! PyTorch's name of padding: pairs of widths, those of the last axis first.

use synfire_runtime::define::Wire;

use super::{PadMode, pad};
use crate::arrange::crop::crop;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("pad", torch), ("constant_pad_nd", torch)];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let rank = case.spec_of(x)?.rank();
    let widths = case.integers(case.spelling(&["pad", "padding", "pads"]))?.ok_or("no widths")?;
    let value = case.number("value", 0.0)?;
    let mode = match case.text("mode", "constant")?.as_str() {
        "constant" | "zeros" | "zero" => PadMode::Constant(value),
        "reflect" => PadMode::Reflect,
        "replicate" | "edge" => PadMode::Replicate,
        "circular" | "wrap" => PadMode::Circular,
        other => return Err(format!("padding mode `{other}`")),
    };
    if !widths.len().is_multiple_of(2) || widths.len() / 2 > rank {
        return Err(format!("{} widths for {rank} dimensions", widths.len()));
    }
    let (mut more, mut less) = ([vec![0; rank], vec![0; rank]], [vec![0; rank], vec![0; rank]]);
    for (place, &width) in widths.iter().enumerate() {
        // A negative width takes away.
        let side = if width < 0 { &mut less } else { &mut more };
        side[place % 2][rank - 1 - place / 2] = width.unsigned_abs() as usize;
    }
    let is_less = less.iter().flatten().any(|&width| width > 0);
    let x = if is_less { case.apply(crop(&less[0], &less[1]), &[x]) } else { x };
    Ok(vec![case.apply(pad(&more[0], &more[1], mode), &[x])])
}
