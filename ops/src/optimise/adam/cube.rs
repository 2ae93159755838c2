//! The same step on accelerators, in `f32`: a unit for each weight.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::Adam;
use crate::device::gate::is_closed;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::real::expm1;

pub(super) struct OnCube {
    /// The logarithms of both betas: `1 - beta^step` of small steps would cancel.
    logarithms: [f32; 2],
    /// The parts of the new in the moments.
    parts: [f32; 2],
    epsilon: f32,
    weight_decay: f32,
    decoupled_decay: f32,
    gated: bool,
}

impl OnCube {
    pub(super) fn new(operator: &Adam, element: Element) -> Result<Self, KernelError> {
        match element {
            Element::F32 => Ok(Self {
                logarithms: operator.betas.map(|beta| beta.ln() as f32),
                parts: operator.betas.map(|beta| (1.0 - beta) as f32),
                epsilon: operator.epsilon as f32,
                weight_decay: operator.weight_decay as f32,
                decoupled_decay: operator.decoupled_decay as f32,
                gated: operator.gated,
            }),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0), (4, 1), (5, 2)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [weight, gradient, rate, step, first, second] =
            [0, 1, 2, 3, 4, 5].map(|input| call.input(input));
        let [next, next_first, next_second] = [0, 1, 2].map(|output| call.output(output));
        // Without a gate the rate stands for one, which nobody reads.
        let gate = call.input(if self.gated { 6 } else { 2 });
        let numbers = NumbersLaunch::new(
            size(weight.elements()),
            self.logarithms[0],
            self.logarithms[1],
            self.parts[0],
            self.parts[1],
            self.epsilon,
            self.weight_decay,
            self.decoupled_decay,
        );
        call.each(weight.elements(), |client, cubes, units| {
            adam::launch::<R>(
                client,
                cubes,
                units,
                weight.array(),
                gradient.array(),
                rate.array(),
                step.array(),
                gate.array(),
                first.array(),
                second.array(),
                next.array(),
                next_first.array(),
                next_second.array(),
                numbers,
                self.gated,
            );
        })
    }
}

#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Numbers {
    count: u32,
    first_logarithm: f32,
    second_logarithm: f32,
    first_part: f32,
    second_part: f32,
    epsilon: f32,
    weight_decay: f32,
    decoupled_decay: f32,
}

#[cube(launch)]
fn adam(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    rate: &Array<f32>,
    step: &Array<f32>,
    gate: &Array<f32>,
    first: &Array<f32>,
    second: &Array<f32>,
    next: &mut Array<f32>,
    next_first: &mut Array<f32>,
    next_second: &mut Array<f32>,
    numbers: Numbers,
    #[comptime] gated: bool,
) {
    let at = ABSOLUTE_POS;
    if at < numbers.count as usize {
        let old = weight[at];
        let decay = numbers.weight_decay;
        let slope = select(decay == 0.0, gradient[at], gradient[at] + decay * old);
        let (old_mean, old_square) = (first[at], second[at]);
        let mean = old_mean + numbers.first_part * (slope - old_mean);
        let kept = 1.0 - numbers.second_part;
        let square = kept * old_square + numbers.second_part * slope * slope;
        let is_closed = is_closed(gate, gated);
        next_first[at] = select(is_closed, old_mean, mean);
        next_second[at] = select(is_closed, old_square, square);
        let first_share = -expm1(step[0] * numbers.first_logarithm);
        let second_share = -expm1(step[0] * numbers.second_logarithm);
        let root = square.sqrt() / second_share.sqrt() + numbers.epsilon;
        let kept = 1.0 - rate[0] * numbers.decoupled_decay;
        let moved = old * kept - rate[0] / first_share * (mean / root);
        next[at] = select(is_closed, old, moved);
    }
}
