//! Interpolate: several axes resized one after another, those that shrink first.
//!
//! # Shape
//! `x`: `f32` or `f64` with these axes fixed -> `y`: each of them has its target's extent. Other
//! dimensions may be bounded.
//!
//! # Gradient
//! That of `resize`, axis by axis.
//!
//! # Numerics
//! As `resize` along each axis: every method is a product over axes, so their order changes
//! roundings only. As PyTorch's `interpolate` in all its modes, with `antialias` as the smooth
//! methods; but not where that repeats the first row for a smooth result of one column (2.15).
//!
//! # Example
//! ```
//! use synfire_ops::resample::interpolate::interpolate;
//! use synfire_ops::resample::resize::{Align, Method};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let image = draft.feed("image", Spec::f32([3, 32, 32]));
//! let axes = [(1, 64.into()), (2, 0.5.into())];
//! let y = interpolate(&mut draft, image, &axes, Method::Linear(Align::Edges));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([3, 64, 16])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;

use super::resize::{Align, Method, Target, resize};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, ramp, reference};
use crate::torch::{Attribute, Case, Torch};

/// Resizes each of the axes to its target.
pub fn interpolate(draft: &mut Draft, x: Wire, axes: &[(usize, Target)], method: Method) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let growth = |&(axis, target): &(usize, Target)| match target {
        Target::Factor(factor) => factor,
        Target::Extent(extent) => {
            extent as f64 / spec.dimensions.get(axis).map_or(1.0, |d| d.bound() as f64)
        }
    };
    let mut ordered = axes.to_vec();
    ordered.sort_by(|a, b| growth(a).total_cmp(&growth(b)));
    ordered.iter().fold(x, |x, &(axis, target)| draft.apply(resize(axis, target, method), &[x]))
}

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("interpolate", |case| in_mode(case, None, false)),
    ("upsample", |case| in_mode(case, None, false)),
    ("interpolate_nearest", |case| in_mode(case, Some("nearest"), false)),
    ("interpolate_nearest-exact", |case| in_mode(case, Some("nearest-exact"), false)),
    ("interpolate_nearest_exact", |case| in_mode(case, Some("nearest_exact"), false)),
    ("interpolate_linear", |case| in_mode(case, Some("linear"), false)),
    ("interpolate_bilinear", |case| in_mode(case, Some("bilinear"), false)),
    ("interpolate_trilinear", |case| in_mode(case, Some("trilinear"), false)),
    ("interpolate_bicubic", |case| in_mode(case, Some("bicubic"), false)),
    ("interpolate_area", |case| in_mode(case, Some("area"), false)),
    ("upsample_nearest", |case| in_mode(case, Some("nearest"), false)),
    ("upsample_nearest_exact", |case| in_mode(case, Some("nearest_exact"), false)),
    ("upsample_linear", |case| in_mode(case, Some("linear"), false)),
    ("upsample_trilinear", |case| in_mode(case, Some("trilinear"), false)),
    ("upsample_bicubic", |case| in_mode(case, Some("bicubic"), false)),
    ("upsample_nearest1d", |case| in_mode(case, Some("nearest1d"), false)),
    ("upsample_nearest2d", |case| in_mode(case, Some("nearest2d"), false)),
    ("upsample_nearest3d", |case| in_mode(case, Some("nearest3d"), false)),
    ("upsample_linear1d", |case| in_mode(case, Some("linear1d"), false)),
    ("upsample_bilinear2d", |case| in_mode(case, Some("bilinear2d"), false)),
    ("upsample_trilinear3d", |case| in_mode(case, Some("trilinear3d"), false)),
    ("upsample_bicubic2d", |case| in_mode(case, Some("bicubic2d"), false)),
    // The old function aligns corners, unlike all others.
    ("upsample_bilinear", |case| in_mode(case, Some("bilinear"), true)),
];

/// All axes after batch and channel, in a mode of PyTorch.
fn in_mode(case: &mut Case<'_>, mode: Option<&str>, aligned: bool) -> Result<Vec<Wire>, String> {
    let mode = case.text("mode", mode.unwrap_or("nearest"))?;
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let align = if case.flag("align_corners", aligned)? { Align::Centers } else { Align::Edges };
    let method = match (mode.as_str(), case.flag("antialias", false)?) {
        ("nearest", _) => Method::Nearest,
        ("nearest-exact" | "nearest_exact", _) => Method::NearestExact,
        ("linear" | "bilinear" | "trilinear", false) => Method::Linear(align),
        ("linear" | "bilinear" | "trilinear", true) => Method::SmoothLinear(align),
        ("bicubic" | "cubic", false) => Method::Cubic(align),
        ("bicubic" | "cubic", true) => Method::SmoothCubic(align),
        ("area", _) => Method::Area,
        (other, _) => return Err(format!("no mode `{other}`")),
    };
    let spec = case.spec_of(x)?;
    let exact = case.flag("recompute_scale_factor", false)? || method == Method::Area;
    let axes = 2..spec.rank();
    let targets = targets(case, axes.len())?;
    let as_extent = |axis: usize, target| match target {
        Target::Factor(factor) if exact => {
            Target::Extent((spec.bound(axis) as f64 * factor).floor() as usize)
        }
        target => target,
    };
    let axes: Vec<_> = axes.zip(targets).map(|(axis, t)| (axis, as_extent(axis, t))).collect();
    Ok(vec![interpolate(case, x, &axes, method)])
}

