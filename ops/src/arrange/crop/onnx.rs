//! How it is written for ONNX, where it is a slice.

use synfire_runtime::value::Value;

use super::Crop;
use crate::onnx::Onnx;

/// Only the way to ONNX.
pub const ONNX: Onnx = Onnx::NONE.writes(|operator, emit| {
    let Crop { before, after } = operator.downcast_ref::<Crop>()?;
    let spec = emit.input_spec(0).clone();
    if !spec.is_fixed() {
        return Some(Err("a crop of bounded extents".into()));
    }
    let starts: Vec<i64> = before.iter().map(|&n| n as i64).collect();
    let ends = spec.bounds().into_iter().zip(after).map(|(extent, after)| (extent - after) as i64);
    let ends: Vec<i64> = ends.collect();
    let mut inputs = vec![emit.input(0)];
    for numbers in [starts, ends] {
        inputs.push(emit.constant(Value::new(&[numbers.len()], &numbers)));
    }
    emit.last("Slice", &inputs, &[]);
    Some(Ok(()))
});
