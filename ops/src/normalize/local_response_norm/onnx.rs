//! What ONNX calls it.

use super::{Response, local_response_norm};
use crate::onnx::Onnx;

/// ONNX's name; an even window lies on the other side there.
pub const ONNX: Onnx = Onnx::reads(&[("LRN", |node| {
    let x = node.input(0)?;
    let size = node.integer("size", 0)?;
    let odd = usize::try_from(size).ok().filter(|size| size % 2 == 1 && *size < 1 << 12);
    let size = odd.ok_or_else(|| format!("a size of {size}, wanted an odd and a small one"))?;
    let (alpha, beta) = (node.number("alpha", 1e-4)?, node.number("beta", 0.75)?);
    let response = Response { size, alpha, beta, k: node.number("bias", 1.0)? };
    Ok(vec![local_response_norm(node, x, &response)])
})]);
