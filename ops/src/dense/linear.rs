//! A linear layer: `y = x * weight^T + bias`, along the last axis.
//!
//! # Shape
//! `x`: any float `[.., in]`, with any dimensions before, which may be bounded. `weight`:
//! `[out, in]`. `bias`, with [`Linear::bias`]: `[out]`. `y`: `[.., out]`.
//!
//! # Gradient
//! `dx = dy * weight`, `dweight = dy^T * x` and `dbias = sum dy`, sums over all dimensions before.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! IEEE, sums in blocks whose order depends on `in` only, fused multiply-adds where the CPU
//! has them. As PyTorch's `linear`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::linear::linear;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2], &[1.0_f32, 2.0]);
//! let weight = Value::new(&[3, 2], &[1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0]);
//! let bias = Value::new(&[3], &[0.0_f32, 0.0, 10.0]);
//! let y = fire_once(&linear().bias(), &[x, weight, bias])?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, 2.0, 13.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::arrange::reshape::reshape;
use crate::dense::matmul::{as_rows, doubled, matmul, names};
use crate::device::on_device;
use crate::gradient::{spec, sum_to};
use crate::host::widened::widened;
use crate::reduce::reduction::{Keep, sum};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

pub(crate) mod after_rows; // with what makes its rows
mod on_host; // one product
use on_host::{OnHost, Ports};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("linear", |case| {
    let [x] = names::operands(case, [names::FIRST])?;
    let weight = names::find(case, &["w", "weight", "y", "A"]).ok_or("no input `weight`")?;
    let bias = names::find(case, &["b", "bias"]);
    if case.spec_of(weight)?.rank() == 1 && bias.is_none() {
        return Ok(vec![case.apply(matmul(), &[x, weight])]);
    }
    Ok(vec![match bias {
        Some(bias) => case.apply(linear().bias(), &[x, weight, bias]),
        None => case.apply(linear(), &[x, weight]),
    }])
})];

/// A linear layer without bias.
#[must_use]
pub fn linear() -> Linear {
    Linear { has_bias: false }
}

/// See [`linear`].
#[derive(Clone, Debug)]
pub struct Linear {
    has_bias: bool,
}

impl Linear {
    /// Adds the input `bias`.
    #[must_use]
    pub fn bias(mut self) -> Self {
        self.has_bias = true;
        self
    }
}

impl Operator for Linear {
    fn contract(&self) -> Contract {
        let contract = Contract::new("linear").input("x").input("weight").output("y");
        let contract = if self.has_bias { contract.input("bias") } else { contract };
        let contract = contract.fusion(Fusion::Producer).tolerance(Tolerance::SUM);
        contract.form(|last| after_rows::after_rows(last, true))
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, weight) = (&inputs[0], &inputs[1]);
        require::element("x", x, &require::FLOATS)?;
        require::element("weight", weight, &[x.element])?;
        require::axis("x", x, 0)?;
        let last = x.rank() - 1;
        let features = require::fixed("x", x, last)?;
        require::rank("weight", weight, 2)?;
        let out = require::fixed("weight", weight, 0)?;
        if weight.dimensions[1] != Dimension::Fixed(features) {
            let wanted = format!("{features}, as the last dimension of port x");
            return Err(SpecError::new("weight", weight.dimensions[1], wanted).at(1));
        }
        if let Some(bias) = inputs.get(2) {
            require::alike("bias", bias, &Spec::new(x.element, [out]), None)?;
        }
        let mut y = x.clone();
        y.dimensions[last] = Dimension::Fixed(out);
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let macs = outputs[0].elements() as u64 * inputs[1].bound(1) as u64;
        let rank = inputs[0].rank() as u8;
        let (out, features) = (rank, rank - 1);
        let x: Vec<u8> = (0..rank).collect();
        let y = (0..features).chain([out]).collect();
        let mut axes = Axes { inputs: vec![x, vec![out, features]], outputs: vec![y] };
        axes.inputs.extend(self.has_bias.then(|| vec![out]));
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, weight, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let dx = backward.wants(0).then(|| backward.apply(matmul(), &[dy, weight]));
        let dweight = backward.wants(1).then(|| by_weight(backward, x, dy));
        let mut gradients = vec![dx, dweight];
        if self.has_bias {
            let bias = backward.input(2);
            gradients.push(backward.wants(2).then(|| sum_to(backward, dy, bias)));
        }
        Gradient::Of(gradients)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        let bias = self.has_bias.then_some(2);
        let ports = Ports { weight: 1, is_transposed: true, bias };
        if specs.inputs[0].element == Element::F64 {
            return on_device!(target, specs, host: OnHost::<f64>::new(ports, specs));
        }
        on_device!(target, specs, host: OnHost::<f32>::new(ports, specs), cube: cube::OnCube)
    }
}

