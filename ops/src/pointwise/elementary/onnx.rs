//! What ONNX calls the further elementary functions.

use std::any::Any;
use std::f64::consts::{LN_2, LN_10};
use std::slice::from_ref;

use crate::onnx::{Emit, Onnx};
use crate::pointwise::unary::Unary;
use crate::pointwise::unary::onnx::{one, plain};

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("Sinh", |node| one(node, super::sinh())),
    ("Cosh", |node| one(node, super::cosh())),
    ("Asin", |node| one(node, super::asin())),
    ("Acos", |node| one(node, super::acos())),
    ("Atan", |node| one(node, super::atan())),
    ("Asinh", |node| one(node, super::asinh())),
    ("Acosh", |node| one(node, super::acosh())),
    ("Atanh", |node| one(node, super::atanh())),
])
.writes(write);

const PLAIN: [(&str, &str); 8] = [
    ("sinh", "Sinh"),
    ("cosh", "Cosh"),
    ("asin", "Asin"),
    ("acos", "Acos"),
    ("atan", "Atan"),
    ("asinh", "Asinh"),
    ("acosh", "Acosh"),
    ("atanh", "Atanh"),
];

fn write(operator: &dyn Any, emit: &mut Emit<'_>) -> Option<Result<(), String>> {
    if let Some(done) = plain(&PLAIN, operator, emit) {
        return Some(done);
    }
    let (name, _) = operator.downcast_ref::<Unary>()?.named();
    let x = emit.input(0);
    match name {
        "trunc" | "frac" => {
            let size = emit.step("Abs", from_ref(&x), &[]);
            let (size, sign) =
                (emit.step("Floor", &[size], &[]), emit.step("Sign", from_ref(&x), &[]));
            if name == "trunc" {
                emit.last("Mul", &[size, sign], &[]);
            } else {
                let whole = emit.step("Mul", &[size, sign], &[]);
                emit.last("Sub", &[x, whole], &[]);
            }
        }
        "exp2" => {
            let two = emit.number(2.0);
            emit.last("Pow", &[two, x], &[]);
        }
        "log2" | "log10" => {
            let share = emit.number(1.0 / if name == "log2" { LN_2 } else { LN_10 });
            let natural = emit.step("Log", &[x], &[]);
            emit.last("Mul", &[natural, share], &[]);
        }
        _ => return None,
    }
    Some(Ok(()))
}
