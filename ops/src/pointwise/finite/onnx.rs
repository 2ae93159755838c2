//! What ONNX calls the judgements.

use super::{is_infinite, is_nan};
use crate::onnx::Onnx;

/// ONNX's names.
pub const ONNX: Onnx = Onnx::reads(&[
    ("IsNaN", |node| {
        let x = node.input(0)?;
        Ok(vec![is_nan(node, x)])
    }),
    ("IsInf", |node| {
        let x = node.input(0)?;
        match node.flag("detect_negative", true)? && node.flag("detect_positive", true)? {
            true => Ok(vec![is_infinite(node, x)]),
            false => Err("infinities of one sign alone".into()),
        }
    }),
]);
