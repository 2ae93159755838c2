//! What ONNX calls the functions of one input.

use std::any::Any;
use std::slice::from_ref;

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::Unary;
use crate::broadcast::binary::{maximum, minimum};
use crate::broadcast::cast::cast;
use crate::onnx::{Emit, Node, Onnx};

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("Neg", |node| whole(node, super::neg())),
    ("Abs", |node| whole(node, super::abs())),
    ("Sign", |node| whole(node, super::sign())),
    ("Exp", |node| one(node, super::exp())),
    ("Log", |node| one(node, super::log())),
    ("Sqrt", |node| one(node, super::sqrt())),
    ("Reciprocal", |node| one(node, super::recip())),
    ("Sin", |node| one(node, super::sin())),
    ("Cos", |node| one(node, super::cos())),
    ("Tan", |node| one(node, super::tan())),
    ("Tanh", |node| one(node, super::tanh())),
    ("Sigmoid", |node| one(node, super::sigmoid())),
    ("Relu", |node| whole(node, super::relu())),
    ("LeakyRelu", |node| {
        let slope = node.number("alpha", 0.01)?;
        one(node, super::leaky_relu(slope))
    }),
    ("Elu", |node| {
        let alpha = node.number("alpha", 1.0)?;
        one(node, super::elu(alpha))
    }),
    ("Gelu", |node| match &*node.text("approximate", "none")? {
        "none" => one(node, super::gelu()),
        "tanh" => one(node, super::gelu_tanh()),
        other => Err(format!("an approximation `{other}`")),
    }),
    ("Softplus", |node| one(node, super::softplus())),
    ("HardSwish", |node| one(node, super::hard_swish())),
    ("Erf", |node| one(node, super::erf())),
    ("Floor", |node| one(node, super::floor())),
    ("Ceil", |node| one(node, super::ceil())),
    ("Round", |node| one(node, super::round())),
    ("Clip", clip),
])
.writes(write);

pub(crate) fn one(node: &mut Node<'_>, operator: Unary) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    Ok(vec![node.apply(operator, &[x])])
}

/// Of whole numbers too, which 64-bit floats hold up to 2^53.
fn whole(node: &mut Node<'_>, operator: Unary) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let element = node.spec_of(x)?.element;
    if element.is_float() {
        return one(node, operator);
    }
    let wide = node.apply(cast(Element::F64), &[x]);
    let y = node.apply(operator, &[wide]);
    Ok(vec![node.apply(cast(element), &[y])])
}

fn clip(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let is_float = node.spec_of(x)?.element.is_float();
    let bounds = (node.number_at(1), node.number_at(2));
    if let (true, (Ok(low), Ok(high))) = (is_float, bounds) {
        let (low, high) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
        if low.is_nan() || high.is_nan() {
            return Err("a bound that is no number".into());
        }
        return one(node, super::clamp(low, high));
    }
    let mut y = x;
    if let Some(low) = node.optional(1) {
        y = node.apply(maximum(), &[y, low]);
    }
    if let Some(high) = node.optional(2) {
        y = node.apply(minimum(), &[y, high]);
    }
    Ok(vec![y])
}

/// The names of those that are one node without attributes.
const PLAIN: [(&str, &str); 17] = [
    ("neg", "Neg"),
    ("abs", "Abs"),
    ("sign", "Sign"),
    ("exp", "Exp"),
    ("log", "Log"),
    ("sqrt", "Sqrt"),
    ("recip", "Reciprocal"),
    ("sin", "Sin"),
    ("cos", "Cos"),
    ("tan", "Tan"),
    ("tanh", "Tanh"),
    ("sigmoid", "Sigmoid"),
    ("relu", "Relu"),
    ("hard_swish", "HardSwish"),
    ("erf", "Erf"),
    ("floor", "Floor"),
    ("ceil", "Ceil"),
];

