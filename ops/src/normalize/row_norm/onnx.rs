//! What ONNX calls them.

use synfire_runtime::define::Wire;
use synfire_runtime::value::Value;

use super::{Affine, Centre, RowNorm, layer_norm, rms_norm};
use crate::broadcast::binary::multiply;
use crate::onnx::{Attribute, Emit, Node, Onnx};

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("LayerNormalization", |node| read(node, layer_norm)),
    ("RMSNormalization", |node| read(node, rms_norm)),
])
.writes(|operator, emit| Some(write(operator.downcast_ref::<RowNorm>()?, emit)));

fn read(node: &mut Node<'_>, operator: fn(usize, f64) -> RowNorm) -> Result<Vec<Wire>, String> {
    let (x, scale) = (node.input(0)?, node.input(1)?);
    let epsilon = node.number("epsilon", 1e-5)?;
    // Sums run in 64 bits whatever is asked for.
    node.integer("stash_type", 1)?;
    let (axis, spec) = (node.axis("axis", x, -1)?, node.spec_of(x)?);
    let operator = operator(spec.rank() - axis, epsilon);
    if node.spec_of(scale)?.dimensions != spec.dimensions[axis..] {
        let y = node.apply(operator, &[x]);
        let y = node.apply(multiply(), &[y, scale]);
        return match node.optional(2) {
            None => Ok(vec![y]),
            Some(bias) => Ok(vec![node.apply(crate::broadcast::binary::add(), &[y, bias])]),
        };
    }
    Ok(vec![match node.optional(2) {
        None => node.apply(operator.weight(), &[x, scale]),
        Some(bias) => node.apply(operator.affine(), &[x, scale, bias]),
    }])
}

fn write(own: &RowNorm, emit: &mut Emit<'_>) -> Result<(), String> {
    let spec = emit.input_spec(0).clone();
    let axis = spec.rank() - own.axes;
    let mut inputs = emit.inputs();
    if own.centre == Centre::Mean {
        if own.affine == Affine::None {
            let row: Vec<usize> = spec.bounds()[axis..].to_vec();
            if spec.dimensions[axis..].iter().any(|dimension| dimension.is_bounded()) {
                return Err("rows of bounded extents".into());
            }
            let ones = vec![1.0; row.iter().product()];
            inputs.push(emit.floats(&row, &ones));
        }
        let attributes = [("axis", axis.into()), ("epsilon", own.epsilon.into())];
        emit.last("LayerNormalization", &inputs, &attributes);
        return Ok(());
    }
    let x = inputs[0].clone();
    let squares = emit.step("Mul", &[x.clone(), x.clone()], &[]);
    let axes: Vec<i64> = (axis as i64..spec.rank() as i64).collect();
    let axes = emit.constant(Value::new(&[axes.len()], &axes));
    let mean = emit.step("ReduceMean", &[squares, axes], &[("keepdims", Attribute::Integer(1))]);
    let epsilon = emit.number(own.epsilon);
    let raised = emit.step("Add", &[mean, epsilon], &[]);
    let deviation = emit.step("Sqrt", &[raised], &[]);
    match own.affine {
        Affine::None => emit.last("Div", &[x, deviation], &[]),
        Affine::Weight => {
            let y = emit.step("Div", &[x, deviation], &[]);
            emit.last("Mul", &[y, inputs[1].clone()], &[]);
        }
        Affine::WeightAndBias => {
            let y = emit.step("Div", &[x, deviation], &[]);
            let y = emit.step("Mul", &[y, inputs[1].clone()], &[]);
            emit.last("Add", &[y, inputs[2].clone()], &[]);
        }
    }
    Ok(())
}
