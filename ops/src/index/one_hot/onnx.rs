//! What ONNX calls it.

use synfire_runtime::define::Wire;
use synfire_runtime::value::Value;

use super::{OneHot, one_hot};
use crate::arrange::transpose::transpose;
use crate::onnx::{Node, Onnx};
use crate::pointwise::unary::{scale, shift};
use crate::torch::place;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("OneHot", read)]).writes(|operator, emit| {
    let classes = operator.downcast_ref::<OneHot>()?.classes;
    let element = emit.output_spec(0).element;
    if !element.is_float() {
        return Some(Err(format!("places of {element}")));
    }
    let classes = emit.constant(Value::new(&[], &[classes as i64]));
    let both = emit.floats_of(element, &[2], &[0.0, 1.0]);
    let inputs = [emit.input(0), classes, both];
    emit.last("OneHot", &inputs, &[("axis", (-1_i64).into())]);
    Some(Ok(()))
});

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let depth = node.number_at(1)?.ok_or("no depth")?;
    let classes = if (1.0..1e9).contains(&depth) { depth as usize } else { 0 };
    let values = node.value(2)?.ok_or("no values")?;
    let (element, numbers) = (values.element, node.numbers_at(2)?.unwrap_or_default());
    let [off, on] = numbers[..] else { return Err(format!("values {numbers:?}, wanted 2")) };
    let index = node.index(0, classes)?;
    let mut y = node.apply(one_hot(classes).with_element(element), &[index]);
    if (off, on) != (0.0, 1.0) {
        y = node.apply(scale(on - off), &[y]);
        y = node.apply(shift(off), &[y]);
    }
    let rank = node.spec_of(y)?.rank();
    let axis = place(node.integer("axis", -1)?, rank)?;
    if axis + 1 == rank {
        return Ok(vec![y]);
    }
    let mut order: Vec<usize> = (0..rank - 1).collect();
    order.insert(axis, rank - 1);
    Ok(vec![node.apply(transpose(&order), &[y])])
}
