//! Softmax: `y = exp(x - max x) / sum exp(x - max x)` along one axis.
//!
//! # Shape
//! `x`: any of at least one dimension -> `y`: the same. The axis may have extent zero.
//!
//! # Gradient
//! `dx = y * (dy - sum(dy * y))` along the axis.
//!
//! # Numerics
//! The maximum is subtracted, so no finite input overflows. A NaN makes its whole row NaN, as does
//! `+inf`; a row of `-inf` is NaN. Sums run in `f32`, in order. As PyTorch's `softmax`.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::softmax::softmax;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&softmax(0), &[Value::new(&[2], &[0.0_f32, 0.0])])?;
//! assert_eq!(y[0].elements::<f32>(), [0.5, 0.5]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{multiply, subtract};
use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("softmax", |case| {
    let x = case.input("x")?;
    let axis = case.axis("dim", x, -1)?;
    Ok(vec![case.apply(softmax(axis), &[x])])
})];

/// Softmax along `axis`.
#[must_use]
pub fn softmax(axis: usize) -> Softmax {
    Softmax { axis }
}

/// See [`softmax`].
#[derive(Clone, Debug)]
pub struct Softmax {
    axis: usize,
}

impl Operator for Softmax {
    fn contract(&self) -> Contract {
        Contract::new("softmax").input("x").output("y").in_place(0, 0).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        if x.element != Element::F32 {
            return Err(SpecError::new("x", x.element, Element::F32));
        }
        if self.axis >= x.rank() {
            return Err(SpecError::new("x", x, format!("an axis {}", self.axis)));
        }
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (y, dy) = (backward.output(0), backward.upstream(0));
        let weighed = backward.apply(multiply(), &[dy, y]);
        let mean = backward.apply(sum(&[self.axis], Keep::Axes), &[weighed]);
        let apart = backward.apply(subtract(), &[dy, mean]);
        Gradient::one(backward.apply(multiply(), &[y, apart]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let axis = self.axis;
        on_device!(target, specs, host: OnHost { axis }, cube: cube::OnCube { axis })
    }
}

struct OnHost {
    axis: usize,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        let mut y = match firing.pair(0, 0) {
            Pair::Same(y) => y,
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                y.elements::<f32>().copy_from_slice(x.elements::<f32>());
                y
            }
        };
        let extents = y.extents();
        let inner = extents[self.axis + 1..].iter().product();
        let slab = extents[self.axis] * inner;
        pieces(crew, y.elements::<f32>(), slab, &|_, piece| {
            piece.chunks_exact_mut(slab).for_each(|slab| on_slab(slab, inner));
        });
        Ok(())
    }
}

/// Softmax of each of the `inner` interleaved rows of one slab, in place.
fn on_slab(slab: &mut [f32], inner: usize) {
    for column in 0..inner {
        let end = slab.len();
        let row = || (column..end).step_by(inner);
        let mut max = f32::NEG_INFINITY;
        for index in row() {
            // A NaN stays: no number is larger.
            if slab[index] > max || slab[index].is_nan() {
                max = slab[index];
            }
        }
        let mut sum = 0.0;
        for index in row() {
            slab[index] = (slab[index] - max).exp();
            sum += slab[index];
        }
        for index in row() {
            slab[index] /= sum;
        }
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::*;

    use super::FireError;
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::lines::{Fold, LINE_UNITS, Lines, along, over_cube, start_of};

    pub(super) struct OnCube {
        pub(super) axis: usize,
    }

    impl CubeKernel for OnCube {
        const IN_PLACE: Option<(usize, usize)> = Some((0, 0));

        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let x = call.input(0);
            let y = call.set_extents(0, &x.extents());
            let lines = along(&x.extents(), self.axis);
            call.cubes(lines.count as usize, LINE_UNITS, |client, cubes, units| {
                let lines = lines.argument();
                softmax::launch::<R>(client, cubes, units, x.array(), y.array(), lines);
            })
        }
    }

    #[cube(launch)]
    fn softmax(x: &Array<f32>, y: &mut Array<f32>, lines: Lines) {
        let line = CUBE_POS as u32;
        if line < lines.count {
            let start = start_of(&lines, line);
            // Finite, so that a line of -inf divides 0 by 0.
            let mut largest = f32::min_value();
            let mut k = UNIT_POS;
            while k < lines.length {
                largest = max(largest, x[(start + k * lines.stride) as usize]);
                k += LINE_UNITS;
            }
            let largest = over_cube(largest, Fold::Largest);
            let mut sum = 0.0f32;
            let mut k = UNIT_POS;
            while k < lines.length {
                sum += (x[(start + k * lines.stride) as usize] - largest).exp();
                k += LINE_UNITS;
            }
            let sum = over_cube(sum, Fold::Sum);
            let mut k = UNIT_POS;
            while k < lines.length {
                let index = (start + k * lines.stride) as usize;
                y[index] = (x[index] - largest).exp() / sum;
                k += LINE_UNITS;
            }
        }
    }
}

/// Plain, an inner axis, one element, large magnitudes, none at all, and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let along = |axis: usize| reference(move |inputs| vec![in_logarithms(&inputs[0], axis)]);
    let large = Value::new(&[1, 4], &[-1e30_f32, 88.0, 1000.0, -1000.0]);
    let infinite = Value::new(&[2, 2], &[f32::NEG_INFINITY, 0.0, f32::NAN, 0.0]);
    let literal = vec![Tensor::new(&[2, 2], vec![0.0, 1.0, f64::NAN, f64::NAN])];
    vec![
        Sample::new("last axis", softmax(1), vec![noise(1, &[5, 37])], along(1)),
        Sample::new("inner axis", softmax(1), vec![noise(2, &[3, 11, 7])], along(1)),
        Sample::new("one element", softmax(0), vec![noise(3, &[1])], along(0)),
        Sample::new("large magnitudes", softmax(1), vec![large], along(1)),
        Sample::new("infinite", softmax(1), vec![infinite], Expect::Outputs(literal)),
        Sample::new("empty", softmax(0), vec![noise(4, &[0, 3])], along(0)),
        Sample::rejected("missing axis", softmax(2), vec![Spec::f32([2, 2])], "x", None),
    ]
}

/// The expectation, by way of logarithms: `exp(x - log sum exp x)`.
fn in_logarithms(x: &Tensor, axis: usize) -> Tensor {
    Tensor::from_fn(&x.extents, |index| {
        let mut other = index.to_vec();
        let row: Vec<f64> = (0..x.extents[axis])
            .map(|k| {
                other[axis] = k;
                x.at(&other)
            })
            .collect();
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log = max + row.iter().map(|value| (value - max).exp()).sum::<f64>().ln();
        (x.at(index) - log).exp()
    })
}
