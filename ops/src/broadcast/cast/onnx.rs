//! What ONNX calls it.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::{Cast, cast};
use crate::onnx::{Node, Onnx, element, element_number};

/// ONNX's names, and the way back.
pub const ONNX: Onnx = Onnx::reads(&[
    ("Cast", |node| {
        let to = element(node.integer("to", 0)?)?;
        to_element(node, to)
    }),
    ("CastLike", |node| {
        let like = node.input(1)?;
        let to = node.spec_of(like)?.element;
        to_element(node, to)
    }),
])
.writes(|operator, emit| {
    let to = operator.downcast_ref::<Cast>()?.element;
    let inputs = emit.inputs();
    emit.last("Cast", &inputs, &[("to", element_number(to).into())]);
    Some(Ok(()))
});

fn to_element(node: &mut Node<'_>, to: Element) -> Result<Vec<Wire>, String> {
    // It is about floats of 8 bits.
    node.integer("saturate", 1)?;
    let x = node.input(0)?;
    Ok(vec![node.apply(cast(to), &[x])])
}
