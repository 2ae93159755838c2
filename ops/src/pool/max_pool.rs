//! Max pooling along one axis and of volumes, with indices too.
//!
//! Composites of [`max_pool2d`]: a line is an image with one row; a volume is pooled slice by
//! slice, then along its depth. What lies between the two is read once more, the volume only once.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, time]`, `[batch, channel, depth, row, column]`, or without
//! the batch, which may be bounded. `y`: the same with
//! `(extent + padding - d * (kernel - 1) - 1) / s + 1` places along each axis, rounded as the
//! [`Pooling`] says. The padding of a side is at most half of `d * (kernel - 1) + 1`. `index`:
//! `i64` of the extents of `y`.
//!
//! # Gradient
//! `dy` goes to the first largest element of its window, as of [`max_pool2d`].
//!
//! # Numerics
//! Exact. The index counts elements in order, depth, row, column. As PyTorch's `max_pool1d` and
//! `max_pool3d`. The indices of a volume are put together in `f64`, which accelerators lack.
//!
//! # Example
//! ```
//! use synfire_ops::{pool::max_pool::max_pool3d, window::Pooling};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 16, 20, 20]));
//! let y = max_pool3d(&mut draft, x, &Pooling::of([2, 2, 2]), [1; 3]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 8, 10, 10])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::max_pool2d::max_pool2d;
use super::max_pool2d_indices::{MaxPool2dIndices, max_pool2d_indices};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};
use crate::window::pooling::{Directions, case as attributes, over, pick, with_indices};
use crate::window::{self, Pooling, Rounding, sliding};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names, of images too.
pub const TORCH: &[Torch] = &[
    ("max_pool1d", torch::<1>),
    ("max_pool2d", torch::<2>),
    ("max_pool3d", torch::<3>),
    ("max_pool1d_with_indices", torch_indices::<1>),
    ("max_pool2d_with_indices", torch_indices::<2>),
    ("max_pool3d_with_indices", torch_indices::<3>),
];

fn torch<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    if attributes::with_indices(case)? {
        return torch_indices::<N>(case);
    }
    let (x, pooling) = attributes::pooling::<N>(case)?;
    let dilation = sliding::case::dilation(case)?;
    Ok(vec![largest(case, x, &pooling, dilation)])
}

fn torch_indices<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    attributes::with_indices(case)?;
    let (x, pooling) = attributes::pooling::<N>(case)?;
    let dilation = sliding::case::dilation(case)?;
    let both = with_indices::<N>(case, x, |_, _, to| plane(&pooling, dilation, to));
    Ok(both.to_vec())
}

/// Max pooling along the last axis, the taps of a window `dilation` apart.
#[track_caller]
pub fn max_pool1d(draft: &mut Draft, x: Wire, pooling: &Pooling<1>, dilation: [usize; 1]) -> Wire {
    largest(draft, x, pooling, dilation)
}

/// Max pooling over the last three axes, the taps of a window `dilation` apart.
#[track_caller]
pub fn max_pool3d(draft: &mut Draft, x: Wire, pooling: &Pooling<3>, dilation: [usize; 3]) -> Wire {
    largest(draft, x, pooling, dilation)
}

/// [`max_pool1d`], and the index of each maximum.
#[track_caller]
pub fn max_pool1d_indices(
    draft: &mut Draft,
    x: Wire,
    pooling: &Pooling<1>,
    dilation: [usize; 1],
) -> [Wire; 2] {
    with_indices::<1>(draft, x, |_, _, directions| plane(pooling, dilation, directions))
}

/// [`max_pool3d`], and the index of each maximum.
#[track_caller]
pub fn max_pool3d_indices(
    draft: &mut Draft,
    x: Wire,
    pooling: &Pooling<3>,
    dilation: [usize; 3],
) -> [Wire; 2] {
    with_indices::<3>(draft, x, |_, _, directions| plane(pooling, dilation, directions))
}

/// Max pooling over the last `N` axes.
#[track_caller]
pub(super) fn largest<const N: usize>(
    draft: &mut Draft,
    x: Wire,
    pooling: &Pooling<N>,
    dilation: [usize; N],
) -> Wire {
    over::<N>(draft, x, |draft, x, directions| {
        let plane = pooling.along(directions);
        let operator = max_pool2d(plane.kernel).stride(plane.stride).padding(plane.padding());
        let operator = operator.dilation(pick(&dilation, directions, 1));
        draft.apply(operator.rounding(plane.rounding), &[x])
    })
}

fn plane<const N: usize>(
    pooling: &Pooling<N>,
    dilation: [usize; N],
    directions: Directions,
) -> MaxPool2dIndices {
    let plane = pooling.along(directions);
    let operator = max_pool2d_indices(plane.kernel).stride(plane.stride).padding(plane.padding());
    operator.dilation(pick(&dilation, directions, 1)).rounding(plane.rounding)
}

