//! Cases of PyTorch's `layer_norm` and `rms_norm`.

use synfire_runtime::define::Wire;
use synfire_runtime::value::Value;

use super::RowNorm;
use crate::torch::Case;

/// The norm over `normalized_shape`; without it over the extents of the weight, or the last axis.
pub(super) fn build(
    case: &mut Case<'_>,
    norm: fn(usize, f64) -> RowNorm,
    epsilon: f64,
) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input"])?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), epsilon)?;
    let weight = case.weight();
    let bias = case.bias();
    let shape = case.integers(case.spelling(&["normalized_shape", "shape", "dims"]))?;
    let axes = match (shape, weight.or(bias)) {
        (Some(shape), _) => shape.len(),
        (None, Some(weight)) => case.spec_of(weight)?.rank(),
        (None, None) => 1,
    };
    let norm = norm(axes, epsilon);
    let y = match (weight, bias) {
        (None, None) => case.apply(norm, &[x]),
        (Some(weight), None) => case.apply(norm.weight(), &[x, weight]),
        (Some(weight), Some(bias)) => case.apply(norm.affine(), &[x, weight, bias]),
        (None, Some(bias)) => {
            let extents = case.spec_of(bias)?.bounds();
            let ones = vec![1.0_f32; extents.iter().product()];
            let ones = case.constant("ones_of_weight", Value::new(&extents, &ones));
            case.apply(norm.affine(), &[x, ones, bias])
        }
    };
    Ok(vec![y])
}
