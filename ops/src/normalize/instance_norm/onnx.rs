//! What ONNX calls it.

use super::instance_norm;
use crate::onnx::Onnx;

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("InstanceNormalization", |node| {
    let x = node.input(0)?;
    let affine = [node.input(1)?, node.input(2)?];
    let epsilon = node.number("epsilon", 1e-5)?;
    Ok(vec![instance_norm(node, x, affine.map(Some), epsilon)])
})]);
