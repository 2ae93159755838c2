//! What PyTorch calls the functions of two operands, of which the second may be a number.

use std::f64::consts::LN_2;

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::{Binary, add, divide, fmod, multiply, subtract};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::gradient::formula;
use crate::pointwise::elementary::trunc;
use crate::pointwise::unary::{as_float, fill, log, number, scale};
use crate::torch::{Attribute, Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("add", |case| scaled(case, add(), false)),
    ("sub", |case| scaled(case, subtract(), false)),
    ("subtract", |case| scaled(case, subtract(), false)),
    ("rsub", |case| scaled(case, subtract(), true)),
    ("mul", |case| pair(case, multiply())),
    ("multiply", |case| pair(case, multiply())),
    ("div", divided),
    ("divide", divided),
    ("true_divide", divided),
    ("floor_divide", |case| pair(case, super::floor_divide())),
    ("remainder", |case| pair(case, super::remainder())),
    ("fmod", |case| pair(case, fmod())),
    ("minimum", |case| pair(case, super::minimum())),
    ("maximum", |case| pair(case, super::maximum())),
    ("fmin", |case| of_numbers(case, super::minimum())),
    ("fmax", |case| of_numbers(case, super::maximum())),
    ("pow", |case| floats(case, super::power())),
    ("power", |case| floats(case, super::power())),
    ("float_power", |case| floats(case, super::power())),
    ("atan2", |case| floats(case, super::atan2())),
    ("arctan2", |case| floats(case, super::atan2())),
    ("hypot", |case| floats(case, super::hypot())),
    ("logaddexp", |case| floats(case, super::logaddexp())),
    ("logaddexp2", |case| {
        let mut pair = operands(case)?;
        for wire in &mut pair {
            *wire = case.apply(scale(LN_2), &[*wire]);
        }
        let y = case.apply(super::logaddexp(), &pair);
        Ok(vec![case.apply(scale(1.0 / LN_2), &[y])])
    }),
    ("xlogy", |case| {
        let pair = operands(case)?;
        let y = formula(case, pair, |[a, b]| {
            let product = a * b.to(log());
            let kept = b.with(super::equal(), &[b]).choose(product.zeros(), product);
            a.with(super::equal(), &[a.zeros()]).choose(kept, product).wire
        });
        Ok(vec![y])
    }),
    ("eq", |case| pair(case, super::equal())),
    ("ne", |case| pair(case, super::not_equal())),
    ("not_equal", |case| pair(case, super::not_equal())),
    ("lt", |case| pair(case, super::less())),
    ("less", |case| pair(case, super::less())),
    ("le", |case| pair(case, super::less_equal())),
    ("less_equal", |case| pair(case, super::less_equal())),
    ("gt", |case| pair(case, super::greater())),
    ("greater", |case| pair(case, super::greater())),
    ("ge", |case| pair(case, super::greater_equal())),
    ("greater_equal", |case| pair(case, super::greater_equal())),
    ("logical_and", |case| truths(case, super::logical_and())),
    ("logical_or", |case| truths(case, super::logical_or())),
    ("logical_xor", |case| truths(case, super::logical_xor())),
    ("bitwise_and", |case| truths(case, super::logical_and())),
    ("bitwise_or", |case| truths(case, super::logical_or())),
    ("bitwise_xor", |case| truths(case, super::logical_xor())),
];

/// What the two operands are called.
const FIRST: [&str; 6] = ["x", "input", "self", "base", "x1", "a"];
const SECOND: [&str; 7] = ["y", "other", "exponent", "x2", "b", "value", "scalar"];

/// Both operands, as one element type.
fn operands(case: &mut Case<'_>) -> Result<[Wire; 2], String> {
    let wires: Vec<Wire> = {
        let names: Vec<&str> = case.input_names().collect();
        names.into_iter().filter_map(|name| case.optional(name)).collect()
    };
    let (first, second) = (case.either(&FIRST), case.either(&SECOND));
    let pair = match (first, second, &wires[..]) {
        (Some(a), Some(b), _) => [a, b],
        (Some(a), None, &[b, c]) => [a, if a == b { c } else { b }],
        (None, Some(b), &[a, c]) => [if a == b { c } else { a }, b],
        (None, None, &[a, b]) => [a, b],
        // One of them is a number.
        (Some(x), _, _) | (None, Some(x), _) | (None, None, &[x]) => {
            let is_given = |names: &[&'static str]| case.attribute(case.spelling(names)).is_some();
            let is_first = is_given(&FIRST) && !is_given(&SECOND);
            let value = constant(case, if is_first { &FIRST } else { &SECOND })?;
            let [x, value] = beside(case, x, value)?;
            if is_first { [value, x] } else { [x, value] }
        }
        _ => return Err("no two operands".into()),
    };
    promoted(case, pair)
}

fn constant(case: &Case<'_>, names: &[&'static str]) -> Result<f64, String> {
    let name = case.spelling(names);
    match case.attribute(name) {
        None => Err(format!("no second operand, such as `{name}`")),
        Some(Attribute::Flag(flag)) => Ok(f64::from(u8::from(*flag))),
        Some(_) => number(case, &[name], 0.0),
    }
}

