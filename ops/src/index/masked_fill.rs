//! Masked fill: a number wherever a mask is true.
//!
//! A composite of `where`.
//!
//! # Shape
//! `x`: `f32` or `f64`, any; `mask`: `bool`, broadcast to `x` -> as `x`.
//!
//! # Gradient
//! `dx` is `dy` where the mask is false, else 0. None for `mask`.
//!
//! # Numerics
//! Exact: what is filled has no influence, so a NaN there is harmless. As PyTorch's `masked_fill`.
//!
//! # Example
//! ```
//! use synfire_ops::index::masked_fill::masked_fill;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let mask = draft.feed("mask", Spec::new(Element::Bool, [3]));
//! let y = masked_fill(&mut draft, x, mask, f64::NEG_INFINITY);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::select::where_;
use crate::pointwise::unary::fill;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("masked_fill", |case| {
    let x = case.operand(&["x", "input", "self"])?;
    let mask = case.operand_of(Element::Bool, &["mask", "m", "condition"])?;
    if let Some(value) = case.either(&["value", "v"]) {
        return Ok(vec![case.apply(where_(), &[mask, value, x])]);
    }
    let value = case.number(case.spelling(&["value", "fill_value"]), 0.0)?;
    Ok(vec![masked_fill(case, x, mask, value)])
})];

/// `value` where `mask` is true, else `x`.
pub fn masked_fill(draft: &mut Draft, x: Wire, mask: Wire, value: f64) -> Wire {
    let filled = draft.apply(fill(value), &[x]);
    draft.apply(where_(), &[mask, filled, x])
}

/// A mask of the same extents, one row, one column, one element; infinite, none, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, extents: &[usize], places: &[usize], value: f64| {
        let build =
            move |draft: &mut Draft, x: &[Wire]| vec![masked_fill(draft, x[0], x[1], value)];
        let count = places.iter().product::<usize>();
        let bytes = (0..count).map(|k| u8::from(k * k % 3 == 1)).collect();
        let mask = Value::from_bytes(Element::Bool, places, bytes);
        let expect = reference(move |inputs| {
            let (x, mask) = (&inputs[0], &inputs[1]);
            let missing = x.extents.len() - mask.extents.len();
            vec![Tensor::from_fn(&x.extents, |place| {
                let places = place[missing..].iter().zip(&mask.extents);
                let at: Vec<usize> = places.map(|(&k, &n)| if n == 1 { 0 } else { k }).collect();
                if mask.at(&at) > 0.0 { value } else { x.at(place) }
            })]
        });
        let inputs = vec![noise(1, extents), mask];
        Sample::composite(name, "masked_fill", build, inputs, expect)
    };
    let bounded = vec![bounded_first(Element::F32, 9, &[3]), Spec::new(Element::Bool, [3])];
    vec![
        case("same extents", &[5, 7], &[5, 7], -1.5),
        case("row", &[5, 7], &[7], 0.0),
        case("column", &[2, 5, 3], &[5, 1], 2.0),
        case("scalar", &[3], &[], 1.0),
        case("infinite", &[2, 3], &[2, 3], f64::NEG_INFINITY),
        case("none", &[0, 3], &[0, 3], 1.0),
        case("bounded", &[4, 3], &[3], 1.0).with_specs(bounded),
    ]
}
