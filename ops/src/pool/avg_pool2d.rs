//! Average pooling: `y[c, p, q] = sum over i, j of x[c, p s + i - t, q s + j - l] / size`
//! with stride `s`; pixels outside `x` count as 0, and [`Counting`] says whether the size counts
//! them.
//!
//! # Shape
//! `x`: `f32` `[batch, channel, row, column]` or `[channel, row, column]`; the batch may be
//! bounded.
//! `y`: the same with `(extent + padding - kernel) / s + 1` rows and columns, rounded as
//! [`Rounding`] says. The padding of a side is at most half of the kernel.
//!
//! # Gradient
//! `dx` is the sum of `dy / size` over the windows that a pixel is in.
//!
//! # Numerics
//! The sum runs in `f32`, row by row, then it is divided. A NaN in a window gives NaN. Where a
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
    Contract, FireError, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::simd::{Element as _, Has, Job, Lanes, Path};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Motion, Pair, Pool, Rounding};

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

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let pool = self.pool(&specs.inputs[0]).expect("the shape rule accepted this input");
        let counting = self.counting;
        on_device!(
            target,
            specs,
            host: OnHost { pool, counting, path: Path::best() },
            cube: cube::OnCube { window: self.motion.window(self.kernel), counting }
        )
    }
}

struct OnHost {
    pool: Pool,
    counting: Counting,
    path: Path,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let path = self.path;
        let size = |axis: usize, place: usize| match self.counting {
            Counting::Padding => self.pool.inside_padding(axis, place),
            Counting::Image => self.pool.inside(axis, place),
        };
        self.pool.rows(firing, &|row, y| {
            y.fill(0.0);
            row.taps(y, |pixels, y, stride| f32::dispatch(path, Total { pixels, y, stride }));
            let rows = size(0, row.place);
            for (place, y) in y.iter_mut().enumerate() {
                // A window of padding that does not count stays 0.
                *y /= (rows * size(1, place)).max(1) as f32;
            }
        });
        Ok(())
    }
}

/// Adds every `stride`-th pixel to `y`.
struct Total<'a> {
    pixels: &'a [f32],
    y: &'a mut [f32],
    stride: usize,
}

impl Job<f32> for Total<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f32>>(self, _: Has<L>) {
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
    let wide = vec![Spec::new(Element::F64, [1, 4, 4])];
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
        Sample::rejected("f64", avg_pool2d(2), wide, "x", None),
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
