//! The same steps on accelerators, in `f32`: a unit for each weight.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::Sgd;
use crate::device::gate::is_closed;
use crate::device::kernel::{Call, CubeKernel, size};

pub(super) struct OnCube {
    momentum: f32,
    weight_decay: f32,
    nesterov: bool,
    has_velocity: bool,
    gated: bool,
}

impl OnCube {
    pub(super) fn new(operator: &Sgd, element: Element) -> Result<Self, KernelError> {
        let Sgd { momentum, weight_decay, nesterov, gated } = *operator;
        let has_velocity = operator.has_velocity();
        let [momentum, weight_decay] = [momentum, weight_decay].map(|number| number as f32);
        match element {
            Element::F32 => Ok(Self { momentum, weight_decay, nesterov, has_velocity, gated }),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0), (3, 1)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [weight, gradient, rate] = [0, 1, 2].map(|input| call.input(input));
        let next = call.output(0);
        let (count, decay) = (size(weight.elements()), self.weight_decay);
        // Without a gate the rate stands for one, which nobody reads.
        let gate = call.input(if self.gated { call.inputs() - 1 } else { 2 });
        call.each(weight.elements(), |client, cubes, units| {
            if self.has_velocity {
                let (velocity, next_velocity) = (call.input(3), call.output(1));
                with_velocity::launch::<R>(
                    client,
                    cubes,
                    units,
                    weight.array(),
                    gradient.array(),
                    rate.array(),
                    gate.array(),
                    velocity.array(),
                    next.array(),
                    next_velocity.array(),
                    count,
                    decay,
                    self.momentum,
                    self.nesterov,
                    self.gated,
                );
            } else {
                plain::launch::<R>(
                    client,
                    cubes,
                    units,
                    weight.array(),
                    gradient.array(),
                    rate.array(),
                    gate.array(),
                    next.array(),
                    count,
                    decay,
                    self.gated,
                );
            }
        })
    }
}

#[cube(launch)]
fn plain(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    rate: &Array<f32>,
    gate: &Array<f32>,
    next: &mut Array<f32>,
    count: u32,
    decay: f32,
    #[comptime] gated: bool,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let old = weight[at];
        let moved = old - rate[0] * decayed(gradient[at], old, decay);
        next[at] = select(is_closed(gate, gated), old, moved);
    }
}

#[cube(launch)]
fn with_velocity(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    rate: &Array<f32>,
    gate: &Array<f32>,
    velocity: &Array<f32>,
    next: &mut Array<f32>,
    next_velocity: &mut Array<f32>,
    count: u32,
    decay: f32,
    momentum: f32,
    #[comptime] nesterov: bool,
    #[comptime] gated: bool,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let old = weight[at];
        let slope = decayed(gradient[at], old, decay);
        let before = velocity[at];
        let moved = momentum * before + slope;
        let mut ahead = moved;
        if comptime!(nesterov) {
            ahead = slope + momentum * moved;
        }
        let is_closed = is_closed(gate, gated);
        next_velocity[at] = select(is_closed, before, moved);
        next[at] = select(is_closed, old, old - rate[0] * ahead);
    }
}

#[cube]
fn decayed(gradient: f32, weight: f32, decay: f32) -> f32 {
    select(decay == 0.0, gradient, gradient + decay * weight)
}
