//! What ONNX calls it.

use super::{Where, where_};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Where", |node| {
    let inputs = [node.input(0)?, node.input(1)?, node.input(2)?];
    Ok(vec![node.apply(where_(), &inputs)])
})])
.writes(|operator, emit| {
    operator.downcast_ref::<Where>()?;
    let inputs = emit.inputs();
    emit.last("Where", &inputs, &[]);
    Some(Ok(()))
});
