//! What ONNX calls it.

use super::{BatchNorm, batch_norm};
use crate::onnx::Onnx;

/// ONNX's name, both ways, with statistics that are given.
pub const ONNX: Onnx = Onnx::reads(&[("BatchNormalization", |node| {
    let epsilon = node.number("epsilon", 1e-5)?;
    node.number("momentum", 0.9)?;
    if node.flag("training_mode", false)? {
        return Err("statistics of the batch".into());
    }
    let inputs = node.all()?;
    Ok(vec![node.apply(batch_norm(epsilon), &inputs)])
})])
.writes(|operator, emit| {
    let BatchNorm { epsilon, axis, momentum } = *operator.downcast_ref::<BatchNorm>()?;
    if momentum.is_some() || axis != 1 {
        return Some(Err("statistics of the batch, or channels that are not axis 1".into()));
    }
    let inputs = emit.inputs();
    emit.last("BatchNormalization", &inputs, &[("epsilon", epsilon.into())]);
    Some(Ok(()))
});
