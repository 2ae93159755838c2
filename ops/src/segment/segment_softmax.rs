//! Segmented softmax: softmax over the slices of each segment, as graph attention takes it over the
//! edges of each node: `y_i = exp(x_i - max) / sum exp(x_j - max)` over all `j` of the segment of
//! `i`.
//!
//! # Shape
//! `x`: `f32` or `f64`, `[.., n, ..]`; `ids`: `i64[n]`, in any order, below `count` -> `y`: as `x`.
//!
//! # Gradient
//! By its parts; that through the maximum cancels.
//!
//! # Numerics
//! The maximum of each segment is subtracted, so no finite input overflows. NaN and `+inf` make
//! their segment NaN, as does nothing but `-inf`.
//!
//! # Example
//! ```
//! use synfire_ops::segment::segment_softmax::segment_softmax;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([7, 2]));
//! let ids = draft.feed("ids", Spec::new(Element::I64, [7]));
//! let y = segment_softmax(&mut draft, x, ids, 0, 3);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([7, 2])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::segments::{by_searching, hashed, segment_max, segment_sum, segments_of};
use crate::broadcast::binary::{divide, subtract};
use crate::index::index_select::index_select;
use crate::pointwise::unary::exp;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

/// What libraries around PyTorch call it.
pub const TORCH: &[Torch] = &[("segment_softmax", |case| {
    let x = case.operand(&["x", "src", "data", "input"])?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
    let (ids, count) = segments_of(case, x, axis)?;
    Ok(vec![segment_softmax(case, x, ids, axis, count)])
})];

/// Softmax along `axis` within each of `count` segments.
pub fn segment_softmax(draft: &mut Draft, x: Wire, ids: Wire, axis: usize, count: usize) -> Wire {
    draft.scope("segment_softmax", |draft| {
        let select = index_select(axis);
        let tops = draft.apply(segment_max(axis, count), &[x, ids]);
        let tops = draft.apply(select, &[tops, ids]);
        let below = draft.apply(subtract(), &[x, tops]);
        let powers = draft.apply(exp(), &[below]);
        let sums = draft.apply(segment_sum(axis, count), &[powers, ids]);
        let sums = draft.apply(select, &[sums, ids]);
        draft.apply(divide(), &[powers, sums])
    })
}

/// Each kind of axis, segments of one and of none, large magnitudes, `f64`, none, bounded, and
/// identities that do not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, axis: usize, count: usize, x: Value| {
        let ids = hashed(x.extents[axis], count);
        let build = move |draft: &mut Draft, x: &[Wire]| {
            vec![segment_softmax(draft, x[0], x[1], axis, count)]
        };
        let expect = reference(move |x| vec![in_logarithms(x, axis, count)]);
        Sample::composite(name, "segment_softmax", build, vec![x, ids], expect)
    };
    let bounded = vec![bounded_first(Element::F32, 9, &[2]), bounded_first(Element::I64, 9, &[])];
    let large = Value::new(&[4], &[1000.0_f32, 999.0, -1e30, 88.0]);
    let mut shorter = case("shorter", 0, 2, noise(1, &[2]));
    shorter.specs = vec![Spec::f32([3]), Spec::new(Element::I64, [2])];
    shorter.inputs.clear();
    shorter.expect = Expect::Rejected { port: "ids", dimension: Some(0) };
    vec![
        case("first axis", 0, 5, noise(1, &[13, 3])),
        case("inner axis", 1, 2, noise(2, &[2, 7, 3])),
        case("a segment each", 0, 97, noise(3, &[5])),
        case("one segment", 0, 1, noise(4, &[6])),
        case("large magnitudes", 0, 2, large),
        case("of f64", 0, 3, wide(&noise(5, &[7, 2]))),
        case("none", 0, 2, noise(6, &[0, 3])),
        case("bounded", 0, 3, noise(7, &[5, 2])).with_specs(bounded),
        shorter,
    ]
}

/// The expectation, by way of logarithms.
fn in_logarithms(inputs: &[Tensor], axis: usize, count: usize) -> Tensor {
    let [x, ids] = [&inputs[0], &inputs[1]];
    let tops = by_searching(inputs, segment_max(axis, count));
    let of = |tensor: &Tensor, index: &[usize]| {
        let mut segment = index.to_vec();
        segment[axis] = ids.data[index[axis]] as usize;
        tensor.at(&segment)
    };
    let powers = Tensor::from_fn(&x.extents, |index| (x.at(index) - of(&tops, index)).exp());
    let sums = by_searching(&[powers, ids.clone()], segment_sum(axis, count));
    Tensor::from_fn(&x.extents, |index| {
        (x.at(index) - of(&tops, index) - of(&sums, index).ln()).exp()
    })
}
