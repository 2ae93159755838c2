//! What ONNX calls it.

use super::{Cumulative, cumsum, on_host};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("CumSum", |node| {
    let x = node.input(0)?;
    let rank = node.spec_of(x)?.rank();
    let axis = node.number_at(1)?.ok_or("no axis")? as i64;
    let mut operator = cumsum(crate::torch::place(axis, rank)?);
    if node.flag("exclusive", false)? {
        operator = operator.exclusive();
    }
    if node.flag("reverse", false)? {
        operator = operator.reversed();
    }
    Ok(vec![node.apply(operator, &[x])])
})])
.writes(|operator, emit| {
    let own = operator.downcast_ref::<Cumulative>()?;
    if own.row.name != on_host::SUM.name {
        return Some(Err(format!("ONNX has no {}", own.row.name)));
    }
    let axis = emit.constant(synfire_runtime::value::Value::new(&[], &[own.axis as i64]));
    let (from, to) = (emit.input_spec(0).element, emit.output_spec(0).element);
    let mut x = emit.input(0);
    if from != to {
        x = emit.step_cast(&x, to);
    }
    let inputs = [x, axis];
    let flag = |is: bool| i64::from(is).into();
    let course =
        [("exclusive", flag(own.course.is_exclusive)), ("reverse", flag(own.course.is_reversed))];
    emit.last("CumSum", &inputs, &course);
    Some(Ok(()))
});
