//! Folding on accelerators, for `f32`: each output adds up the places that it was copied to.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::Element;

use super::{PadFold, PadMode};
use crate::device::kernel::{Call, CubeKernel, size, sizes};

pub(super) struct OnCube(PadFold);

impl OnCube {
    pub(super) fn new(operator: PadFold, specs: &Specs<'_>) -> Result<Self, KernelError> {
        match specs.inputs[0].element {
            Element::F32 => Ok(Self(operator)),
            _ => Err(KernelError::Absent),
        }
    }
}

/// A [`PadMode`] without its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    Constant,
    Reflect,
    Replicate,
    Circular,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = call.set_extents(0, &self.0.folded(&x.extents()));
        let mode = match self.0.pad.mode {
            PadMode::Constant(_) => Mode::Constant,
            PadMode::Reflect => Mode::Reflect,
            PadMode::Replicate => Mode::Replicate,
            PadMode::Circular => Mode::Circular,
        };
        call.each(y.elements(), |client, cubes, units| {
            pad_fold::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                size(y.elements()),
                sizes(&y.extents()),
                sizes(&x.extents()),
                sizes(&self.0.pad.before),
                mode,
            );
        })
    }
}

#[cube(launch)]
fn pad_fold(
    x: &Array<f32>,
    y: &mut Array<f32>,
    count: u32,
    extents: Sequence<u32>,
    padded: Sequence<u32>,
    before: Sequence<u32>,
    #[comptime] mode: Mode,
) {
    let output = ABSOLUTE_POS as u32;
    if output < count {
        let rank = comptime!(extents.len());
        // The places of each axis are digits of one number.
        let mut all = 1u32;
        let mut left = output;
        #[unroll]
        for back in 0..rank {
            let axis = comptime!(rank - 1 - back);
            let (n, b) = (extents[axis], before[axis]);
            let place = left % n;
            left /= n;
            let a = padded[axis] - n - b;
            all *= 1 + copies_before(place, n, b, mode) + copies_after(place, n, a, mode);
        }
        let mut sum = 0.0f32;
        for number in 0..all {
            let mut digits = number;
            let mut left = output;
            let mut from = 0u32;
            let mut stride = 1u32;
            #[unroll]
            for back in 0..rank {
                let axis = comptime!(rank - 1 - back);
                let (n, b) = (extents[axis], before[axis]);
                let place = left % n;
                left /= n;
                let a = padded[axis] - n - b;
                let low = copies_before(place, n, b, mode);
                let high = copies_after(place, n, a, mode);
                let digit = digits % (1 + low + high);
                digits /= 1 + low + high;
                let at = select(
                    digit == 0,
                    b + place,
                    select(
                        digit <= low,
                        copy_before(place, n, b, digit - min(digit, 1), mode),
                        copy_after(place, n, b, digit - min(digit, 1 + low), mode),
                    ),
                );
                from += at * stride;
                stride *= padded[axis];
            }
            sum += x[from as usize];
        }
        y[output as usize] = sum;
    }
}

/// How many places before the inside were copied from `place`.
#[cube]
fn copies_before(place: u32, extent: u32, before: u32, #[comptime] mode: Mode) -> u32 {
    match comptime!(mode) {
        Mode::Constant => 0u32.runtime(),
        Mode::Reflect => select(place >= 1 && place <= before, 1u32, 0u32),
        Mode::Replicate => select(place == 0, before, 0u32),
        Mode::Circular => select(place + before >= extent, 1u32, 0u32),
    }
}

/// How many places after the inside were copied from `place`.
#[cube]
fn copies_after(place: u32, extent: u32, after: u32, #[comptime] mode: Mode) -> u32 {
    match comptime!(mode) {
        Mode::Constant => 0u32.runtime(),
        Mode::Reflect => select(place + 1 < extent && place + 1 + after >= extent, 1u32, 0u32),
        Mode::Replicate => select(place + 1 == extent, after, 0u32),
        Mode::Circular => select(place < after, 1u32, 0u32),
    }
}

/// The `k`-th of the places before the inside that were copied from `place`.
#[cube]
fn copy_before(place: u32, extent: u32, before: u32, k: u32, #[comptime] mode: Mode) -> u32 {
    match comptime!(mode) {
        Mode::Constant => place,
        Mode::Reflect => before - place,
        Mode::Replicate => k,
        Mode::Circular => place + before - extent,
    }
}

/// The `k`-th of the places after the inside that were copied from `place`.
#[cube]
fn copy_after(place: u32, extent: u32, before: u32, k: u32, #[comptime] mode: Mode) -> u32 {
    match comptime!(mode) {
        Mode::Constant => place,
        Mode::Reflect => before + 2 * (extent - 1) - place,
        Mode::Replicate => before + extent + k,
        Mode::Circular => before + extent + place,
    }
}
