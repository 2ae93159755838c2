//! Diagonal: the elements of two axes at equal places, as a new last axis.
//!
//! A composite: two axes joined have their diagonal at equal steps, which is a `slice`.
//!
//! # Shape
//! `x`: `[.., n, .., m, ..]` -> the other axes, then the diagonal: `min(n, m)` places, fewer for an
//! offset. The two axes are fixed, one other dimension may be bounded. Any element type.
//!
//! # Gradient
//! `dx` is `dy` on the diagonal and zero elsewhere.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `diagonal`, but the output is dense.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::diagonal::diagonal;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 4]));
//! let y = diagonal(&mut draft, x, 1, [1, 2]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;

use super::reshape::{Extent, extent_of, reshape};
use super::{slice::slice, transpose::transpose};
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::Torch;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("diagonal", |case| {
    let x = case.operand(&["x", "input", "self"])?;
    let axes = [
        case.axis(case.spelling(&["dim1", "axis1"]), x, 0)?,
        case.axis(case.spelling(&["dim2", "axis2"]), x, 1)?,
    ];
    let offset = case.integer(case.spelling(&["offset", "diagonal"]), 0)?;
    Ok(vec![diagonal(case, x, offset, axes)])
})];

/// The elements `x[.., k, .., k + offset, ..]` of the two axes, along a new last axis.
pub fn diagonal(draft: &mut Draft, x: Wire, offset: i64, axes: [usize; 2]) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let [first, second] = axes;
    let rest = (0..spec.rank()).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = rest.chain(axes).collect();
    // A missing or doubled axis is for transpose to reject, a bounded one for reshape.
    let turned = draft.apply(transpose(&order), &[x]);
    let Some(turned_spec) = draft.spec(turned).cloned() else { return turned };
    let [n, m] = [first, second].map(|axis| spec.bound(axis));
    let skip = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
    let (start, count) = if offset < 0 {
        (skip.saturating_mul(m), n.saturating_sub(skip).min(m))
    } else {
        (skip, m.saturating_sub(skip).min(n))
    };
    let lead = turned_spec.rank() - 2;
    let mut extents: Vec<Extent> =
        turned_spec.dimensions[..lead].iter().copied().map(extent_of).collect();
    extents.push(Extent::Is(n * m));
    let flat = draft.apply(reshape(&extents), &[turned]);
    let (start, end) = match count {
        0 => (0, 0),
        _ => (start, start + (count - 1) * (m + 1) + 1),
    };
    draft.apply(slice(lead, start, end, m + 1), &[flat])
}

/// Square, tall, wide, offsets, beyond, batches, reversed axes, integers, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, element: Element, extents: &[usize], offset: i64, axes: [usize; 2]| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![diagonal(draft, x[0], offset, axes)];
        let expect = reference(move |inputs| vec![by_steps(&inputs[0], offset, axes)]);
        Sample::composite(name, "diagonal", build, vec![ramp(element, extents)], expect)
    };
    vec![
        case("square", f32, &[5, 5], 0, [0, 1]),
        case("tall", f32, &[7, 3], 0, [0, 1]),
        case("wide", Element::I64, &[3, 7], 0, [0, 1]),
        case("above", f32, &[3, 5], 1, [0, 1]),
        case("below", f32, &[5, 3], -2, [0, 1]),
        case("beyond", f32, &[3, 3], 4, [0, 1]),
        case("batch", f32, &[2, 3, 5], 1, [1, 2]),
        case("reversed", f32, &[4, 2, 3], 1, [2, 0]),
        case("one element", f32, &[1, 1], 0, [0, 1]),
        case("bounded", f32, &[2, 3, 3], 0, [1, 2]).with_specs(vec![bounded_first(
            f32,
            4,
            &[3, 3],
        )]),
    ]
}

/// The expectation: steps along both axes together while inside.
fn by_steps(x: &Tensor, offset: i64, [first, second]: [usize; 2]) -> Tensor {
    let place = |k: usize| {
        let (row, column) =
            if offset < 0 { (k as i64 - offset, k as i64) } else { (k as i64, k as i64 + offset) };
        let inside = row < x.extents[first] as i64 && column < x.extents[second] as i64;
        inside.then_some([row as usize, column as usize])
    };
    let count = (0..).take_while(|&k| place(k).is_some()).count();
    let rest: Vec<usize> =
        (0..x.extents.len()).filter(|axis| ![first, second].contains(axis)).collect();
    let extents: Vec<usize> = rest.iter().map(|&axis| x.extents[axis]).chain([count]).collect();
    Tensor::from_fn(&extents, |index| {
        let mut from = vec![0; x.extents.len()];
        rest.iter().zip(index).for_each(|(&axis, &at)| from[axis] = at);
        [from[first], from[second]] = place(index[rest.len()]).expect("it was counted");
        x.at(&from)
    })
}
