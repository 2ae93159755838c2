//! What ONNX calls it.

use super::{Expand, expand};
use crate::onnx::{Onnx, elements, sizes};

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Expand", |node| {
    let x = node.input(0)?;
    let target = sizes("shape", &node.integers_at(1)?.ok_or("no shape")?)?;
    let own = node.spec_of(x)?.bounds();
    let rank = own.len().max(target.len());
    let at = |extents: &[usize], axis: usize| {
        (axis + extents.len()).checked_sub(rank).map_or(1, |axis| extents[axis])
    };
    // Each is repeated to the other.
    let extent = |axis| match (at(&own, axis), at(&target, axis)) {
        (own, 1) => own,
        (_, target) => target,
    };
    let extents: Vec<usize> = (0..rank).map(extent).collect();
    elements(&extents)?;
    match extents == own {
        true => Ok(vec![x]),
        false => Ok(vec![node.apply(expand(&extents), &[x])]),
    }
})])
.writes(|operator, emit| {
    let extents = &operator.downcast_ref::<Expand>()?.extents;
    let extents = emit.integers(extents);
    let inputs = [emit.input(0), extents];
    emit.last("Expand", &inputs, &[]);
    Some(Ok(()))
});
