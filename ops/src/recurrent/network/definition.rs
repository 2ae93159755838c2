//! Whole networks by their definition, one row and one step at a time, and cell by cell in a graph.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::value::Value;

use super::{Cell, Layout, Network, run};
use crate::arrange::reshape::reshape;
use crate::arrange::slice::slice;
use crate::arrange::stack::stack;
use crate::recurrent::cell::{Weights, plain_input, step};
use crate::recurrent::recurrence::{Plain, State};
use crate::sample::{Sample, Tensor, noise, reference};

/// What a sample is of.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Time, batch, features of the input, hidden features.
    pub(super) sizes: [usize; 4],
    pub(super) layers: usize,
    pub(super) directions: usize,
    pub(super) layout: Layout,
    /// 0 or 2.
    pub(super) biases: usize,
    /// Whether it has an initial state.
    pub(super) is_stateful: bool,
    /// Of each row, or none.
    pub(super) lengths: &'static [i64],
}

impl Shape {
    /// One layer over one element.
    pub(super) const ONE: Self = Self {
        sizes: [1; 4],
        layers: 1,
        directions: 1,
        layout: Layout::TimeFirst,
        biases: 2,
        is_stateful: false,
        lengths: &[],
    };

    /// Inputs of each direction of each layer.
    fn each(&self) -> usize {
        2 + self.biases
    }

    /// The extents of a sequence.
    fn sequence(&self, features: usize) -> [usize; 3] {
        let [time, batch, ..] = self.sizes;
        match self.layout {
            Layout::TimeFirst => [time, batch, features],
            Layout::BatchFirst => [batch, time, features],
        }
    }

    /// The input, the weights, the initial states, the lengths.
    fn inputs(&self, cell: &Cell) -> Vec<Value> {
        let [_, batch, features, hidden] = self.sizes;
        let count = cell.gates * hidden;
        let mut inputs = vec![noise(1, &self.sequence(features))];
        for layer in 0..self.layers {
            let features = if layer == 0 { features } else { self.directions * hidden };
            for _ in 0..self.directions {
                let key = 10 * inputs.len() as u64;
                inputs.extend([noise(key, &[count, features]), noise(key + 1, &[count, hidden])]);
                inputs.extend((0..self.biases as u64).map(|side| noise(key + 2 + side, &[count])));
            }
        }
        let parts = if self.is_stateful { cell.states } else { 0 };
        let extents = [self.layers * self.directions, batch, hidden];
        inputs.extend((0..parts as u64).map(|part| noise(7 + part, &extents)));
        let lengths = (!self.lengths.is_empty()).then(|| Value::new(&[batch], self.lengths));
        inputs.into_iter().chain(lengths).collect()
    }
}

/// The network over the inputs of a sample.
pub(super) fn build(
    draft: &mut Draft,
    cell: &'static Cell,
    wires: &[Wire],
    shape: &Shape,
) -> Vec<Wire> {
    let (weights, rest) = wires[1..].split_at(shape.layers * shape.directions * shape.each());
    let weights: Vec<Weights> = weights.chunks(shape.each()).map(weights_of).collect();
    let (initial, lengths) = rest.split_at(if shape.is_stateful { cell.states } else { 0 });
    let (directions, layout) = (shape.directions, shape.layout);
    let lengths = lengths.first().copied();
    let network = Network { weights: &weights, directions, layout, lengths };
    run(draft, cell, wires[0], initial, &network)
}

fn weights_of(wires: &[Wire]) -> Weights {
    let biases = wires.get(2).zip(wires.get(3)).map(|(&a, &b)| [a, b]);
    Weights { input: wires[0], hidden: wires[1], biases }
}

pub(super) fn sample(
    what: &str,
    (name, cell): (&'static str, &'static Cell),
    shape: Shape,
) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| build(draft, cell, wires, &shape);
    let expect = reference(move |inputs| by_definition(cell, inputs, &shape));
    Sample::composite(what, name, build, shape.inputs(cell), expect)
}

