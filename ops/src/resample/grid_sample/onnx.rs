//! What ONNX calls it.

use super::{Align, Method, Padding, grid_sample};
use crate::onnx::Onnx;

/// ONNX's name.
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
})]);
