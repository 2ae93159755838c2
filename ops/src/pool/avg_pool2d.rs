//! Average pooling: `y[c, p, q] = sum over i, j of x[c, p s + i - t, q s + j - l] / size`
//! with stride `s`; pixels outside `x` count as 0, and [`Counting`] says whether the size counts
//! them.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`; the batch may
//! be bounded.
//! `y`: the same with `(extent + padding - kernel) / s + 1` rows and columns, rounded as
//! [`Rounding`] says. The padding of a side is at most half of the kernel.
//!
//! # Gradient
//! `dx` is the sum of `dy / size` over the windows that a pixel is in: a `window_sum`.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! The sum runs row by row, then it is divided. A NaN in a window gives NaN. Where a
//! window is cut off beyond the padding ([`Rounding::Ceiling`]), the size counts what is left. As
//! PyTorch's `avg_pool2d`.
//!
//! # Example
//! ```
//! use synfire_ops::pool::avg_pool2d::avg_pool2d;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 2, 4], &[1.0_f32, 5.0, 2.0, 0.0, 3.0, 4.0, -1.0, 1.0]);
//! assert_eq!(fire_once(&avg_pool2d(2), &[x])?[0].elements::<f32>(), [3.25, 0.5]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::window_sum::window_sum;
use crate::device::on_device;
use crate::host::real::Real;
use crate::host::simd::{Element as Number, Has, Job, Lanes, Path};
use crate::host::widened::widened;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Motion, Pair, Pool, Rounding};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// What the size of a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Pixels of the image and of its padding.
    Padding,
    /// Pixels of the image.
    Image,
}

/// Average pooling over windows of `kernel`, one number for both directions or `[rows, columns]`,
/// which lie side by side: the stride is the kernel until [`AvgPool2d::stride`] sets it. Padding
/// counts until [`AvgPool2d::counting`] says otherwise.
#[must_use]
pub fn avg_pool2d(kernel: impl Into<Pair>) -> AvgPool2d {
    let Pair(kernel) = kernel.into();
    let motion = Motion { stride: kernel, ..Motion::PLAIN };
    AvgPool2d { kernel, motion, rounding: Rounding::Floor, counting: Counting::Padding }
}

/// See [`avg_pool2d`].
#[derive(Clone, Debug)]
pub struct AvgPool2d {
    kernel: [usize; 2],
    motion: Motion,
    rounding: Rounding,
    counting: Counting,
}

window::setters!(AvgPool2d: stride, padding, rounding);

impl AvgPool2d {
    /// Sets what the size of a window counts.
    #[must_use]
    pub fn counting(mut self, counting: Counting) -> Self {
        self.counting = counting;
        self
    }

    fn pool(&self, x: &Spec) -> Result<Pool, SpecError> {
        Pool::new(x, self.motion.window(self.kernel), self.rounding)
    }
}

impl Operator for AvgPool2d {
    fn contract(&self) -> Contract {
        Contract::new("avg_pool2d").input("x").output("y")
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(vec![self.pool(&inputs[0])?.output()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, window::pool_axes(&inputs[0]))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let pool = self.pool(&backward.input_spec(0)).expect("the shape rule accepted this input");
        let dy = backward.upstream(0);
        let forward = window_sum(pool.spans()).mean(self.counting, self.motion.after());
        Gradient::one(backward.apply(forward.transposed(), &[dy]))
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
        let counting = self.counting;
        let host = OnHost { pool, counting, path: Path::best(), element: specs.inputs[0].element };
        if host.element == Element::F64 {
            return on_device!(target, specs, host: host);
        }
        on_device!(
            target,
            specs,
            host: host,
            cube: cube::OnCube { window: self.motion.window(self.kernel), counting }
        )
    }
}

struct OnHost {
    pool: Pool,
    counting: Counting,
    path: Path,
    element: Element,
}

impl OnHost {
    fn fire_as<T: Number + Real>(&self, firing: &mut Firing<'_>) {
        let path = self.path;
        let size = |axis: usize, place: usize| match self.counting {
            Counting::Padding => self.pool.inside_padding(axis, place),
            Counting::Image => self.pool.inside(axis, place),
        };
        self.pool.rows::<T>(firing, &|row, y| {
            y.fill(T::of(0.0));
            row.taps(y, |pixels, y, stride| T::dispatch(path, Total { pixels, y, stride }));
            let rows = size(0, row.place);
            for (place, y) in y.iter_mut().enumerate() {
                // A window of padding that does not count stays 0.
                *y = *y / T::of((rows * size(1, place)).max(1) as f64);
            }
        });
    }
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F64 => self.fire_as::<f64>(firing),
            _ => self.fire_as::<f32>(firing),
        }
        Ok(())
    }
}

