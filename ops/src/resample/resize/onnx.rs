//! How it is written for ONNX.

use synfire_runtime::value::Value;

use super::{Align, Method, Resize, Target};
use crate::onnx::{Attribute, Onnx};

/// Only the way to ONNX; `interpolate` reads all axes at once.
pub const ONNX: Onnx = Onnx::NONE.writes(|operator, emit| {
    let Resize { axis, target, method, from } = *operator.downcast_ref::<Resize>()?;
    if from.is_some() {
        return Some(Err("the transposed resizing".into()));
    }
    let (mode, align, is_smooth) = match method {
        Method::Nearest => ("nearest", "asymmetric", false),
        Method::NearestExact => ("nearest", "half_pixel", false),
        Method::Linear(align) => ("linear", word(align), false),
        Method::Cubic(align) => ("cubic", word(align), false),
        Method::SmoothLinear(align) => ("linear", word(align), true),
        Method::SmoothCubic(align) => ("cubic", word(align), true),
        Method::Area => return Some(Err("means of areas".into())),
    };
    let nearest = if method == Method::Nearest { "floor" } else { "round_prefer_ceil" };
    let mut attributes = vec![
        ("mode", mode.into()),
        ("coordinate_transformation_mode", align.into()),
        ("nearest_mode", nearest.into()),
        ("axes", [axis].into()),
    ];
    if is_smooth {
        attributes.push(("antialias", Attribute::Integer(1)));
        attributes.push(("exclude_outside", Attribute::Integer(1)));
        attributes.push(("cubic_coeff_a", (-0.5).into()));
    }
    let mut inputs = vec![emit.input(0), String::new()];
    match target {
        Target::Extent(extent) => {
            inputs.push(String::new());
            inputs.push(emit.integers(&[extent]));
        }
        Target::Factor(factor) if mode == "nearest" && f64::from(factor as f32) != factor => {
            return Some(Err("the nearest pixel by a factor that 32 bits do not hold".into()));
        }
        Target::Factor(factor) => {
            inputs.push(emit.constant(Value::new(&[1], &[factor as f32])));
        }
    }
    emit.last("Resize", &inputs, &attributes);
    Some(Ok(()))
});

fn word(align: Align) -> &'static str {
    match align {
        Align::Edges => "pytorch_half_pixel",
        Align::Centers => "align_corners",
    }
}
