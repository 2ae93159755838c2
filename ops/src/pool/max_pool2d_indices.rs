//! Max pooling with indices: the largest pixel of each window, and where in its channel it is.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`; the batch may
//! be bounded. `y`: as [`max_pool2d`](super::max_pool2d), or with the given rows and columns if the
//! pool is adaptive. `index`: `i64` of the extents of `y`.
//!
//! # Gradient
//! `dy` goes to the pixel at its index; windows that overlap add (`pool_scatter`). None for
//! `index`.
//!
//! # Numerics
//! Exact. The index counts pixels row by row; of equal ones it is the first, of NaN, which are
//! larger than all numbers, the last. A window that sees no pixel, as a dilated one may, has `-inf`
//! and the index -1. As PyTorch's `max_pool2d` and `adaptive_max_pool2d` with `return_indices`,
//! whose index of such a window is of no pixel either.
//!
//! # Example
//! ```
//! use synfire_ops::pool::max_pool2d_indices::max_pool2d_indices;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 2, 4], &[1.0_f32, 5.0, 2.0, 0.0, 3.0, 4.0, -1.0, 1.0]);
//! let y = fire_once(&max_pool2d_indices(2), &[x])?;
//! assert_eq!(y[0].elements::<f32>(), [5.0, 2.0]);
//! assert_eq!(y[1].elements::<i64>(), [1, 2]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::pool_scatter::scatter_within;
use crate::device::on_device;
use crate::host::simd::Path;
use crate::host::widened::widened;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Image, Motion, Pair, Pool, Rounding, Spans};

#[cfg(feature = "cube")]
mod cube; // a unit for each window
mod on_host; // blocks of windows, or one after the other
use on_host::OnHost;

/// Max pooling with indices over windows of `kernel`, one number for both directions or
/// `[rows, columns]`, which lie side by side: the stride is the kernel until
/// [`MaxPool2dIndices::stride`] sets it.
#[must_use]
pub fn max_pool2d_indices(kernel: impl Into<Pair>) -> MaxPool2dIndices {
    let Pair(kernel) = kernel.into();
    let motion = Motion { stride: kernel, ..Motion::PLAIN };
    MaxPool2dIndices { kernel, motion, rounding: Rounding::Floor, places: None }
}

/// Max pooling with indices over this many windows, one number for both directions or
/// `[rows, columns]`, that together are the image, as equal as can be.
#[must_use]
pub fn adaptive_max_pool2d_indices(places: impl Into<Pair>) -> MaxPool2dIndices {
    MaxPool2dIndices { places: Some(places.into().0), ..max_pool2d_indices(1) }
}

/// See [`max_pool2d_indices`] and [`adaptive_max_pool2d_indices`].
#[derive(Clone, Debug)]
pub struct MaxPool2dIndices {
    kernel: [usize; 2],
    motion: Motion,
    rounding: Rounding,
    /// Of an adaptive pool, which has no use for the rest.
    places: Option<[usize; 2]>,
}

window::setters!(MaxPool2dIndices: stride, dilation, padding, window, rounding);

impl MaxPool2dIndices {
    /// The windows over `x`, unless the pool is adaptive.
    fn pool(&self, x: &Spec) -> Result<Pool, SpecError> {
        Pool::new(x, self.motion.window(self.kernel), self.rounding)
    }

    /// The windows over `x`.
    fn windows(&self, x: &Spec) -> Result<Windows, SpecError> {
        let Some(places) = self.places else {
            let pool = self.pool(x)?;
            return Ok(Windows { spans: pool.spans(), dilation: self.motion.dilation });
        };
        let image = Image::of(x)?;
        if let Some(axis) = (0..2).find(|&axis| image.extent[axis] == 0 && places[axis] > 0) {
            return Err(SpecError::new("x", 0, "at least 1").at(x.rank() - 2 + axis));
        }
        let spans = [0, 1].map(|axis| Spans::even(image.extent[axis], places[axis]));
        Ok(Windows { spans, dilation: [1; 2] })
    }
}

/// Windows over an image, of which each sees every so many pixels of its span.
#[derive(Clone)]
struct Windows {
    spans: [Spans; 2],
    dilation: [usize; 2],
}

impl Windows {
    /// The pixels that a window row (axis 0) or column sees.
    fn seen(&self, axis: usize, place: usize) -> std::iter::StepBy<std::ops::Range<usize>> {
        let (spans, dilation) = (&self.spans[axis], self.dilation[axis]);
        let [start, end] = spans.bounds(place);
        let outside = (-start).max(0).unsigned_abs().next_multiple_of(dilation);
        let first = start.saturating_add_unsigned(outside).max(0) as usize;
        (first..end.clamp(0, spans.extent as isize) as usize).step_by(dilation)
    }
}

