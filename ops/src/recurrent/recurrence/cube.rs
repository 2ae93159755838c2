//! The recurrence on accelerators, for `f32`: one launch, one cube for each row of the batch.
//!
//! Rows do not wait for each other. The units of a cube share out the hidden features; the state
//! before a step lies in shared memory, and that behind it in the other half.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::{Cell, Kind, Recurrence, Walk};
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::lookup::index_at;
use crate::device::real::exp;

/// Units of a cube, as many as every device has.
pub(in crate::recurrent) const UNITS: u32 = 256;

pub(super) struct OnCube(pub(super) Recurrence);

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    kind: Kind,
    gates: u32,
    states: usize,
    hidden: u32,
    walk: Walk,
    has_lengths: bool,
    /// Where the bias and the initial state are among the inputs.
    bias: Option<usize>,
    initial: Option<usize>,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let Recurrence { cell, walk, .. } = self.0;
        let Cell { kind, gates, states, .. } = *cell;
        let sizes @ [time, batch] = self.0.sizes(&|port| call.input(port).extents())?;
        let ports = self.0.ports();
        let hidden = call.input(1).extents()[1];
        let outputs: Vec<_> = (0..2 * states)
            .map(|output| match output < states {
                true => call.set_extents(output, &walk.shape(sizes, hidden)),
                false => call.set_extents(output, &[batch, hidden]),
            })
            .collect();
        let floats = ports.lengths.unwrap_or(call.inputs());
        let inputs: Vec<_> = (0..floats).map(|input| call.input(input)).collect();
        let lengths = ports.lengths.map_or_else(|| call.input(1), |port| call.input(port));
        let plan = Plan {
            kind,
            gates: size(gates),
            states,
            hidden: size(hidden),
            walk,
            has_lengths: ports.lengths.is_some(),
            bias: ports.bias,
            initial: ports.initial,
        };
        call.cubes(batch, UNITS, |client, cubes, units| {
            recur::launch::<R>(
                client,
                cubes,
                units,
                inputs.iter().map(|input| input.array()).collect(),
                lengths.array(),
                outputs.iter().map(|output| output.array()).collect(),
                size(time),
                size(batch),
                plan,
            );
        })
    }
}

#[cube(launch)]
fn recur(
    inputs: &Sequence<Array<f32>>,
    lengths: &Array<u32>,
    outputs: &mut Sequence<Array<f32>>,
    time: u32,
    batch: u32,
    #[comptime] plan: Plan,
) {
    let row = CUBE_POS as u32;
    let hidden = comptime!(plan.hidden);
    let states = comptime!(plan.states);
    if row < batch {
        let mut h = SharedMemory::<f32>::new(comptime!(2 * hidden as usize));
        let mut c = SharedMemory::<f32>::new(comptime!(hidden as usize));
        let mut unit = UNIT_POS;
        while unit < hidden {
            h[unit as usize] = 0.0f32;
            c[unit as usize] = 0.0f32;
            if let Some(first) = comptime!(plan.initial) {
                let from = (row * hidden + unit) as usize;
                h[unit as usize] = inputs.index(first)[from];
                if comptime!(states > 1) {
                    c[unit as usize] = inputs.index(comptime!(first + 1))[from];
                }
            }
            unit += UNITS;
        }
        sync_cube();
        let mut length = time;
        if comptime!(plan.has_lengths) {
            length = index_at(lengths, row);
        }
        for turn in 0..time {
            let place = place_of(turn, time, plan.walk);
            let at = row_of(place, row, time, batch, plan.walk);
            let from = turn % 2 * hidden;
            let mut unit = UNIT_POS;
            while unit < hidden {
                let mut own = h[(from + unit) as usize];
                let mut cell = c[unit as usize];
                if place < length {
                    let own_before = own;
                    let cell_before = cell;
                    cell = next_cell(inputs, &h, from, at, unit, cell_before, plan);
                    own = next_state(inputs, &h, from, at, unit, own_before, cell, plan);
                }
                h[(hidden - from + unit) as usize] = own;
                c[unit as usize] = cell;
                keep(outputs, 0usize, at * hidden + unit, own, cell, states);
                unit += UNITS;
            }
            sync_cube();
        }
        let mut unit = UNIT_POS;
        while unit < hidden {
            let own = h[(time % 2 * hidden + unit) as usize];
            keep(outputs, states, row * hidden + unit, own, c[unit as usize], states);
            unit += UNITS;
        }
    }
}

