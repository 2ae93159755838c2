//! What ONNX calls it.

use super::{Align, GridSample, Method, Padding, grid_sample};
use crate::onnx::Onnx;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("GridSample", |node| {
    let inputs = [node.input(0)?, node.input(1)?];
    let method = match &*node.text("mode", "linear")? {
        "bilinear" | "linear" => Method::Linear,
        "nearest" => Method::Nearest,
        "bicubic" | "cubic" => Method::Cubic,
        other => return Err(format!("a mode `{other}`")),
    };
    let padding = match &*node.text("padding_mode", "zeros")? {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => return Err(format!("padding `{other}`")),
    };
    let align = match node.flag("align_corners", false)? {
        true => Align::Centers,
        false => Align::Edges,
    };
    Ok(vec![node.apply(grid_sample(method, padding, align), &inputs)])
})])
.writes(|operator, emit| {
    let own = operator.downcast_ref::<GridSample>()?;
    if own.onto.is_some() || own.orders.iter().any(|&order| order > 0) {
        return Some(Err("the derivative or the transposed of a sampling".into()));
    }
    let mode = match own.method {
        Method::Nearest => "nearest",
        Method::Linear => "linear",
        Method::Cubic => "cubic",
    };
    let padding = match own.padding {
        Padding::Zeros => "zeros",
        Padding::Border => "border",
        Padding::Reflection => "reflection",
    };
    let attributes = [
        ("mode", mode.into()),
        ("padding_mode", padding.into()),
        ("align_corners", i64::from(own.align == Align::Centers).into()),
    ];
    let inputs = emit.inputs();
    emit.last("GridSample", &inputs, &attributes);
    Some(Ok(()))
});
