//! The index of an extreme on accelerators, for `f32`, `i32` and `u8`: a unit for each line.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::{Arg, Extreme};
use crate::device::kernel::{Call, CubeKernel};
use crate::device::lines::{Lines, along, start_of};
use crate::device::real::is_nan;
use crate::device::words::load;

/// How the bits of an element are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Numbers {
    Real,
    Whole,
    Byte,
}

pub(super) struct OnCube {
    operator: Arg,
    numbers: Numbers,
}

impl OnCube {
    pub(super) fn new(operator: Arg, element: Element) -> Result<Self, KernelError> {
        let numbers = match element {
            Element::F32 => Numbers::Real,
            Element::I32 => Numbers::Whole,
            Element::U8 => Numbers::Byte,
            _ => return Err(KernelError::Absent),
        };
        Ok(Self { operator, numbers })
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = call.set_extents(0, &self.operator.outcome(&x.extents())?);
        let lines = along(&x.extents(), self.operator.axis);
        let is_smallest = matches!(self.operator.extreme, Extreme::Smallest);
        call.each(y.elements(), |client, cubes, units| {
            let (x, y, lines) = (x.array(), y.array(), lines.argument());
            arg::launch::<R>(client, cubes, units, x, y, lines, is_smallest, self.numbers);
        })
    }
}

#[cube(launch)]
fn arg(
    x: &Array<u32>,
    y: &mut Array<u32>,
    lines: Lines,
    #[comptime] is_smallest: bool,
    #[comptime] numbers: Numbers,
) {
    let line = ABSOLUTE_POS as u32;
    if line < lines.count {
        let per_word = comptime!(if numbers == Numbers::Byte { 4u32 } else { 1u32 });
        let start = start_of(&lines, line);
        let mut best = rank(load(x, start, per_word), is_smallest, numbers);
        let mut place = 0u32;
        for k in 1..lines.length {
            let bits = load(x, start + k * lines.stride, per_word);
            let other = rank(bits, is_smallest, numbers);
            place = select(other > best, k, place);
            best = max(best, other);
        }
        y[(2 * line) as usize] = place;
        y[(2 * line + 1) as usize] = 0;
    }
}

/// A number that is larger for a better element; largest for NaN, equal for both zeros.
#[cube]
fn rank(bits: u32, #[comptime] is_smallest: bool, #[comptime] numbers: Numbers) -> u32 {
    let ascending = match comptime!(numbers) {
        Numbers::Real => {
            let bits = select(bits == 0x8000_0000u32, 0u32, bits);
            select(bits >> 31 == 1, !bits, bits | 0x8000_0000u32)
        }
        Numbers::Whole => bits ^ 0x8000_0000u32,
        Numbers::Byte => bits,
    };
    let ordered = if comptime!(is_smallest) { !ascending } else { ascending };
    if comptime!(numbers == Numbers::Real) {
        select(is_nan(f32::reinterpret(bits)), 0xffff_ffffu32, ordered)
    } else {
        ordered
    }
}
