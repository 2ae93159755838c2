//! What ONNX calls it.

use super::{Gather, gather};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("GatherElements", |node| {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, 0)?;
    let extent = node.spec_of(x)?.bound(axis);
    let index = node.index(1, extent)?;
    Ok(vec![node.apply(gather(axis), &[x, index])])
})])
.writes(|operator, emit| {
    let axis = operator.downcast_ref::<Gather>()?.axis;
    let inputs = emit.inputs();
    emit.last("GatherElements", &inputs, &[("axis", axis.into())]);
    Some(Ok(()))
});
