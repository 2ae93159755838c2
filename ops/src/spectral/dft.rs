//! The discrete Fourier transform of complex lines along the last axis:
//! `y[k] = scale * sum over j of x[j] e^(s 2 pi i j k / n)` with `s = -1` forward, `+1` inverse.
//!
//! Complex numbers are pairs `(re, im)` on an axis of extent 2 behind the others. `fft` and `ifft`
//! are this along any axes, with PyTorch's norms and lengths.
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., n, 2]` with a fixed `n` of at least one -> `y`: the same. Other
//! dimensions may be bounded.
//!
//! # Gradient
//! Of real and imaginary parts as independent numbers: the transform of `dy` in the other
//! direction, with the same scale.
//!
//! # Numerics
//! On the host a fast transform of any length (the crate `rustfft`). On accelerators a sum over
//! the whole line for each output, `n^2` in all, with exact angles: `f32` only.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::dft::{Direction, dft};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! // 1, i, -1, -i turns once.
//! let x = Value::new(&[4, 2], &[1.0_f32, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0]);
//! let y = fire_once(&dft(Direction::Forward, 1.0), &[x])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use std::sync::Arc;

use num_complex::Complex;
use rustfft::{Fft, FftDirection, FftPlanner};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::lines::{Line, Lines, Number, OnLines, complex};
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};

/// The sign of the angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a signal to its spectrum: negative angles.
    Forward,
    /// Back: positive angles.
    Inverse,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Inverse,
            Self::Inverse => Self::Forward,
        }
    }
}

/// The transform along the last axis before that of the pairs, times `scale`.
#[must_use]
pub fn dft(direction: Direction, scale: f64) -> Dft {
    Dft { direction, scale }
}

/// See [`dft`].
#[derive(Clone, Copy, Debug)]
pub struct Dft {
    direction: Direction,
    scale: f64,
}

impl Operator for Dft {
    fn contract(&self) -> Contract {
        Contract::new("dft").input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        pairs("x", &inputs[0])?;
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let (rank, length) = (inputs[0].rank(), inputs[0].bound(inputs[0].rank() - 2));
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.inputs[0][rank - 2..].iter_mut().for_each(|label| *label += rank as u8);
        let steps = length.next_power_of_two().trailing_zeros() as usize;
        // Three multiply-adds for each of two numbers a step.
        Metadata::streaming(inputs, outputs, axes)
            .with_macs((3 * inputs[0].elements() * steps) as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let adjoint = dft(self.direction.reversed(), self.scale);
        Gradient::one(backward.apply(adjoint, &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let length = specs.inputs[0].bound(specs.inputs[0].rank() - 2);
        let (line, of) = (Line { length, is_complex: true }, specs.inputs[0].element);
        let Self { direction, scale } = *self;
        on_device!(
            target,
            specs,
            host: OnLines::new(
                [line; 2],
                (of, specs.cores),
                || OnHost::<f32>::new(length, direction, scale),
                || OnHost::<f64>::new(length, direction, scale),
            ),
            cube: cube::kernel(*self, line, of)?
        )
    }
}

#[cfg(feature = "cube")]
mod cube {
    use super::{Dft, Direction, Element, KernelError, Line};
    use crate::device::sums::{Angles, Sums, Turn};
    use crate::host::lines::Edges;

    /// The sums of either direction.
    pub(super) fn kernel(operator: Dft, line: Line, of: Element) -> Result<Sums, KernelError> {
        let turn = match operator.direction {
            Direction::Forward => Turn::Right,
            Direction::Inverse => Turn::Left,
        };
        let angles = Angles { period: line.length, first: [0, 0], step: [0, 1] };
        let after = Edges::ONE.times(operator.scale);
        Ok(Sums::new([line; 2], angles, turn, of)?.weighed(Edges::ONE, after))
    }
}

/// Complex lines: float pairs, at least one in a line; how many.
pub(super) fn pairs(port: &str, x: &Spec) -> Result<usize, SpecError> {
    require::element(port, x, &[Element::F32, Element::F64])?;
    let Some(axis) = x.rank().checked_sub(2) else {
        return Err(SpecError::new(port, x, "at least 2 dimensions"));
    };
    if x.dimensions[axis + 1] != Dimension::Fixed(2) {
        let error =
            SpecError::new(port, x.dimensions[axis + 1], "pairs of real and imaginary part");
        return Err(error.at(axis + 1));
    }
    length(port, x, axis)
}

/// The extent of an axis that is transformed: fixed and at least one.
pub(super) fn length(port: &str, x: &Spec, axis: usize) -> Result<usize, SpecError> {
    match require::fixed(port, x, axis)? {
        0 => Err(SpecError::new(port, 0, "at least one element").at(axis)),
        length => Ok(length),
    }
}

/// A planned transform in place.
pub(super) struct OnHost<T: Number> {
    plan: Arc<dyn Fft<T>>,
    scale: f64,
}

impl<T: Number> OnHost<T> {
    pub(super) fn new(length: usize, direction: Direction, scale: f64) -> Self {
        let direction = match direction {
            Direction::Forward => FftDirection::Forward,
            Direction::Inverse => FftDirection::Inverse,
        };
        Self { plan: FftPlanner::new().plan_fft(length, direction), scale }
    }

    /// Transforms a line in place, without the scale.
    pub(super) fn in_place(&self, line: &mut [Complex<T>], scratch: &mut [T]) {
        self.plan.process_with_scratch(line, complex(scratch));
    }
}

impl<T: Number> Lines<T> for OnHost<T> {
    fn scratch(&self) -> usize {
        2 * self.plan.get_inplace_scratch_len()
    }

    fn transform(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        y.copy_from_slice(x);
        self.in_place(complex(y), scratch);
        scale_by(y, self.scale);
    }
}

/// Multiplies a line by a number.
pub(super) fn scale_by<T: Number>(y: &mut [T], scale: f64) {
    if scale != 1.0 {
        let scale = <T as crate::host::real::Real>::of(scale);
        y.iter_mut().for_each(|y| *y = *y * scale);
    }
}

/// Both directions; powers of two, primes and others; one element, `f64`, many lines, none,
/// bounded; rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Dft, x| {
        let expect = reference(move |inputs| vec![by_definition(&inputs[0], operator)]);
        Sample::new(name, operator, vec![x], expect)
    };
    let wide = |key, extents: &[usize]| Value::new(extents, &tensor(&noise(key, extents)).data);
    let forward = |scale| dft(Direction::Forward, scale);
    let inverse = |scale| dft(Direction::Inverse, scale);
    let bounded = vec![bounded_first(Element::F32, 4, &[6, 2])];
    let rejected = |name: &str, spec: Spec, dimension| {
        Sample::rejected(name, forward(1.0), vec![spec], "x", dimension)
    };
    vec![
        case("power of two", forward(1.0), noise(1, &[3, 16, 2])),
        case("power of two, inverse", inverse(0.25), noise(2, &[2, 32, 2])),
        case("prime", forward(0.5), noise(3, &[2, 37, 2])),
        case("prime, inverse", inverse(1.0), noise(4, &[13, 2])),
        case("composite, f64", inverse(1.0 / 12.0), wide(5, &[2, 2, 12, 2])),
        case("two, f64", forward(1.0), wide(6, &[2, 2])),
        case("one element", forward(2.0), noise(7, &[3, 1, 2])),
        case("many lines", forward(1.0), noise(8, &[4099, 5, 2])),
        case("no lines", forward(1.0), noise(9, &[0, 4, 2])),
        case("bounded", inverse(1.0), noise(10, &[2, 6, 2])).with_specs(bounded),
        rejected("no elements", Spec::f32([3, 0, 2]), Some(1)),
        rejected("no pairs", Spec::f32([3, 4]), Some(1)),
        rejected("no line", Spec::f32([2]), None),
        rejected("integers", Spec::new(Element::I64, [4, 2]), None),
        rejected("bounded line", bounded_first(Element::F32, 4, &[2]), Some(0)),
    ]
}

/// The definition: a matrix of roots of unity.
fn by_definition(x: &Tensor, operator: Dft) -> Tensor {
    let rank = x.extents.len();
    let length = x.extents[rank - 2];
    let sign = if operator.direction == Direction::Forward { -1.0 } else { 1.0 };
    Tensor::from_fn(&x.extents, |index| {
        let mut other = index.to_vec();
        let terms = (0..length).map(|j| {
            let turn = (j * index[rank - 2] % length) as f64 / length as f64;
            let (sin, cos) = (sign * turn * std::f64::consts::TAU).sin_cos();
            let [re, im] = [0, 1].map(|part| {
                (other[rank - 2], other[rank - 1]) = (j, part);
                x.at(&other)
            });
            if index[rank - 1] == 0 { re * cos - im * sin } else { re * sin + im * cos }
        });
        operator.scale * terms.sum::<f64>()
    })
}
