//! What ONNX calls it.

use super::{Transpose, transpose};
use crate::onnx::{Attribute, Onnx, sizes};

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Transpose", |node| {
    let x = node.input(0)?;
    let rank = node.spec_of(x)?.rank();
    let order = match node.integers("perm")? {
        Some(order) => sizes("perm", &order)?,
        None => (0..rank).rev().collect(),
    };
    Ok(vec![node.apply(transpose(&order), &[x])])
})])
.writes(|operator, emit| {
    let order = &operator.downcast_ref::<Transpose>()?.permutation;
    let inputs = emit.inputs();
    emit.last("Transpose", &inputs, &[("perm", Attribute::from(&order[..]))]);
    Some(Ok(()))
});
