//! Frames on accelerators: each element asks for its source.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use crate::device::kernel::{Call, CubeKernel, size, sizes};
use crate::device::words::{load, offset_of, per_word, strides, words_of, wrapped};
use crate::host::strided::dense_strides;
use crate::window::Framing;

pub(super) struct OnCube {
    pub(super) framing: Framing,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let (whole, axis) = (x.extents(), self.framing.axis);
        let walk = self.framing.walk(&whole);
        let y = call.set_extents(0, &walk.extents);
        let walk = walk.merged();
        let (per_word, words) = (per_word(y.element()), words_of(y.element()));
        // The words of one element are an innermost axis.
        let rank = walk.extents.len();
        let extents = [&walk.extents[..], &[words]].concat();
        let moves = walk.strides[..rank].iter().map(|step| step * words as isize).chain([1]);
        let positions = walk.positions[..rank].iter().copied().chain([0]);
        let count = y.elements() * words;
        let step = dense_strides(&whole)[axis] as usize * words;
        call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
            frame::launch::<R>(
                client,
                cubes,
                units,
                x.array(),
                y.array(),
                size(count),
                wrapped(-(self.framing.padding[0] as isize)),
                size(whole[axis]),
                size(step),
                sizes(&extents),
                strides(moves),
                strides(positions),
                per_word,
            );
        })
    }
}

#[cube(launch)]
fn frame(
    x: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    first: u32,
    extent: u32,
    step: u32,
    extents: Sequence<u32>,
    moves: Sequence<u32>,
    positions: Sequence<u32>,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let mut bits = 0u32;
        #[unroll]
        for k in 0..per_word {
            let element = word * per_word + k;
            // A place before the axis wraps: it is behind it too.
            let position = offset_of(element, first, &extents, &positions);
            if element < count && position < extent {
                let source = offset_of(element, position * step, &extents, &moves);
                bits |= load(x, source, per_word) << comptime!(k * (32 / per_word));
            }
        }
        y[word as usize] = bits;
    }
}