impl Operator for MaxPool2dIndices {
    fn contract(&self) -> Contract {
        let contract = Contract::new("max_pool2d_indices").input("x").output("y").output("index");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (image, windows) = (Image::of(&inputs[0])?, self.windows(&inputs[0])?);
        let y = image.output(image.channels, windows.spans.map(|spans| spans.places));
        let index = y.with_element(Element::I64);
        Ok(vec![y, index])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let Axes { inputs: x, outputs: y } = window::pool_axes(&inputs[0]);
        let axes = Axes { inputs: x, outputs: [y.clone(), y].concat() };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let x = backward.input_spec(0);
        let windows = self.windows(&x).expect("the shape rule accepted this input");
        let (dy, index) = (backward.upstream(0), backward.output(1));
        Gradient::one(backward.apply(scatter_within(windows.spans), &[dy, index]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        let windows = self.windows(&specs.inputs[0]).expect("the shape rule accepted this input");
        let pool = self.pool(&specs.inputs[0]).ok();
        let pool = pool.filter(|pool| self.places.is_none() && pool.is_compact());
        let host = OnHost { pool, windows: windows.clone(), path: Path::best() };
        match specs.inputs[0].element {
            Element::F64 => on_device!(target, specs, host: host),
            _ => on_device!(target, specs, host: host, cube: cube::OnCube(windows)),
        }
    }
}

/// All attributes, adaptive ones, both ranks, both roundings, ties, NaN and infinities, nothing,
/// bounded batches; wrong windows and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: MaxPool2dIndices, x: &[usize]| {
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, vec![noise(1, x)], expect)
    };
    let plain = |kernel: usize| max_pool2d_indices(kernel);
    let all = || max_pool2d_indices([3, 2]).stride([2, 3]).dilation([2, 3]).padding([1, 2, 0, 2]);
    let up = |operator: MaxPool2dIndices| operator.rounding(Rounding::Ceiling);
    let rejected = |name: &str, operator: MaxPool2dIndices, x: &[usize], dimension| {
        Sample::rejected(name, operator, vec![Spec::f32(x.to_vec())], "x", dimension)
    };
    let (nan, least) = (f32::NAN, f32::NEG_INFINITY);
    let special = [nan, nan, least, least, 3.0, 3.0, 4.0, nan, least, least, 5.0, 5.0];
    let special = vec![Value::new(&[1, 2, 6], &special)];
    let ties = Value::new(&[1, 4, 5], &[1.0_f32; 20]);
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7, 9])];
    let blind = Tensor::new(&[1, 1, 1], vec![f64::NEG_INFINITY]);
    let blind = Expect::Outputs(vec![blind, Tensor::new(&[1, 1, 1], vec![-1.0])]);
    let gap = max_pool2d_indices([1, 2]).stride(1).dilation([1, 3]).padding([0, 0, 2, 1]);
    vec![
        case("halves", plain(2), &[2, 3, 8, 10]),
        case("overlapping", plain(3).stride(1).padding(1), &[1, 2, 5, 37]),
        case("one pixel", plain(1), &[1, 1, 1]),
        case("all attributes", all(), &[2, 3, 11, 13]),
        case("all, rounded up", up(all()), &[2, 3, 10, 12]),
        case("window past the end", up(plain(1).stride(3)), &[1, 5, 6]),
        case("adaptive", adaptive_max_pool2d_indices([3, 4]), &[2, 3, 7, 11]),
        case("adaptive, more than pixels", adaptive_max_pool2d_indices([7, 5]), &[2, 3, 2]),
        case("global", adaptive_max_pool2d_indices(1), &[2, 3, 7, 11]),
        case("many rows", plain(2), &[1, 1, 254, 256]),
        case("empty batch", plain(2), &[0, 3, 4, 4]),
        case("bounded batch", plain(2), &[2, 3, 7, 9]).with_specs(bounded),
        Sample::new("special", plain(2), special, by_definition(plain(2))),
        Sample::new("ties", up(plain(2)), vec![ties], by_definition(up(plain(2)))),
        Sample::new("blind", gap, vec![noise(1, &[1, 1, 1])], blind),
        Sample::new("f64", all(), vec![window::wide(1, &[2, 11, 13])], by_definition(all())),
        rejected("too few rows", plain(3), &[2, 2, 4], Some(1)),
        rejected("no kernel", plain(0), &[2, 2, 4], None),
        rejected("no pixels", adaptive_max_pool2d_indices(1), &[2, 2, 0], Some(2)),
        rejected("two dimensions", plain(2), &[4, 4], None),
    ]
}

/// The definition: each window's taps are listed and sorted, the first in front of its equals.
fn by_definition(operator: MaxPool2dIndices) -> Expect {
    reference(move |inputs| {
        let x = &inputs[0];
        let windows = operator.windows(&Spec::f32(x.extents.clone())).expect("samples are right");
        let ([rows, columns], first) = (windows.spans, x.extents.len() - 2);
        let mut extents = x.extents.clone();
        extents[first..].copy_from_slice(&[rows.places, columns.places]);
        let index = Tensor::from_fn(&extents, |at| {
            let [rows, columns] = [0, 1].map(|axis| {
                let (spans, dilation) = (&windows.spans[axis], windows.dilation[axis] as isize);
                let [start, _] = spans.bounds(at[first + axis]);
                let span = spans.span(at[first + axis]);
                span.filter(|&k| (k as isize - start) % dilation == 0).collect::<Vec<_>>()
            });
            let taps = rows.iter().flat_map(|&i| columns.iter().map(move |&j| [i, j]));
            let mut taps: Vec<(f64, usize)> = taps
                .map(|tap| {
                    let mut pixel = at.to_vec();
                    pixel[first..].copy_from_slice(&tap);
                    (x.at(&pixel), tap[0] * x.extents[first + 1] + tap[1])
                })
                .collect();
            let nan = taps.iter().rev().find(|(pixel, _)| pixel.is_nan()).map(|&(_, place)| place);
            taps.sort_by(|a, b| b.0.total_cmp(&a.0));
            nan.unwrap_or_else(|| taps[0].1) as f64
        });
        let y = Tensor::from_fn(&extents, |at| {
            let (place, mut pixel) = (index.at(at) as usize, at.to_vec());
            let wide = x.extents[first + 1];
            pixel[first..].copy_from_slice(&[place / wide, place % wide]);
            x.at(&pixel)
        });
        vec![y, index]
    })
}