/// `dy^T * x`, over all rows at once where they can be joined.
fn by_weight(draft: &mut Draft, x: Wire, dy: Wire) -> Wire {
    let rows = |draft: &mut Draft, wire| match spec(draft, wire).rank() {
        1 => {
            let extent = spec(draft, wire).bound(0);
            Some(draft.apply(reshape(&[1.into(), extent.into()]), &[wire]))
        }
        _ => as_rows(draft, wire),
    };
    match (rows(draft, x), rows(draft, dy)) {
        (Some(x), Some(dy)) => draft.apply(matmul().transpose_a(), &[dy, x]),
        _ => {
            let each = draft.apply(matmul().transpose_a(), &[dy, x]);
            let before: Vec<usize> = (0..spec(draft, each).rank() - 2).collect();
            draft.apply(sum(&before, Keep::Nothing), &[each])
        }
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use synfire_runtime::operator::FireError;

    use crate::device::gemm::Gemm;
    use crate::device::kernel::{Call, CubeKernel};

    pub(super) struct OnCube;

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, weight) = (call.input(0), call.input(1));
            let bias = (call.inputs() == 3).then(|| call.input(2));
            let mut extents = x.extents().to_vec();
            let inner = extents.pop().expect("the shape rule wants one dimension");
            let rows = extents.iter().product();
            let columns = weight.extents()[0];
            extents.push(columns);
            let y = call.set_extents(0, &extents);
            let gemm = Gemm {
                rows,
                inner,
                columns,
                a_strides: [inner, 1],
                b_strides: [1, inner],
                batch: &[1],
                batch_strides: [&[0], &[0]],
            };
            gemm.launch(call, [&x, &weight, &y], bias.as_ref())
        }
    }
}

/// With and without bias, any rank, odd extents, long sums, nothing, bounded dimensions; wrong
/// features, biases and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Linear, x: &[usize], out: usize| {
        let mut inputs = vec![noise(1, x), noise(2, &[out, x[x.len() - 1]])];
        inputs.extend(operator.has_bias.then(|| noise(3, &[out])));
        Sample::new(name, operator, inputs, by_definition())
    };
    let wide = |name: &str, operator: Linear, x: &[usize], out: usize| {
        let mut inputs = vec![doubled(&noise(1, x)), doubled(&noise(2, &[out, x[x.len() - 1]]))];
        inputs.extend(operator.has_bias.then(|| doubled(&noise(3, &[out]))));
        Sample::new(name, operator, inputs, by_definition())
    };
    let rejected = |name: &str, operator: Linear, [x, weight]: [&[usize]; 2], port, dimension| {
        let mut specs = vec![Spec::f32(x.to_vec()), Spec::f32(weight.to_vec())];
        specs.extend(operator.has_bias.then(|| Spec::f32([2])));
        Sample::rejected(name, operator, specs, port, dimension)
    };
    let (plain, biased) = (linear, || linear().bias());
    let bounded = vec![bounded_first(Element::F32, 999, &[31]), Spec::f32([17, 31])];
    let moving = vec![Spec::f32([Dimension::UpTo(3)]), Spec::f32([2, 3])];
    let integers = vec![Spec::new(Element::I32, [2, 3]), Spec::f32([2, 3])];
    vec![
        case("rows", plain(), &[37, 53], 61),
        case("rows and bias", biased(), &[37, 53], 61),
        case("vector", biased(), &[129], 67),
        case("three dimensions", biased(), &[2, 3, 7], 5),
        case("one element", biased(), &[1], 1),
        case("long sums", biased(), &[3, 1201], 19),
        case("no features", biased(), &[3, 0], 4),
        case("no outputs", plain(), &[3, 4], 0),
        case("no rows", biased(), &[0, 4], 3),
        case("bounded rows", plain(), &[201, 31], 17).with_specs(bounded),
        wide("rows and bias of f64", biased(), &[2, 5, 7], 3),
        wide("vector of f64", plain(), &[7], 3),
        rejected("features", plain(), [&[2, 3], &[5, 4]], "weight", Some(1)),
        rejected("bias", biased(), [&[2, 3], &[5, 3]], "bias", Some(0)),
        rejected("weight of three", plain(), [&[2, 3], &[5, 3, 1]], "weight", None),
        rejected("scalar", plain(), [&[], &[5, 3]], "x", None),
        Sample::rejected("bounded features", plain(), moving, "x", Some(0)),
        Sample::rejected("integers", plain(), integers, "x", None),
    ]
}

/// The definition, element by element.
fn by_definition() -> Expect {
    reference(|inputs| {
        let (x, weight) = (&inputs[0], &inputs[1]);
        let (last, [out, features]) = (x.extents.len() - 1, [weight.extents[0], weight.extents[1]]);
        let mut extents = x.extents.clone();
        extents[last] = out;
        vec![Tensor::from_fn(&extents, |at| {
            let mut from = at.to_vec();
            let bias = inputs.get(2).map_or(0.0, |bias| bias.data[at[last]]);
            let terms = (0..features).map(|feature| {
                from[last] = feature;
                x.at(&from) * weight.at(&[at[last], feature])
            });
            bias + terms.sum::<f64>()
        })]
    })
}
