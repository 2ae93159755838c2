//! What ONNX calls it.

use super::tile;
use crate::onnx::{Onnx, elements, sizes};

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("Tile", |node| {
    let x = node.input(0)?;
    let repeats = sizes("repeats", &node.integers_at(1)?.ok_or("no repeats")?)?;
    elements(&[&node.spec_of(x)?.bounds()[..], &repeats[..]].concat())?;
    Ok(vec![tile(node, x, &repeats)])
})]);
