//! How it is written for ONNX, where it is a slice.

use synfire_runtime::value::Value;

use super::Flip;
use crate::onnx::Onnx;

/// Only the way to ONNX.
pub const ONNX: Onnx = Onnx::NONE.writes(|operator, emit| {
    let axes: Vec<i64> = operator.downcast_ref::<Flip>()?.axes.iter().map(|&a| a as i64).collect();
    let count = axes.len();
    let mut inputs = vec![emit.input(0)];
    for numbers in [vec![-1; count], vec![i64::MIN + 1; count], axes, vec![-1; count]] {
        inputs.push(emit.constant(Value::new(&[count], &numbers)));
    }
    emit.last("Slice", &inputs, &[]);
    Some(Ok(()))
});