/// A target for each of `count` axes: from a list, or one number for all.
fn targets(case: &Case<'_>, count: usize) -> Result<Vec<Target>, String> {
    let sizes = ["size", "output_size", "out_size"];
    let factors = ["scale_factor", "scale_factors", "scale", "scales"];
    let given = |names: &[&'static str]| {
        names.iter().find_map(|name| case.attribute(name).map(|found| (*name, found)))
    };
    let (name, attribute, is_size) = match (given(&sizes), given(&factors)) {
        (Some((name, sizes)), _) => (name, sizes, true),
        (None, Some((name, factors))) => (name, factors, false),
        (None, None) => return Err("neither `size` nor `scale_factor`".into()),
    };
    let list = match attribute {
        Attribute::List(list) => list.clone(),
        one => vec![one.clone(); count],
    };
    let list = if list.len() == 1 { vec![list[0].clone(); count] } else { list };
    let target = |one: &Attribute| match *one {
        Attribute::Number(number) if is_size => Ok(Target::Extent(number as usize)),
        Attribute::Number(number) => Ok(Target::Factor(number)),
        _ => Err(format!("`{name}` is {attribute:?}, wanted numbers")),
    };
    let targets = list.iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let wanted = || format!("`{name}` is {attribute:?}, wanted {count} numbers");
    if targets.len() == count { Ok(targets) } else { Err(wanted()) }
}

/// Two and three axes, all methods over ramps, a bounded batch, `f64` in the derivatives.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, axes: &[(usize, Target)], method, x, expect: Expect| {
        let axes = axes.to_vec();
        let build =
            move |draft: &mut Draft, x: &[Wire]| vec![interpolate(draft, x[0], &axes, method)];
        Sample::composite(name, "interpolate", build, vec![x], expect)
    };
    // A bilinear function is kept by linear and cubic methods away from the borders.
    let edges = || Method::Linear(Align::Edges);
    let bilinear = || reference(|inputs| vec![halves(&inputs[0])]);
    let bounded = vec![bounded_first(Element::F32, 4, &[3, 5])];
    let corners = Tensor::new(&[3, 3], vec![0., 0.5, 1., 1., 1.5, 2., 2., 2.5, 3.]);
    let nearest = Tensor::new(&[1, 4], vec![0., 0., 1., 1.]);
    let mean = Tensor::new(&[1, 1], vec![1.5]);
    let square = || ramp(Element::F32, &[2, 2]);
    let literal = |y: Tensor| Expect::Outputs(vec![y]);
    let both = |target: Target| [(0, target), (1, target)];
    vec![
        case(
            "halved and doubled",
            &[(1, 0.5.into()), (2, 2.0.into())],
            edges(),
            noise(1, &[2, 4, 3]),
            bilinear(),
        ),
        case(
            "bounded",
            &[(1, 1.into()), (2, 5.into())],
            edges(),
            noise(2, &[2, 3, 5]),
            reference(|inputs| {
                let x = &inputs[0];
                // The middle one of three rows.
                vec![Tensor::from_fn(&[x.extents[0], 1, 5], |i| x.at(&[i[0], 1, i[2]]))]
            }),
        )
        .with_specs(bounded),
        case(
            "centers",
            &both(3.into()),
            Method::Linear(Align::Centers),
            square(),
            literal(corners),
        ),
        case(
            "nearest",
            &[(0, 1.into()), (1, 4.into())],
            Method::Nearest,
            square(),
            literal(nearest),
        ),
        case("area", &both(1.into()), Method::Area, square(), literal(mean)),
        case(
            "three axes",
            &[(0, 2.into()), (1, 2.into()), (2, 2.into())],
            edges(),
            noise(3, &[1, 1, 1]),
            reference(|inputs| vec![Tensor::new(&[2, 2, 2], vec![inputs[0].data[0]; 8])]),
        ),
    ]
}

/// Rows in pairs averaged; columns doubled, a quarter towards the neighbours.
fn halves(x: &Tensor) -> Tensor {
    let [batch, rows, columns] = [x.extents[0], x.extents[1] / 2, x.extents[2] * 2];
    Tensor::from_fn(&[batch, rows, columns], |index| {
        let mean = |column: usize| {
            let pair = [0, 1].map(|k| x.at(&[index[0], 2 * index[1] + k, column]));
            (pair[0] + pair[1]) / 2.0
        };
        let column = index[2] / 2;
        let side = if index[2] % 2 == 0 { column.saturating_sub(1) } else { column + 1 };
        0.75 * mean(column) + 0.25 * mean(side.min(columns / 2 - 1))
    })
}
