//! The same steps on accelerators, in `f32`: a unit for each weight.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::Sgd;
use crate::device::kernel::{Call, CubeKernel, size};

pub(super) struct OnCube {
    momentum: f32,
    weight_decay: f32,
    nesterov: bool,
}

impl OnCube {
    pub(super) fn new(operator: &Sgd, element: Element) -> Result<Self, KernelError> {
        let Sgd { momentum, weight_decay, nesterov } = *operator;
        let [momentum, weight_decay] = [momentum, weight_decay].map(|number| number as f32);
        match element {
            Element::F32 => Ok(Self { momentum, weight_decay, nesterov }),
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
        let has_velocity = call.inputs() > 3;
        call.each(weight.elements(), |client, cubes, units| {
            if has_velocity {
                let (velocity, next_velocity) = (call.input(3), call.output(1));
                with_velocity::launch::<R>(
                    client,
                    cubes,
                    units,
                    weight.array(),
                    gradient.array(),
                    rate.array(),
                    velocity.array(),
                    next.array(),
                    next_velocity.array(),
                    count,
                    decay,
                    self.momentum,
                    self.nesterov,
                );
            } else {
                plain::launch::<R>(
                    client,
                    cubes,
                    units,
                    weight.array(),
                    gradient.array(),
                    rate.array(),
                    next.array(),
                    count,
                    decay,
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
    next: &mut Array<f32>,
    count: u32,
    decay: f32,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let old = weight[at];
        next[at] = old - rate[0] * decayed(gradient[at], old, decay);
    }
}

#[cube(launch)]
fn with_velocity(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    rate: &Array<f32>,
    velocity: &Array<f32>,
    next: &mut Array<f32>,
    next_velocity: &mut Array<f32>,
    count: u32,
    decay: f32,
    momentum: f32,
    #[comptime] nesterov: bool,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let old = weight[at];
        let slope = decayed(gradient[at], old, decay);
        let moved = momentum * velocity[at] + slope;
        next_velocity[at] = moved;
        if comptime!(nesterov) {
            next[at] = old - rate[0] * (slope + momentum * moved);
        } else {
            next[at] = old - rate[0] * moved;
        }
    }
}

#[cube]
fn decayed(gradient: f32, weight: f32, decay: f32) -> f32 {
    select(decay == 0.0, gradient, gradient + decay * weight)
}