/// Adds every `stride`-th pixel to `y`.
struct Total<'a, T> {
    pixels: &'a [T],
    y: &'a mut [T],
    stride: usize,
}

impl<T: Number> Job<T> for Total<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: Has<L>) {
        window::along(self.pixels, self.y, self.stride, |y, x| y + x);
    }
}

#[cfg(feature = "cube")]
mod cube; // a unit for each window

/// All attributes, both ranks, both roundings, both countings, NaN and infinities, nothing, bounded
/// batches; wrong windows, paddings and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: AvgPool2d, x: &[usize]| {
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, vec![noise(1, x)], expect)
    };
    let rejected = |name: &str, operator: AvgPool2d, x: &[usize], dimension| {
        Sample::rejected(name, operator, vec![Spec::f32(x.to_vec())], "x", dimension)
    };
    let all = || avg_pool2d([3, 4]).stride([2, 3]).padding([1, 0, 2, 1]);
    let up = |operator: AvgPool2d| operator.rounding(Rounding::Ceiling);
    let image = |operator: AvgPool2d| operator.counting(Counting::Image);
    let special = Value::new(&[1, 1, 4], &[f32::NAN, 0.0, f32::INFINITY, 1.0]);
    let literal = Tensor::new(&[1, 1, 2], vec![f64::NAN, f64::INFINITY]);
    let bounded = vec![bounded_first(Element::F32, 5, &[3, 7, 9])];
    let in_f64 = vec![window::wide(1, &[2, 9, 11])];
    let integers = vec![Spec::new(Element::I64, [1, 4, 4])];
    vec![
        case("halves", avg_pool2d(2), &[2, 3, 8, 50]),
        case("halves, odd", avg_pool2d(2), &[1, 3, 7, 131]),
        case("overlapping", avg_pool2d(3).stride(1).padding(1), &[1, 2, 5, 37]),
        case("whole image", avg_pool2d([7, 5]), &[2, 4, 7, 5]),
        case("one pixel", avg_pool2d(1), &[1, 1, 1]),
        case("all attributes", all(), &[2, 3, 17, 23]),
        case("image counted", image(all()), &[2, 3, 17, 23]),
        case("rounded up", up(all()), &[2, 3, 16, 22]),
        case("rounded up, image counted", image(up(all())), &[2, 3, 16, 22]),
        case("many rows", avg_pool2d(2), &[1, 2, 254, 256]),
        case("empty batch", avg_pool2d(2), &[0, 3, 4, 4]),
        case("bounded batch", avg_pool2d(2), &[2, 3, 7, 9]).with_specs(bounded),
        Sample::new("special", avg_pool2d([1, 2]), vec![special], Expect::Outputs(vec![literal])),
        rejected("too few rows", avg_pool2d(3), &[2, 2, 4], Some(1)),
        rejected("no kernel", avg_pool2d([2, 0]), &[2, 2, 4], None),
        rejected("no stride", avg_pool2d(2).stride(0), &[2, 2, 4], None),
        rejected("wide padding", avg_pool2d(3).padding(2), &[2, 2, 4], None),
        rejected("two dimensions", avg_pool2d(2), &[4, 4], None),
        Sample::new("f64", up(all()), in_f64, by_definition(up(all()))),
        Sample::rejected("integers", avg_pool2d(2), integers, "x", None),
    ]
}

/// The definition: each window is listed, and averaged pixel by pixel.
fn by_definition(operator: AvgPool2d) -> Expect {
    reference(move |inputs| {
        let x = &inputs[0];
        let pool = operator.pool(&Spec::f32(x.extents.clone())).expect("samples are right");
        vec![window::pooled(x, &pool, |pixels, padded| {
            let size = match operator.counting {
                Counting::Padding => padded,
                Counting::Image => pixels.len(),
            };
            pixels.iter().map(|pixel| pixel / size as f64).sum()
        })]
    })
}
