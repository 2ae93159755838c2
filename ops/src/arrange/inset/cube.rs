//! Insets and excerpts on accelerators, for elements of any size.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::{Direction, Inset};
use crate::device::kernel::{Call, CubeKernel, size, sizes};
use crate::device::strided::copy;
use crate::device::words::{load, per_word, words_of};

pub(super) struct OnCube(pub(super) Inset);

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (x, like) = (call.input(0), call.input(1).extents());
        self.0.fits(&x.extents(), &like)?;
        let y = call.set_extents(0, &like);
        if self.0.direction == Direction::Excerpt {
            return copy(call, &self.0.view(&x.extents(), &like), &x, &y);
        }
        let (per_word, words) = (per_word(x.element()), words_of(x.element()));
        // The words of one element are an innermost axis of its own.
        let small = [&x.extents()[..], &[words]].concat();
        let large = [&like[..], &[words]].concat();
        let starts = [&self.0.starts[..], &[0]].concat();
        let steps = [&self.0.steps[..], &[1]].concat();
        let count = y.elements() * words;
        call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
            inset::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                size(count),
                sizes(&large),
                sizes(&small),
                sizes(&starts),
                sizes(&steps),
                per_word,
            );
        })
    }
}

#[cube(launch)]
fn inset(
    x: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    large: Sequence<u32>,
    small: Sequence<u32>,
    starts: Sequence<u32>,
    steps: Sequence<u32>,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let rank = comptime!(large.len());
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
                    let place = left % large[axis];
                    left /= large[axis];
                    let beyond = place - min(place, starts[axis]);
                    let source = beyond / steps[axis];
                    let is_one = place >= starts[axis] && source * steps[axis] == beyond;
                    inside = inside && is_one && source < small[axis];
                    from += source * stride;
                    stride *= small[axis];
                }
                if inside {
                    bits |= load(x, from, per_word) << comptime!(k * (32 / per_word));
                }
            }
        }
        y[word as usize] = bits;
    }
}
