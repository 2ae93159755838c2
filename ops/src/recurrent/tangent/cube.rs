//! The linear scans on accelerators, for `f32`: one launch, one cube for each row of the batch.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::Linear;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::recurrent::recurrence::{UNITS, Walk, keep, place_of, row_of};

pub(super) struct OnCube(pub(super) Linear);

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    gates: u32,
    states: usize,
    hidden: u32,
    course: Walk,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (course, states) = (self.0.course(), self.0.cell.states);
        let sizes @ [time, batch] = self.0.sizes(&|port| call.input(port).extents())?;
        let inputs: Vec<_> = (0..call.inputs()).map(|input| call.input(input)).collect();
        let hidden = inputs[0].extents()[2];
        let outputs: Vec<_> = (0..2 * states)
            .map(|output| match output < states {
                true => call.set_extents(output, &course.shape(sizes, hidden)),
                false => call.set_extents(output, &[batch, hidden]),
            })
            .collect();
        let plan = Plan { gates: size(self.0.cell.gates), states, hidden: size(hidden), course };
        call.cubes(batch, UNITS, |client, cubes, units| {
            let inputs = inputs.iter().map(|input| input.array()).collect();
            let outputs = outputs.iter().map(|output| output.array()).collect();
            let (time, batch) = (size(time), size(batch));
            if self.0.is_adjoint {
                adjoint::launch::<R>(client, cubes, units, inputs, outputs, time, batch, plan);
            } else {
                tangent::launch::<R>(client, cubes, units, inputs, outputs, time, batch, plan);
            }
        })
    }
}

/// Reads the initial state, of which `c` is 0 where there is none.
#[cube]
fn start(
    inputs: &Sequence<Array<f32>>,
    h: &mut SharedMemory<f32>,
    c: &mut SharedMemory<f32>,
    row: u32,
    #[comptime] plan: Plan,
) {
    let states = comptime!(plan.states);
    let mut unit = UNIT_POS;
    while unit < comptime!(plan.hidden) {
        let from = (row * comptime!(plan.hidden) + unit) as usize;
        h[unit as usize] = inputs.index(states)[from];
        c[unit as usize] = 0.0f32;
        if comptime!(states > 1) {
            c[unit as usize] = inputs.index(comptime!(states + 1))[from];
        }
        unit += UNITS;
    }
    sync_cube();
}

/// The factor of a gate's product.
#[cube]
fn slope(inputs: &Sequence<Array<f32>>, at: u32, row: u32, #[comptime] plan: Plan) -> f32 {
    let port = comptime!(4 * plan.states - 1);
    inputs.index(port)[(at * comptime!(plan.gates * plan.hidden) + row) as usize]
}

#[cube(launch)]
fn tangent(
    inputs: &Sequence<Array<f32>>,
    outputs: &mut Sequence<Array<f32>>,
    time: u32,
    batch: u32,
    #[comptime] plan: Plan,
) {
    let row = CUBE_POS as u32;
    let (hidden, states) = comptime!((plan.hidden, plan.states));
    let weight = comptime!(4 * states);
    if row < batch {
        let mut h = SharedMemory::<f32>::new(comptime!(2 * hidden as usize));
        let mut c = SharedMemory::<f32>::new(comptime!(hidden as usize));
        start(inputs, &mut h, &mut c, row, plan);
        for turn in 0..time {
            let place = place_of(turn, time, plan.course);
            let at = row_of(place, row, time, batch, plan.course);
            let from = turn % 2 * hidden;
            let mut unit = UNIT_POS;
            while unit < hidden {
                let element = (at * hidden + unit) as usize;
                let kept = inputs.index(comptime!(2 * states))[element];
                let mut own = inputs.index(0usize)[element] + kept * h[(from + unit) as usize];
                let mut cell = 0.0f32;
                if comptime!(states > 1) {
                    let kept = inputs.index(comptime!(2 * states + 1))[element];
                    cell = inputs.index(1usize)[element] + kept * c[unit as usize];
                }
                #[unroll]
                for gate in 0..comptime!(plan.gates) {
                    let line = comptime!(gate * hidden) + unit;
                    let mut sum = 0.0f32;
                    for k in 0..hidden {
                        let element = (line * hidden + k) as usize;
                        sum += inputs.index(weight)[element] * h[(from + k) as usize];
                    }
                    let sum = slope(inputs, at, line, plan) * sum;
                    if comptime!(states > 1 && gate + 1 < plan.gates) {
                        cell += sum;
                    } else {
                        own += sum;
                    }
                }
                if comptime!(states > 1) {
                    own += inputs.index(comptime!(2 * states + 2))[element] * cell;
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

#[cube(launch)]
fn adjoint(
    inputs: &Sequence<Array<f32>>,
    outputs: &mut Sequence<Array<f32>>,
    time: u32,
    batch: u32,
    #[comptime] plan: Plan,
) {
    let row = CUBE_POS as u32;
    let (hidden, states) = comptime!((plan.hidden, plan.states));
    let count = comptime!(plan.gates * hidden);
    let weight = comptime!(4 * states);
    if row < batch {
        let mut h = SharedMemory::<f32>::new(comptime!(hidden as usize));
        let mut c = SharedMemory::<f32>::new(comptime!(hidden as usize));
        let mut gates = SharedMemory::<f32>::new(comptime!(count as usize));
        start(inputs, &mut h, &mut c, row, plan);
        for turn in 0..time {
            let place = place_of(turn, time, plan.course);
            let at = row_of(place, row, time, batch, plan.course);
            let mut unit = UNIT_POS;
            while unit < hidden {
                let element = (at * hidden + unit) as usize;
                let own = inputs.index(0usize)[element] + h[unit as usize];
                let mut cell = 0.0f32;
                if comptime!(states > 1) {
                    let link = inputs.index(comptime!(2 * states + 2))[element];
                    cell = inputs.index(1usize)[element] + c[unit as usize] + link * own;
                    c[unit as usize] = inputs.index(comptime!(2 * states + 1))[element] * cell;
                }
                keep(outputs, 0usize, at * hidden + unit, own, cell, states);
                h[unit as usize] = inputs.index(comptime!(2 * states))[element] * own;
                #[unroll]
                for gate in 0..comptime!(plan.gates) {
                    let line = comptime!(gate * hidden) + unit;
                    let is_inner = comptime!(states > 1 && gate + 1 < plan.gates);
                    let part = if is_inner { cell } else { own };
                    gates[line as usize] = slope(inputs, at, line, plan) * part;
                }
                unit += UNITS;
            }
            sync_cube();
            let mut unit = UNIT_POS;
            while unit < hidden {
                let mut sum = 0.0f32;
                for line in 0..count {
                    let element = (line * hidden + unit) as usize;
                    sum += inputs.index(weight)[element] * gates[line as usize];
                }
                h[unit as usize] += sum;
                unit += UNITS;
            }
            sync_cube();
        }
        let mut unit = UNIT_POS;
        while unit < hidden {
            keep(outputs, states, row * hidden + unit, h[unit as usize], c[unit as usize], states);
            unit += UNITS;
        }
    }
}
