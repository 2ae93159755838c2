//! Max pooling: `y[c, p, q] = max over i, j of x[c, p s + i d - t, q s + j d - l]`
//! with stride `s` and dilation `d`; pixels outside `x` count as `-inf`.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`; the batch may
//! be bounded.
//! `y`: the same with `(extent + padding - d * (kernel - 1) - 1) / s + 1` rows and columns, rounded
//! as [`Rounding`] says. The padding of a side is at most half of `d * (kernel - 1) + 1`.
//!
//! # Gradient
//! `dy` goes to the first largest pixel of its window, row by row, or to the last NaN in it;
//! windows that overlap add. [`max_pool2d_indices`] finds these pixels again, `pool_scatter` adds.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! Exact. A NaN in a window gives NaN, of unspecified sign and payload. As PyTorch's `max_pool2d`.
//!
//! # Example
//! ```
//! use synfire_ops::pool::max_pool2d::max_pool2d;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 2, 4], &[1.0_f32, 5.0, 2.0, 0.0, 3.0, 4.0, -1.0, 1.0]);
//! assert_eq!(fire_once(&max_pool2d(2), &[x])?[0].elements::<f32>(), [5.0, 2.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::max_pool2d_indices::max_pool2d_indices;
use super::pool_scatter::scatter_within;
use crate::device::on_device;
use crate::host::simd::Path;
use crate::host::widened::widened;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Motion, Pair, Pool, Rounding};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// Max pooling over windows of `kernel`, one number for both directions or `[rows, columns]`, which
/// lie side by side: the stride is the kernel until [`MaxPool2d::stride`] sets it.
#[must_use]
pub fn max_pool2d(kernel: impl Into<Pair>) -> MaxPool2d {
    let Pair(kernel) = kernel.into();
    let motion = Motion { stride: kernel, ..Motion::PLAIN };
    MaxPool2d { kernel, motion, rounding: Rounding::Floor }
}

/// See [`max_pool2d`].
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    kernel: [usize; 2],
    motion: Motion,
    rounding: Rounding,
}

window::setters!(MaxPool2d: stride, dilation, padding, rounding);

impl MaxPool2d {
    fn pool(&self, x: &Spec) -> Result<Pool, SpecError> {
        Pool::new(x, self.motion.window(self.kernel), self.rounding)
    }
}

impl Operator for MaxPool2d {
    fn contract(&self) -> Contract {
        Contract::new("max_pool2d").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(vec![self.pool(&inputs[0])?.output()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, window::pool_axes(&inputs[0]))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let pool = self.pool(&backward.input_spec(0)).expect("the shape rule accepted this input");
        let (x, dy) = (backward.input(0), backward.upstream(0));
        let indices = max_pool2d_indices(self.kernel).window(self.motion).rounding(self.rounding);
        let index = backward.apply_many(indices, &[x])[1];
        Gradient::one(backward.apply(scatter_within(pool.spans()), &[dy, index]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        let pool = self.pool(&specs.inputs[0]).expect("the shape rule accepted this input");
        let host = OnHost { pool, path: Path::best(), element: specs.inputs[0].element };
        if host.element == Element::F64 {
            return on_device!(target, specs, host: host);
        }
        on_device!(
            target,
            specs,
            host: host,
            cube: cube::OnCube { window: self.motion.window(self.kernel) }
        )
    }
}

struct OnHost {
    pool: Pool,
    path: Path,
    element: Element,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F64 => self.pool.largest(firing, self.path, f64::NEG_INFINITY),
            _ => self.pool.largest(firing, self.path, f32::NEG_INFINITY),
        }
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube; // a unit for each window

/// All attributes, both ranks, both roundings, NaN and infinities, nothing, bounded batches; wrong
/// windows, paddings and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: MaxPool2d, x: &[usize]| {
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, vec![noise(1, x)], expect)
    };
    let rejected = |name: &str, operator: MaxPool2d, x: &[usize], dimension| {
        Sample::rejected(name, operator, vec![Spec::f32(x.to_vec())], "x", dimension)
    };
    let all = || max_pool2d([3, 2]).stride([2, 3]).dilation([2, 3]).padding([1, 2, 0, 2]);
    let up = |operator: MaxPool2d| operator.rounding(Rounding::Ceiling);
    let (nan, down) = (f32::NAN, f32::NEG_INFINITY);
    let special =
        Value::new(&[1, 2, 6], &[nan, 9.0, down, down, 1.0, 2.0, 3.0, 4.0, down, down, 5.0, nan]);
    let literal = Tensor::new(&[1, 1, 3], vec![f64::NAN, f64::NEG_INFINITY, f64::NAN]);
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7, 9])];
    let in_f64 = vec![window::wide(1, &[2, 9, 11])];
    let integers = vec![Spec::new(Element::I64, [1, 4, 4])];
    vec![
        case("halves", max_pool2d(2), &[2, 3, 8, 50]),
        case("halves, odd", max_pool2d(2), &[1, 3, 7, 131]),
        case("overlapping", max_pool2d(3).stride(1).padding(1), &[1, 2, 5, 37]),
        case("thirds", max_pool2d(3), &[1, 2, 10, 61]),
        case("one pixel", max_pool2d(1), &[1, 1, 1]),
        case("all attributes", all(), &[2, 3, 17, 23]),
        case("rounded up", up(max_pool2d(2)), &[2, 7, 5]),
        case("all, rounded up", up(all()), &[2, 3, 16, 22]),
        case("window past the end", up(max_pool2d(1).stride(3)), &[1, 5, 6]),
        case("many rows", max_pool2d(2), &[1, 2, 254, 256]),
        case("empty batch", max_pool2d(2), &[0, 3, 4, 4]),
        case("no channels", max_pool2d(2), &[0, 4, 4]),
        case("bounded batch", max_pool2d(2), &[2, 3, 7, 9]).with_specs(bounded),
        Sample::new("special", max_pool2d(2), vec![special], Expect::Outputs(vec![literal])),
        rejected("too few rows", max_pool2d(3), &[2, 2, 4], Some(1)),
        rejected("too few columns", max_pool2d(2), &[1, 2, 4, 1], Some(3)),
        rejected("no kernel", max_pool2d(0), &[2, 2, 4], None),
        rejected("no stride", max_pool2d(2).stride(0), &[2, 2, 4], None),
        rejected("wide padding", max_pool2d(2).padding([0, 0, 2, 0]), &[2, 2, 4], None),
        rejected("two dimensions", max_pool2d(2), &[4, 4], None),
        Sample::new("f64", up(all()), in_f64, by_definition(up(all()))),
        Sample::rejected("integers", max_pool2d(2), integers, "x", None),
    ]
}

/// The definition: each window is listed and sorted.
fn by_definition(operator: MaxPool2d) -> Expect {
    reference(move |inputs| {
        let x = &inputs[0];
        let pool = operator.pool(&Spec::f32(x.extents.clone())).expect("samples are right");
        vec![window::pooled(x, &pool, |pixels, _| {
            let mut pixels: Vec<f64> = pixels.to_vec();
            pixels.sort_by(f64::total_cmp);
            pixels.last().copied().unwrap_or(f64::NEG_INFINITY)
        })]
    })
}
