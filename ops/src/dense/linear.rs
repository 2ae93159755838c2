//! A linear layer: `y = x * weight^T + bias`, along the last axis.
//!
//! # Shape
//! `x`: `f32` `[.., in]`, with any dimensions before, which may be bounded. `weight`: `[out, in]`.
//! `bias`, with [`Linear::bias`]: `[out]`. `y`: `[.., out]`.
//!
//! # Gradient
//! `dx = dy * weight`, `dweight = dy^T * x` and `dbias = sum dy`, sums over all dimensions before.
//!
//! # Numerics
//! IEEE `f32`, sums in blocks whose order depends on `in` only, fused multiply-adds where the CPU
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

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Contract, FireError, Fusion, Kernel, KernelError, Metadata, Operator, PieceStage,
    SpecError, Specs, Tolerance, Workspace,
};
use synfire_runtime::spec::{Dimension, Element, RANK_MAX, Spec};

use crate::device::on_device;
use crate::host::Path;
use crate::host::erased::Stages;
use crate::host::gemm::{Gemm, GemmShape, gemm};
use crate::host::kernel::Base;
use crate::host::pack::{Matrix, Operand, PackedMatrix, Side};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

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
        contract.fusion(Fusion::Producer).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, weight) = (&inputs[0], &inputs[1]);
        require::element("x", x, &[Element::F32])?;
        require::element("weight", weight, &[Element::F32])?;
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
            require::alike("bias", bias, &Spec::f32([out]), None)?;
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

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost::new(self, specs), cube: cube::OnCube)
    }
}

struct OnHost {
    /// With the most rows.
    shape: GemmShape,
    path: Path,
    cores: usize,
    weight_is_constant: bool,
    has_bias: bool,
    /// A constant weight, after `prepare`.
    packed: Option<PackedMatrix<f32>>,
    stages: Stages,
}

impl OnHost {
    fn new(operator: &Linear, specs: &Specs<'_>) -> Self {
        let (x, weight) = (&specs.inputs[0], &specs.inputs[1]);
        let rows = x.bounds()[..x.rank() - 1].iter().product();
        let [columns, inner] = [weight.bound(0), weight.bound(1)];
        Self {
            shape: GemmShape { batch: 1, rows, inner, columns },
            path: Path::best(),
            cores: specs.cores,
            weight_is_constant: specs.constant[1],
            has_bias: operator.has_bias,
            packed: None,
            stages: Stages::default(),
        }
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        let GemmShape { inner, columns, .. } = self.shape;
        let kept = PackedMatrix::<f32>::bytes(self.path, Side::Right, [columns, inner]);
        Workspace {
            kept_bytes: if self.weight_is_constant { kept } else { 0 },
            scratch_bytes: self.shape.workspace_bytes::<f32>(self.path, self.cores),
        }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.weight_is_constant {
            let GemmShape { inner, columns, .. } = self.shape;
            let weight = firing.input(1);
            let matrix = Matrix::row_major(weight.elements(), inner).transposed();
            self.packed = Some(PackedMatrix::right(self.path, matrix, [inner, columns]));
        }
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, weight, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        let extents = x.extents();
        let last = extents.len() - 1;
        let mut own = [0; RANK_MAX];
        own[..last].copy_from_slice(&extents[..last]);
        own[last] = self.shape.columns;
        y.set_extents(&own[..=last]);
        let bias = self.has_bias.then(|| firing.input(2));
        let GemmShape { inner, .. } = self.shape;
        let weight = Matrix::row_major(weight.elements(), inner).transposed();
        let call = Gemm {
            path: self.path,
            shape: GemmShape { rows: extents[..last].iter().product(), ..self.shape },
            left: Operand::Plain(Matrix::row_major(x.elements(), inner)),
            right: self.packed.as_ref().map_or(Operand::Plain(weight), Operand::Packed),
            batch_strides: [0, 0],
            base: bias.map_or(Base::Zero, |bias| Base::Column(bias.elements())),
            epilogue: Some(&|piece, offset| self.stages.finish(piece, offset)),
        };
        gemm(&call, y.elements(), firing.scratch(), firing.crew());
        Ok(())
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        self.stages.absorb(stages);
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::FireError;
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
