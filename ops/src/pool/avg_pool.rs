//! Average pooling along one axis and of volumes, and the sums that a fixed divisor wants.
//!
//! Composites of [`avg_pool2d`]: a line is an image with one row; a volume is pooled slice by
//! slice, then along its depth: the mean of a window is the mean of its slices' means.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, time]`, `[batch, channel, depth, row, column]`, or without
//! the batch, which may be bounded. `y`: the same with `(extent + padding - kernel) / s + 1` places
//! along each axis, rounded as the [`Pooling`] says. The padding of a side is at most half of the
//! kernel.
//!
//! # Gradient
//! `dx` is the sum of `dy / size` over the windows that an element is in.
//!
//! # Numerics
//! A volume's means are divided twice. As PyTorch's `avg_pool1d` and `avg_pool3d`, up to that.
//!
//! # Example
//! ```
//! use synfire_ops::pool::{avg_pool::avg_pool1d, avg_pool2d::Counting};
//! use synfire_ops::window::Pooling;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 100]));
//! let y = avg_pool1d(&mut draft, x, &Pooling::of([4]), Counting::Padding);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 25])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::avg_pool2d::{Counting, avg_pool2d};
use super::window_sum::window_sum;
use crate::pointwise::unary::scale;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};
use crate::window::pooling::{case as attributes, over};
use crate::window::{self, Motion, Pool, Pooling, Rounding};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names, of images too.
pub const TORCH: &[Torch] =
    &[("avg_pool1d", torch::<1>), ("avg_pool2d", torch::<2>), ("avg_pool3d", torch::<3>)];

fn torch<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let (x, pooling) = attributes::pooling::<N>(case)?;
    let counting = match case.flag("count_include_pad", true)? {
        true => Counting::Padding,
        false => Counting::Image,
    };
    let divisor = case.number("divisor_override", 1.0)?;
    if case.attribute("divisor_override").is_none() {
        return Ok(vec![mean(case, x, &pooling, counting)]);
    }
    let sums = total(case, x, &pooling);
    Ok(vec![case.apply(scale(1.0 / divisor), &[sums])])
}

/// Average pooling along the last axis.
#[track_caller]
pub fn avg_pool1d(draft: &mut Draft, x: Wire, pooling: &Pooling<1>, counting: Counting) -> Wire {
    mean(draft, x, pooling, counting)
}

/// Average pooling over the last three axes.
#[track_caller]
pub fn avg_pool3d(draft: &mut Draft, x: Wire, pooling: &Pooling<3>, counting: Counting) -> Wire {
    mean(draft, x, pooling, counting)
}

/// The sums of the windows along the last axis.
#[track_caller]
pub fn sum_pool1d(draft: &mut Draft, x: Wire, pooling: &Pooling<1>) -> Wire {
    total(draft, x, pooling)
}

/// The sums of the windows over the last two axes.
#[track_caller]
pub fn sum_pool2d(draft: &mut Draft, x: Wire, pooling: &Pooling<2>) -> Wire {
    total(draft, x, pooling)
}

/// The sums of the windows over the last three axes.
#[track_caller]
pub fn sum_pool3d(draft: &mut Draft, x: Wire, pooling: &Pooling<3>) -> Wire {
    total(draft, x, pooling)
}

/// The means of the windows over the last `N` axes.
pub(super) fn mean<const N: usize>(
    draft: &mut Draft,
    x: Wire,
    pooling: &Pooling<N>,
    counting: Counting,
) -> Wire {
    over::<N>(draft, x, |draft, x, directions| {
        let plane = pooling.along(directions);
        let operator = avg_pool2d(plane.kernel).stride(plane.stride).padding(plane.padding());
        draft.apply(operator.rounding(plane.rounding).counting(counting), &[x])
    })
}

fn total<const N: usize>(draft: &mut Draft, x: Wire, pooling: &Pooling<N>) -> Wire {
    over::<N>(draft, x, |draft, x, directions| {
        let plane = pooling.along(directions);
        let motion = Motion { stride: plane.stride, padding: plane.padding(), ..Motion::PLAIN };
        let window = motion.window(plane.kernel);
        let pool = draft.spec(x).map(|x| Pool::new(x, window, plane.rounding));
        match pool {
            Some(Ok(pool)) => draft.apply(window_sum(pool.spans()), &[x]),
            // The mean notes what is wrong.
            _ => {
                let operator = avg_pool2d(plane.kernel).stride(plane.stride);
                draft.apply(operator.padding(plane.padding()).rounding(plane.rounding), &[x])
            }
        }
    })
}

