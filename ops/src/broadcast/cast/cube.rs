//! Casts on accelerators, between `f32`, `i32`, `u8` and `bool`, and between `i64` and integers.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::real::is_nan;
use crate::device::words::{load, per_word, words_of};

/// The types that words are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Number {
    F32,
    I32,
    I64,
    U8,
    Bool,
}

impl Number {
    fn of(element: Element) -> Result<Self, KernelError> {
        match element {
            Element::F32 => Ok(Self::F32),
            Element::I32 => Ok(Self::I32),
            Element::I64 => Ok(Self::I64),
            Element::U8 => Ok(Self::U8),
            Element::Bool => Ok(Self::Bool),
            _ => Err(KernelError::Absent),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct OnCube {
    from: Number,
    to: Number,
}

impl OnCube {
    pub(super) fn new(from: Element, to: Element) -> Result<Self, KernelError> {
        let (from, to) = (Number::of(from)?, Number::of(to)?);
        if matches!((from, to), (Number::F32, Number::I64) | (Number::I64, Number::F32)) {
            return Err(KernelError::Absent);
        }
        Ok(Self { from, to })
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let y = call.set_extents(0, &x.extents());
        let (per_word_x, per_word_y) = (per_word(x.element()), per_word(y.element()));
        let words = y.elements().div_ceil(per_word_y as usize);
        call.each(words, |client, cubes, units| {
            let (count, Self { from, to }) = (size(y.elements()), *self);
            let words = [x.element(), y.element()].map(|element| size(words_of(element)));
            cast_each::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                count,
                from,
                to,
                [per_word_x, per_word_y],
                words,
            );
        })
    }
}

/// A unit for each word of `y`, or for each element of two words. (`cast` is a word of WGSL.)
#[cube(launch)]
fn cast_each(
    x: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    #[comptime] from: Number,
    #[comptime] to: Number,
    #[comptime] per_word: [u32; 2],
    #[comptime] words: [u32; 2],
) {
    let unit = ABSOLUTE_POS as u32;
    let (per_word_x, per_word_y) = comptime!((per_word[0], per_word[1]));
    if unit * per_word_y < count {
        let mut bits = 0u32;
        let mut high = 0u32;
        #[unroll]
        for k in 0..per_word_y {
            let element = unit * per_word_y + k;
            if element < count {
                let low_x = load(x, element * comptime!(words[0]), per_word_x);
                let mut high_x = sign_of(low_x, from);
                if comptime!(words[0] == 2) {
                    high_x = x[(2 * element + 1) as usize];
                }
                bits |= convert(low_x, high_x, from, to) << comptime!(k * (32 / per_word_y));
                high = high_x;
            }
        }
        if comptime!(words[1] == 2) {
            y[(2 * unit) as usize] = bits;
            y[(2 * unit + 1) as usize] = high;
        } else {
            y[unit as usize] = bits;
        }
    }
}

/// The upper word of a number of one word, as an `i64`.
#[cube]
fn sign_of(bits: u32, #[comptime] from: Number) -> u32 {
    if comptime!(from == Number::I32) {
        select(bits >> 31 == 1, 0xffff_ffffu32, 0u32)
    } else {
        0u32.runtime()
    }
}

/// The bits of a number as another type; the lower word of an `i64`.
#[cube]
fn convert(low: u32, high: u32, #[comptime] from: Number, #[comptime] to: Number) -> u32 {
    match comptime!((from, to)) {
        (Number::F32, Number::F32) => low,
        (Number::F32, Number::I32) => {
            saturated(f32::reinterpret(low), -2_147_483_648.0, 2_147_483_648.0, 0x7fff_ffffu32)
        }
        (Number::F32, Number::U8) => saturated(f32::reinterpret(low), 0.0, 255.0, 255u32),
        (Number::F32, Number::Bool) => u32::cast_from(low & 0x7fff_ffff != 0),
        (Number::I32, Number::F32) => u32::reinterpret(f32::cast_from(i32::reinterpret(low))),
        (_, Number::F32) => u32::reinterpret(f32::cast_from(low)),
        (_, Number::U8) => low & 0xff,
        (_, Number::Bool) => u32::cast_from((low | select(low == 0, high, 0u32)) != 0),
        _ => low,
    }
}

/// Towards zero; `last` from `end` on, the other end below `start`, 0 for NaN.
#[cube]
fn saturated(x: f32, start: f32, end: f32, last: u32) -> u32 {
    let inside = clamp(select(is_nan(x) || x >= end, 0.0, x), start, end);
    select(x >= end, last, u32::reinterpret(i32::cast_from(inside)))
}
