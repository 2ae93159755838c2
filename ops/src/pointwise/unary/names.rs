//! What PyTorch calls the functions of one input, and how their cases are read.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::Unary;
use crate::broadcast::binary::{maximum, minimum};
use crate::broadcast::cast::cast;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("neg", |case| same(case, super::neg())),
    ("negative", |case| same(case, super::neg())),
    ("positive", |case| same(case, super::shift(0.0))),
    ("abs", |case| same(case, super::abs())),
    ("absolute", |case| same(case, super::abs())),
    ("sign", |case| same(case, super::sign())),
    ("sgn", |case| same(case, super::sign())),
    ("exp", |case| float(case, super::exp())),
    ("expm1", |case| float(case, super::expm1())),
    ("log", |case| float(case, super::log())),
    ("log1p", |case| float(case, super::log1p())),
    ("sqrt", |case| float(case, super::sqrt())),
    ("rsqrt", |case| float(case, super::rsqrt())),
    ("reciprocal", |case| float(case, super::recip())),
    ("square", |case| same(case, super::square())),
    ("sin", |case| float(case, super::sin())),
    ("cos", |case| float(case, super::cos())),
    ("tan", |case| float(case, super::tan())),
    ("tanh", |case| float(case, super::tanh())),
    ("sigmoid", |case| float(case, super::sigmoid())),
    ("expit", |case| float(case, super::sigmoid())),
    ("relu", |case| same(case, super::relu())),
    ("leaky_relu", |case| {
        let slope = number(case, &["negative_slope", "slope", "alpha"], 0.01)?;
        float(case, super::leaky_relu(slope))
    }),
    ("rrelu", |case| {
        if case.flag("training", false)? {
            return Err("slopes at random are not PyTorch's".into());
        }
        let (low, high) = (case.number("lower", 1.0 / 8.0)?, case.number("upper", 1.0 / 3.0)?);
        float(case, super::leaky_relu(f64::midpoint(low, high)))
    }),
    ("elu", |case| {
        let alpha = case.number("alpha", 1.0)?;
        float(case, super::elu(alpha))
    }),
    ("gelu", |case| {
        let form = match case.attribute("approximate") {
            Some(crate::torch::Attribute::Flag(is_tanh)) => {
                if *is_tanh { "tanh" } else { "none" }.into()
            }
            _ => case.text("approximate", "none")?,
        };
        match &*form {
            "none" | "erf" => float(case, super::gelu()),
            "tanh" => float(case, super::gelu_tanh()),
            other => Err(format!("an approximation `{other}`")),
        }
    }),
    ("silu", |case| float(case, super::silu())),
    ("swish", |case| float(case, super::silu())),
    ("hardswish", |case| float(case, super::hard_swish())),
    ("hard_swish", |case| float(case, super::hard_swish())),
    ("erf", |case| float(case, super::erf())),
    ("erfc", |case| {
        let y = float(case, super::erf())?;
        let y = case.apply(super::neg(), &y);
        Ok(vec![case.apply(super::shift(1.0), &[y])])
    }),
    ("floor", |case| same(case, super::floor())),
    ("ceil", |case| same(case, super::ceil())),
    ("round", |case| {
        let decimals = case.integer("decimals", 0)?;
        if decimals == 0 {
            return same(case, super::round());
        }
        let factor = 10.0_f64.powi(decimals as i32);
        let mut y = float(case, super::scale(factor))?;
        y = vec![case.apply(super::round(), &y)];
        Ok(vec![case.apply(super::scale(1.0 / factor), &y)])
    }),
    ("clamp", clamped),
    ("clip", clamped),
    ("clamp_min", clamped),
    ("clamp_max", clamped),
    ("deg2rad", |case| float(case, super::scale(std::f64::consts::PI / 180.0))),
    ("rad2deg", |case| float(case, super::scale(180.0 / std::f64::consts::PI))),
];

/// The one operand of a case.
pub(crate) fn operand(case: &Case<'_>) -> Result<Wire, String> {
    let named = case.either(&["x", "input", "self", "a"]);
    let mut names = case.input_names();
    let only = names.next().filter(|_| names.next().is_none());
    let found = named.or_else(|| only.and_then(|name| case.optional(name)));
    found.ok_or_else(|| "no input `x`".into())
}

/// A number that goes by several names.
pub(crate) fn number(case: &Case<'_>, names: &[&'static str], default: f64) -> Result<f64, String> {
    case.number(case.spelling(names), default)
}

/// The operand as floats.
pub(crate) fn as_float(case: &mut Case<'_>, x: Wire) -> Result<Wire, String> {
    let is_float = case.spec_of(x)?.element.is_float();
    Ok(if is_float { x } else { case.apply(cast(Element::F32), &[x]) })
}

/// A function that gives floats.
pub(crate) fn float(case: &mut Case<'_>, function: Unary) -> Result<Vec<Wire>, String> {
    let x = operand(case)?;
    let x = as_float(case, x)?;
    Ok(vec![case.apply(function, &[x])])
}

/// A function that gives integers for integers.
pub(crate) fn same(case: &mut Case<'_>, function: Unary) -> Result<Vec<Wire>, String> {
    let x = operand(case)?;
    let element = case.spec_of(x)?.element;
    if element.is_float() {
        return Ok(vec![case.apply(function, &[x])]);
    }
    let wide = case.apply(cast(Element::F64), &[x]);
    let y = case.apply(function, &[wide]);
    Ok(vec![case.apply(cast(element), &[y])])
}

/// Bounds are numbers or tensors, and one may be missing.
fn clamped(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let (low, high) =
        (["min", "min_val", "low", "min_value"], ["max", "max_val", "high", "max_value"]);
    let tensors = [case.either(&low), case.either(&high)];
    let bounds = [number(case, &low, f64::NEG_INFINITY)?, number(case, &high, f64::INFINITY)?];
    if tensors == [None; 2] {
        return same(case, super::clamp(bounds[0], bounds[1]));
    }
    let mut y = case.operand(&["x", "input", "self"])?;
    let [lowest, highest] = bounds.map(super::fill);
    let low = tensors[0].unwrap_or_else(|| case.apply(lowest, &[y]));
    y = case.apply(maximum(), &[y, low]);
    let high = tensors[1].unwrap_or_else(|| case.apply(highest, &[y]));
    Ok(vec![case.apply(minimum(), &[y, high])])
}