/// Lines and volumes with all attributes, both roundings, ties, NaN, one element, nothing, bounded
/// batches, `f64`, with indices too; wrong ranks and windows.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let line = Pooling { stride: [2], before: [1], after: [1], ..Pooling::of([3]) };
    let before = [1, 0, 1];
    let volume = Pooling { stride: [2, 3, 1], before, after: [1, 1, 0], ..Pooling::of([2, 3, 2]) };
    let up = |pooling: Pooling<3>| Pooling { rounding: Rounding::Ceiling, ..pooling };
    let mut special: Vec<f32> = (0..48).map(|k| (k * 7 % 5) as f32).collect();
    [special[5], special[17], special[33]] = [f32::NAN, f32::NAN, f32::NEG_INFINITY];
    let special = Value::new(&[1, 3, 4, 4], &special);
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7])];
    let all_bounded = vec![bounded_first(Element::F32, 5, &[2, 4, 5, 3])];
    let rejected = |name: &str, x: &[usize]| {
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![max_pool3d(draft, wires[0], &Pooling::of([2, 2, 2]), [1; 3])]
        };
        Sample::composite_rejected(name, "max_pool3d", build, vec![Spec::f32(x.to_vec())])
    };
    vec![
        lines("plain", Pooling::of([2]), [1], noise(1, &[2, 3, 17])),
        lines("all", line, [2], noise(1, &[2, 3, 17])),
        lines("no batch", line, [1], noise(1, &[3, 11])),
        lines("one element", Pooling::of([1]), [1], noise(1, &[1, 1, 1])),
        lines("empty batch", line, [1], noise(1, &[0, 3, 7])),
        lines("bounded", line, [1], noise(1, &[2, 3, 7])).with_specs(bounded),
        lines("f64", line, [2], window::wide(1, &[2, 3, 17])),
        volumes("plain", Pooling::of([2, 2, 2]), [1; 3], noise(1, &[2, 3, 4, 5, 6])),
        volumes("all", volume, [1, 1, 2], noise(1, &[2, 3, 5, 7, 6])),
        volumes("rounded up", up(volume), [2, 1, 1], noise(1, &[1, 2, 6, 6, 5])),
        volumes("no batch", volume, [1; 3], noise(1, &[3, 4, 5, 4])),
        volumes("special", Pooling::of([2, 2, 2]), [1; 3], special),
        volumes("ties", volume, [1; 3], Value::new(&[1, 1, 5, 4, 4], &[2.0_f32; 80])),
        volumes("empty batch", volume, [1; 3], noise(1, &[0, 2, 4, 5, 3])),
        volumes("bounded", volume, [1; 3], noise(1, &[2, 2, 4, 5, 3])).with_specs(all_bounded),
        volumes("f64", volume, [1; 3], window::wide(1, &[1, 2, 4, 5, 3])),
        rejected("an image", &[3, 4, 4]),
        rejected("six dimensions", &[1, 2, 3, 4, 5, 6]),
        rejected("a thin volume", &[2, 3, 1, 4, 4]),
        rejected("a low volume", &[2, 3, 4, 1, 4]),
    ]
}

fn lines(name: &str, pooling: Pooling<1>, dilation: [usize; 1], x: Value) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let [y, index] = max_pool1d_indices(draft, wires[0], &pooling, dilation);
        vec![max_pool1d(draft, wires[0], &pooling, dilation), y, index]
    };
    let expect = reference(move |inputs| by_listing(&inputs[0], &pooling, dilation));
    Sample::composite(name, "max_pool1d", build, vec![x], expect)
}

fn volumes(name: &str, pooling: Pooling<3>, dilation: [usize; 3], x: Value) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let [y, index] = max_pool3d_indices(draft, wires[0], &pooling, dilation);
        vec![max_pool3d(draft, wires[0], &pooling, dilation), y, index]
    };
    let expect = reference(move |inputs| by_listing(&inputs[0], &pooling, dilation));
    Sample::composite(name, "max_pool3d", build, vec![x], expect)
}

/// The expectation: all elements in a window are listed in order; the last NaN, else the first
/// largest.
fn by_listing<const N: usize>(
    x: &Tensor,
    pooling: &Pooling<N>,
    dilation: [usize; N],
) -> Vec<Tensor> {
    let first = x.extents.len() - N;
    let mut extents = x.extents.clone();
    for axis in 0..N {
        let own = x.extents[first + axis];
        extents[first + axis] = pooling.places(axis, own, dilation[axis]);
    }
    let whole: usize = x.extents[first..].iter().product();
    let index = Tensor::from_fn(&extents, |at| {
        let inside = Tensor::from_fn(&x.extents[first..], |pixel| {
            let is_inside = (0..N).all(|axis| {
                let start = at[first + axis] * pooling.stride[axis];
                let tap = (pixel[axis] + pooling.before[axis]).checked_sub(start);
                tap.is_some_and(|tap| {
                    tap % dilation[axis] == 0 && tap / dilation[axis] < pooling.kernel[axis]
                })
            });
            f64::from(u8::from(is_inside))
        });
        let plane = at[..first].iter().zip(&x.extents).fold(0, |flat, (i, n)| flat * n + i);
        let mut found: Option<(f64, usize)> = None;
        for flat in (0..whole).filter(|&flat| inside.data[flat] == 1.0) {
            let value = x.data[plane * whole + flat];
            if found.is_none_or(|(most, _)| value > most) || value.is_nan() {
                found = Some((value, flat));
            }
        }
        found.map_or(-1.0, |(_, flat)| flat as f64)
    });
    let each: usize = extents[first..].iter().product();
    let y = index.data.iter().enumerate();
    let y = y.map(|(k, &flat)| x.data[k / each * whole + flat as usize]).collect();
    let y = Tensor::new(&extents, y);
    vec![y.clone(), y, index]
}
