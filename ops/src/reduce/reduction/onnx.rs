//! What ONNX calls them, and what is a reduction of something there.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::{Keep, Reduction, logsumexp, max, mean, min, prod, sum};
use crate::onnx::{Emit, Node, Onnx};
use crate::pointwise::unary::{abs, log, square};
use crate::reduce::norm::norm;

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("ReduceSum", |node| plain(node, sum)),
    ("ReduceMean", |node| plain(node, mean)),
    ("ReduceMax", |node| plain(node, max)),
    ("ReduceMin", |node| plain(node, min)),
    ("ReduceProd", |node| plain(node, prod)),
    ("ReduceLogSumExp", |node| plain(node, logsumexp)),
    ("ReduceL1", |node| {
        let (x, axes, keep) = given(node)?;
        let sizes = node.apply(abs(), &[x]);
        Ok(vec![node.apply(sum(&axes, keep), &[sizes])])
    }),
    ("ReduceL2", |node| {
        let (x, axes, keep) = given(node)?;
        Ok(vec![norm(node, x, &axes, keep, 2.0)])
    }),
    ("ReduceSumSquare", |node| {
        let (x, axes, keep) = given(node)?;
        let squares = node.apply(square(), &[x]);
        Ok(vec![node.apply(sum(&axes, keep), &[squares])])
    }),
    ("ReduceLogSum", |node| {
        let (x, axes, keep) = given(node)?;
        let total = node.apply(sum(&axes, keep), &[x]);
        Ok(vec![node.apply(log(), &[total])])
    }),
    ("GlobalAveragePool", |node| pixels(node, mean)),
    ("GlobalMaxPool", |node| pixels(node, max)),
])
.writes(|operator, emit| Some(write(operator.downcast_ref::<Reduction>()?, emit)));

/// The input, the axes and what becomes of them.
pub(crate) fn given(node: &mut Node<'_>) -> Result<(Wire, Vec<usize>, Keep), String> {
    let x = node.input(0)?;
    let rank = node.spec_of(x)?.rank();
    let keep = if node.flag("keepdims", true)? { Keep::Axes } else { Keep::Nothing };
    let axes = node.axes_at(1, rank)?.unwrap_or_default();
    let stays = node.flag("noop_with_empty_axes", false)?;
    let axes = if axes.is_empty() && !stays { (0..rank).collect() } else { axes };
    Ok((x, axes, keep))
}

type Constructor = fn(&[usize], Keep) -> Reduction;

fn plain(node: &mut Node<'_>, operator: Constructor) -> Result<Vec<Wire>, String> {
    let (x, axes, keep) = given(node)?;
    Ok(vec![node.apply(operator(&axes, keep), &[x])])
}

/// All axes but batch and channel.
fn pixels(node: &mut Node<'_>, operator: Constructor) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let axes: Vec<usize> = (2..node.spec_of(x)?.rank()).collect();
    Ok(vec![node.apply(operator(&axes, Keep::Axes), &[x])])
}

fn write(own: &Reduction, emit: &mut Emit<'_>) -> Result<(), String> {
    let kind = match own.row.name {
        "sum" => "ReduceSum",
        "mean" => "ReduceMean",
        "max" | "any" => "ReduceMax",
        "min" | "all" => "ReduceMin",
        "prod" => "ReduceProd",
        "logsumexp" => "ReduceLogSumExp",
        other => return Err(format!("ONNX has no {other}")),
    };
    let extents = emit.input_spec(0).bounds();
    let is_extreme = ["ReduceMax", "ReduceMin"].contains(&kind);
    if is_extreme && own.axes.iter().any(|&axis| extents[axis] == 0) {
        return Err("an extreme of nothing".into());
    }
    let mut inputs = emit.inputs();
    // Truth values have no extremes there, and sums of whole numbers are wider than they are.
    let (from, to) = (emit.input_spec(0).element, emit.output_spec(0).element);
    let is_truth = to == Element::Bool;
    if is_truth || from != to {
        let element = if is_truth { Element::I64 } else { to };
        inputs[0] = emit.step_cast(&inputs[0], element);
    }
    let axes = emit.integers(&own.axes);
    inputs.push(axes);
    let keeps = i64::from(own.keep == Keep::Axes);
    let attributes = [("keepdims", keeps.into()), ("noop_with_empty_axes", 1_i64.into())];
    if is_truth {
        let y = emit.step(kind, &inputs, &attributes);
        emit.cast(&y);
    } else {
        emit.last(kind, &inputs, &attributes);
    }
    Ok(())
}
