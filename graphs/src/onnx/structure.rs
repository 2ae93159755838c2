//! Nodes that are no operators: constants, shapes, and what only passes on.
//!
//! What they give is known while importing, so they leave nothing in the draft.

use std::sync::Arc;

use synfire_ops::onnx::{Attribute, Operand, element, floats};
use synfire_runtime::define::Draft;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::parse::Node;
use super::{evaluate, tensor};

/// A node with its inputs, where it is one of these.
pub(super) struct Structure<'a> {
    pub(super) draft: &'a Draft,
    pub(super) node: &'a Node,
    pub(super) inputs: Vec<Option<&'a Operand>>,
}

/// What a node gives.
pub(super) enum Given {
    /// The same as its first input.
    Same,
    /// A constant.
    Value(Value),
}

type Rule = fn(&Structure<'_>) -> Result<Given, String>;

const RULES: &[(&str, Rule)] = &[
    ("Identity", |_| Ok(Given::Same)),
    ("Dropout", evaluated),
    ("Constant", constant),
    ("ConstantOfShape", filled),
    ("Shape", shape),
    ("Size", |own| {
        let count: usize = own.extents()?.iter().product();
        Ok(Given::Value(Value::new(&[], &[count as i64])))
    }),
    ("Range", range),
    ("EyeLike", eye),
];

/// The rule of a node, if it is no operator.
pub(super) fn rule(kind: &str) -> Option<Rule> {
    RULES.iter().find(|(name, _)| *name == kind).map(|(_, rule)| *rule)
}

impl Structure<'_> {
    fn spec(&self) -> Result<Spec, String> {
        let operand = self.inputs.first().copied().flatten().ok_or("no input 0")?;
        match (operand.value(), operand.wire().and_then(|wire| self.draft.spec(wire))) {
            (Some(value), _) => Ok(value.spec()),
            (None, Some(spec)) => Ok(spec.clone()),
            (None, None) => Err("an input is faulty".into()),
        }
    }

    fn extents(&self) -> Result<Vec<usize>, String> {
        let is = |dimension: &Dimension| match dimension {
            Dimension::Fixed(extent) => Ok(*extent),
            bounded @ Dimension::UpTo(_) => {
                Err(format!("the shape has {bounded}, wanted it fixed"))
            }
        };
        self.spec()?.dimensions.iter().map(is).collect()
    }

    fn value(&self, index: usize) -> Result<Option<&Arc<Value>>, String> {
        match self.inputs.get(index).copied().flatten() {
            None => Ok(None),
            Some(operand) => operand.value().map(Some).ok_or_else(|| {
                format!("input {index} is computed while running, wanted a constant")
            }),
        }
    }

    fn wanted(&self, index: usize) -> Result<&Arc<Value>, String> {
        self.value(index)?.ok_or_else(|| format!("no input {index}"))
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        match self.node.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Integer(integer)) => Ok(Some(*integer)),
            Some(other) => Err(format!("`{name}` is {other:?}, wanted a whole number")),
        }
    }
}

/// Dropout is evaluated, not trained: it passes on. Its mask has no reader then.
fn evaluated(own: &Structure<'_>) -> Result<Given, String> {
    let trains = own.value(2)?.is_some_and(|value| value.bytes().iter().any(|&byte| byte != 0));
    if trains { Err("dropout while training".into()) } else { Ok(Given::Same) }
}

fn constant(own: &Structure<'_>) -> Result<Given, String> {
    let mut attributes = own.node.attributes.iter();
    let (Some((name, attribute)), None) = (attributes.next(), attributes.next()) else {
        return Err("wanted one attribute".into());
    };
    let narrow = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<_>>();
    Ok(Given::Value(match attribute {
        Attribute::Tensor(value) => value.clone(),
        Attribute::Integer(one) => Value::new(&[], &[*one]),
        Attribute::Integers(several) => Value::new(&[several.len()], several),
        Attribute::Number(one) => Value::new(&[], &[*one as f32]),
        Attribute::Numbers(several) => Value::new(&[several.len()], &narrow(several)),
        other => return Err(format!("`{name}` is {other:?}, wanted numbers")),
    }))
}

