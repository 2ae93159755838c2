//! The linear scans by explicit matrices of each step: what samples expect.

use super::Linear;
use crate::sample::{Sample, Tensor, noise, reference};

type Matrix = Vec<Vec<f64>>;

/// A step is `after * (u + before * state)`; an adjoint one uses both transposed, `after` first.
struct Step {
    before: Matrix,
    after: Matrix,
}

/// `matrix * vector`, or its transpose times the vector.
fn product(matrix: &Matrix, vector: &[f64], is_transposed: bool) -> Vec<f64> {
    let at = |row: usize, column: usize| {
        if is_transposed { matrix[column][row] } else { matrix[row][column] }
    };
    let indices = 0..vector.len();
    indices.clone().map(|row| indices.clone().map(|k| at(row, k) * vector[k]).sum()).collect()
}

/// The matrices of one step of one row; `at` reads a feature of input `port` there.
fn step(own: &Linear, at: &dyn Fn(usize, usize) -> f64, weight: &Tensor) -> Step {
    let (hidden, states, gates) = (weight.extents[1], own.cell.states, own.cell.gates);
    let size = hidden * states;
    let identity = |row: usize| (0..size).map(move |column| f64::from(u8::from(row == column)));
    let mut after: Matrix = (0..size).map(|row| identity(row).collect()).collect();
    let mut before = vec![vec![0.0; size]; size];
    let (keep, slope) = (2 * states, 4 * states - 1);
    for unit in 0..hidden {
        for part in 0..states {
            before[part * hidden + unit][part * hidden + unit] += at(keep + part, unit);
        }
        if states == 2 {
            after[unit][hidden + unit] += at(keep + 2, unit);
        }
        for gate in 0..gates {
            let part = if gate + 1 == gates { 0 } else { states - 1 };
            let row = gate * hidden + unit;
            for (k, entry) in before[part * hidden + unit][..hidden].iter_mut().enumerate() {
                *entry += at(slope, row) * weight.at(&[row, k]);
            }
        }
    }
    Step { before, after }
}

/// All outputs from all inputs.
fn by_matrices(own: &Linear, inputs: &[Tensor]) -> Vec<Tensor> {
    let weight = &inputs[inputs.len() - 1];
    let (hidden, states) = (weight.extents[1], own.cell.states);
    let (u, last) = (&inputs[0].extents, &inputs[states].extents);
    let empty = |extents: &Vec<usize>| Tensor::from_fn(extents, |_| 0.0);
    let mut outputs: Vec<Tensor> =
        (0..2 * states).map(|output| empty(if output < states { u } else { last })).collect();
    let (time_axis, batch_axis) = (own.walk.time_axis(), own.walk.batch_axis());
    let is_reversed = own.walk.is_reversed != own.is_adjoint;
    for row in 0..u[batch_axis] {
        let part = |part: usize| inputs[states + part].data[row * hidden..][..hidden].to_vec();
        let mut state: Vec<f64> = (0..states).flat_map(part).collect();
        for turn in 0..u[time_axis] {
            let mut index = [0; 3];
            index[time_axis] = if is_reversed { u[time_axis] - 1 - turn } else { turn };
            index[batch_axis] = row;
            let read = |port: usize, k: usize| inputs[port].at(&[index[0], index[1], k]);
            let step = step(own, &read, weight);
            if !own.is_adjoint {
                state = product(&step.before, &state, false);
            }
            for (k, state) in state.iter_mut().enumerate() {
                *state += read(k / hidden, k % hidden);
            }
            state = product(&step.after, &state, own.is_adjoint);
            let flat = (index[0] * u[1] + index[1]) * hidden;
            for (output, state) in outputs.iter_mut().zip(state.chunks(hidden)) {
                output.data[flat..flat + hidden].copy_from_slice(state);
            }
            if own.is_adjoint {
                state = product(&step.before, &state, true);
            }
        }
        for (output, state) in outputs[states..].iter_mut().zip(state.chunks(hidden)) {
            output.data[row * hidden..][..hidden].copy_from_slice(state);
        }
    }
    outputs
}

/// A sample of `[time, batch, hidden]`.
pub(super) fn sample(name: &str, own: Linear, sizes: [usize; 3]) -> Sample {
    let [time, batch, hidden] = sizes;
    let (gates, states) = (own.cell.gates, own.cell.states);
    let sequence = |key: u64, features: usize| noise(key, &own.walk.shape([time, batch], features));
    let mut inputs: Vec<_> = (0..states as u64).map(|key| sequence(key, hidden)).collect();
    inputs.extend((0..states as u64).map(|key| noise(10 + key, &[batch, hidden])));
    inputs.extend((0..2 * states as u64 - 1).map(|key| sequence(20 + key, hidden)));
    inputs.extend([sequence(30, gates * hidden), noise(31, &[gates * hidden, hidden])]);
    Sample::new(name, own, inputs, reference(move |inputs| by_matrices(&own, inputs)))
}
