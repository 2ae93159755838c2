//! What ONNX calls them.

use super::{
    Reduction, Scatter, scatter_add, scatter_max, scatter_min, scatter_prod, scatter_replace,
};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("ScatterElements", |node| {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, 0)?;
    let extent = node.spec_of(x)?.bound(axis);
    let (index, source) = (node.index(1, extent)?, node.input(2)?);
    let operator = match &*node.text("reduction", "none")? {
        "none" => scatter_replace(axis),
        "add" => scatter_add(axis),
        "mul" => scatter_prod(axis),
        "max" => scatter_max(axis),
        "min" => scatter_min(axis),
        other => return Err(format!("a reduction `{other}`")),
    };
    Ok(vec![node.apply(operator, &[x, index, source])])
})])
.writes(|operator, emit| {
    let Scatter { axis, reduction } = *operator.downcast_ref::<Scatter>()?;
    let reduction = match reduction {
        Reduction::Add => "add",
        Reduction::Product => "mul",
        Reduction::Max => "max",
        Reduction::Min => "min",
        Reduction::Replace => "none",
    };
    let mut inputs = emit.inputs();
    let (index, source) = (emit.input_spec(1).clone(), emit.input_spec(2).clone());
    if index.dimensions != source.dimensions {
        if !index.is_fixed() {
            return Some(Err("a source longer than an index of bounded extents".into()));
        }
        // Only as much of the source as has an index.
        let none = emit.integers(&vec![0; index.rank()]);
        let extents = emit.integers(&index.bounds());
        inputs[2] = emit.step("Slice", &[inputs[2].clone(), none, extents], &[]);
    }
    let attributes = [("axis", axis.into()), ("reduction", reduction.into())];
    emit.last("ScatterElements", &inputs, &attributes);
    Some(Ok(()))
});