fn filled(own: &Structure<'_>) -> Result<Given, String> {
    let extents = own.wanted(0)?;
    if extents.element != Element::I64 {
        return Err(format!("extents of {}, wanted i64", extents.element));
    }
    let extents = synfire_ops::onnx::sizes("extents", &extents.elements::<i64>())?;
    let one = match own.node.attributes.get("value") {
        None => Value::new(&[1], &[0.0_f32]),
        Some(Attribute::Tensor(value)) => value.clone(),
        Some(other) => return Err(format!("`value` is {other:?}, wanted a tensor")),
    };
    synfire_ops::onnx::elements(&extents)?;
    let count = evaluate::bounded(&Spec::new(one.element, extents.iter().copied()))?;
    if one.bytes().len() != one.element.bytes() {
        return Err(format!("`value` has extents {:?}, wanted one element", one.extents));
    }
    Ok(Given::Value(Value::from_bytes(one.element, &extents, one.bytes().repeat(count))))
}

fn shape(own: &Structure<'_>) -> Result<Given, String> {
    let extents: Vec<i64> = own.extents()?.iter().map(|&extent| extent as i64).collect();
    let rank = extents.len() as i64;
    let place = |axis: i64| (if axis < 0 { axis + rank } else { axis }).clamp(0, rank) as usize;
    let start = place(own.integer("start")?.unwrap_or(0));
    let end = place(own.integer("end")?.unwrap_or(rank)).max(start);
    let extents = &extents[start..end];
    Ok(Given::Value(Value::new(&[extents.len()], extents)))
}

fn range(own: &Structure<'_>) -> Result<Given, String> {
    let ends = [own.wanted(0)?, own.wanted(1)?, own.wanted(2)?];
    let kind = ends[0].element;
    let mut numbers = [0.0; 3];
    for (number, end) in numbers.iter_mut().zip(ends) {
        match tensor::numbers(end)[..] {
            [one] if end.element == kind => *number = one,
            _ => return Err(format!("an end of {}, wanted one number", end.spec())),
        }
    }
    let [start, limit, delta] = numbers;
    let count = ((limit - start) / delta).ceil().max(0.0);
    if !count.is_finite() || count > 1e9 {
        return Err(format!("{count} numbers"));
    }
    let count = count as usize;
    evaluate::bounded(&Spec::new(kind, [count]))?;
    let each = (0..count).map(|index| start + index as f64 * delta);
    Ok(Given::Value(match kind {
        Element::I64 => Value::new(&[count], &each.map(|x| x as i64).collect::<Vec<_>>()),
        Element::I32 => Value::new(&[count], &each.map(|x| x as i32).collect::<Vec<_>>()),
        _ if kind.is_float() => floats(kind, &[count], &each.collect::<Vec<_>>()),
        _ => return Err(format!("numbers of {kind}")),
    }))
}

fn eye(own: &Structure<'_>) -> Result<Given, String> {
    let spec = own.spec()?;
    let [rows, columns] = own.extents()?[..] else {
        return Err(format!("{spec}, wanted a matrix"));
    };
    let kind = match own.integer("dtype")? {
        Some(number) => element(number)?,
        None => spec.element,
    };
    if !kind.is_float() {
        return Err(format!("an identity of {kind}, wanted floats"));
    }
    let count = evaluate::bounded(&Spec::new(kind, [rows, columns]))?;
    let diagonal = own.integer("k")?.unwrap_or(0);
    let at = |index: usize| {
        let (row, column) = ((index / columns) as i64, (index % columns) as i64);
        f64::from(u8::from(column.checked_sub(row) == Some(diagonal)))
    };
    let numbers: Vec<f64> = (0..count).map(at).collect();
    Ok(Given::Value(floats(kind, &[rows, columns], &numbers)))
}
