//! Batch normalisation: `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`, with one of
//! each for every channel.
//!
//! [`batch_norm`] takes mean and variance as they were learnt; [`batch_norm_train`] takes those of
//! `x`, and moves the learnt ones towards them. Ioffe and Szegedy, "Batch normalization:
//! accelerating deep network training by reducing internal covariate shift", 2015.
//!
//! # Shape
//! `x`: any float, of at least two dimensions; axis 1, or that of [`BatchNorm::axis`], is the
//! channel, and fixed. `weight`, `bias`, `running_mean`, `running_var`: `[channel]`, of the same
//! type. `y`: as `x`.
//! In training also `mean` and `var`: `[channel]`, what the running ones become:
//! `(1 - momentum) * old + momentum * new`. Training takes at least two numbers of each channel.
//!
//! # Gradient
//! With `n = (x - mean) / deviation`: `dbias = sum dy`, `dweight = sum dy * n`, sums over all but
//! the channel. `dx = weight / deviation * dy`; in training, where mean and deviation depend on
//! `x`, `dx = weight / deviation * (dy - average(dy) - n * average(dy * n))`.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! `y = scale * x + shift`; scale and shift are computed in `f64` and rounded once. In training,
//! mean and then variance are summed in `f64`, in order. `y` is normalised by the biased variance
//! (divided by the count), the running variance is made of the unbiased one (by one less). As
//! PyTorch's `batch_norm`.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::batch_norm::batch_norm;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 2, 2], &[1.0_f32, 2.0, 3.0, 4.0]);
//! let [weight, bias, mean, variance] =
//!     [[1.0_f32, 10.0], [0.0, 1.0], [1.0, 3.0], [4.0, 1.0]].map(|v| Value::new(&[2], &v));
//! let y = fire_once(&batch_norm(0.0), &[x, weight, bias, mean, variance])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 0.5, 1.0, 11.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::widened::widened;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

mod backward; // the gradients as graphs
mod conformance; // as PyTorch calls it
mod on_host; // one line for each channel
use on_host::{OnHost, Train};

#[cfg(feature = "cube")]
mod cube; // the same in `f32`

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("batch_norm", conformance::build)];

/// Normalisation by learnt means and variances, along axis 1. `epsilon` is added to the variances.
#[must_use]
pub fn batch_norm(epsilon: f64) -> BatchNorm {
    BatchNorm { epsilon, axis: 1, momentum: None }
}

/// Normalisation by the means and variances of `x`, along axis 1. `epsilon` is added to the
/// variances, `momentum` is the part of the new in what the running ones become.
#[must_use]
pub fn batch_norm_train(epsilon: f64, momentum: f64) -> BatchNorm {
    BatchNorm { epsilon, axis: 1, momentum: Some(momentum) }
}

/// See [`batch_norm`] and [`batch_norm_train`].
#[derive(Clone, Debug)]
pub struct BatchNorm {
    epsilon: f64,
    axis: usize,
    /// The part of the new in what the running numbers become; none when they are only read.
    momentum: Option<f64>,
}

/// The inputs behind `x`, one number for each channel.
const PARAMETERS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

impl BatchNorm {
    /// Sets which axis is the channel.
    #[must_use]
    pub fn axis(mut self, axis: usize) -> Self {
        self.axis = axis;
        self
    }
}

impl Operator for BatchNorm {
    fn contract(&self) -> Contract {
        let name = if self.momentum.is_some() { "batch_norm_train" } else { "batch_norm" };
        let contract = Contract::new(name).input("x").output("y");
        let contract = PARAMETERS.iter().fold(contract, |own, name| own.input(name));
        match self.momentum {
            None => contract.in_place(0, 0).fusion(Fusion::Stage),
            Some(_) => contract.output("mean").output("var").tolerance(Tolerance::SUM),
        }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::element("x", x, &require::FLOATS)?;
        require::axis("x", x, self.axis)?;
        let channels = require::fixed("x", x, self.axis)?;
        let own = Spec::new(x.element, [channels]);
        for (name, spec) in PARAMETERS.iter().zip(&inputs[1..]) {
            require::alike(name, spec, &own, None)?;
        }
        if self.momentum.is_none() {
            return Ok(vec![x.clone()]);
        }
        if channels > 0 && x.elements() < 2 * channels {
            return Err(SpecError::new("x", x, "at least two numbers of each channel"));
        }
        Ok(vec![x.clone(), own.clone(), own])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let channel = |spec: &Spec| match spec.rank() {
            1 if inputs[0].rank() > 1 => vec![self.axis as u8],
            rank => (0..rank as u8).collect(),
        };
        let labels = |specs: &[Spec]| specs.iter().map(channel).collect();
        let axes = Axes { inputs: labels(inputs), outputs: labels(outputs) };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        backward::gradient(self, backward)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        match self.momentum {
            None => on_device!(
                target,
                specs,
                host: OnHost::new(self, specs),
                cube: cube::OnCube::new(self, specs)?
            ),
            Some(momentum) => on_device!(
                target,
                specs,
                host: Train::new(self, momentum, specs),
                cube: cube::Train::new(self, momentum, specs)?
            ),
        }
    }
}

