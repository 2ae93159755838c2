//! How it is written for ONNX, which has no such operator.

use super::Stack;
use crate::onnx::Onnx;

/// Only the way to ONNX.
pub const ONNX: Onnx = Onnx::NONE.writes(|operator, emit| {
    let axis = operator.downcast_ref::<Stack>()?.axis;
    let place = emit.integers(&[axis]);
    let each: Vec<String> = emit
        .inputs()
        .into_iter()
        .map(|part| emit.step("Unsqueeze", &[part, place.clone()], &[]))
        .collect();
    emit.last("Concat", &each, &[("axis", axis.into())]);
    Some(Ok(()))
});
