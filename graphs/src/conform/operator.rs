//! One operator of a case: built by the file of the catalogue that knows its name, differentiated,
//! and run once.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use synfire_ops::CATALOG;
use synfire_ops::differentiate::vector_jacobian;
use synfire_ops::torch::{Attribute, Build, Case};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::value::Value;

/// Attributes that only describe.
const DESCRIBE: [&str; 4] = ["type", "outputs", "gates", "note"];

/// Runs the case; outputs and gradients by name, or why it cannot be run.
pub(super) fn run(
    about: &Json,
    arrays: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    let attributes = attributes(about)?;
    let Some(Attribute::Text(kind)) = attributes.get("type") else {
        return Err("an operator without a `type`".into());
    };
    let known = CATALOG.iter().flat_map(|entry| entry.torch).filter(|(name, _)| name == kind);
    let mut reasons = Vec::new();
    for (_, build) in known {
        // One name may stand for several operators, such as the maximum of a tensor and of two.
        match compute(*build, &attributes, arrays) {
            Ok(found) => return Ok(found),
            Err(reason) => reasons.push(reason),
        }
    }
    match reasons.is_empty() {
        true => Err(format!("no operator is known to PyTorch as `{kind}`")),
        false => Err(reasons.join("; or ")),
    }
}

/// Builds, differentiates and runs one operator.
fn compute(
    build: Build,
    attributes: &BTreeMap<String, Attribute>,
    arrays: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    let mut draft = Draft::new();
    let mut inputs = BTreeMap::new();
    for (name, value) in arrays {
        if let Some(name) = name.strip_prefix("in_") {
            inputs.insert(name.to_owned(), draft.feed(&format!("in_{name}"), value.spec()));
        }
    }
    let (outputs, mut fed) = built(build, &mut draft, attributes, &inputs)?;
    fed.extend(arrays.clone());
    let mut pairs = Vec::new();
    for (index, &wire) in outputs.iter().enumerate() {
        draft.outlet(&format!("out_{index}"), wire);
        let cotangent = arrays.get(&format!("cot_{index}"));
        if let Some(cotangent) = cotangent {
            let spec = cotangent.spec();
            if draft.spec(wire).is_some_and(|own| *own != spec) {
                let found = draft.spec(wire).map(ToString::to_string).unwrap_or_default();
                return Err(format!("output {index} is {found}, its cotangent {spec}"));
            }
            pairs.push((wire, draft.feed(&format!("cot_{index}"), spec)));
        }
    }
    let asked = |name: &&String| {
        let float = arrays[&format!("in_{name}")].element.is_float();
        let expects = arrays.keys().any(|name| name.starts_with("grad_"));
        float && (!expects || arrays.contains_key(&format!("grad_{name}")))
    };
    let by: Vec<&String> = inputs.keys().filter(asked).collect();
    let wires: Vec<Wire> = by.iter().map(|&name| inputs[name]).collect();
    let mut missing = Vec::new();
    if !pairs.is_empty() {
        let gradients = vector_jacobian(&mut draft, &pairs, &wires);
        for (name, wire) in by.into_iter().zip(gradients) {
            match wire {
                Some(wire) => draft.outlet(&format!("grad_{name}"), wire),
                None => missing.push(name.clone()),
            }
        }
    }
    let graph = draft.check().map_err(|faults| faults.to_string())?;
    let token = |name: &str| Some((name.to_owned(), vec![Some(fed.get(name)?.clone())]));
    let feeds: Streams = graph.feeds().filter_map(|(name, _)| token(name)).collect();
    let outlets = interpret(&graph, &Options::default(), &feeds).map_err(|e| e.to_string())?;
    let mut found = BTreeMap::new();
    for (name, mut stream) in outlets {
        let value = stream.pop().flatten().ok_or_else(|| format!("{name} gave nothing"))?;
        found.insert(name, value);
    }
    for name in missing {
        // What no output depends on has a gradient of zero.
        let like = &arrays[&format!("in_{name}")];
        let zeros = vec![0; like.bytes().len()];
        found.insert(format!("grad_{name}"), Value::from_bytes(like.element, &like.extents, zeros));
    }
    Ok(found)
}

/// Builds the operator, and says which attributes had no say in it.
fn built(
    build: Build,
    draft: &mut Draft,
    attributes: &BTreeMap<String, Attribute>,
    inputs: &BTreeMap<String, Wire>,
) -> Result<(Vec<Wire>, BTreeMap<String, Value>), String> {
    let mut case = Case::new(draft, attributes, inputs);
    let outputs = build(&mut case)?;
    let mut unread = case.unread();
    unread.retain(|name| !DESCRIBE.contains(&name.as_str()));
    if !unread.is_empty() {
        tracing::warn!("attributes that have no say: {}", unread.join(", "));
    }
    Ok((outputs, case.into_feeds()))
}

/// The attributes of the operator.
fn attributes(about: &Json) -> Result<BTreeMap<String, Attribute>, String> {
    let op = about.get("op").and_then(Json::as_object).ok_or("a case without an `op`")?;
    Ok(op.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
}

fn attribute(value: &Json) -> Attribute {
    match value {
        Json::Null => Attribute::Null,
        Json::Bool(flag) => Attribute::Flag(*flag),
        Json::Number(number) => Attribute::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => match text.to_lowercase().as_str() {
            // JSON has no words for these.
            "inf" | "infinity" => Attribute::Number(f64::INFINITY),
            "-inf" | "-infinity" => Attribute::Number(f64::NEG_INFINITY),
            _ => Attribute::Text(text.clone()),
        },
        Json::Array(list) => Attribute::List(list.iter().map(attribute).collect()),
        Json::Object(_) => Attribute::Text(value.to_string()),
    }
}
