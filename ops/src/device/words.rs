//! Elements of any size as words of 32 bits, which every backend has.
//!
//! Elements of one and two bytes are packed in words; each unit writes whole words, so no two units
//! touch the same one. Elements of eight bytes are two words each: an innermost axis of extent 2.

use cubecl::prelude::*;
use synfire_runtime::spec::Element;

use super::kernel::size;

/// How many elements lie in one word: 1, 2 or 4.
pub(crate) fn per_word(element: Element) -> u32 {
    size(4 / element.bytes().min(4))
}

/// How many words one element takes: 1, or 2 for eight bytes.
pub(crate) fn words_of(element: Element) -> usize {
    element.bytes().div_ceil(4)
}

/// Strides or offsets as kernels take them: negative ones wrap.
pub(crate) fn strides<R: Runtime>(strides: impl IntoIterator<Item = isize>) -> SequenceArg<R, u32> {
    strides.into_iter().map(wrapped).collect()
}

/// An offset as kernels take it: negative ones wrap.
pub(crate) fn wrapped(offset: isize) -> u32 {
    offset as u32
}

/// The bits of the element at `index`, in front.
#[cube]
pub(crate) fn load(from: &Array<u32>, index: u32, #[comptime] per_word: u32) -> u32 {
    if comptime!(per_word == 1) {
        from[index as usize]
    } else {
        let bits = comptime!(32 / per_word);
        let word = from[(index / per_word) as usize];
        (word >> (index % per_word * bits)) & comptime!((1u32 << bits) - 1)
    }
}

/// Where element number `element` of a tensor of these extents lies: `start + sum(index * stride)`.
#[cube]
pub(crate) fn offset_of(
    element: u32,
    start: u32,
    extents: &Sequence<u32>,
    strides: &Sequence<u32>,
) -> u32 {
    let rank = comptime!(extents.len());
    let mut left = element;
    let mut offset = start;
    #[unroll]
    for k in 0..rank {
        let axis = comptime!(rank - 1 - k);
        offset += left % extents[axis] * strides[axis];
        left /= extents[axis];
    }
    offset
}
