//! Max unpooling along one axis and of volumes: what the windows of a max pool gave, at the indices
//! it gave with it, and zeros elsewhere.
//!
//! Composites of [`max_unpool2d`]: a line is an image with one row, a volume one with a row for
//! each slice.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, time]`, `[batch, channel, depth, row, column]`, or without
//! the batch, which may be bounded. `index`: `i64` of the same extents. `y`: the same with the
//! given extents of the axes.
//!
//! # Gradient
//! `dx` is `dy` at the indices.
//!
//! # Numerics
//! Exact. Of windows that chose the same element, the last counts. As PyTorch's `max_unpool1d` and
//! `max_unpool3d`.
//!
//! # Example
//! ```
//! use synfire_ops::pool::{max_pool::max_pool1d_indices, max_unpool::max_unpool1d};
//! use synfire_ops::window::Pooling;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 10]));
//! let [y, index] = max_pool1d_indices(&mut draft, x, &Pooling::of([2]), [1]);
//! let back = max_unpool1d(&mut draft, y, index, [10]);
//! assert_eq!(draft.spec(back), Some(&Spec::f32([2, 3, 10])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::pool_scatter::max_unpool2d;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};
use crate::window;
use crate::window::pooling::case as attributes;
use crate::window::sliding::{dimensions, joined, regroup, without_axis};

/// PyTorch's names, of images too.
pub const TORCH: &[Torch] =
    &[("max_unpool1d", torch::<1>), ("max_unpool2d", torch::<2>), ("max_unpool3d", torch::<3>)];

fn torch<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let index = case.operand(&["indices", "index", "idx"])?;
    let (x, extent) = match case.attribute("output_size") {
        Some(_) => {
            // The window has no say in it.
            let x = attributes::pooling::<N>(case)
                .map_or_else(|_| case.operand(&["x", "input"]), |(x, _)| Ok(x))?;
            let size = case.integers("output_size")?.unwrap_or_default();
            // Batch and channels may be given too.
            let size: Vec<usize> =
                size.iter().rev().take(N).rev().map(|&n| n.max(0) as usize).collect();
            (x, size)
        }
        None => {
            let (x, pooling) = attributes::pooling::<N>(case)?;
            let own = case.spec_of(x)?.bounds();
            let first =
                own.len().checked_sub(N).ok_or_else(|| format!("{own:?}, wanted {N} axes"))?;
            let extent = |axis: usize| {
                let last = own[first + axis].saturating_sub(1) * pooling.stride[axis];
                let cut = pooling.before[axis] + pooling.after[axis];
                (last + pooling.kernel[axis]).saturating_sub(cut)
            };
            (x, (0..N).map(extent).collect())
        }
    };
    let extent: [usize; N] =
        extent.try_into().map_err(|_| format!("`output_size`: wanted {N} sizes"))?;
    Ok(vec![unpool::<N>(case, [x, index], extent)])
}

/// Unpooling onto a last axis of this extent.
#[track_caller]
pub fn max_unpool1d(draft: &mut Draft, x: Wire, index: Wire, extent: [usize; 1]) -> Wire {
    unpool(draft, [x, index], extent)
}

/// Unpooling onto three last axes of these extents.
#[track_caller]
pub fn max_unpool3d(draft: &mut Draft, x: Wire, index: Wire, extent: [usize; 3]) -> Wire {
    unpool(draft, [x, index], extent)
}

/// All axes but the last `N` stay; those become rows and columns.
fn unpool<const N: usize>(draft: &mut Draft, [x, index]: [Wire; 2], extent: [usize; N]) -> Wire {
    let Some(own) = dimensions(draft, x).filter(|own| own.len() > N) else {
        return without_axis(draft, x, N);
    };
    let one = Dimension::Fixed(1);
    let first = own.len() - N;
    let (rows, columns) = match own[first..] {
        [columns] => (one, columns),
        [rows, columns] => (rows, columns),
        [depth, ref slice @ ..] => (depth, slice.iter().fold(one, |all, &own| joined(all, own))),
        [] => (one, one),
    };
    let target = match extent[..] {
        [columns] => [1, columns],
        [rows, ref rest @ ..] => [rows, rest.iter().product()],
        [] => [1, 1],
    };
    let planes = [&own[..first], &[rows, columns]].concat();
    let operator = max_unpool2d(target, [rows.bound(), columns.bound()]);
    // An index of other extents is left as it is, and rejected.
    let same = dimensions(draft, index).is_some_and(|index| index == own);
    let index = if same { regroup(draft, index, &planes) } else { index };
    let x = regroup(draft, x, &planes);
    let y = draft.apply(operator, &[x, index]);
    let whole = [&own[..first], &extent.map(Dimension::Fixed)[..]].concat();
    if draft.spec(y).is_none() { y } else { regroup(draft, y, &whole) }
}

