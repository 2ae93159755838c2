//! Power-average pooling: `y = (sum of x^p over the window)^(1 / p)` along one, two and three axes.
//!
//! A composite: powers, an average pool, and roots. PyTorch's infinite powers are max pools.
//!
//! # Shape
//! `x`: `f32` or `f64`, as of average pools. `y`: likewise.
//!
//! # Gradient
//! That of its parts: where a sum is 0, so is its gradient or infinite, by `p`.
//!
//! # Numerics
//! NaN for negative elements and a `p` that is no whole number. As PyTorch's `lp_pool*`, which
//! multiplies the mean that counts what is cut off by the whole window; so does this one.
//!
//! # Example
//! ```
//! use synfire_ops::{pool::lp_pool::lp_pool2d, window::Pooling};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 3, 8, 8]));
//! let y = lp_pool2d(&mut draft, x, 2.0, &Pooling::of([2, 2]));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 4, 4])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::avg_pool::mean;
use super::avg_pool2d::Counting;
use super::max_pool::largest;
use crate::broadcast::binary::multiply;
use crate::pointwise::unary::{abs, neg, pow_scalar, relu, scale, sign};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::{Case, Torch};
use crate::window::pooling::case as attributes;
use crate::window::{Pooling, Rounding};

/// PyTorch's names.
pub const TORCH: &[Torch] =
    &[("lp_pool1d", torch::<1>), ("lp_pool2d", torch::<2>), ("lp_pool3d", torch::<3>)];

fn torch<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let (x, pooling) = attributes::pooling::<N>(case)?;
    let power = case.number(case.spelling(&["norm_type", "p"]), 2.0)?;
    if power == 0.0 {
        return Err("a norm of type 0".into());
    }
    if power.is_infinite() {
        return Ok(vec![extreme(case, x, power, &pooling)]);
    }
    Ok(vec![pool(case, x, power, &pooling)])
}

/// The roots of the sums of powers along the last axis.
#[track_caller]
pub fn lp_pool1d(draft: &mut Draft, x: Wire, power: f64, pooling: &Pooling<1>) -> Wire {
    pool(draft, x, power, pooling)
}

/// The roots of the sums of powers over the last two axes.
#[track_caller]
pub fn lp_pool2d(draft: &mut Draft, x: Wire, power: f64, pooling: &Pooling<2>) -> Wire {
    pool(draft, x, power, pooling)
}

/// The roots of the sums of powers over the last three axes.
#[track_caller]
pub fn lp_pool3d(draft: &mut Draft, x: Wire, power: f64, pooling: &Pooling<3>) -> Wire {
    pool(draft, x, power, pooling)
}

/// The largest magnitude in each window, or for a negative power the smallest.
fn extreme<const N: usize>(draft: &mut Draft, x: Wire, power: f64, pooling: &Pooling<N>) -> Wire {
    let sizes = draft.apply(abs(), &[x]);
    if power > 0.0 {
        return largest(draft, sizes, pooling, [1; N]);
    }
    let sizes = draft.apply(neg(), &[sizes]);
    let largest = largest(draft, sizes, pooling, [1; N]);
    draft.apply(neg(), &[largest])
}

fn pool<const N: usize>(draft: &mut Draft, x: Wire, power: f64, pooling: &Pooling<N>) -> Wire {
    let powers = draft.apply(pow_scalar(power), &[x]);
    let means = mean(draft, powers, pooling, Counting::Padding);
    let signs = draft.apply(sign(), &[means]);
    let sizes = draft.apply(abs(), &[means]);
    let sizes = draft.apply(relu(), &[sizes]);
    let means = draft.apply(multiply(), &[signs, sizes]);
    let whole = pooling.kernel.iter().product::<usize>();
    let sums = draft.apply(scale(whole as f64), &[means]);
    draft.apply(pow_scalar(1.0 / power), &[sums])
}

/// Lines, images and volumes, powers of 1 to 3, windows cut off, both ranks, nothing, bounded
/// batches, `f64`; wrong ranks.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let positive = |x: &[usize]| {
        let x = noise(1, x);
        let elements: Vec<f32> = x.elements::<f32>().iter().map(|x| x.abs() + 0.1).collect();
        Value::new(&x.extents, &elements)
    };
    let up = Pooling { rounding: Rounding::Ceiling, ..Pooling::of([2, 3]) };
    let volume = Pooling { stride: [1, 2, 1], ..Pooling::of([2, 2, 3]) };
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7])];
    let rejected = |name: &str, x: &[usize]| {
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![lp_pool3d(draft, wires[0], 2.0, &Pooling::of([2, 2, 2]))]
        };
        Sample::composite_rejected(name, "lp_pool3d", build, vec![Spec::f32(x.to_vec())])
    };
    vec![
        sample("line", 2.0, Pooling::of([3]), noise(1, &[2, 3, 17])),
        sample("line, no batch", 1.0, Pooling::of([2]), positive(&[3, 11])),
        sample("line, empty batch", 2.0, Pooling::of([2]), noise(1, &[0, 3, 7])),
        sample("line, bounded", 2.0, Pooling::of([2]), noise(1, &[2, 3, 7])).with_specs(bounded),
        sample("image", 3.0, Pooling::of([2, 3]), positive(&[2, 3, 5, 7])),
        sample("image, rounded up", 2.0, up, noise(1, &[1, 3, 5, 7])),
        sample("image, one pixel", 2.0, Pooling::of([1, 1]), noise(1, &[1, 1, 1])),
        sample("volume", 1.5, volume, positive(&[1, 2, 3, 5, 4])),
        sample("f64", 3.0, Pooling::of([2]), wide(&positive(&[2, 3, 9]))),
        rejected("an image", &[3, 4, 4]),
        rejected("six dimensions", &[1, 2, 3, 4, 5, 6]),
    ]
}

fn sample<const N: usize>(name: &str, power: f64, pooling: Pooling<N>, x: Value) -> Sample {
    let build =
        move |draft: &mut Draft, wires: &[Wire]| vec![pool(draft, wires[0], power, &pooling)];
    let expect = reference(move |inputs| vec![by_listing(&inputs[0], power, &pooling)]);
    Sample::composite(name, "lp_pool", build, vec![x], expect)
}

/// The expectation: powers of all elements in a window, made up to a whole window.
fn by_listing<const N: usize>(x: &Tensor, power: f64, pooling: &Pooling<N>) -> Tensor {
    let first = x.extents.len() - N;
    let mut extents = x.extents.clone();
    for axis in 0..N {
        extents[first + axis] = pooling.places(axis, x.extents[first + axis], 1);
    }
    Tensor::from_fn(&extents, |at| {
        let taps = Tensor::from_fn(&pooling.kernel, |tap| {
            let mut pixel = at.to_vec();
            for axis in 0..N {
                pixel[first + axis] = at[first + axis] * pooling.stride[axis] + tap[axis];
            }
            let inside = pixel.iter().zip(&x.extents).all(|(place, own)| place < own);
            if inside { x.at(&pixel).abs().powf(power) } else { f64::NAN }
        });
        let inside = taps.data.iter().filter(|tap| !tap.is_nan());
        let mean = inside.clone().sum::<f64>() / inside.count() as f64;
        (mean * taps.data.len() as f64).powf(1.0 / power)
    })
}
