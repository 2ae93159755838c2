//! Adaptive pooling along one, two and three axes: as many windows as wanted, which together are
//! `x`, as equal as can be.
//!
//! Window `p` of `n` along an axis spans from `floor(p * extent / n)` to before
//! `ceil((p + 1) * extent / n)`. One window is global pooling. Composites of [`even_mean`] and
//! [`adaptive_max_pool2d_indices`]: a volume is pooled slice by slice, then along its depth.
//!
//! # Shape
//! `x`: `f32` or `f64`, one or two dimensions (batch, channel), of which the first may be bounded,
//! and the axes, of at least one element each. `y`: the same with the given places along the axes.
//! `index`: `i64` of the extents of `y`.
//!
//! # Gradient
//! Of the mean, `dy / size` to each element; of the maximum, `dy` to the first largest one.
//!
//! # Numerics
//! Sums run row by row. NaN is larger than all numbers. As PyTorch's `adaptive_avg_pool*` and
//! `adaptive_max_pool*`. The indices of a volume are put together in `f64`, which accelerators
//! lack.
//!
//! # Example
//! ```
//! use synfire_ops::pool::adaptive_pool::adaptive_avg_pool2d;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 512, 9, 13]));
//! let y = adaptive_avg_pool2d(&mut draft, x, [1, 1]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 512, 1, 1])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::max_pool2d_indices::adaptive_max_pool2d_indices;
use super::window_sum::even_mean;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};
use crate::window;
use crate::window::pooling::{Directions, case as attributes, over, pick, with_indices};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("adaptive_avg_pool1d", torch_mean::<1>),
    ("adaptive_avg_pool2d", torch_mean::<2>),
    ("adaptive_avg_pool3d", torch_mean::<3>),
    ("adaptive_max_pool1d", torch_max::<1>),
    ("adaptive_max_pool2d", torch_max::<2>),
    ("adaptive_max_pool3d", torch_max::<3>),
    ("adaptive_max_pool1d_with_indices", torch_indices::<1>),
    ("adaptive_max_pool2d_with_indices", torch_indices::<2>),
    ("adaptive_max_pool3d_with_indices", torch_indices::<3>),
];

fn torch_mean<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input"])?;
    let places = attributes::places::<N>(case, x)?;
    Ok(vec![mean(case, x, places)])
}

fn torch_max<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let both = torch_indices::<N>(case)?;
    Ok(if attributes::with_indices(case)? { both } else { vec![both[0]] })
}

fn torch_indices<const N: usize>(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input"])?;
    let places = attributes::places::<N>(case, x)?;
    Ok(largest(case, x, places).to_vec())
}

