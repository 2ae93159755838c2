//! What PyTorch calls fake quantisation.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::fake_quantise;
use crate::arrange::reshape::reshape;
use crate::broadcast::cast::cast;
use crate::dense::matmul::names::find;
use crate::pointwise::unary::fill;
use crate::torch::{Case, Torch};

/// The names.
pub(super) const NAMES: &[Torch] = &[
    ("fake_quantize_per_tensor_affine", |case| from_case(case, false)),
    ("fake_quantize_per_channel_affine", |case| from_case(case, true)),
];

fn from_case(case: &mut Case<'_>, by_channel: bool) -> Result<Vec<Wire>, String> {
    let x = find(case, &["x", "input", "a"]).ok_or("no input `x`")?;
    let scale = parameter(case, &["scale", "scales", "s"])?.ok_or("no `scale`")?;
    let zero = parameter(case, &["zero_point", "zero_points", "zp", "zero", "z"])?;
    let zero = match zero {
        Some(zero) => case.apply(cast(Element::F32), &[zero]),
        None => case.apply(fill(0.0), &[scale]),
    };
    let low = case.integer("quant_min", case.integer("qmin", -128)?)?;
    let high = case.integer("quant_max", case.integer("qmax", 127)?)?;
    let mut operator = fake_quantise(low, high);
    if by_channel {
        let other = case.integer("dim", case.integer("ch_axis", 0)?)?;
        let rank = case.spec_of(x)?.rank() as i64;
        let axis = case.integer("axis", other)?;
        let axis = usize::try_from(if axis < 0 { axis + rank } else { axis });
        operator = operator.per_channel(axis.map_err(|_| "the axis is none of x")?);
    }
    let [scale, zero] = [scale, zero].map(|wire| {
        let is_one = case.spec_of(wire).is_ok_and(|spec| spec.rank() == 1 && spec.bound(0) == 1);
        let to_scalar = reshape(&[]);
        if is_one && !by_channel { case.apply(to_scalar, &[wire]) } else { wire }
    });
    Ok(vec![case.apply(operator, &[x, scale, zero])])
}

/// An input of one of these names, or an attribute as a stream of its own.
fn parameter(case: &mut Case<'_>, names: &[&str]) -> Result<Option<Wire>, String> {
    if let Some(wire) = find(case, names) {
        return Ok(Some(wire));
    }
    for name in names {
        if case.attribute(name).is_some() {
            return case.vector(name);
        }
    }
    Ok(None)
}
