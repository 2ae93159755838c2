//! How it is written for ONNX.

use super::MaxPool2d;
use crate::onnx::Onnx;
use crate::window::onnx::{as_batch, of_pool};

/// Only the way to ONNX; `max_pool` reads all of its pools.
pub const ONNX: Onnx = Onnx::NONE.writes(|operator, emit| {
    let MaxPool2d { kernel, motion, rounding } = *operator.downcast_ref::<MaxPool2d>()?;
    let mut attributes = of_pool(kernel, motion, rounding);
    attributes.push(("dilations", motion.dilation.into()));
    as_batch(emit, "MaxPool", &attributes);
    Some(Ok(()))
});
