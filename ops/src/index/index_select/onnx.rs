//! What ONNX calls it.

use synfire_runtime::define::Wire;

use super::{IndexSelect, index_select};
use crate::arrange::reshape::{Extent, extent_of, reshape};
use crate::arrange::slice::slice;
use crate::onnx::{Node, Onnx};
use crate::torch::place;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Gather", read)]).writes(|operator, emit| {
    let axis = operator.downcast_ref::<IndexSelect>()?.axis;
    let inputs = emit.inputs();
    emit.last("Gather", &inputs, &[("axis", axis.into())]);
    Some(Ok(()))
});

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, 0)?;
    let spec = node.spec_of(x)?;
    // One slice is a slice.
    if let Ok(Some(value)) = node.value(1)
        && value.extents.is_empty()
        && !spec.dimensions[axis].is_bounded()
        && let Some([index]) = node.integers_at(1)?.as_deref()
    {
        let count = spec.bound(axis);
        let found = place(*index, count).ok().filter(|&index| index < count);
        let index = found.ok_or_else(|| format!("index {index} of {count} places"))?;
        let part = node.apply(slice(axis, index, index + 1, 1), &[x]);
        let mut extents: Vec<Extent> = spec.dimensions.iter().copied().map(extent_of).collect();
        extents.remove(axis);
        return Ok(vec![node.apply(reshape(&extents), &[part])]);
    }
    let index = node.index(1, spec.bound(axis))?;
    Ok(vec![node.apply(index_select(axis), &[x, index])])
}
