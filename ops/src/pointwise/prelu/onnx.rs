//! What ONNX calls it.

use super::formula;
use crate::onnx::Onnx;

/// ONNX's name; its slopes are broadcast to the input.
pub const ONNX: Onnx = Onnx::reads(&[("PRelu", |node| {
    let wires = [node.input(0)?, node.input(1)?];
    let y = formula(node, wires, |[x, slope]| x.above(0.0).choose(x, x * slope).wire);
    Ok(vec![y])
})]);