/// Both forms: images, vectors, other axes, odd extents, many pieces, nothing, bounded batches, no
/// variance; wrong axes, channels and types, and too few numbers to train on.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: BatchNorm, x: &[usize]| {
        let channels = x[operator.axis];
        let positive: Vec<f32> = (0..channels).map(|c| 0.25 + c as f32).collect();
        let mut inputs = vec![noise(1, x)];
        inputs.extend((2..5).map(|key| noise(key, &[channels])));
        inputs.push(Value::new(&[channels], &positive));
        if name == "f64" {
            inputs = inputs.iter().map(wide).collect();
        }
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, inputs, expect)
    };
    let rejected = |name: &str, operator: BatchNorm, x: Spec, port, dimension| {
        let mut specs = vec![x];
        specs.extend([3, 3, 3, 3].map(|channels| Spec::f32([channels])));
        Sample::rejected(name, operator, specs, port, dimension)
    };
    let (eval, train) = (|| batch_norm(1e-5), || batch_norm_train(1e-3, 0.1));
    let image = |element| Spec::new(element, [2, 3, 4, 4]);
    let bounded = |rest: &[usize]| {
        let x = bounded_first(Element::F32, 9, rest);
        [x].into_iter().chain([3; 4].map(|channels| Spec::f32([channels]))).collect::<Vec<_>>()
    };
    let moving = Spec::new(Element::F32, [2.into(), synfire_runtime::spec::Dimension::UpTo(3)]);
    vec![
        case("image", eval(), &[2, 5, 7, 11]),
        case("vectors", eval(), &[17, 3]),
        case("first axis", eval().axis(0), &[3, 5, 5]),
        case("one dimension", eval().axis(0), &[7]),
        case("one element", eval(), &[1, 1]),
        case("many pieces", eval(), &[2, 3, 100, 109]),
        case("f64", eval(), &[2, 3, 5]),
        case("empty batch", eval(), &[0, 3, 2]),
        case("no channels", eval(), &[2, 0, 2]),
        case("bounded batch", eval(), &[4, 3, 5]).with_specs(bounded(&[3, 5])),
        rejected("no axis", eval().axis(4), image(Element::F32), "x", None),
        rejected("wrong channels", eval().axis(0), image(Element::F32), "weight", Some(0)),
        rejected("bounded channels", eval(), moving, "x", Some(1)),
        rejected("integers", eval(), image(Element::I32), "x", None),
        case("image", train(), &[2, 5, 7, 11]),
        case("vectors", train(), &[17, 3]),
        case("f64", train(), &[2, 3, 5]),
        case("last axis", train().axis(2), &[5, 3, 2]),
        case("many pieces", train(), &[2, 3, 100, 109]),
        case("no channels", train(), &[2, 0, 2]),
        case("bounded batch", train(), &[4, 3, 5]).with_specs(bounded(&[3, 5])),
        constant(),
        too_few(bounded(&[3])),
        rejected("one number", train(), Spec::f32([1, 3, 1]), "x", None),
        rejected("wrong channels", train(), Spec::f32([4, 4]), "weight", Some(0)),
    ]
}

/// A channel without variance: `y` is the bias.
fn constant() -> Sample {
    let inputs = [[4.0_f32, 4.0], [3.0, 3.0], [0.5, 0.5], [0.0, 0.0], [1.0, 1.0]];
    let mut inputs: Vec<Value> = inputs.iter().map(|v| Value::new(&[2], v)).collect();
    inputs[0] = Value::new(&[3, 2], &[4.0_f32; 6]);
    let of = |extents: &[usize], value| Tensor::new(extents, vec![value; extents.iter().product()]);
    let expect = vec![of(&[3, 2], 0.5), of(&[2], 2.0), of(&[2], 0.5)];
    Sample::new("constant", batch_norm_train(1e-3, 0.5), inputs, Expect::Outputs(expect))
}

/// One number of each channel in a batch that may be larger.
fn too_few(specs: Vec<Spec>) -> Sample {
    let mut inputs = vec![noise(1, &[1, 3])];
    inputs.extend([2, 3, 4, 5].map(|key| noise(key, &[3])));
    let fails = Expect::Fails("holds 1 numbers");
    Sample::new("too few", batch_norm_train(1e-3, 0.5), inputs, fails).with_specs(specs)
}

/// The definition, number by number; variances by way of the mean of squares.
fn by_definition(operator: BatchNorm) -> Expect {
    reference(move |inputs| {
        let (x, axis) = (&inputs[0], operator.axis);
        let [weight, bias, mean, variance] = [1, 2, 3, 4].map(|input| inputs[input].data.clone());
        let normal = |mean: &[f64], variance: &[f64]| {
            Tensor::from_fn(&x.extents, |at| {
                let channel = at[axis];
                let deviation = (variance[channel] + operator.epsilon).sqrt();
                (x.at(at) - mean[channel]) / deviation * weight[channel] + bias[channel]
            })
        };
        let Some(momentum) = operator.momentum else { return vec![normal(&mean, &variance)] };
        let channels = x.extents[axis];
        let count = x.data.len() as f64 / channels as f64;
        let (mut sum, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
        let inner: usize = x.extents[axis + 1..].iter().product();
        for (flat, &value) in x.data.iter().enumerate() {
            let channel = flat / inner % channels;
            sum[channel] += value;
            squares[channel] += value.powi(2);
        }
        let own_mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
        let own_variance: Vec<f64> = squares
            .iter()
            .zip(&own_mean)
            .map(|(squares, mean)| squares / count - mean * mean)
            .collect();
        let blend = |old: &[f64], new: &[f64], factor: f64| {
            let pairs = old.iter().zip(new);
            let blended = pairs.map(|(old, new)| (1.0 - momentum) * old + momentum * factor * new);
            Tensor::new(&[channels], blended.collect())
        };
        vec![
            normal(&own_mean, &own_variance),
            blend(&mean, &own_mean, 1.0),
            blend(&variance, &own_variance, count / (count - 1.0)),
        ]
    })
}
