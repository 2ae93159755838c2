//! How it is written for ONNX.

use super::{AvgPool2d, Counting};
use crate::onnx::Onnx;
use crate::window::onnx::{as_batch, of_pool};

/// Only the way to ONNX; `avg_pool` reads all of its pools.
pub const ONNX: Onnx = Onnx::NONE.writes(|operator, emit| {
    let AvgPool2d { kernel, motion, rounding, counting } = *operator.downcast_ref::<AvgPool2d>()?;
    let mut attributes = of_pool(kernel, motion, rounding);
    attributes.push(("count_include_pad", i64::from(counting == Counting::Padding).into()));
    as_batch(emit, "AveragePool", &attributes);
    Some(Ok(()))
});
