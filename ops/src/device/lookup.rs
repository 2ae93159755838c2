//! Elements taken at the places that an index tensor names, for elements of any size.
//!
//! A device cannot fail a firing for one index: an element whose index is out of range is zero.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use super::kernel::{Call, Tensor, size, sizes};
use super::words::{load, offset_of, per_word, words_of};

/// How a lookup moves for each axis of the output, in elements.
pub(crate) struct Moves {
    /// Along the source, zero along the axis that the indices replace.
    pub(crate) source: Vec<usize>,
    /// Along the index tensor.
    pub(crate) index: Vec<usize>,
    /// From one place of the source's axis to the next.
    pub(crate) place: usize,
    /// The extent of that axis.
    pub(crate) bound: usize,
}

/// The strides of a dense tensor.
pub(crate) fn dense(extents: &[usize]) -> Vec<usize> {
    (0..extents.len()).map(|axis| extents[axis + 1..].iter().product()).collect()
}

/// Fills `y` with the elements of `x` at the indices.
pub(crate) fn look_up<R: Runtime>(
    call: &Call<'_, R>,
    [x, index, y]: [&Tensor; 3],
    moves: Moves,
) -> Result<(), FireError> {
    let (per_word, words) = (per_word(y.element()), words_of(y.element()));
    // The words of one element are an innermost axis, along which the index stays.
    let extents = [&y.extents()[..], &[words]].concat();
    let to_x: Vec<usize> = moves.source.iter().map(|n| n * words).chain([1]).collect();
    let to_index: Vec<usize> = moves.index.into_iter().chain([0]).collect();
    let count = y.elements() * words;
    call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
        lookup::launch::<R>(
            client,
            cubes,
            units,
            x.array(),
            index.array(),
            y.array(),
            size(count),
            size(moves.place * words),
            size(moves.bound),
            sizes(&extents),
            sizes(&to_x),
            sizes(&to_index),
            per_word,
        );
    })
}

#[cube(launch)]
fn lookup(
    x: &Array<u32>,
    index: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    place: u32,
    bound: u32,
    extents: Sequence<u32>,
    to_x: Sequence<u32>,
    to_index: Sequence<u32>,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let mut bits = 0u32;
        #[unroll]
        for k in 0..per_word {
            let element = word * per_word + k;
            if element < count {
                let at = index_at(index, offset_of(element, 0u32, &extents, &to_index));
                if at < bound {
                    let source = offset_of(element, at * place, &extents, &to_x);
                    bits |= load(x, source, per_word) << comptime!(k * (32 / per_word));
                }
            }
        }
        y[word as usize] = bits;
    }
}

/// Element number `element` of an `i64` tensor, `u32::MAX` for whatever is no index.
#[cube]
pub(crate) fn index_at(index: &Array<u32>, element: u32) -> u32 {
    let low = index[(2 * element) as usize];
    let high = index[(2 * element + 1) as usize];
    select(high == 0, low, 0xffff_ffffu32)
}
