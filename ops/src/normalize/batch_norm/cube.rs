//! Both forms on accelerators, in `f32`: a unit for each number, or in training a cube for each
//! channel.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::BatchNorm;
use crate::device::kernel::{Call, CubeKernel, Tensor, size};
use crate::device::lines::{Fold, LINE_UNITS, over_cube};

/// The kernel of [`batch_norm`](super::batch_norm).
pub(super) struct OnCube {
    axis: usize,
    epsilon: f32,
}

impl OnCube {
    pub(super) fn new(operator: &BatchNorm, specs: &Specs<'_>) -> Result<Self, KernelError> {
        only_f32(specs)?;
        Ok(Self { axis: operator.axis, epsilon: operator.epsilon as f32 })
    }
}

fn only_f32(specs: &Specs<'_>) -> Result<(), KernelError> {
    match specs.inputs[0].element {
        Element::F32 => Ok(()),
        _ => Err(KernelError::Absent),
    }
}

/// Channels, and the numbers of a channel that follow each other.
fn layout(x: &Tensor, axis: usize) -> [usize; 2] {
    let extents = x.extents();
    [extents[axis], extents[axis + 1..].iter().product()]
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [x, weight, bias, mean, variance] = [0, 1, 2, 3, 4].map(|input| call.input(input));
        let y = call.set_extents(0, &x.extents());
        let [channels, inner] = layout(&x, self.axis).map(size);
        call.each(y.elements(), |client, cubes, units| {
            normalize::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                weight.array(),
                bias.array(),
                mean.array(),
                variance.array(),
                y.array(),
                size(y.elements()),
                channels,
                inner,
                self.epsilon,
            );
        })
    }
}

#[cube(launch)]
fn normalize(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    mean: &Array<f32>,
    variance: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    channels: u32,
    inner: u32,
    epsilon: f32,
) {
    let element = ABSOLUTE_POS;
    if element < count as usize {
        let channel = (element as u32 / inner % channels) as usize;
        let deviation = (variance[channel] + epsilon).sqrt();
        let scale = weight[channel] / deviation;
        y[element] = (x[element] - mean[channel]) * scale + bias[channel];
    }
}

/// The kernel of [`batch_norm_train`](super::batch_norm_train).
pub(super) struct Train {
    axis: usize,
    epsilon: f32,
    momentum: f32,
}

impl Train {
    pub(super) fn new(
        operator: &BatchNorm,
        momentum: f64,
        specs: &Specs<'_>,
    ) -> Result<Self, KernelError> {
        only_f32(specs)?;
        let BatchNorm { axis, epsilon, .. } = *operator;
        Ok(Self { axis, epsilon: epsilon as f32, momentum: momentum as f32 })
    }
}

impl CubeKernel for Train {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [x, weight, bias, mean, variance] = [0, 1, 2, 3, 4].map(|input| call.input(input));
        let y = call.set_extents(0, &x.extents());
        let [new_mean, new_variance] = [1, 2].map(|output| call.output(output));
        let [channels, inner] = layout(&x, self.axis);
        let Some(count) = x.elements().checked_div(channels) else { return Ok(()) };
        if count < 2 {
            let found = format!("port x holds {count} numbers of each channel");
            return Err(FireError::failed(format!("{found}, training takes two")));
        }
        let numbers = NumbersLaunch::new(
            size(count),
            size(channels),
            size(inner),
            self.epsilon,
            self.momentum,
        );
        call.cubes(channels, LINE_UNITS, |client, cubes, units| {
            measure::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                weight.array(),
                bias.array(),
                mean.array(),
                variance.array(),
                y.array(),
                new_mean.array(),
                new_variance.array(),
                numbers,
            );
        })
    }
}

#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Numbers {
    /// Numbers of each channel.
    count: u32,
    channels: u32,
    /// Numbers of a channel that follow each other.
    inner: u32,
    epsilon: f32,
    momentum: f32,
}

/// Where number `k` of a channel lies.
#[cube]
fn place(numbers: &Numbers, channel: u32, k: u32) -> usize {
    let line = k / numbers.inner * numbers.channels + channel;
    (line * numbers.inner + k % numbers.inner) as usize
}

#[cube(launch)]
fn measure(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    mean: &Array<f32>,
    variance: &Array<f32>,
    y: &mut Array<f32>,
    new_mean: &mut Array<f32>,
    new_variance: &mut Array<f32>,
    numbers: Numbers,
) {
    let line = CUBE_POS as u32;
    if line < numbers.channels {
        let count = f32::cast_from(numbers.count);
        let mut sum = 0.0f32;
        let mut k = UNIT_POS;
        while k < numbers.count {
            sum += x[place(&numbers, line, k)];
            k += LINE_UNITS;
        }
        let centre = over_cube(sum, Fold::Sum) / count;
        // Nobody writes the shared sums again before all have read them.
        sync_cube();
        let mut squares = 0.0f32;
        let mut k = UNIT_POS;
        while k < numbers.count {
            let distance = x[place(&numbers, line, k)] - centre;
            squares += distance * distance;
            k += LINE_UNITS;
        }
        let squares = over_cube(squares, Fold::Sum);
        let channel = line as usize;
        let scale = weight[channel] / (squares / count + numbers.epsilon).sqrt();
        let mut k = UNIT_POS;
        while k < numbers.count {
            let at = place(&numbers, line, k);
            y[at] = (x[at] - centre) * scale + bias[channel];
            k += LINE_UNITS;
        }
        if UNIT_POS == 0 {
            let unbiased = squares / (count - 1.0);
            let (old_mean, old_variance) = (mean[channel], variance[channel]);
            new_mean[channel] = old_mean + numbers.momentum * (centre - old_mean);
            new_variance[channel] = old_variance + numbers.momentum * (unbiased - old_variance);
        }
    }
}
