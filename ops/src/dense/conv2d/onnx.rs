//! What ONNX calls convolutions, of lines and volumes too.

use std::any::Any;

use synfire_runtime::define::Wire;

use super::{Conv2d, conv2d};
use crate::dense::conv1d::conv1d;
use crate::dense::conv3d::conv3d;
use crate::host::window::Padding;
use crate::onnx::{Emit, Node, Onnx};
use crate::window::onnx::{as_batch, sliding};
use crate::window::{Motion, Sliding};

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Conv", read)]).writes(write);

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let inputs = [node.input(0)?, node.input(1)?];
    let bias = node.optional(2);
    let [x, weight] = inputs;
    Ok(vec![match node.spec_of(x)?.rank() {
        3 => {
            let sliding = sliding::<1>(node, x, weight)?;
            conv1d(node, inputs, bias, &sliding)
        }
        4 => {
            let Sliding { stride, dilation, before, after, groups, .. } = sliding(node, x, weight)?;
            let operator = conv2d().stride(stride).dilation(dilation).groups(groups);
            let operator = operator.padding([before[0], after[0], before[1], after[1]]);
            match bias {
                Some(bias) => node.apply(operator.bias(), &[x, weight, bias]),
                None => node.apply(operator, &inputs),
            }
        }
        5 => {
            let sliding = sliding::<3>(node, x, weight)?;
            conv3d(node, inputs, bias, &sliding)
        }
        rank => return Err(format!("an input of {rank} dimensions, wanted 3 to 5")),
    }])
}

fn write(operator: &dyn Any, emit: &mut Emit<'_>) -> Option<Result<(), String>> {
    let Conv2d { motion, groups, .. } = operator.downcast_ref::<Conv2d>()?;
    let Motion { stride, dilation, padding: Padding { top, bottom, left, right } } = *motion;
    let attributes = [
        ("group", (*groups).into()),
        ("strides", stride.into()),
        ("dilations", dilation.into()),
        ("pads", [top, left, bottom, right].into()),
    ];
    as_batch(emit, "Conv", &attributes);
    Some(Ok(()))
}
