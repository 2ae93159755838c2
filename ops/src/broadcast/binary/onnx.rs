//! What ONNX calls the functions of two inputs.

use std::any::Any;

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::Binary;
use crate::broadcast::cast::cast;
use crate::onnx::{Emit, Node, Onnx};
use crate::pointwise::unary::scale;

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("Add", |node| two(node, super::add())),
    ("Sub", |node| two(node, super::subtract())),
    ("Mul", |node| two(node, super::multiply())),
    ("Div", quotient),
    ("Mod", |node| match node.flag("fmod", false)? {
        true => two(node, super::fmod()),
        false => two(node, super::remainder()),
    }),
    ("Pow", |node| {
        let [base, exponent] = [node.input(0)?, node.input(1)?];
        let element = node.spec_of(base)?.element;
        let exponent = match node.spec_of(exponent)?.element == element {
            true => exponent,
            false => node.apply(cast(element), &[exponent]),
        };
        Ok(vec![node.apply(super::power(), &[base, exponent])])
    }),
    ("Min", |node| several(node, super::minimum)),
    ("Max", |node| several(node, super::maximum)),
    ("Sum", |node| several(node, super::add)),
    ("Mean", |node| {
        let total = several(node, super::add)?[0];
        let share = 1.0 / node.input_count() as f64;
        Ok(vec![node.apply(scale(share), &[total])])
    }),
    ("And", |node| two(node, super::logical_and())),
    ("Or", |node| two(node, super::logical_or())),
    ("Xor", |node| two(node, super::logical_xor())),
    ("Equal", |node| two(node, super::equal())),
    ("Less", |node| two(node, super::less())),
    ("LessOrEqual", |node| two(node, super::less_equal())),
    ("Greater", |node| two(node, super::greater())),
    ("GreaterOrEqual", |node| two(node, super::greater_equal())),
])
.writes(write);

fn two(node: &mut Node<'_>, operator: Binary) -> Result<Vec<Wire>, String> {
    let [a, b] = [node.input(0)?, node.input(1)?];
    Ok(vec![node.apply(operator, &[a, b])])
}

fn several(node: &mut Node<'_>, operator: fn() -> Binary) -> Result<Vec<Wire>, String> {
    let all = node.all()?;
    let first = all[0];
    Ok(vec![all[1..].iter().fold(first, |y, &x| node.apply(operator(), &[y, x]))])
}

/// Of integers it is rounded towards zero.
fn quotient(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let [a, b] = [node.input(0)?, node.input(1)?];
    if node.spec_of(a)?.element.is_float() {
        return two(node, super::divide());
    }
    let rest = node.apply(super::fmod(), &[a, b]);
    let whole = node.apply(super::subtract(), &[a, rest]);
    Ok(vec![node.apply(super::floor_divide(), &[whole, b])])
}

fn write(operator: &dyn Any, emit: &mut Emit<'_>) -> Option<Result<(), String>> {
    let name = operator.downcast_ref::<Binary>()?.name();
    let inputs = emit.inputs();
    let is_float = emit.input_spec(0).element.is_float();
    let plain = match name {
        "add" => "Add",
        "subtract" => "Sub",
        "multiply" => "Mul",
        "divide" => "Div",
        "power" => "Pow",
        "minimum" => "Min",
        "maximum" => "Max",
        "equal" => "Equal",
        "less" => "Less",
        "less_equal" => "LessOrEqual",
        "greater" => "Greater",
        "greater_equal" => "GreaterOrEqual",
        "logical_and" => "And",
        "logical_or" => "Or",
        "logical_xor" => "Xor",
        "fmod" => {
            emit.last("Mod", &inputs, &[("fmod", 1_i64.into())]);
            return Some(Ok(()));
        }
        "remainder" if !is_float => "Mod",
        "remainder" | "floor_divide" if is_float => {
            let quotient = emit.step("Div", &inputs, &[]);
            if name == "floor_divide" {
                emit.last("Floor", &[quotient], &[]);
                return Some(Ok(()));
            }
            let whole = emit.step("Floor", &[quotient], &[]);
            let whole = emit.step("Mul", &[whole, inputs[1].clone()], &[]);
            emit.last("Sub", &[inputs[0].clone(), whole], &[]);
            return Some(Ok(()));
        }
        "floor_divide" => {
            // The rest has the sign of the divisor, so nothing is left to round.
            let rest = emit.step("Mod", &inputs, &[]);
            let whole = emit.step("Sub", &[inputs[0].clone(), rest], &[]);
            emit.last("Div", &[whole, inputs[1].clone()], &[]);
            return Some(Ok(()));
        }
        "not_equal" => {
            let equal = emit.step("Equal", &inputs, &[]);
            emit.last("Not", &[equal], &[]);
            return Some(Ok(()));
        }
        "hypot" => {
            let square = |x: &String| emit.step("Mul", &[x.clone(), x.clone()], &[]);
            let squares: Vec<String> = inputs.iter().map(square).collect();
            let total = emit.step("Add", &squares, &[]);
            emit.last("Sqrt", &[total], &[]);
            return Some(Ok(()));
        }
        other => {
            return Some(Err(format!("ONNX has no {other} of {}", emit.input_spec(0).element)));
        }
    };
    // Of truth values ONNX knows what is equal, and logic.
    let is_truth = emit.input_spec(0).element == Element::Bool;
    if is_truth && !["Equal", "And", "Or", "Xor"].contains(&plain) {
        return Some(Err(format!("{plain} of truth values")));
    }
    emit.last(plain, &inputs, &[]);
    Some(Ok(()))
}
