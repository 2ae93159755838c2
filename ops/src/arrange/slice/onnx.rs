//! What ONNX calls it.

use synfire_runtime::define::Wire;
use synfire_runtime::value::Value;

use super::{Slice, slice};
use crate::arrange::flip::flip;
use crate::onnx::{Node, Onnx};
use crate::torch::place;

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Slice", read)]).writes(|operator, emit| {
    let Slice { axis, start, end, step } = *operator.downcast_ref::<Slice>()?;
    let mut inputs = vec![emit.input(0)];
    for number in [start, end, axis, step] {
        inputs.push(emit.constant(Value::new(&[1], &[number as i64])));
    }
    emit.last("Slice", &inputs, &[]);
    Some(Ok(()))
});

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let mut x = node.input(0)?;
    let (starts, ends) = (node.integers_at(1)?, node.integers_at(2)?);
    let (starts, ends) = (starts.ok_or("no starts")?, ends.ok_or("no ends")?);
    let rank = node.spec_of(x)?.rank();
    let axes = node.integers_at(3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = node.integers_at(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(format!("starts {starts:?}, ends {ends:?}, axes {axes:?}, steps {steps:?}"));
    }
    for (index, &axis) in axes.iter().enumerate() {
        let axis = place(axis, rank)?;
        let extent = node.spec_of(x)?.bound(axis);
        let n = i64::try_from(extent).map_err(|_| format!("an extent of {extent}"))?;
        let is_bounded = node.spec_of(x)?.dimensions[axis].is_bounded();
        let (start, end, step) = (starts[index], ends[index], steps[index]);
        if is_bounded && (start < 0 || end < 0 || step < 0) {
            return Err(format!("a slice from the end of axis {axis}, which is bounded"));
        }
        let at = |k: i64| if k < 0 { k.saturating_add(n) } else { k };
        if step == 0 || step == i64::MIN {
            return Err(format!("a step of {step}"));
        }
        // Backwards is forwards along the flipped axis.
        let (from, to) = match step > 0 {
            true => (at(start).clamp(0, n), at(end).clamp(0, n)),
            false => {
                x = node.apply(flip(&[axis]), &[x]);
                let from = n - 1 - at(start).clamp(-1, n - 1);
                (from, n - 1 - at(end).clamp(-1, n - 1))
            }
        };
        let to = to.max(from);
        if (from, to, step) != (0, n, 1) {
            let operator = slice(axis, from as usize, to as usize, step.unsigned_abs() as usize);
            x = node.apply(operator, &[x]);
        }
    }
    Ok(vec![x])
}
