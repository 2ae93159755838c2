//! What ONNX calls it.

use synfire_runtime::define::Wire;

use super::{Linear, linear};
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::add;
use crate::dense::matmul::matmul;
use crate::onnx::{Attribute, Node, Onnx};
use crate::pointwise::unary::scale;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Gemm", read)]).writes(|operator, emit| {
    let has_bias = operator.downcast_ref::<Linear>()?.has_bias;
    let inputs = emit.inputs();
    if emit.input_spec(0).rank() == 2 {
        emit.last("Gemm", &inputs, &[("transB", 1_i64.into())]);
        return Some(Ok(()));
    }
    let turned = [("perm", Attribute::from([1_usize, 0]))];
    let weight = emit.step("Transpose", &inputs[1..2], &turned);
    let product = [inputs[0].clone(), weight];
    if has_bias {
        let y = emit.step("MatMul", &product, &[]);
        emit.last("Add", &[y, inputs[2].clone()], &[]);
    } else {
        emit.last("MatMul", &product, &[]);
    }
    Some(Ok(()))
});

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let (alpha, beta) = (node.number("alpha", 1.0)?, node.number("beta", 1.0)?);
    let turned = (node.flag("transA", false)?, node.flag("transB", false)?);
    let [a, b] = [node.input(0)?, node.input(1)?];
    let c = node.optional(2).filter(|_| beta != 0.0);
    let out = node.spec_of(b)?.dimensions.first().copied();
    let is_bias = match c {
        Some(c) => node.spec_of(c)?.dimensions == out.into_iter().collect::<Vec<_>>(),
        None => true,
    };
    if turned == (false, true) && (alpha, beta) == (1.0, 1.0) && is_bias {
        return Ok(vec![match c {
            Some(c) => node.apply(linear().bias(), &[a, b, c]),
            None => node.apply(linear(), &[a, b]),
        }]);
    }
    // The operator takes the left side as it is.
    let a = if turned.0 { node.apply(transpose(&[1, 0]), &[a]) } else { a };
    let product = if turned.1 { matmul().transpose_b() } else { matmul() };
    let mut y = node.apply(product, &[a, b]);
    if alpha != 1.0 {
        y = node.apply(scale(alpha), &[y]);
    }
    let Some(mut c) = c else { return Ok(vec![y]) };
    if beta != 1.0 {
        c = node.apply(scale(beta), &[c]);
    }
    Ok(vec![node.apply(add(), &[y, c])])
}
