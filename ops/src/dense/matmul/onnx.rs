//! What ONNX calls it.

use super::{Matmul, matmul};
use crate::onnx::{Attribute, Emit, Onnx};

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("MatMul", |node| {
    let inputs = [node.input(0)?, node.input(1)?];
    Ok(vec![node.apply(matmul(), &inputs)])
})])
.writes(|operator, emit| {
    let own = operator.downcast_ref::<Matmul>()?;
    let inputs = [turned(emit, 0, own.a_is_transposed), turned(emit, 1, own.b_is_transposed)];
    emit.last("MatMul", &inputs, &[]);
    Some(Ok(()))
});

/// An operand, rows and columns exchanged where it is read so; a vector is one either way.
fn turned(emit: &mut Emit<'_>, input: usize, is_transposed: bool) -> String {
    let (name, rank) = (emit.input(input), emit.input_spec(input).rank());
    if !is_transposed || rank < 2 {
        return name;
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    emit.step("Transpose", &[name], &[("perm", Attribute::from(&order[..]))])
}