/// Where along the time axis a step is.
#[cube]
pub(in crate::recurrent) fn place_of(turn: u32, time: u32, #[comptime] walk: Walk) -> u32 {
    if comptime!(walk.is_reversed) { time - 1 - turn } else { turn }
}

/// The rows of features before that of batch `row` at a place.
#[cube]
pub(in crate::recurrent) fn row_of(
    place: u32,
    row: u32,
    time: u32,
    batch: u32,
    #[comptime] walk: Walk,
) -> u32 {
    if comptime!(walk.is_batch_first) { row * time + place } else { place * batch + row }
}

/// Writes the parts of a state to the outputs from `first` on.
#[cube]
pub(in crate::recurrent) fn keep(
    outputs: &mut Sequence<Array<f32>>,
    #[comptime] first: usize,
    at: u32,
    h: f32,
    c: f32,
    #[comptime] states: usize,
) {
    outputs.index_mut(first)[at as usize] = h;
    if comptime!(states > 1) {
        outputs.index_mut(comptime!(first + 1))[at as usize] = c;
    }
}

/// The sum of products of a row of the weight, the input 1, with the state before the step.
#[cube]
fn product(
    inputs: &Sequence<Array<f32>>,
    h: &SharedMemory<f32>,
    from: u32,
    row: u32,
    #[comptime] plan: Plan,
) -> f32 {
    let hidden = comptime!(plan.hidden);
    let mut sum = 0.0f32;
    for k in 0..hidden {
        sum += inputs.index(1usize)[(row * hidden + k) as usize] * h[(from + k) as usize];
    }
    if let Some(bias) = comptime!(plan.bias) {
        sum += inputs.index(bias)[row as usize];
    }
    sum
}

/// The input's part of a gate.
#[cube]
fn given(
    inputs: &Sequence<Array<f32>>,
    at: u32,
    unit: u32,
    #[comptime] gate: u32,
    #[comptime] plan: Plan,
) -> f32 {
    let row = comptime!(gate * plan.hidden) + unit;
    inputs.index(0usize)[(at * comptime!(plan.gates * plan.hidden) + row) as usize]
}

/// The sum of both parts of a gate.
#[cube]
fn gate_of(
    inputs: &Sequence<Array<f32>>,
    h: &SharedMemory<f32>,
    from: u32,
    at: u32,
    unit: u32,
    #[comptime] gate: u32,
    #[comptime] plan: Plan,
) -> f32 {
    let row = comptime!(gate * plan.hidden) + unit;
    given(inputs, at, unit, gate, plan) + product(inputs, h, from, row, plan)
}

#[cube]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh`, which devices lose for large numbers.
#[cube]
fn bent(x: f32) -> f32 {
    clamp(x, -20.0, 20.0).tanh()
}

/// The next `c` of an LSTM.
#[cube]
fn next_cell(
    inputs: &Sequence<Array<f32>>,
    h: &SharedMemory<f32>,
    from: u32,
    at: u32,
    unit: u32,
    c: f32,
    #[comptime] plan: Plan,
) -> f32 {
    if comptime!(plan.states > 1) {
        let input = logistic(gate_of(inputs, h, from, at, unit, 0u32, plan));
        let forget = logistic(gate_of(inputs, h, from, at, unit, 1u32, plan));
        let new = bent(gate_of(inputs, h, from, at, unit, 2u32, plan));
        forget * c + input * new
    } else {
        c
    }
}

/// The next `h`, for an LSTM from the next `c`.
#[cube]
fn next_state(
    inputs: &Sequence<Array<f32>>,
    h: &SharedMemory<f32>,
    from: u32,
    at: u32,
    unit: u32,
    own: f32,
    c: f32,
    #[comptime] plan: Plan,
) -> f32 {
    let first = comptime!(if plan.states > 1 { 3u32 } else { 0u32 });
    let sum = gate_of(inputs, h, from, at, unit, first, plan);
    match comptime!(plan.kind) {
        Kind::Tanh => bent(sum),
        Kind::Relu => select(sum <= 0.0, 0.0, sum),
        Kind::Gru => {
            let update = logistic(gate_of(inputs, h, from, at, unit, 1u32, plan));
            let row = comptime!(2 * plan.hidden) + unit;
            let damped = logistic(sum) * product(inputs, h, from, row, plan);
            let new = bent(given(inputs, at, unit, 2u32, plan) + damped);
            (own - new) * update + new
        }
        Kind::Lstm => logistic(sum) * bent(c),
    }
}
