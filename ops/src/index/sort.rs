//! Sort: the elements along an axis in order, and where they were.
//!
//! Composites of [`last_sort`].
//!
//! # Shape
//! `x`: `f32`, `f64`, `i32`, `i64` or `u8`, any of at least one dimension -> the values, as `x`,
//! and the indices, `i64`. Bounded dimensions stay bounded.
//!
//! # Gradient
//! `dx` is the gradient of the values at the places that they came from. The indices have none.
//!
//! # Numerics
//! Exact and stable; a NaN is larger than every number. As PyTorch's `sort` with `stable=True`.
//!
//! # Example
//! ```
//! use synfire_ops::index::{sort::sort, top_k::Order};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([5, 3]));
//! let [values, indices] = sort(&mut draft, x, 0, Order::Ascending);
//! assert_eq!(draft.spec(values), draft.spec(x));
//! assert_eq!(draft.spec(indices).map(|spec| spec.rank()), Some(2));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;

use super::top_k::{Order, along, last_sort};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("sort", |case| sorted(case).map(Vec::from)),
    ("argsort", |case| sorted(case).map(|[_, indices]| vec![indices])),
];

fn sorted(case: &mut Case<'_>) -> Result<[Wire; 2], String> {
    let x = case.operand(&["x", "input", "self"])?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, -1)?;
    case.flag("stable", true)?;
    let is_descending = case.flag("descending", false)?;
    let order = if is_descending { Order::Descending } else { Order::Ascending };
    Ok(sort(case, x, axis, order))
}

/// The values and indices of all elements along `axis` in an order.
pub fn sort(draft: &mut Draft, x: Wire, axis: usize, order: Order) -> [Wire; 2] {
    along(draft, x, axis, last_sort(order))
}

/// The indices alone.
pub fn argsort(draft: &mut Draft, x: Wire, axis: usize, order: Order) -> Wire {
    sort(draft, x, axis, order)[1]
}

/// Each axis, both orders, one element, none, bounded, indices alone.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, extents: &[usize], axis: usize, order: Order| {
        let build = move |draft: &mut Draft, x: &[Wire]| sort(draft, x[0], axis, order).into();
        let expect = reference(move |inputs| by_counting(&inputs[0], axis, order));
        Sample::composite(name, "sort", build, vec![noise(1, extents)], expect)
    };
    let f32 = Element::F32;
    let indices = Sample::composite(
        "indices alone",
        "argsort",
        |draft: &mut Draft, x: &[Wire]| vec![argsort(draft, x[0], 0, Order::Ascending)],
        vec![noise(2, &[7, 2])],
        reference(|inputs| by_counting(&inputs[0], 0, Order::Ascending)[1..].to_vec()),
    );
    vec![
        case("first axis", &[7, 3], 0, Order::Ascending),
        case("middle axis", &[2, 11, 3], 1, Order::Descending),
        case("last axis", &[3, 13], 1, Order::Ascending),
        case("one element", &[1], 0, Order::Descending),
        case("none", &[0, 3], 0, Order::Ascending),
        case("bounded", &[5, 3], 0, Order::Ascending).with_specs(vec![bounded_first(f32, 9, &[3])]),
        indices,
    ]
}

/// The expectation: each element counts those before it; no two are equal.
fn by_counting(x: &Tensor, axis: usize, order: Order) -> Vec<Tensor> {
    let (mut values, mut indices) = (x.clone(), x.clone());
    let flat =
        |index: &[usize]| index.iter().zip(&x.extents).fold(0, |flat, (&k, &n)| flat * n + k);
    let _ = Tensor::from_fn(&x.extents, |index| {
        let mut to = index.to_vec();
        let own = x.at(index);
        let before = |k: usize| {
            let mut other = index.to_vec();
            other[axis] = k;
            if order == Order::Ascending { x.at(&other) < own } else { x.at(&other) > own }
        };
        to[axis] = (0..x.extents[axis]).filter(|&k| before(k)).count();
        values.data[flat(&to)] = own;
        indices.data[flat(&to)] = index[axis] as f64;
        0.0
    });
    vec![values, indices]
}
