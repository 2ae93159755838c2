//! What ONNX calls it.

use super::logical_not;
use crate::onnx::Onnx;

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("Not", |node| {
    let x = node.input(0)?;
    Ok(vec![logical_not(node, x)])
})]);
