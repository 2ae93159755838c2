//! Tile: an axis, or its places, several times over.
//!
//! | operator | `[1, 2, 3]` twice |
//! |---|---|
//! | [`tile`] | `[1, 2, 3, 1, 2, 3]` |
//! | [`repeat_interleave`] | `[1, 1, 2, 2, 3, 3]` |
//!
//! Composites of `reshape` and `expand`: the one copy is that of the repetition.
//!
//! # Shape
//! `x`: `[.., n, ..]` -> `[.., repeats * n, ..]`. Repeated axes are fixed; one other dimension may
//! be bounded. Any element type.
//!
//! # Gradient
//! The sum of `dy` over the repetitions.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's functions of these names, with one number of repeats for
//! each axis.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::tile::tile;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let y = tile(&mut draft, x, &[1, 2]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 6])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;

use super::reshape::{Extent, extent_of, reshape};
use super::{expand::expand, flip::flip};
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("tile", torch),
    ("repeat", torch),
    ("repeat_interleave", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let repeats = case.sizes("repeats", 1, 1)?[0];
        let name = case.spelling(&["dim", "axis"]);
        let flat = [Extent::Infer];
        let (x, axis) = match case.attribute(name) {
            Some(_) => (x, case.axis(name, x, 0)?),
            None => (case.apply(reshape(&flat), &[x]), 0),
        };
        Ok(vec![repeat_interleave(case, x, axis, repeats)])
    }),
];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let spellings = ["dims", "repeats", "sizes", "repeat", "size", "reps"];
    let repeats = case.integers(case.spelling(&spellings))?.ok_or("no repeats")?;
    let repeats: Result<Vec<usize>, _> = repeats.into_iter().map(usize::try_from).collect();
    Ok(vec![tile(case, x, &repeats.map_err(|_| "negative repeats")?)])
}

/// `x` repeated `repeats[k]` times along axis `k`, counted from the last; more repeats than axes
/// make new ones in front, fewer leave the first axes as they are.
pub fn tile(draft: &mut Draft, x: Wire, repeats: &[usize]) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let missing = repeats.len().saturating_sub(spec.rank());
    let mut y = x;
    if missing > 0 {
        let own = spec.dimensions.iter().copied().map(extent_of);
        let extents: Vec<Extent> = std::iter::repeat_n(Extent::Is(1), missing).chain(own).collect();
        y = draft.apply(reshape(&extents), &[x]);
    }
    let whole = spec.rank().saturating_sub(repeats.len());
    for (axis, &count) in (whole..).zip(repeats) {
        y = repeated(draft, y, axis, count, Order::Blocks);
    }
    y
}

/// Each place of `axis` `repeats` times in a row.
pub fn repeat_interleave(draft: &mut Draft, x: Wire, axis: usize, repeats: usize) -> Wire {
    repeated(draft, x, axis, repeats, Order::Places)
}

/// What stays together in a repetition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The whole axis.
    Blocks,
    /// Each place of it.
    Places,
}

/// Axis `axis` repeated, by way of an axis of its own for the repetition.
fn repeated(draft: &mut Draft, x: Wire, axis: usize, count: usize, order: Order) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let Some(&dimension) = spec.dimensions.get(axis) else {
        // No such axis: rejected.
        return draft.apply(flip(&[axis]), &[x]);
    };
    if count == 1 {
        return x;
    }
    let own: Vec<Extent> = spec.dimensions.iter().copied().map(extent_of).collect();
    let (mut apart, mut target) = (own.clone(), spec.bounds());
    let place = axis + usize::from(order == Order::Places);
    apart.insert(place, Extent::Is(1));
    target.insert(place, count);
    let one = draft.apply(reshape(&apart), &[x]);
    let many = draft.apply(expand(&target), &[one]);
    let mut joined = own;
    joined[axis] = Extent::Is(dimension.bound() * count);
    draft.apply(reshape(&joined), &[many])
}

/// Both: inner, outer, several and new axes, never, empty, other element types, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let tiled = |name: &str, element: Element, extents: &[usize], repeats: &'static [usize]| {
        let build = |draft: &mut Draft, x: &[Wire]| vec![tile(draft, x[0], repeats)];
        let expect = reference(|inputs| vec![by_remainder(&inputs[0], repeats)]);
        Sample::composite(name, "tile", build, vec![ramp(element, extents)], expect)
    };
    let interleaved = |name: &str, extents: &[usize], axis: usize, repeats: usize| {
        let build = move |draft: &mut Draft, x: &[Wire]| {
            vec![repeat_interleave(draft, x[0], axis, repeats)]
        };
        let expect = reference(move |inputs| {
            let x = &inputs[0];
            let mut extents = x.extents.clone();
            extents[axis] *= repeats;
            vec![Tensor::from_fn(&extents, |place| {
                let mut place = place.to_vec();
                place[axis] /= repeats;
                x.at(&place)
            })]
        });
        Sample::composite(name, "repeat_interleave", build, vec![ramp(f32, extents)], expect)
    };
    let bounded = || vec![bounded_first(f32, 9, &[3])];
    vec![
        tiled("inner", f32, &[5, 3], &[4]),
        tiled("outer", f32, &[5, 3], &[2, 1]),
        tiled("several", Element::U8, &[2, 3, 5], &[3, 1, 2]),
        tiled("new axes", f32, &[3], &[2, 1, 2]),
        tiled("scalar", f32, &[], &[3]),
        tiled("once", f32, &[3, 2], &[1, 1]),
        tiled("never", f32, &[3, 2], &[1, 0]),
        tiled("empty", f32, &[0, 2], &[2, 2]),
        tiled("bounded", f32, &[4, 3], &[1, 2]).with_specs(bounded()),
        interleaved("inner", &[5, 3], 1, 4),
        interleaved("outer", &[5, 3], 0, 2),
        interleaved("once", &[5], 0, 1),
        interleaved("never", &[5, 2], 0, 0),
        interleaved("bounded", &[4, 3], 1, 2).with_specs(bounded()),
    ]
}

/// The expectation: each place asks for its remainder by the extent.
fn by_remainder(x: &Tensor, repeats: &[usize]) -> Tensor {
    let rank = x.extents.len().max(repeats.len());
    let front = |list: &[usize]| [vec![1; rank - list.len()], list.to_vec()].concat();
    let (own, times) = (front(&x.extents), front(repeats));
    let extents: Vec<usize> =
        own.iter().zip(&times).map(|(extent, times)| extent * times).collect();
    Tensor::from_fn(&extents, |place| {
        let place: Vec<usize> =
            place.iter().zip(&own).map(|(place, extent)| place % extent).collect();
        x.at(&place[rank - x.extents.len()..])
    })
}
