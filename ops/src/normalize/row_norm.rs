//! Normalisation of rows: [`layer_norm`] and [`rms_norm`], over any number of trailing axes.
//!
//! `layer_norm`: `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`, with the mean and the
//! biased variance of each row. `rms_norm`: `y = x / sqrt(mean of squares + epsilon) * weight`.
//! Ba, Kiros and Hinton, "Layer normalization", 2016; Zhang and Sennrich, "Root mean square layer
//! normalization", 2019. Primitives, since as composites they would write three more tensors of the
//! size of `x`.
//!
//! # Shape
//! `x`: any float; its last `axes` axes are a row -> `y`: the same. With
//! [`RowNorm::weight`], `weight` has the extents of a row, which then is fixed; with
//! [`RowNorm::affine`] so has `bias`.
//!
//! # Gradient
//! With `n` the normalised row, `r` one over its deviation and `g = dy * weight`:
//! `dx = r * (g - average(g) - n * average(g * n))`, without `average(g)` for `rms_norm`;
//! `dweight = sum dy * n`, `dbias = sum dy`. The statistics are computed again, not kept.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! Sums run in `f64`, in eight turns; the mean is subtracted before squares are taken. As PyTorch's
//! `layer_norm` and `rms_norm`.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::row_norm::{layer_norm, rms_norm};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[1, 2], &[1.0_f32, 3.0])];
//! assert_eq!(fire_once(&layer_norm(1, 0.0), &x)?[0].elements::<f32>(), [-1.0, 1.0]);
//! let x = [Value::new(&[1, 2], &[1.0_f32, 7.0])];
//! assert_eq!(fire_once(&rms_norm(1, 0.0), &x)?[0].elements::<f32>(), [0.2, 1.4]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{add, multiply};
use crate::device::on_device;
use crate::host::widened::widened;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

mod backward; // the gradients as graphs
mod conformance; // as PyTorch calls them
#[cfg(feature = "cube")]
mod cube; // a cube for each row
mod on_host; // one pass over the rows

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("layer_norm", |case| conformance::build(case, layer_norm, 1e-5)),
    ("rms_norm", |case| conformance::build(case, rms_norm, f64::from(f32::EPSILON))),
];

/// Rows of the last `axes` axes with mean 0 and variance 1; `epsilon` is added to the variance.
#[must_use]
pub fn layer_norm(axes: usize, epsilon: f64) -> RowNorm {
    RowNorm { centre: Centre::Mean, axes, epsilon, affine: Affine::None }
}

/// Rows of the last `axes` axes with mean square 1; `epsilon` is added to the mean square.
#[must_use]
pub fn rms_norm(axes: usize, epsilon: f64) -> RowNorm {
    RowNorm { centre: Centre::Zero, axes, epsilon, affine: Affine::None }
}

/// What the deviation of a row is measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Centre {
    Mean,
    Zero,
}

/// Which inputs follow `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Affine {
    None,
    Weight,
    WeightAndBias,
}

/// See [`layer_norm`] and [`rms_norm`].
#[derive(Clone, Debug)]
pub struct RowNorm {
    centre: Centre,
    axes: usize,
    epsilon: f64,
    affine: Affine,
}

impl RowNorm {
    /// The same with an input `weight`, by which rows are multiplied.
    #[must_use]
    pub fn weight(self) -> Self {
        Self { affine: Affine::Weight, ..self }
    }

    /// The same with inputs `weight` and `bias`, the last of which is added.
    #[must_use]
    pub fn affine(self) -> Self {
        Self { affine: Affine::WeightAndBias, ..self }
    }

    /// The axes of a row of a tensor of this rank.
    fn row_axes(&self, rank: usize) -> Vec<usize> {
        (rank - self.axes..rank).collect()
    }
}

