//! What ONNX calls transposed convolutions, of lines and volumes too.

use std::any::Any;

use synfire_runtime::define::Wire;

use super::{ConvTranspose2d, conv_transpose2d};
use crate::dense::conv_transpose1d::conv_transpose1d;
use crate::dense::conv_transpose3d::conv_transpose3d;
use crate::host::window::Padding;
use crate::onnx::{Emit, Node, Onnx};
use crate::window::onnx::{as_batch, transposed};
use crate::window::{Motion, Sliding};

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("ConvTranspose", read)]).writes(write);

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let inputs = [node.input(0)?, node.input(1)?];
    let bias = node.optional(2);
    let [x, weight] = inputs;
    Ok(vec![match node.spec_of(x)?.rank() {
        3 => {
            let (sliding, more) = transposed::<1>(node, x, weight)?;
            conv_transpose1d(node, inputs, bias, &sliding, more)
        }
        4 => {
            let (sliding, more) = transposed(node, x, weight)?;
            let Sliding { stride, dilation, before, after, groups, .. } = sliding;
            let operator = conv_transpose2d().stride(stride).dilation(dilation).groups(groups);
            let operator = operator.padding([before[0], after[0], before[1], after[1]]);
            let operator = operator.output_padding(more);
            match bias {
                Some(bias) => node.apply(operator.bias(), &[x, weight, bias]),
                None => node.apply(operator, &inputs),
            }
        }
        5 => {
            let (sliding, more) = transposed::<3>(node, x, weight)?;
            conv_transpose3d(node, inputs, bias, &sliding, more)
        }
        rank => return Err(format!("an input of {rank} dimensions, wanted 3 to 5")),
    }])
}

fn write(operator: &dyn Any, emit: &mut Emit<'_>) -> Option<Result<(), String>> {
    let own = operator.downcast_ref::<ConvTranspose2d>()?;
    let Motion { stride, dilation, padding: Padding { top, bottom, left, right } } = own.motion;
    let attributes = [
        ("group", own.groups.into()),
        ("strides", stride.into()),
        ("dilations", dilation.into()),
        ("pads", [top, left, bottom, right].into()),
        ("output_padding", own.output_padding.into()),
    ];
    as_batch(emit, "ConvTranspose", &attributes);
    Some(Ok(()))
}
