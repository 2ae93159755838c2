//! The recurrences by their definition, one row and one step at a time: what samples expect.

use synfire_runtime::value::Value;

use super::{Kind, Recurrence};
use crate::sample::{Sample, Tensor, noise, reference};

/// A cell with its recurrent weight and bias.
pub(in crate::recurrent) struct Plain<'a> {
    pub(in crate::recurrent) kind: Kind,
    pub(in crate::recurrent) weight: &'a Tensor,
    pub(in crate::recurrent) bias: Option<&'a Tensor>,
}

/// `h` and `c` of one row; `c` is used by an LSTM only.
pub(in crate::recurrent) type State = [Vec<f64>; 2];

impl Plain<'_> {
    /// The state after a step, from the input's part of the gates.
    pub(in crate::recurrent) fn step(&self, x: &[f64], [h, c]: &State) -> State {
        let hidden = h.len();
        let logistic = |x: f64| 0.5 + 0.5 * (0.5 * x).tanh();
        let own = |gate: usize, unit: usize| {
            let row = gate * hidden + unit;
            let terms = (0..hidden).map(|k| h[k] * self.weight.at(&[row, k]));
            terms.sum::<f64>() + self.bias.map_or(0.0, |bias| bias.data[row])
        };
        let sum = |gate: usize, unit: usize| x[gate * hidden + unit] + own(gate, unit);
        let mut next = [h.clone(), c.clone()];
        for unit in 0..hidden {
            let [h, c] = [0, 1].map(|part| next[part][unit]);
            let [h, c] = match self.kind {
                Kind::Tanh => [1.0 - 2.0 / ((2.0 * sum(0, unit)).exp() + 1.0), 0.0],
                Kind::Relu => [sum(0, unit).max(0.0), 0.0],
                Kind::Gru => {
                    let [reset, update] = [0, 1].map(|gate| logistic(sum(gate, unit)));
                    let new = (x[2 * hidden + unit] + reset * own(2, unit)).tanh();
                    [(1.0 - update) * new + update * h, 0.0]
                }
                Kind::Lstm => {
                    let [input, forget, output] = [0, 1, 3].map(|gate| logistic(sum(gate, unit)));
                    let c = c * forget + input * sum(2, unit).tanh();
                    [output * c.tanh(), c]
                }
            };
            [next[0][unit], next[1][unit]] = [h, c];
        }
        next
    }
}

/// All outputs of a recurrence from all its inputs.
fn by_definition(own: &Recurrence, inputs: &[Tensor]) -> Vec<Tensor> {
    let ports = own.ports();
    let (x, states) = (&inputs[0], own.cell.states);
    let plain = Plain {
        kind: own.cell.kind,
        weight: &inputs[1],
        bias: ports.bias.map(|port| &inputs[port]),
    };
    let hidden = plain.weight.extents[1];
    let sizes @ [time, batch] = own.walk.sizes(&x.extents);
    let sequence = own.walk.shape(sizes, hidden);
    let mut outputs = [vec![sequence.to_vec(); states], vec![vec![batch, hidden]; states]].concat();
    let mut outputs: Vec<Tensor> =
        outputs.drain(..).map(|extents| Tensor::from_fn(&extents, |_| 0.0)).collect();
    for row in 0..batch {
        let part = |part: usize| match ports.initial {
            Some(first) if part < states => {
                inputs[first + part].data[row * hidden..][..hidden].to_vec()
            }
            _ => vec![0.0; hidden],
        };
        let mut state = [part(0), part(1)];
        let length = ports.lengths.map_or(time, |port| inputs[port].data[row] as usize);
        for turn in 0..time {
            let place = if own.walk.is_reversed { time - 1 - turn } else { turn };
            let at = if own.walk.is_batch_first { [row, place] } else { [place, row] };
            if place < length {
                let features = own.cell.gates * hidden;
                let x: Vec<f64> = (0..features).map(|k| x.at(&[at[0], at[1], k])).collect();
                state = plain.step(&x, &state);
            }
            for (output, state) in outputs[..states].iter_mut().zip(&state) {
                let flat = (at[0] * sequence[1] + at[1]) * hidden;
                output.data[flat..flat + hidden].copy_from_slice(state);
            }
        }
        for (output, state) in outputs[states..].iter_mut().zip(&state) {
            output.data[row * hidden..][..hidden].copy_from_slice(state);
        }
    }
    outputs
}

/// A sample of `[time, batch, hidden]`.
pub(super) fn sample(
    name: &str,
    own: Recurrence,
    [time, batch, hidden]: [usize; 3],
    lengths: &[i64],
) -> Sample {
    let count = own.cell.gates * hidden;
    let mut inputs = vec![noise(1, &own.walk.shape([time, batch], count))];
    inputs.push(noise(2, &[count, hidden]));
    inputs.extend(own.has_bias.then(|| noise(3, &[count])));
    let parts = if own.has_initial { own.cell.states } else { 0 };
    inputs.extend((0..parts).map(|part| noise(4 + part as u64, &[batch, hidden])));
    inputs.extend(own.has_lengths.then(|| Value::new(&[batch], lengths)));
    Sample::new(name, own, inputs, reference(move |inputs| by_definition(&own, inputs)))
}
