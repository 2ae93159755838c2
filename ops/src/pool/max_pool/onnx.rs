//! What ONNX calls max pools, of images too.

use synfire_runtime::define::Wire;

use super::largest;
use crate::onnx::{Node, Onnx};
use crate::window::onnx::pooling;

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("MaxPool", |node| {
    let x = node.input(0)?;
    node.integer("storage_order", 0)?;
    match node.spec_of(x)?.rank() {
        3 => over::<1>(node, x),
        4 => over::<2>(node, x),
        5 => over::<3>(node, x),
        rank => Err(format!("an input of {rank} dimensions, wanted 3 to 5")),
    }
})]);

fn over<const N: usize>(node: &mut Node<'_>, x: Wire) -> Result<Vec<Wire>, String> {
    let (pooling, dilation) = pooling::<N>(node, x)?;
    Ok(vec![largest(node, x, &pooling, dilation)])
}
