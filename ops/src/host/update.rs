//! Values that are moved on where they lie: weights and moments, each in one pass over memory.
//!
//! A piece of every output is in cache while all of them are computed, so a step of an optimiser
//! reads and writes each number once, whether its outputs lie in the places of its inputs or apart.

use synfire_runtime::crew::Crew;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::spec::Scalar;

use super::blocks::{Blocks, blocks};
use super::simd::Element;
use super::tile::workspace_bytes;

/// Elements of a block, which one task takes as a whole: about 10 us of streaming.
const BLOCK: usize = 8 * 1024;

/// Elements that are worked on at a time: few enough that all outputs stay in the first cache.
const PART: usize = 1024;

/// Calls `body(offset, parts)` for parts that together are the outputs of `pairs`, all of one
/// length, each holding its input. `pairs` are inputs with the outputs that may take their places,
/// in the order of outputs.
pub(crate) fn update<T: Element + Scalar, const N: usize>(
    firing: &mut Firing<'_>,
    pairs: [(usize, usize); N],
    body: &(dyn Fn(usize, [&mut [T]; N]) + Sync),
) {
    let crew: &Crew = firing.crew();
    let mut views = pairs.map(|(input, output)| firing.pair(input, output));
    let mut sources = [None; N];
    for (source, pair) in sources.iter_mut().zip(&views) {
        *source = match pair {
            Pair::Distinct(from, _) => Some(from.elements::<T>()),
            Pair::Same(_) => None,
        };
    }
    let outputs = views.each_mut().map(|pair| match pair {
        Pair::Distinct(_, to) | Pair::Same(to) => to.elements::<T>(),
    });
    let length = outputs.iter().map(|output| output.len()).max().unwrap_or(0);
    assert!(outputs.iter().all(|output| output.len() == length), "outputs of one length");
    let range = |number: usize| {
        let start = number * BLOCK;
        [const { 0 }; N].map(|_| start..(start + BLOCK).min(length))
    };
    let shares = Blocks { count: length.div_ceil(BLOCK), ranges: &range };
    let mut none = [0; workspace_bytes::<u8>(0, 0)];
    blocks(crew, outputs, &shares, (&mut none, 0), &|number, mut pieces, _| {
        for start in (0..pieces[0].len()).step_by(PART) {
            let at = number * BLOCK + start;
            let parts = pieces.each_mut().map(|piece| {
                let end = (start + PART).min(piece.len());
                &mut piece[start..end]
            });
            let mut sources = sources.iter();
            let parts = parts.map(|part| {
                if let Some(from) = sources.next().expect("a source for each output") {
                    part.copy_from_slice(&from[at..at + part.len()]);
                }
                part
            });
            body(at, parts);
        }
    });
}

/// Whether the last input, if it is a gate, says that nothing shall change.
pub(crate) fn is_closed<T: Element + Scalar>(firing: &Firing<'_>, is_gated: bool) -> bool {
    is_gated && firing.input(firing.inputs() - 1).elements::<T>()[0] == T::ZERO
}
