//! What ONNX calls it.

use super::{Side, Triangle, tril, triu};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Trilu", |node| {
    let x = node.input(0)?;
    let diagonal = node.number_at(1)?.unwrap_or(0.0) as i64;
    let is_upper = node.flag("upper", true)?;
    let operator = if is_upper { triu(diagonal) } else { tril(diagonal) };
    Ok(vec![node.apply(operator, &[x])])
})])
.writes(|operator, emit| {
    let Triangle { side, diagonal } = *operator.downcast_ref::<Triangle>()?;
    let diagonal = emit.constant(synfire_runtime::value::Value::new(&[], &[diagonal]));
    let inputs = [emit.input(0), diagonal];
    emit.last("Trilu", &inputs, &[("upper", i64::from(side == Side::Upper).into())]);
    Some(Ok(()))
});
