//! What ONNX calls it.

use super::determinant;
use crate::onnx::Onnx;

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("Det", |node| {
    let x = node.input(0)?;
    Ok(vec![determinant(node, x)])
})]);