/// Lines, images and volumes: each index its own element, both ranks, nothing, bounded batches,
/// `f64`; wrong ranks and indices.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let bounded = |element: Element, rest: &[usize]| bounded_first(element, 5, rest);
    let rejected = |name: &str, x: &[usize], index: Spec| {
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![max_unpool3d(draft, wires[0], wires[1], [4, 4, 4])]
        };
        let specs = vec![Spec::f32(x.to_vec()), index];
        Sample::composite_rejected(name, "max_unpool3d", build, specs)
    };
    let places = |extents: &[usize]| Spec::new(Element::I64, extents.to_vec());
    vec![
        sample("line", [11], noise(1, &[2, 3, 5])),
        sample("line, no batch", [7], noise(1, &[3, 3])),
        sample("line, bounded", [9], noise(1, &[2, 3, 4]))
            .with_specs(vec![bounded(Element::F32, &[3, 4]), bounded(Element::I64, &[3, 4])]),
        sample("image", [5, 7], noise(1, &[2, 3, 2, 3])),
        sample("volume", [3, 5, 4], noise(1, &[2, 3, 2, 2, 3])),
        sample("volume, no batch", [2, 3, 5], noise(1, &[3, 1, 2, 2])),
        sample("volume, one element", [1, 1, 1], noise(1, &[1, 1, 1, 1, 1])),
        sample("volume, empty batch", [3, 5, 4], noise(1, &[0, 3, 2, 2, 3])),
        sample("volume, f64", [3, 5, 4], window::wide(1, &[1, 2, 2, 2, 2])),
        rejected("a line", &[2, 3, 2], places(&[2, 3, 2])),
        rejected("other indices", &[1, 2, 2, 2, 2], places(&[1, 2, 2, 2, 1])),
        rejected("no integers", &[1, 2, 2, 2, 2], Spec::f32([1, 2, 2, 2, 2])),
    ]
}

fn sample<const N: usize>(name: &str, extent: [usize; N], x: Value) -> Sample {
    let first = x.extents.len() - N;
    let (each, all): (usize, usize) =
        (x.extents[first..].iter().product(), extent.iter().product());
    let count: usize = x.extents.iter().product();
    // Steps that meet every element once before one twice.
    let step = (2..=all).find(|step| (2..=*step).all(|n| step % n != 0 || all % n != 0));
    let step = step.unwrap_or(1);
    let index: Vec<i64> =
        (0..count).map(|k| ((k % each.max(1) * step + k / each.max(1)) % all) as i64).collect();
    let inputs = vec![x.clone(), Value::new(&x.extents, &index)];
    let build =
        move |draft: &mut Draft, wires: &[Wire]| vec![unpool(draft, [wires[0], wires[1]], extent)];
    let expect = reference(move |inputs| vec![by_asking(&inputs[0], &inputs[1], extent)]);
    Sample::composite(name, "max_unpool", build, inputs, expect)
}

/// The expectation: each element of the output asks all indices.
fn by_asking<const N: usize>(x: &Tensor, index: &Tensor, extent: [usize; N]) -> Tensor {
    let first = x.extents.len() - N;
    let each: usize = x.extents[first..].iter().product();
    let extents = [&x.extents[..first], &extent].concat();
    Tensor::from_fn(&extents, |at| {
        let flat = |at: &[usize], extents: &[usize]| {
            at.iter().zip(extents).fold(0, |flat, (i, n)| flat * n + i)
        };
        let (plane, own) = (flat(&at[..first], &extents), flat(&at[first..], &extent));
        let found = (plane * each..(plane + 1) * each).rfind(|&k| index.data[k] == own as f64);
        found.map_or(0.0, |k| x.data[k])
    })
}
