//! What ONNX calls it.

use synfire_runtime::define::Wire;

use super::{Pad, PadMode, pad};
use crate::arrange::crop::crop;
use crate::onnx::{Node, Onnx};
use crate::torch::place;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Pad", read)]).writes(|operator, emit| {
    let Pad { before, after, mode } = operator.downcast_ref::<Pad>()?;
    let pads: Vec<usize> = [&before[..], &after[..]].concat();
    let mut inputs = vec![emit.input(0), emit.integers(&pads)];
    let mode = match mode {
        PadMode::Constant(value) => {
            if !emit.input_spec(0).element.is_float() {
                return Some(Err("padding of whole numbers".into()));
            }
            inputs.push(emit.number(*value));
            "constant"
        }
        PadMode::Reflect => "reflect",
        PadMode::Replicate => "edge",
        PadMode::Circular => "wrap",
    };
    emit.last("Pad", &inputs, &[("mode", mode.into())]);
    Some(Ok(()))
});

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let rank = node.spec_of(x)?.rank();
    let pads = node.integers_at(1)?.ok_or("no pads")?;
    let value = node.number_at(2)?.unwrap_or(0.0);
    let mode = match &*node.text("mode", "constant")? {
        "constant" => PadMode::Constant(value),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Replicate,
        "wrap" => PadMode::Circular,
        other => return Err(format!("a mode `{other}`")),
    };
    let axes = node.integers_at(3)?.unwrap_or_else(|| (0..rank as i64).collect());
    if let Some(pad) = pads.iter().find(|pad| pad.unsigned_abs() > 1 << 31) {
        return Err(format!("{pad} places of padding"));
    }
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    let mut sides = [vec![0; rank], vec![0; rank]];
    for (index, &axis) in axes.iter().enumerate() {
        let axis = place(axis, rank)?;
        sides[0][axis] = pads[index];
        sides[1][axis] = pads[axes.len() + index];
    }
    let size = |n: i64| usize::try_from(n).unwrap_or(0);
    let [more, less] = [1, -1].map(|sign| {
        sides.each_ref().map(|side| side.iter().map(|n| size(n.saturating_mul(sign))).collect())
    });
    let ([before, after], [first, last]): ([Vec<usize>; 2], [Vec<usize>; 2]) = (more, less);
    let mut y = x;
    if first.iter().chain(&last).any(|&n| n > 0) {
        y = node.apply(crop(&first, &last), &[y]);
    }
    if before.iter().chain(&after).any(|&n| n > 0) {
        y = node.apply(pad(&before, &after, mode), &[y]);
    }
    Ok(vec![y])
}