impl Operator for RowNorm {
    fn contract(&self) -> Contract {
        let name = match self.centre {
            Centre::Mean => "layer_norm",
            Centre::Zero => "rms_norm",
        };
        let contract = Contract::new(name).input("x").output("y").tolerance(Tolerance::SUM);
        let contract = if self.axes == 1 { contract.fusion(Fusion::Rows) } else { contract };
        match self.affine {
            Affine::None => contract.in_place(0, 0),
            Affine::Weight => contract.in_place(0, 0).input("weight"),
            Affine::WeightAndBias => contract.in_place(0, 0).input("weight").input("bias"),
        }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::element("x", x, &require::FLOATS)?;
        if self.axes == 0 || self.axes > x.rank() {
            let wanted = format!("at least {} dimensions, 1 of them in a row", self.axes);
            return Err(SpecError::new("x", x, wanted));
        }
        let row = self.row_axes(x.rank());
        if self.affine != Affine::None {
            row.iter().try_for_each(|&axis| require::fixed("x", x, axis).map(drop))?;
        }
        let own = Spec::new(x.element, row.iter().map(|&axis| x.dimensions[axis]));
        for (name, spec) in ["weight", "bias"].iter().zip(&inputs[1..]) {
            require::alike(name, spec, &own, None)?;
        }
        Ok(vec![x.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let row = self.row_axes(inputs[0].rank());
        for labels in &mut axes.inputs[1..] {
            *labels = row.iter().map(|&axis| axis as u8).collect();
        }
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
        on_device!(
            target,
            specs,
            host: on_host::OnHost::new(self, specs),
            cube: cube::OnCube::new(self, specs)?
        )
    }
}

/// Both norms over one and more axes, odd extents, many rows, one long row, no rows, empty rows,
/// bounded rows, equal numbers; the composite as oracle; wrong axes, weights and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, norm: RowNorm, x: &[usize]| {
        let row = &x[x.len() - norm.axes..];
        let mut inputs = vec![noise(1, x)];
        inputs.extend((0..norm.affine as u64).map(|key| noise(2 + key, row)));
        if name == "f64" {
            inputs = inputs.iter().map(wide).collect();
        }
        Sample::new(name, norm.clone(), inputs, by_definition(norm))
    };
    let oracle = |name: &'static str, norm: RowNorm, x: &[usize]| {
        let Sample { inputs, expect, .. } = case("composite", norm.clone(), x);
        let rank = x.len();
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            let [normal, _] = backward::normal(draft, &norm, wires[0], rank);
            let y = draft.apply(multiply(), &[normal, wires[1]]);
            vec![draft.apply(add(), &[y, wires[2]])]
        };
        let inputs = inputs.into_iter().flatten().collect();
        Sample::composite("composite", name, build, inputs, expect)
    };
    let rejected = |name: &str, norm: RowNorm, specs: &[Spec], port, dimension| {
        Sample::rejected(name, norm, specs.to_vec(), port, dimension)
    };
    let (layer, rms) = (|axes| layer_norm(axes, 1e-3), |axes| rms_norm(axes, 1e-3));
    let bounded = bounded_first(Element::F32, 9, &[7]);
    let moving = Spec::f32([Dimension::Fixed(3), Dimension::UpTo(9)]);
    let f32 = |extents: &[usize]| Spec::f32(extents.iter().copied());
    let equal = Value::new(&[1, 3], &[2.0_f32; 3]);
    let zeros = Expect::Outputs(vec![Tensor::new(&[1, 3], vec![0.0; 3])]);
    vec![
        case("rows", layer(1).affine(), &[5, 37]),
        case("two axes", layer(2).affine(), &[3, 5, 7]),
        case("all axes", layer(2).weight(), &[3, 5]),
        case("plain", layer(1), &[2, 3, 11]),
        case("f64", layer(1).affine(), &[3, 13]),
        case("one number", layer(1).affine(), &[3, 1]),
        case("many rows", layer(1).affine(), &[4099, 5]),
        case("long rows", layer(1), &[3, 16_411]),
        case("no rows", layer(1).affine(), &[0, 3]),
        case("empty rows", layer(1).affine(), &[3, 0]),
        case("bounded", layer(1), &[4, 7]).with_specs(vec![bounded]),
        case("bounded rows", layer(1), &[3, 4]).with_specs(vec![moving.clone()]),
        Sample::new("equal numbers", layer(1), vec![equal], zeros),
        case("rows", rms(1).weight(), &[5, 37]),
        case("two axes", rms(2).weight(), &[3, 5, 7]),
        case("plain", rms(1), &[2, 3, 11]),
        case("with bias", rms(1).affine(), &[2, 3, 11]),
        case("f64", rms(1).weight(), &[3, 13]),
        case("many rows", rms(1).weight(), &[4099, 5]),
        oracle("layer_norm_composite", layer(1).affine(), &[3, 17]),
        oracle("rms_norm_composite", rms(2).affine(), &[3, 5, 3]),
        rejected("no row", layer(0), &[f32(&[3])], "x", None),
        rejected("too many axes", layer(2), &[f32(&[3])], "x", None),
        rejected("integers", layer(1), &[Spec::new(Element::I32, [3])], "x", None),
        rejected("weight", layer(1).weight(), &[f32(&[2, 3]), f32(&[2])], "weight", Some(0)),
        rejected("moving weight", rms(1).weight(), &[moving, f32(&[9])], "x", Some(1)),
    ]
}

/// The definition; the variance by way of the mean of squares.
fn by_definition(norm: RowNorm) -> Expect {
    reference(move |inputs| {
        let x = &inputs[0];
        let length: usize = x.extents[x.extents.len() - norm.axes..].iter().product();
        let rows = x.data.chunks(length.max(1)).flat_map(|row| {
            let average =
                |f: fn(f64) -> f64| row.iter().map(|&x| f(x)).sum::<f64>() / length as f64;
            let centre = if norm.centre == Centre::Mean { average(|x| x) } else { 0.0 };
            let deviation = (average(|x| x * x) - centre * centre + norm.epsilon).sqrt();
            let input = |input: usize, at: usize| inputs.get(input).map(|input| input.data[at]);
            let one = move |(at, x): (usize, &f64)| {
                (x - centre) / deviation * input(1, at).unwrap_or(1.0) + input(2, at).unwrap_or(0.0)
            };
            row.iter().enumerate().map(one).collect::<Vec<_>>()
        });
        vec![Tensor::new(&x.extents, rows.collect())]
    })
}
