//! What ONNX calls it.

use super::{Order, TopK, top_k};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("TopK", |node| {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, -1)?;
    let count = node.number_at(1)?.ok_or("no count")?;
    let count =
        if count >= 0.0 { count as usize } else { return Err(format!("{count} elements")) };
    let order = match node.flag("largest", true)? {
        true => Order::Descending,
        false => Order::Ascending,
    };
    // Sorted is one of the orders that nobody minds.
    node.flag("sorted", true)?;
    Ok(top_k(node, x, axis, (count, order)).into())
})])
.writes(|operator, emit| {
    let TopK { count, order } = *operator.downcast_ref::<TopK>()?;
    let rank = emit.input_spec(0).rank();
    let count = count.unwrap_or(emit.input_spec(0).bound(rank - 1));
    let count = emit.integers(&[count]);
    let inputs = [emit.input(0), count];
    let is_largest = i64::from(order == Order::Descending);
    emit.last("TopK", &inputs, &[("axis", (-1_i64).into()), ("largest", is_largest.into())]);
    Some(Ok(()))
});
