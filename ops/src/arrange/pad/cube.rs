//! Padding on accelerators, for elements of any size: each output finds where it comes from.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::{Pad, PadMode, pattern};
use crate::device::kernel::{Call, CubeKernel, size, sizes};
use crate::device::words::{load, per_word, words_of};

pub(super) struct OnCube(pub(super) Pad);

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
        let y = call.set_extents(0, &self.0.padded(&x.extents()));
        let (mode, value) = match self.0.mode {
            PadMode::Constant(value) => (Mode::Constant, value),
            PadMode::Reflect => (Mode::Reflect, 0.0),
            PadMode::Replicate => (Mode::Replicate, 0.0),
            PadMode::Circular => (Mode::Circular, 0.0),
        };
        let [low, high]: [u32; 2] = bytemuck::cast(pattern(x.element(), value));
        let (per_word, words) = (per_word(x.element()), words_of(x.element()));
        // The words of one element are an innermost axis that is not padded.
        let extents = [&x.extents()[..], &[words]].concat();
        let padded = [&y.extents()[..], &[words]].concat();
        let before = [&self.0.before[..], &[0]].concat();
        let count = y.elements() * words;
        call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
            pad::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                size(count),
                low,
                if words == 2 { high } else { low },
                sizes(&extents),
                sizes(&padded),
                sizes(&before),
                mode,
                per_word,
            );
        })
    }
}

#[cube(launch)]
fn pad(
    x: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    low: u32,
    high: u32,
    extents: Sequence<u32>,
    padded: Sequence<u32>,
    before: Sequence<u32>,
    #[comptime] mode: Mode,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let mask = comptime!(if per_word == 1 { u32::MAX } else { (1 << (32 / per_word)) - 1 });
        let rank = comptime!(extents.len());
        let mut bits = 0u32;
        #[unroll]
        for k in 0..per_word {
            let element = word * per_word + k;
            if element < count {
                let mut left = element;
                let mut from = 0u32;
                let mut stride = 1u32;
                let mut inside = true;
                #[unroll]
                for back in 0..rank {
                    let axis = comptime!(rank - 1 - back);
                    let extent = i32::cast_from(extents[axis]);
                    let place = i32::cast_from(left % padded[axis]) - i32::cast_from(before[axis]);
                    left /= padded[axis];
                    inside = inside && place >= 0 && place < extent;
                    from += u32::cast_from(source(place, extent, mode)) * stride;
                    stride *= extents[axis];
                }
                let mut value = select(element & 1 == 1, high, low) & mask;
                if comptime!(mode != Mode::Constant) || inside {
                    value = load(x, from, per_word);
                }
                bits |= value << comptime!(k * (32 / per_word));
            }
        }
        y[word as usize] = bits;
    }
}

/// Where the place `place` of an axis comes from.
#[cube]
fn source(place: i32, extent: i32, #[comptime] mode: Mode) -> i32 {
    let outside = match comptime!(mode) {
        Mode::Constant => place,
        Mode::Reflect => select(place < 0, -place, 2 * (extent - 1) - place),
        Mode::Replicate => select(place < 0, 0, extent - 1),
        Mode::Circular => select(place < 0, place + extent, place - extent),
    };
    select(place >= 0 && place < extent, place, outside)
}