/// One layer, unrolled by hand into its cells: the same as the whole sequence at once.
pub(super) fn step_by_step((name, cell): (&'static str, &'static Cell), shape: Shape) -> Sample {
    let [time, batch, features, hidden] = shape.sizes;
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let weights = weights_of(&wires[1..5]);
        let whole = |draft: &mut Draft, wire, from: usize, features: usize| {
            let part = draft.apply(slice(0, from, from + 1, 1), &[wire]);
            draft.apply(reshape(&[batch.into(), features.into()]), &[part])
        };
        let mut state: Vec<Wire> =
            wires[5..].iter().map(|&part| whole(draft, part, 0, hidden)).collect();
        let mut steps = Vec::new();
        for turn in 0..time {
            let x = whole(draft, wires[0], turn, features);
            state = step(draft, cell, x, &state, &weights);
            steps.push(state[0]);
        }
        let y = draft.apply(stack(0, time), &steps);
        let last = state.iter().map(|&part| draft.apply(stack(0, 1), &[part]));
        std::iter::once(y).chain(last.collect::<Vec<_>>()).collect()
    };
    let expect = reference(move |inputs| by_definition(cell, inputs, &shape));
    Sample::composite("step by step", name, build, shape.inputs(cell), expect)
}

/// All outputs of a network.
fn by_definition(cell: &Cell, inputs: &[Tensor], shape: &Shape) -> Vec<Tensor> {
    let [time, batch, _, hidden] = shape.sizes;
    let parts = shape.layers * shape.directions;
    let (weights, rest) = inputs[1..].split_at(parts * shape.each());
    let y_extents = shape.sequence(shape.directions * hidden);
    let mut y = Tensor::from_fn(&y_extents, |_| 0.0);
    let empty = Tensor::from_fn(&[parts, batch, hidden], |_| 0.0);
    let mut last = vec![empty.clone(); cell.states];
    let is_batch_first = shape.layout == Layout::BatchFirst;
    let at = |row: usize, step: usize| if is_batch_first { [row, step] } else { [step, row] };
    for row in 0..batch {
        let length = shape.lengths.get(row).map_or(time, |&length| length as usize);
        let [a, b] = [0, 1].map(|axis| move |step: usize| at(row, step)[axis]);
        let read = |tensor: &Tensor, step: usize| {
            let features = 0..tensor.extents[2];
            features.map(|k| tensor.at(&[a(step), b(step), k])).collect::<Vec<f64>>()
        };
        let mut rows: Vec<Vec<f64>> = (0..length).map(|step| read(&inputs[0], step)).collect();
        for layer in 0..shape.layers {
            let mut next = vec![Vec::new(); length];
            for direction in 0..shape.directions {
                let part = layer * shape.directions + direction;
                let own = &weights[part * shape.each()..][..shape.each()];
                let plain = Plain { kind: cell.kind, weight: &own[1], bias: own.get(3) };
                let initial = |index: usize| {
                    let from = rest.get(index).filter(|_| shape.is_stateful && index < cell.states);
                    let from = from.unwrap_or(&empty);
                    from.data[(part * batch + row) * hidden..][..hidden].to_vec()
                };
                let mut state: State = [initial(0), initial(1)];
                for turn in 0..length {
                    let step = if direction == 1 { length - 1 - turn } else { turn };
                    let x = plain_input(&rows[step], &own[0], own.get(2));
                    state = plain.step(&x, &state);
                    next[step].extend_from_slice(&state[0]);
                }
                for (last, state) in last.iter_mut().zip(&state) {
                    last.data[(part * batch + row) * hidden..][..hidden].copy_from_slice(state);
                }
            }
            rows = next;
        }
        for (step, row) in rows.iter().enumerate() {
            let flat = (a(step) * y_extents[1] + b(step)) * row.len();
            y.data[flat..flat + row.len()].copy_from_slice(row);
        }
    }
    std::iter::once(y).chain(last).collect()
}
