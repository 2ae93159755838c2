//! The largest or smallest element along one axis, and where it is.
//!
//! A composite of [`argmax`] or [`argmin`] and [`gather`], so the input is read once for the
//! comparison and one element a line is moved.
//!
//! # Shape
//! `x`: `f32`, `f64`, `i32`, `i64` or `u8`, with an axis that is not empty -> values as `x` and
//! indices `i64`, where the axis has extent 1 ([`Keep::Axes`]) or is gone ([`Keep::Nothing`]).
//!
//! # Gradient
//! `dx` is the gradient by the value at its index, 0 elsewhere; none by the indices. The [reduction
//! of the same name](super::reduction::max) shares it among equal elements instead.
//!
//! # Numerics
//! Exact. Of equal elements the first is meant; the first NaN, if there is one. As PyTorch's `max`
//! and `min` of one dimension.
//!
//! # Example
//! ```
//! use synfire_ops::reduce::{extreme::max_along, reduction::Keep};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3]));
//! let [values, indices] = max_along(&mut draft, x, 1, Keep::Nothing);
//! assert_eq!(draft.spec(values), Some(&Spec::f32([2])));
//! assert_eq!(draft.spec(indices).map(|spec| spec.rank()), Some(1));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::arg::{Arg, argmax, argmin};
use super::reduction::{Keep, extent};
use crate::arrange::reshape::{Extent, reshape};
use crate::index::gather::gather;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

/// The largest elements along `axis`, and their indices.
pub fn max_along(draft: &mut Draft, x: Wire, axis: usize, keep: Keep) -> [Wire; 2] {
    draft.scope("max_along", |draft| along(draft, x, axis, (argmax, keep)))
}

/// The smallest elements along `axis`, and their indices.
pub fn min_along(draft: &mut Draft, x: Wire, axis: usize, keep: Keep) -> [Wire; 2] {
    draft.scope("min_along", |draft| along(draft, x, axis, (argmin, keep)))
}

fn along(
    draft: &mut Draft,
    x: Wire,
    axis: usize,
    (arg, keep): (fn(usize, Keep) -> Arg, Keep),
) -> [Wire; 2] {
    let indices = draft.apply(arg(axis, Keep::Axes), &[x]);
    let values = draft.apply(gather(axis), &[x, indices]);
    [values, indices].map(|wire| match keep {
        Keep::Axes => wire,
        Keep::Nothing => without(draft, wire, axis),
    })
}

/// `wire` without `axis`, which has extent 1.
fn without(draft: &mut Draft, wire: Wire, axis: usize) -> Wire {
    let Some(spec) = draft.spec(wire).cloned() else { return wire };
    let left = spec.dimensions.iter().enumerate().filter(|(other, _)| *other != axis);
    let extents: Vec<Extent> = left.map(|(_, &dimension)| extent(dimension)).collect();
    draft.apply(reshape(&extents), &[wire])
}

/// Each kind of axis, kept and gone, ties, NaN, element types, bounded, and an empty axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let max = |name: &str, axis: usize, keep: Keep, x: Value, expect: Expect| {
        let build = move |draft: &mut Draft, x: &[Wire]| max_along(draft, x[0], axis, keep).into();
        Sample::composite(name, "max_along", build, vec![x], expect)
    };
    let min = |name: &str, axis: usize, keep: Keep, x: Value, expect: Expect| {
        let build = move |draft: &mut Draft, x: &[Wire]| min_along(draft, x[0], axis, keep).into();
        Sample::composite(name, "min_along", build, vec![x], expect)
    };
    let largest = |axis: usize, keep| reference(move |x| by_sorting(&x[0], axis, keep, false));
    let smallest = |axis: usize, keep| reference(move |x| by_sorting(&x[0], axis, keep, true));
    let literal = |y: f64, index: f64| {
        Expect::Outputs(vec![Tensor::new(&[], vec![y]), Tensor::new(&[], vec![index])])
    };
    let (axes, nothing) = (Keep::Axes, Keep::Nothing);
    let ties = || Value::new(&[5], &[2_i32, 7, 7, -1, -1]);
    let nan = Value::new(&[4], &[1.0_f64, f64::NAN, 5.0, f64::NAN]);
    let empty = Expect::Rejected { port: "x", dimension: Some(0) };
    let mut rejected = max("empty axis", 0, axes, ties(), empty).with_specs(vec![Spec::f32([0])]);
    rejected.inputs.clear();
    vec![
        max("last axis", 1, nothing, noise(1, &[5, 13]), largest(1, nothing)),
        max("inner axis", 1, axes, noise(2, &[3, 7, 2]), largest(1, axes)),
        min("first axis", 0, nothing, noise(3, &[7, 3]), smallest(0, nothing)),
        min("last axis", 2, axes, noise(4, &[2, 3, 5]), smallest(2, axes)),
        max("one element", 0, nothing, noise(5, &[1]), largest(0, nothing)),
        max("nothing kept", 1, nothing, noise(6, &[0, 3]), largest(1, nothing)),
        max("bounded", 1, nothing, noise(7, &[4, 3]), largest(1, nothing))
            .with_specs(vec![bounded_first(Element::F32, 9, &[3])]),
        max("ties", 0, nothing, ties(), literal(7.0, 1.0)),
        min("ties", 0, nothing, ties(), literal(-1.0, 3.0)),
        max("NaN", 0, nothing, nan, literal(f64::NAN, 1.0)),
        rejected,
    ]
}

/// The expectation for numbers that differ: the end of the sorted line.
fn by_sorting(x: &Tensor, axis: usize, keep: Keep, is_smallest: bool) -> Vec<Tensor> {
    let ends = |pick: fn(&(f64, usize)) -> f64| {
        let mut extents = x.extents.clone();
        extents[axis] = 1;
        let mut ends = Tensor::from_fn(&extents, |index| {
            let mut other = index.to_vec();
            let mut line: Vec<(f64, usize)> = (0..x.extents[axis])
                .map(|k| {
                    other[axis] = k;
                    (x.at(&other), k)
                })
                .collect();
            line.sort_by(|a, b| a.0.total_cmp(&b.0));
            pick(&line[if is_smallest { 0 } else { line.len() - 1 }])
        });
        if keep == Keep::Nothing {
            ends.extents.remove(axis);
        }
        ends
    };
    vec![ends(|end| end.0), ends(|end| end.1 as f64)]
}