/// The plain node of a name, if a table has it.
pub(crate) fn plain(
    table: &[(&str, &'static str)],
    operator: &dyn Any,
    emit: &mut Emit<'_>,
) -> Option<Result<(), String>> {
    let (name, _) = operator.downcast_ref::<Unary>()?.named();
    let (_, kind) = table.iter().find(|(own, _)| *own == name)?;
    let inputs = emit.inputs();
    emit.last(kind, &inputs, &[]);
    Some(Ok(()))
}

fn write(operator: &dyn Any, emit: &mut Emit<'_>) -> Option<Result<(), String>> {
    if let Some(done) = plain(&PLAIN, operator, emit) {
        return Some(done);
    }
    let (name, [first, second]) = operator.downcast_ref::<Unary>()?.named();
    let x = emit.input(0);
    match name {
        "round" => emit.last("Round", &[x], &[]),
        "softplus" => emit.last("Softplus", &[x], &[]),
        "leaky_relu" => emit.last("LeakyRelu", &[x], &[("alpha", first.into())]),
        "elu" => emit.last("Elu", &[x], &[("alpha", first.into())]),
        "gelu" => emit.last("Gelu", &[x], &[]),
        "gelu_tanh" => emit.last("Gelu", &[x], &[("approximate", "tanh".into())]),
        "square" => emit.last("Mul", &[x.clone(), x], &[]),
        "silu" => {
            let gate = emit.step("Sigmoid", from_ref(&x), &[]);
            emit.last("Mul", &[x, gate], &[]);
        }
        "rsqrt" => {
            let root = emit.step("Sqrt", &[x], &[]);
            emit.last("Reciprocal", &[root], &[]);
        }
        "expm1" => {
            let (power, one) = (emit.step("Exp", &[x], &[]), emit.number(1.0));
            emit.last("Sub", &[power, one], &[]);
        }
        "log1p" => {
            let one = emit.number(1.0);
            let more = emit.step("Add", &[x, one], &[]);
            emit.last("Log", &[more], &[]);
        }
        "scale" | "shift" | "pow_scalar" => {
            let kind = ["Mul", "Add", "Pow"]
                [usize::from(name == "shift") + 2 * usize::from(name == "pow_scalar")];
            let number = emit.number(first);
            emit.last(kind, &[x, number], &[]);
        }
        "clamp" => clipped(emit, [first, second]),
        "fill" => return Some(filled(emit, first)),
        "step" => {
            let zero = emit.number(0.0);
            let is_above = emit.step("Greater", &[x, zero], &[]);
            emit.cast(&is_above);
        }
        "within" | "between" => {
            let kinds = match name {
                "within" => ["GreaterOrEqual", "LessOrEqual"],
                _ => ["Greater", "Less"],
            };
            let (low, high) = (emit.number(first), emit.number(second));
            let above = emit.step(kinds[0], &[x.clone(), low], &[]);
            let below = emit.step(kinds[1], &[x, high], &[]);
            let both = emit.step("And", &[above, below], &[]);
            emit.cast(&both);
        }
        _ => return None,
    }
    Some(Ok(()))
}

/// Bounds that are infinite are left out.
pub(crate) fn clipped(emit: &mut Emit<'_>, [low, high]: [f64; 2]) {
    let mut inputs = emit.inputs();
    inputs.push(if low == f64::NEG_INFINITY { String::new() } else { emit.number(low) });
    if high != f64::INFINITY {
        inputs.push(emit.number(high));
    }
    emit.last("Clip", &inputs, &[]);
}

/// A constant of the extents of a stream.
fn filled(emit: &mut Emit<'_>, number: f64) -> Result<(), String> {
    let spec = emit.output_spec(0).clone();
    if !spec.is_fixed() {
        return Err("a constant of bounded extents".into());
    }
    let number = emit.number(number);
    let extents: Vec<i64> = spec.bounds().iter().map(|&extent| extent as i64).collect();
    let extents = emit.constant(Value::new(&[extents.len()], &extents));
    emit.last("Expand", &[number, extents], &[]);
    Ok(())
}