/// The constructors of both kinds over so many axes.
macro_rules! axes {
    ($($(#[$doc:meta])* $name:ident: $pool:ident, $axes:literal -> $output:ty;)+) => {
        $($(#[$doc])*
        #[track_caller]
        pub fn $name(draft: &mut Draft, x: Wire, places: [usize; $axes]) -> $output {
            $pool(draft, x, places)
        })+
    };
}

axes! {
    /// The means of so many windows along the last axis.
    adaptive_avg_pool1d: mean, 1 -> Wire;
    /// The means of so many windows over the last two axes.
    adaptive_avg_pool2d: mean, 2 -> Wire;
    /// The means of so many windows over the last three axes.
    adaptive_avg_pool3d: mean, 3 -> Wire;
    /// The maxima of so many windows along the last axis, and their indices.
    adaptive_max_pool1d: largest, 1 -> [Wire; 2];
    /// The maxima of so many windows over the last two axes, and their indices.
    adaptive_max_pool2d: largest, 2 -> [Wire; 2];
    /// The maxima of so many windows over the last three axes, and their indices.
    adaptive_max_pool3d: largest, 3 -> [Wire; 2];
}

/// Rows and columns of an image; one of each where something before it is faulty.
fn extent(draft: &Draft, x: Wire) -> [usize; 2] {
    let bounds = draft.spec(x).map(Spec::bounds).unwrap_or_default();
    match bounds[..] {
        [.., rows, columns] => [rows, columns],
        _ => [1; 2],
    }
}

/// The places along rows and columns; a direction that is not pooled has one for each pixel.
fn along<const N: usize>(own: [usize; 2], places: &[usize; N], to: Directions) -> [usize; 2] {
    [0, 1].map(|axis| pick(places, to, own[axis])[axis])
}

fn mean<const N: usize>(draft: &mut Draft, x: Wire, places: [usize; N]) -> Wire {
    over::<N>(draft, x, |draft, x, directions| {
        let own = extent(draft, x);
        draft.apply(even_mean(own, along(own, &places, directions)), &[x])
    })
}

fn largest<const N: usize>(draft: &mut Draft, x: Wire, places: [usize; N]) -> [Wire; 2] {
    with_indices::<N>(draft, x, |draft, x, directions| {
        adaptive_max_pool2d_indices(along(extent(draft, x), &places, directions))
    })
}

/// Lines, images and volumes: fewer and more places than elements, one place, both ranks, nothing,
/// bounded batches, NaN, `f64`; wrong ranks and empty axes.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let bounded = |rest: &[usize]| vec![bounded_first(Element::F32, 5, rest)];
    let rejected = |name: &str, x: &[usize]| {
        let build = |draft: &mut Draft, wires: &[Wire]| {
            vec![adaptive_avg_pool3d(draft, wires[0], [2, 2, 2])]
        };
        Sample::composite_rejected(name, "adaptive_avg_pool3d", build, vec![Spec::f32(x.to_vec())])
    };
    let special = Value::new(&[1, 6], &[1.0, f32::NAN, 2.0, 2.0, f32::NEG_INFINITY, 1.0]);
    vec![
        sample("line", [5], noise(1, &[2, 3, 17])),
        sample("line, more", [7], noise(1, &[2, 3, 4])),
        sample("line, global", [1], noise(1, &[3, 11])),
        sample("line, bounded", [3], noise(1, &[2, 3, 7])).with_specs(bounded(&[3, 7])),
        sample("line, special", [3], special),
        sample("line, f64", [3], window::wide(1, &[2, 3, 10])),
        sample("image", [3, 4], noise(1, &[2, 3, 7, 9])),
        sample("image, global", [1, 1], noise(1, &[2, 3, 5, 4])),
        sample("image, no batch", [2, 9], noise(1, &[3, 7, 5])),
        sample("volume", [3, 2, 4], noise(1, &[2, 2, 5, 7, 6])),
        sample("volume, more", [4, 3, 1], noise(1, &[1, 2, 3, 2, 5])),
        sample("volume, global", [1, 1, 1], noise(1, &[2, 3, 2, 3, 4])),
        sample("volume, no batch", [2, 3, 2], noise(1, &[3, 4, 5, 4])),
        sample("volume, empty batch", [2, 3, 2], noise(1, &[0, 2, 4, 5, 3])),
        sample("volume, no places", [2, 0, 2], noise(1, &[1, 2, 4, 5, 3])),
        sample("volume, bounded", [2, 3, 2], noise(1, &[2, 2, 4, 5, 3]))
            .with_specs(bounded(&[2, 4, 5, 3])),
        sample("volume, f64", [3, 2, 2], window::wide(1, &[1, 2, 4, 5, 3])),
        rejected("an image", &[3, 4, 4]),
        rejected("six dimensions", &[1, 2, 3, 4, 5, 6]),
        rejected("no slices", &[2, 3, 0, 4, 4]),
        rejected("no rows", &[2, 3, 4, 0, 4]),
    ]
}

/// Means, maxima and indices.
fn sample<const N: usize>(name: &str, places: [usize; N], x: Value) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        let [y, index] = largest(draft, wires[0], places);
        vec![mean(draft, wires[0], places), y, index]
    };
    let expect = reference(move |inputs| by_listing(&inputs[0], places));
    Sample::composite(name, "adaptive_pool", build, vec![x], expect)
}

/// The expectation: each window lists the elements whose place, as a fraction, it overlaps.
fn by_listing<const N: usize>(x: &Tensor, places: [usize; N]) -> Vec<Tensor> {
    let first = x.extents.len() - N;
    let extents = [&x.extents[..first], &places].concat();
    let whole: usize = x.extents[first..].iter().product();
    let all = |fold: &dyn Fn(Vec<(f64, usize)>) -> f64| {
        Tensor::from_fn(&extents, |at| {
            let inside = Tensor::from_fn(&x.extents[first..], |pixel| {
                let overlaps = (0..N).all(|axis| {
                    let (place, own) = (at[first + axis], x.extents[first + axis]);
                    let (pixel, of) = (pixel[axis], places[axis]);
                    pixel * of < (place + 1) * own && place * own < (pixel + 1) * of
                });
                f64::from(u8::from(overlaps))
            });
            let plane = at[..first].iter().zip(&x.extents).fold(0, |flat, (i, n)| flat * n + i);
            let listed = (0..whole).filter(|&flat| inside.data[flat] == 1.0);
            fold(listed.map(|flat| (x.data[plane * whole + flat], flat)).collect())
        })
    };
    let largest = |listed: Vec<(f64, usize)>| {
        let nan = listed.iter().rev().find(|(value, _)| value.is_nan()).copied();
        nan.unwrap_or_else(|| {
            let most = listed.iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max);
            *listed.iter().find(|(value, _)| *value == most).expect("a window has elements")
        })
    };
    vec![
        all(&|listed| listed.iter().map(|(value, _)| value / listed.len() as f64).sum()),
        all(&|listed| largest(listed).0),
        all(&|listed| largest(listed).1 as f64),
    ]
}
