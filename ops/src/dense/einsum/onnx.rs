//! What ONNX calls it.

use super::einsum;
use crate::onnx::Onnx;

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("Einsum", |node| {
    let equation = node.text("equation", "")?.replace(' ', "");
    let operands = node.all()?;
    Ok(vec![einsum(node, &equation, &operands)])
})]);
