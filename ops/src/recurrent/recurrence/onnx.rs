//! How recurrences are written for ONNX: as a layer whose input weight only orders the gates.

use super::{Cell, Kind, Recurrence};
use crate::onnx::{Attribute, Emit, Onnx};

/// Only the way to ONNX; `network` reads its layers.
pub const ONNX: Onnx =
    Onnx::NONE.writes(|operator, emit| Some(write(operator.downcast_ref::<Recurrence>()?, emit)));

fn write(own: &Recurrence, emit: &mut Emit<'_>) -> Result<(), String> {
    let Cell { kind, gates, states, .. } = *own.cell;
    if own.has_lengths {
        return Err("lengths: ONNX forgets the state behind them".into());
    }
    if states == 2 && emit.is_read(1) {
        return Err("the cell's state after each step".into());
    }
    let hidden = emit.input_spec(1).bound(1);
    // For each of their gates which of ours it is.
    let (name, order): (_, &[usize]) = match kind {
        Kind::Tanh | Kind::Relu => ("RNN", &[0]),
        Kind::Gru => ("GRU", &[1, 0, 2]),
        Kind::Lstm => ("LSTM", &[0, 3, 1, 2]),
    };
    let rows: Vec<usize> =
        order.iter().flat_map(|gate| gate * hidden..(gate + 1) * hidden).collect();
    let width = gates * hidden;
    let mut ordering = vec![0.0; width * width];
    rows.iter().enumerate().for_each(|(to, from)| ordering[to * width + from] = 1.0);
    let input = emit.floats(&[1, width, width], &ordering);
    let rows = emit.integers(&rows);
    let first = emit.integers(&[0]);
    let along = [("axis", Attribute::Integer(0))];
    let weight = emit.step("Gather", &[emit.input(1), rows.clone()], &along);
    let weight = emit.step("Unsqueeze", &[weight, first.clone()], &[]);
    let mut bias = String::new();
    if own.has_bias {
        let zeros = emit.floats(&[width], &vec![0.0; width]);
        let ordered = emit.step("Gather", &[emit.input(2), rows], &along);
        let both = emit.step("Concat", &[zeros, ordered], &along);
        bias = emit.step("Unsqueeze", &[both, first.clone()], &[]);
    }
    let turned = [("perm", Attribute::from([1_usize, 0, 2]))];
    let mut x = emit.input(0);
    if own.walk.is_batch_first {
        x = emit.step("Transpose", &[x], &turned);
    }
    let mut inputs = vec![x, input, weight, bias, String::new()];
    if own.has_initial {
        let start = 2 + usize::from(own.has_bias);
        for index in start..start + states {
            let state = emit.step("Unsqueeze", &[emit.input(index), first.clone()], &[]);
            inputs.push(state);
        }
    }
    let direction = if own.walk.is_reversed { "reverse" } else { "forward" };
    let mut attributes = vec![("hidden_size", hidden.into()), ("direction", direction.into())];
    match kind {
        Kind::Relu => attributes.push(("activations", Attribute::Texts(vec!["Relu".into()]))),
        Kind::Gru => attributes.push(("linear_before_reset", Attribute::Integer(1))),
        Kind::Tanh | Kind::Lstm => {}
    }
    let given: Vec<String> = (0..=states).map(|_| emit.name()).collect();
    emit.node(name, &inputs, &given, &attributes);
    // Without the axis of directions.
    let behind_time = emit.integers(&[1]);
    let sequence = [given[0].clone(), behind_time];
    if own.walk.is_batch_first {
        let y = emit.step("Squeeze", &sequence, &[]);
        emit.node("Transpose", &[y], &[emit.output(0)], &turned);
    } else {
        emit.node("Squeeze", &sequence, &[emit.output(0)], &[]);
    }
    for (state, given) in given[1..].iter().enumerate() {
        let output = emit.output(states + state);
        emit.node("Squeeze", &[given.clone(), first.clone()], &[output], &[]);
    }
    Ok(())
}
