//! Roll: the places of axes moved on, and those that fall off the end put in front.
//!
//! A composite of `split` and `concat`.
//!
//! # Shape
//! `x`: any -> the same. Rolled axes are fixed, others may be bounded. Any element type.
//!
//! # Gradient
//! `dx` is `dy` rolled back.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `roll`; a negative shift moves back.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::roll::roll;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let y = roll(&mut draft, x, 1, -1); // [0, 1, 2] -> [1, 2, 0]
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;

use super::reshape::{Extent, reshape};
use super::{concat::concat, split::split};
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::Torch;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("roll", |case| {
    let x = case.operand(&["x", "input", "self"])?;
    let shifts = case.integers(case.spelling(&["shifts", "shift"]))?.ok_or("no shifts")?;
    let name = case.spelling(&["dims", "dim", "axis", "axes"]);
    if case.attribute(name).is_none() {
        let extents = case.spec_of(x)?.bounds().into_iter().map(Extent::Is).collect::<Vec<_>>();
        let flat = case.apply(reshape(&[Extent::Infer]), &[x]);
        let rolled = roll(case, flat, 0, shifts[0]);
        return Ok(vec![case.apply(reshape(&extents), &[rolled])]);
    }
    let axes = case.axes(name, x)?;
    let rolled = axes.iter().zip(shifts).fold(x, |x, (&axis, shift)| roll(case, x, axis, shift));
    Ok(vec![rolled])
})];

/// Place `k` of `axis` goes to place `k + shift`, around the end.
pub fn roll(draft: &mut Draft, x: Wire, axis: usize, shift: i64) -> Wire {
    let Some(spec) = draft.spec(x) else { return x };
    // An axis that is not there, or bounded, is for `split` to reject.
    let extent = spec.dimensions.get(axis).map_or(0, |dimension| dimension.bound());
    let is_fixed = spec.dimensions.get(axis).is_some_and(|dimension| !dimension.is_bounded());
    let shift = shift.rem_euclid(extent.max(1) as i64) as usize;
    if is_fixed && shift == 0 {
        return x;
    }
    let parts = draft.apply_many(split(axis, &[extent - shift, shift]), &[x]);
    draft.apply(concat(axis, 2), &[parts[1], parts[0]])
}

/// Both directions, around, not at all, an inner axis, empty, an element of one byte, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, element: Element, extents: &[usize], axis: usize, shift: i64| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![roll(draft, x[0], axis, shift)];
        let expect = reference(move |inputs| {
            let x = &inputs[0];
            vec![Tensor::from_fn(&x.extents, |place| {
                let mut place = place.to_vec();
                let from = place[axis] as i64 - shift;
                place[axis] = from.rem_euclid(x.extents[axis] as i64) as usize;
                x.at(&place)
            })]
        });
        Sample::composite(name, "roll", build, vec![ramp(element, extents)], expect)
    };
    let f32 = Element::F32;
    vec![
        case("on", f32, &[5, 3], 0, 2),
        case("back", f32, &[5, 3], 0, -1),
        case("around", f32, &[2, 7], 1, 17),
        case("not at all", f32, &[2, 3], 1, -3),
        case("middle axis", Element::U8, &[2, 5, 3], 1, 1),
        case("empty", f32, &[0, 2], 0, 1),
        case("bounded", f32, &[4, 3], 1, 1).with_specs(vec![bounded_first(f32, 9, &[3])]),
    ]
}
