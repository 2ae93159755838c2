//! What ONNX calls it, along any axes.

use synfire_runtime::define::Wire;

use super::interpolate;
use crate::onnx::{Node, Onnx, sizes};
use crate::resample::resize::{Align, Method, Target};

/// ONNX's name.
pub const ONNX: Onnx = Onnx::reads(&[("Resize", read)]);

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let spec = node.spec_of(x)?;
    let axes = match node.axes_at(usize::MAX, spec.rank())? {
        Some(axes) => axes,
        None => (0..spec.rank()).collect(),
    };
    let policy = node.text("keep_aspect_ratio_policy", "stretch")?;
    if policy != "stretch" {
        return Err(format!("`keep_aspect_ratio_policy` is `{policy}`, wanted `stretch`"));
    }
    // Only of another transformation.
    node.number("extrapolation_value", 0.0)?;
    let method = method(node)?;
    let targets: Vec<Target> = match (node.integers_at(3)?, node.numbers_at(2)?) {
        (Some(extents), _) => sizes("sizes", &extents)?.into_iter().map(Target::Extent).collect(),
        (None, Some(factors)) => factors.into_iter().map(Target::Factor).collect(),
        (None, None) => return Err("neither scales nor sizes".into()),
    };
    if targets.len() != axes.len() {
        return Err(format!("{} sizes for {} axes", targets.len(), axes.len()));
    }
    let mut resized = Vec::new();
    for (axis, target) in axes.into_iter().zip(targets) {
        let factor = match target {
            Target::Extent(extent) if extent == spec.bound(axis) => continue,
            Target::Factor(1.0) => continue,
            Target::Factor(factor) => factor,
            Target::Extent(extent) => extent as f64 / spec.bound(axis).max(1) as f64,
        };
        let is_whole = factor >= 1.0 && factor.fract() == 0.0;
        match method {
            Resampling::Any(..) => {}
            Resampling::Whole(_, most) if is_whole && factor <= most => {}
            Resampling::Whole(..) => {
                return Err(format!("the nearest pixel, rounded so, at {factor} times as many"));
            }
        }
        resized.push((axis, target));
    }
    let (Resampling::Any(method) | Resampling::Whole(method, _)) = method;
    Ok(vec![interpolate(node, x, &resized, method)])
}

/// What ours is the same as.
enum Resampling {
    /// For every factor.
    Any(Method),
    /// For whole factors up to this one.
    Whole(Method, f64),
}

fn method(node: &Node<'_>) -> Result<Resampling, String> {
    let place = node.text("coordinate_transformation_mode", "half_pixel")?;
    let nearest = node.text("nearest_mode", "round_prefer_floor")?;
    let (mode, is_smooth) = (node.text("mode", "nearest")?, node.flag("antialias", false)?);
    let cubic = node.number("cubic_coeff_a", -0.75)?;
    // A kernel as wide as the outputs are apart is cut off at the border and made whole again.
    let is_cut = node.flag("exclude_outside", false)?;
    let is_half = ["half_pixel", "pytorch_half_pixel"].contains(&&*place);
    if mode == "nearest" {
        return match (&*place, &*nearest) {
            ("asymmetric", "floor") => Ok(Resampling::Any(Method::Nearest)),
            ("asymmetric", "round_prefer_floor") => Ok(Resampling::Whole(Method::Nearest, 2.0)),
            (_, "round_prefer_ceil") if is_half => Ok(Resampling::Any(Method::NearestExact)),
            (_, "round_prefer_floor") if is_half => {
                Ok(Resampling::Whole(Method::NearestExact, f64::INFINITY))
            }
            _ => Err(format!("the nearest pixel by `{place}` and `{nearest}`")),
        };
    }
    let align = match &*place {
        _ if is_half => Align::Edges,
        "align_corners" => Align::Centers,
        other => return Err(format!("`{mode}` by `{other}`")),
    };
    if is_cut != is_smooth {
        return Err(format!("`exclude_outside` is {is_cut} where `antialias` is {is_smooth}"));
    }
    let own = if is_smooth { -0.5 } else { -0.75 };
    if mode == "cubic" && cubic != own {
        return Err(format!("`cubic_coeff_a` is {cubic}, wanted {own}"));
    }
    Ok(Resampling::Any(match (&*mode, is_smooth) {
        ("linear", false) => Method::Linear(align),
        ("linear", true) => Method::SmoothLinear(align),
        ("cubic", false) => Method::Cubic(align),
        ("cubic", true) => Method::SmoothCubic(align),
        (other, _) => return Err(format!("a mode `{other}`")),
    }))
}
