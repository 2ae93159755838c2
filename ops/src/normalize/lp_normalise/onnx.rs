//! What ONNX calls it.

use super::lp_normalise;
use crate::onnx::Onnx;

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("LpNormalization", |node| {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, -1)?;
    let power = node.integer("p", 2)? as f64;
    Ok(vec![lp_normalise(node, x, power, axis, 1e-12)])
})]);
