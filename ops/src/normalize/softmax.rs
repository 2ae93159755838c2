//! Softmax, `y = exp(x - max x) / sum exp(x - max x)` along one axis, and its logarithm,
//! [`log_softmax`]: `y = x - max x - log sum exp(x - max x)`.
//!
//! # Shape
//! `x`: any float, any of at least one dimension -> `y`: the same. The axis may have extent
//! zero.
//!
//! # Gradient
//! `dx = y * (dy - sum(dy * y))` along the axis; of the logarithm `dx = dy - exp(y) * sum(dy)`.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! The maximum is subtracted, so no finite input overflows. A NaN makes its whole row NaN, as does
//! `+inf`; a row of `-inf` is NaN. Sums run in the element type, in order. As PyTorch's `softmax`
//! and `log_softmax`.
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

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{multiply, subtract};
use crate::device::on_device;
use crate::host::widened::widened;
use crate::marks::Shares;
use crate::pointwise::unary::{exp, neg};
use crate::reduce::reduction::{Keep, one_axis, sum};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::{Case, Torch};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host; // line by line

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("softmax", |case| named(case, softmax)),
    ("log_softmax", |case| named(case, log_softmax)),
    ("softmin", |case| {
        let x = case.input("x")?;
        let axis = axis_of(case, x)?;
        let opposite = case.apply(neg(), &[x]);
        Ok(vec![case.apply(softmax(axis), &[opposite])])
    }),
];

fn named(case: &mut Case<'_>, row: fn(usize) -> Softmax) -> Result<Vec<Wire>, String> {
    let x = case.input("x")?;
    let axis = axis_of(case, x)?;
    Ok(vec![case.apply(row(axis), &[x])])
}

/// The axis given, or PyTorch's choice of old.
fn axis_of(case: &Case<'_>, x: Wire) -> Result<usize, String> {
    let rank = case.spec_of(x)?.rank();
    Ok(one_axis(case)?.unwrap_or(usize::from(!matches!(rank, 0 | 1 | 3))))
}

/// Softmax along `axis`.
#[must_use]
pub fn softmax(axis: usize) -> Softmax {
    Softmax { axis, form: Form::Shares }
}

/// The logarithm of softmax along `axis`.
#[must_use]
pub fn log_softmax(axis: usize) -> Softmax {
    Softmax { axis, form: Form::Logarithms }
}

/// See [`softmax`] and [`log_softmax`].
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    axis: usize,
    form: Form,
}

/// What is told of the shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Shares,
    Logarithms,
}

impl Operator for Softmax {
    fn contract(&self) -> Contract {
        let name = match self.form {
            Form::Shares => "softmax",
            Form::Logarithms => "log_softmax",
        };
        let contract = Contract::new(name).input("x").output("y").in_place(0, 0);
        let contract = contract.fusion(Fusion::Rows).tolerance(Tolerance::SUM);
        match self.form {
            Form::Shares => contract.mark(Shares { axis: self.axis }),
            Form::Logarithms => contract,
        }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::element("x", x, &require::FLOATS)?;
        require::axis("x", x, self.axis)?;
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (y, dy) = (backward.output(0), backward.upstream(0));
        if self.form == Form::Logarithms {
            let total = backward.apply(sum(&[self.axis], Keep::Axes), &[dy]);
            let shares = backward.apply(exp(), &[y]);
            let mean = backward.apply(multiply(), &[shares, total]);
            return Gradient::one(backward.apply(subtract(), &[dy, mean]));
        }
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
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        on_device!(
            target,
            specs,
            host: on_host::OnHost::new(*self, specs),
            cube: cube::OnCube::new(*self, specs)?
        )
    }
}

/// Both forms: plain, an inner axis, one element, `f64`, large magnitudes, none at all, bounded,
/// and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let along = |axis: usize| reference(move |inputs| vec![in_logarithms(&inputs[0], axis)]);
    let large = Value::new(&[1, 4], &[-1e30_f32, 88.0, 1000.0, -1000.0]);
    let infinite = Value::new(&[2, 2], &[f32::NEG_INFINITY, 0.0, f32::NAN, 0.0]);
    let literal = vec![Tensor::new(&[2, 2], vec![0.0, 1.0, f64::NAN, f64::NAN])];
    let logarithms = |axis: usize| {
        reference(move |inputs| {
            let mut shares = in_logarithms(&inputs[0], axis);
            shares.data.iter_mut().for_each(|share| *share = share.ln());
            vec![shares]
        })
    };
    let far = Value::new(&[1, 3], &[-1000.0_f32, 0.0, 0.0]);
    let half = -std::f64::consts::LN_2;
    let far_literal = Expect::Outputs(vec![Tensor::new(&[1, 3], vec![half - 1000.0, half, half])]);
    vec![
        Sample::new("logarithm", log_softmax(1), vec![noise(5, &[5, 37])], logarithms(1)),
        Sample::new("inner axis", log_softmax(1), vec![noise(6, &[3, 5, 19])], logarithms(1)),
        Sample::new("one element", log_softmax(0), vec![noise(7, &[1])], logarithms(0)),
        Sample::new("empty", log_softmax(1), vec![noise(8, &[3, 0])], logarithms(1)),
        Sample::new("of f64", log_softmax(0), vec![wide(&noise(9, &[7, 2]))], logarithms(0)),
        Sample::new("far below", log_softmax(1), vec![far], far_literal),
        Sample::new("of f64", softmax(1), vec![wide(&noise(9, &[3, 7]))], along(1)),
        Sample::new("bounded", softmax(0), vec![noise(9, &[4, 3])], along(0))
            .with_specs(vec![bounded_first(Element::F32, 7, &[3])]),
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