/// Lines, images and volumes with all attributes, both roundings and countings, one element,
/// nothing, bounded batches, `f64`; wrong ranks and windows.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let line = Pooling { stride: [2], before: [2], after: [1], ..Pooling::of([4]) };
    let plane = Pooling { stride: [2, 3], before: [1, 0], after: [1, 1], ..Pooling::of([2, 3]) };
    let before = [1, 0, 1];
    let volume = Pooling { stride: [2, 3, 1], before, after: [1, 1, 0], ..Pooling::of([2, 3, 2]) };
    let up = Pooling { rounding: Rounding::Ceiling, ..volume };
    let up_line = Pooling { rounding: Rounding::Ceiling, ..line };
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7])];
    let all_bounded = vec![bounded_first(Element::F32, 5, &[2, 4, 5, 3])];
    let rejected = |name: &str, x: &[usize]| {
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![sum_pool3d(draft, wires[0], &Pooling::of([2, 2, 2]))]
        };
        Sample::composite_rejected(name, "sum_pool3d", build, vec![Spec::f32(x.to_vec())])
    };
    vec![
        sample("line", Pooling::of([2]), noise(1, &[2, 3, 17])),
        sample("line, all", line, noise(1, &[2, 3, 16])),
        sample("line, rounded up", up_line, noise(1, &[2, 3, 14])),
        sample("line, no batch", line, noise(1, &[3, 11])),
        sample("line, one element", Pooling::of([1]), noise(1, &[1, 1, 1])),
        sample("line, empty batch", line, noise(1, &[0, 3, 7])),
        sample("line, bounded", line, noise(1, &[2, 3, 7])).with_specs(bounded),
        sample("line, f64", line, window::wide(1, &[2, 3, 17])),
        sample("image", plane, noise(1, &[2, 3, 5, 7])),
        sample("volume", Pooling::of([2, 2, 2]), noise(1, &[2, 3, 4, 5, 6])),
        sample("volume, all", volume, noise(1, &[2, 3, 5, 7, 6])),
        sample("volume, rounded up", up, noise(1, &[1, 2, 6, 6, 5])),
        sample("volume, no batch", volume, noise(1, &[3, 4, 5, 4])),
        sample("volume, empty batch", volume, noise(1, &[0, 2, 4, 5, 3])),
        sample("volume, bounded", volume, noise(1, &[2, 2, 4, 5, 3])).with_specs(all_bounded),
        sample("volume, f64", up, window::wide(1, &[1, 2, 4, 5, 3])),
        rejected("an image", &[3, 4, 4]),
        rejected("six dimensions", &[1, 2, 3, 4, 5, 6]),
        rejected("a thin volume", &[2, 3, 1, 4, 4]),
        rejected("a low volume", &[2, 3, 4, 1, 4]),
    ]
}

/// Means that count padding, means that do not, and sums.
fn sample<const N: usize>(name: &str, pooling: Pooling<N>, x: Value) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let padding = mean(draft, wires[0], &pooling, Counting::Padding);
        let image = mean(draft, wires[0], &pooling, Counting::Image);
        vec![padding, image, total(draft, wires[0], &pooling)]
    };
    let expect = reference(move |inputs| by_listing(&inputs[0], &pooling));
    Sample::composite(name, "avg_pool", build, vec![x], expect)
}

/// The expectation: each window lists its elements and counts its places.
fn by_listing<const N: usize>(x: &Tensor, pooling: &Pooling<N>) -> Vec<Tensor> {
    let first = x.extents.len() - N;
    let mut extents = x.extents.clone();
    for axis in 0..N {
        extents[first + axis] = pooling.places(axis, x.extents[first + axis], 1);
    }
    let all = |fold: &dyn Fn(f64, usize, usize) -> f64| {
        Tensor::from_fn(&extents, |at| {
            let (mut sum, mut inside, mut padded) = (0.0, 0, 0);
            for tap in 0..pooling.kernel.iter().product() {
                let (mut pixel, mut rest) = (at[..first].to_vec(), tap);
                let mut counts = true;
                for axis in (0..N).rev() {
                    let place = at[first + axis] * pooling.stride[axis];
                    let place = place + rest % pooling.kernel[axis];
                    rest /= pooling.kernel[axis];
                    let own = x.extents[first + axis];
                    counts &= place < pooling.before[axis] + own + pooling.after[axis];
                    pixel.insert(first, place.wrapping_sub(pooling.before[axis]));
                }
                padded += usize::from(counts);
                if pixel.iter().zip(&x.extents).all(|(place, own)| place < own) {
                    inside += 1;
                    sum += x.at(&pixel);
                }
            }
            fold(sum, inside, padded)
        })
    };
    vec![
        all(&|sum, _, padded| sum / padded as f64),
        all(&|sum, inside, _| sum / inside.max(1) as f64),
        all(&|sum, _, _| sum),
    ]
}
