//! What ONNX calls them.

use synfire_runtime::define::Wire;

use super::{Arg, Extreme, argmax, argmin};
use crate::onnx::{Node, Onnx};
use crate::reduce::reduction::Keep;

/// ONNX's names, both ways.
pub const ONNX: Onnx =
    Onnx::reads(&[("ArgMax", |node| read(node, argmax)), ("ArgMin", |node| read(node, argmin))])
        .writes(|operator, emit| {
            let Arg { axis, keep, ref extreme, .. } = *operator.downcast_ref::<Arg>()?;
            let kind = match extreme {
                Extreme::Largest => "ArgMax",
                Extreme::Smallest => "ArgMin",
            };
            let keeps = i64::from(keep == Keep::Axes);
            let inputs = emit.inputs();
            emit.last(kind, &inputs, &[("axis", axis.into()), ("keepdims", keeps.into())]);
            Some(Ok(()))
        });

fn read(node: &mut Node<'_>, operator: fn(usize, Keep) -> Arg) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, 0)?;
    let keep = if node.flag("keepdims", true)? { Keep::Axes } else { Keep::Nothing };
    if node.flag("select_last_index", false)? {
        return Err("the last of equal elements".into());
    }
    Ok(vec![node.apply(operator(axis, keep), &[x])])
}
