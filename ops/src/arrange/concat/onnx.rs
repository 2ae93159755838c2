//! What ONNX calls it.

use super::{Concat, concat};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Concat", |node| {
    let parts = node.all()?;
    let axis = node.axis("axis", parts[0], 0)?;
    if parts.len() == 1 {
        return Ok(parts);
    }
    Ok(vec![node.apply(concat(axis, parts.len()), &parts)])
})])
.writes(|operator, emit| {
    let axis = operator.downcast_ref::<Concat>()?.axis;
    let inputs = emit.inputs();
    emit.last("Concat", &inputs, &[("axis", axis.into())]);
    Some(Ok(()))
});