/// An operand and a number of its type; of integers beside a fraction both are floats.
fn beside(case: &mut Case<'_>, x: Wire, value: f64) -> Result<[Wire; 2], String> {
    let element = case.spec_of(x)?.element;
    if element.is_float() {
        return Ok([x, case.apply(fill(value), &[x])]);
    }
    let wide = case.apply(cast(Element::F64), &[x]);
    let value_wide = case.apply(fill(value), &[wide]);
    let kept = if value.fract() != 0.0 {
        Element::F32
    } else if element == Element::Bool && value != 0.0 && value != 1.0 {
        Element::I64
    } else {
        element
    };
    Ok([case.apply(cast(kept), &[x]), case.apply(cast(kept), &[value_wide])])
}

/// Both as the type that holds both.
fn promoted(case: &mut Case<'_>, pair: [Wire; 2]) -> Result<[Wire; 2], String> {
    const ORDER: [Element; 8] = [
        Element::Bool,
        Element::U8,
        Element::I32,
        Element::I64,
        Element::F16,
        Element::BF16,
        Element::F32,
        Element::F64,
    ];
    let rank = |element: Element| ORDER.iter().position(|other| *other == element).unwrap_or(0);
    let [a, b] = [case.spec_of(pair[0])?.element, case.spec_of(pair[1])?.element];
    let common = if rank(a) < rank(b) { b } else { a };
    let mut as_common = |wire, own| {
        if own == common { wire } else { case.apply(cast(common), &[wire]) }
    };
    Ok([as_common(pair[0], a), as_common(pair[1], b)])
}

fn pair(case: &mut Case<'_>, operator: Binary) -> Result<Vec<Wire>, String> {
    let mut pair = operands(case)?;
    let is_truth = case.spec_of(pair[0])?.element == Element::Bool;
    if is_truth && !operator.judges() {
        for wire in &mut pair {
            *wire = case.apply(cast(Element::I64), &[*wire]);
        }
    }
    Ok(vec![case.apply(operator, &pair)])
}

fn floats(case: &mut Case<'_>, operator: Binary) -> Result<Vec<Wire>, String> {
    let [a, b] = operands(case)?;
    let pair = [as_float(case, a)?, as_float(case, b)?];
    Ok(vec![case.apply(operator, &pair)])
}

fn truths(case: &mut Case<'_>, operator: Binary) -> Result<Vec<Wire>, String> {
    let mut pair = operands(case)?;
    for wire in &mut pair {
        if case.spec_of(*wire)?.element != Element::Bool {
            *wire = case.apply(cast(Element::Bool), &[*wire]);
        }
    }
    Ok(vec![case.apply(operator, &pair)])
}

/// A sum or a difference whose second operand is scaled by `alpha`.
fn scaled(case: &mut Case<'_>, operator: Binary, is_reversed: bool) -> Result<Vec<Wire>, String> {
    let [a, b] = operands(case)?;
    let alpha = case.number("alpha", 1.0)?;
    // What is reversed scales what it takes away.
    let mut pair = [a, b];
    if alpha != 1.0 {
        let place = usize::from(!is_reversed);
        let [wire, factor] = beside(case, pair[place], alpha)?;
        let scaled = case.apply(multiply(), &[wire, factor]);
        pair[place] = scaled;
        pair = promoted(case, pair)?;
    }
    if is_reversed {
        pair.reverse();
    }
    Ok(vec![case.apply(operator, &pair)])
}

fn divided(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let mode = case.text("rounding_mode", "none")?;
    let pair = operands(case)?;
    match &*mode {
        "none" | "None" => {
            let pair = [as_float(case, pair[0])?, as_float(case, pair[1])?];
            Ok(vec![case.apply(divide(), &pair)])
        }
        "floor" => Ok(vec![case.apply(super::floor_divide(), &pair)]),
        "trunc" if case.spec_of(pair[0])?.element.is_float() => {
            let y = case.apply(divide(), &pair);
            Ok(vec![case.apply(trunc(), &[y])])
        }
        "trunc" => {
            let rest = case.apply(fmod(), &pair);
            let whole = case.apply(subtract(), &[pair[0], rest]);
            Ok(vec![case.apply(super::floor_divide(), &[whole, pair[1]])])
        }
        other => Err(format!("a rounding mode `{other}`")),
    }
}

/// A minimum or maximum that takes the number where one operand is NaN.
fn of_numbers(case: &mut Case<'_>, operator: Binary) -> Result<Vec<Wire>, String> {
    let [a, b] = operands(case)?;
    let both = case.apply(operator, &[a, b]);
    let is_number = [a, b].map(|wire| case.apply(super::equal(), &[wire, wire]));
    let other = case.apply(where_(), &[is_number[1], both, a]);
    Ok(vec![case.apply(where_(), &[is_number[0], other, b])])
}
