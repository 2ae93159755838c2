//! The law of causal operators: what comes later along the axis changes nothing before it.
//!
//! So a stream may be computed step by step, or in batches of any length, with the same numbers.

use std::sync::Arc;

use synfire_runtime::operator::Operator;
use synfire_runtime::solo::fire_once;
use synfire_runtime::value::Value;

use crate::sample::{Sample, Subject};

/// The output of every prefix, in steps of a few, is the prefix of the output; bit by bit.
///
/// # Errors
/// The first breach.
pub(super) fn causal(sample: &Sample, outputs: &[Option<Value>]) -> Result<(), String> {
    let (Some(axis), Subject::Operator(operator)) = (sample.causal_axis, &sample.subject) else {
        return Ok(());
    };
    let inputs: Option<Vec<Value>> = sample.inputs.iter().cloned().collect();
    let inputs = inputs.ok_or("a causal sample has no null inputs")?;
    let steps = inputs[0].extents.get(axis).copied().unwrap_or(0);
    for count in (1..steps).step_by(steps.div_ceil(7).max(1)) {
        let along = |value: &Value| {
            let moves =
                value.extents.len() == inputs[0].extents.len() && value.extents[axis] == steps;
            if moves { prefix(value, axis, count) } else { value.clone() }
        };
        let early: Vec<Value> = inputs.iter().map(along).collect();
        let operator: &Arc<dyn Operator> = operator;
        let given = fire_once(&**operator, &early).map_err(|error| error.to_string())?;
        for (index, (own, whole)) in given.iter().zip(outputs).enumerate() {
            let whole = whole.as_ref().ok_or("a causal sample gives no nulls")?;
            if *own != prefix(whole, axis, count) {
                return Err(format!("output {index} of the first {count} steps has other bits"));
            }
        }
    }
    Ok(())
}

/// The first `count` places along an axis.
fn prefix(value: &Value, axis: usize, count: usize) -> Value {
    let mut extents = value.extents.clone();
    let inner: usize = extents[axis + 1..].iter().product::<usize>() * value.element.bytes();
    let (row, kept) = (extents[axis] * inner, count * inner);
    let bytes = value.bytes().chunks_exact(row.max(1)).flat_map(|row| &row[..kept]);
    extents[axis] = count;
    Value::from_bytes(value.element, &extents, bytes.copied().collect())
}
