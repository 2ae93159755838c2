//! The family on accelerators, in `f32`: one unit for each block of four numbers.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::Draw;
use crate::device::kernel::{Call, CubeKernel, RowName, size};
use crate::device::philox::{cosine, logarithm, unit, unit_above, unit_between, words};
use crate::host::philox::halves;

pub(super) struct OnCube(Draw);

impl OnCube {
    pub(super) fn new(draw: Draw, element: Element) -> Result<Self, KernelError> {
        match element {
            Element::F32 => Ok(Self(draw)),
            _ => Err(KernelError::Absent),
        }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let y = call.set_extents(0, &self.0.extents(&call.input(0).extents()));
        let ([low, high], [first, last]) = (self.0.key, halves(call.index()));
        call.each(y.elements().div_ceil(4), |client, cubes, units| {
            let (count, bound) = (size(y.elements()), self.0.parameter as u32);
            draw::launch::<R>(
                client,
                cubes,
                units,
                y.array(),
                count,
                low,
                high,
                first,
                last,
                bound,
                RowName(self.0.row.name),
            );
        })
    }
}

#[cube(launch)]
fn draw(
    y: &mut Array<f32>,
    count: u32,
    key_low: u32,
    key_high: u32,
    step_low: u32,
    step_high: u32,
    bound: u32,
    #[comptime] name: RowName,
) {
    let block = ABSOLUTE_POS as u32;
    let at = block * 4;
    if at < count {
        let words = words(key_low, key_high, block, step_low, step_high);
        y[at as usize] = number(words.a, words.b, 0u32, bound, name);
        if at + 1 < count {
            y[(at + 1) as usize] = number(words.b, words.a, 1u32, bound, name);
        }
        if at + 2 < count {
            y[(at + 2) as usize] = number(words.c, words.d, 0u32, bound, name);
        }
        if at + 3 < count {
            y[(at + 3) as usize] = number(words.d, words.c, 1u32, bound, name);
        }
    }
}

/// The number of a word; the other word of its pair is `other`, and `place` is its own in it.
#[cube]
fn number(
    word: u32,
    other: u32,
    #[comptime] place: u32,
    bound: u32,
    #[comptime] name: RowName,
) -> f32 {
    match comptime!(name.0) {
        "uniform" => unit(word),
        "bernoulli" => select((word >> 8) < bound, 1.0f32, 0.0f32),
        "gumbel" => -logarithm(-logarithm(unit_between(word))),
        "exponential" => -logarithm(unit_above(word)),
        "normal" => {
            if comptime!(place == 0) {
                (-2.0 * logarithm(unit_above(word))).sqrt() * cosine(unit(other))
            } else {
                // The sine is the cosine three quarters of a turn further.
                let turn = unit(word) + 0.75;
                let turn = select(turn >= 1.0, turn - 1.0, turn);
                (-2.0 * logarithm(unit_above(other))).sqrt() * cosine(turn)
            }
        }
        _ => comptime!(unreachable!("a row without a formula for accelerators")),
    }
}
