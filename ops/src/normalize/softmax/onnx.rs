//! What ONNX calls them.

use synfire_runtime::define::Wire;

use super::{Form, Softmax, log_softmax, softmax};
use crate::onnx::{Node, Onnx};

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("Softmax", |node| along(node, softmax)),
    ("LogSoftmax", |node| along(node, log_softmax)),
])
.writes(|operator, emit| {
    let Softmax { axis, form } = *operator.downcast_ref::<Softmax>()?;
    let kind = if form == Form::Shares { "Softmax" } else { "LogSoftmax" };
    let inputs = emit.inputs();
    emit.last(kind, &inputs, &[("axis", axis.into())]);
    Some(Ok(()))
});

fn along(node: &mut Node<'_>, operator: fn(usize) -> Softmax) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, -1)?;
    Ok(vec![node.apply(operator(axis), &[x])])
}
