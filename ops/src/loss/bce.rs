//! Binary cross-entropy of a probability: `-(t * log x + (1 - t) * log(1 - x))`, each logarithm at
//! least -100.
//!
//! [`bce_each`] is the loss of each element, a primitive because its gradient is not that of its
//! formula where a logarithm is cut; [`bce`] is the whole loss. Where logits are at hand,
//! [`bce_with_logits`](super::bce_with_logits) is both cheaper and exact.
//!
//! # Shape
//! `x`, `target`: `f32` or `f64`, of one spec -> `y`: the same. `weight`: broadcast to them.
//!
//! # Gradient
//! `dx = dy * (x - t) / max(x * (1 - x), 1e-12)`, finite at 0 and 1, as PyTorch's; `dt = dy *
//! (log(1 - x) - log x)` of the cut logarithms, which PyTorch does not cut here.
//!
//! # Numerics
//! As PyTorch's `binary_cross_entropy`, but that an `x` outside 0 to 1 gives NaN, where PyTorch
//! complains.
//!
//! # Example
//! ```
//! use synfire_ops::loss::bce::bce_each;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2], &[0.5_f32, 0.0]);
//! let y = fire_once(&bce_each(), &[x.clone(), Value::new(&[2], &[1.0_f32, 1.0])])?;
//! assert_eq!(y[0].elements::<f32>(), [2.0_f32.ln(), 100.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::{divide, multiply, subtract};
use crate::device::on_device;
use crate::host::erased::parts;
use crate::host::real::Real;
use crate::losses::{Pointwise, Total, predicted, wanted};
use crate::pointwise::unary::{clamp, log, log1p, neg, square};
use crate::require;
use crate::sample::{Sample, noise};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("binary_cross_entropy", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let weight = match case.either(&["weight", "w"]) {
        Some(weight) => Some(weight),
        None => case.vector("weight")?,
    };
    Ok(vec![bce(case, x, target, weight, total)])
})];

/// The least logarithm.
const LOWEST: f64 = -100.0;

/// The cross-entropy of a probability and a target from 0 to 1. The mean is over the elements,
/// whatever their weights.
pub fn bce(draft: &mut Draft, x: Wire, target: Wire, weight: Option<Wire>, total: Total) -> Wire {
    let mut losses = draft.apply(bce_each(), &[x, target]);
    if let Some(weight) = weight {
        losses = draft.apply(multiply(), &[losses, weight]);
    }
    total.of(draft, losses)
}

/// The cross-entropy of each probability and its target.
#[must_use]
pub fn bce_each() -> Bce {
    Bce
}

/// See [`bce_each`].
#[derive(Clone, Debug)]
pub struct Bce;

impl Operator for Bce {
    fn contract(&self) -> Contract {
        Contract::new("bce").input("x").input("target").output("y")
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("x", &inputs[0], &[Element::F32, Element::F64])?;
        require::alike("target", &inputs[1], &inputs[0], None)?;
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, target, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let mut gradients = vec![None; 2];
        if backward.wants(0) {
            let apart = backward.apply(subtract(), &[x, target]);
            let squares = backward.apply(square(), &[x]);
            let variance = backward.apply(subtract(), &[x, squares]);
            let variance = backward.apply(clamp(1e-12, f64::INFINITY), &[variance]);
            let slope = backward.apply(divide(), &[apart, variance]);
            gradients[0] = Some(backward.apply(multiply(), &[dy, slope]));
        }
        if backward.wants(1) {
            let opposite = backward.apply(neg(), &[x]);
            let logarithms = [(log1p(), opposite), (log(), x)].map(|(logarithm, x)| {
                let logarithm = backward.apply(logarithm, &[x]);
                backward.apply(clamp(LOWEST, f64::INFINITY), &[logarithm])
            });
            let slope = backward.apply(subtract(), &logarithms);
            gradients[1] = Some(backward.apply(multiply(), &[dy, slope]));
        }
        Gradient::Of(gradients)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let element = specs.inputs[0].element;
        on_device!(target, specs, host: OnHost(element), cube: cube::OnCube::new(element)?)
    }
}

struct OnHost(Element);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, target, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        if x.extents() != target.extents() {
            let found = target.extents();
            let cause = format!("port target has extents {found:?}, port x {:?}", x.extents());
            return Err(FireError::failed(cause));
        }
        y.set_extents(&x.extents());
        let (x, target, size) = (x.bytes(), target.bytes(), self.0.bytes());
        parts(firing.crew(), y.bytes(), self.0, &|offset, part| {
            let range = offset * size..offset * size + part.len();
            let (x, target) = (&x[range.clone()], &target[range]);
            match self.0 {
                Element::F32 => on_part::<f32>(part, x, target),
                _ => on_part::<f64>(part, x, target),
            }
        });
        Ok(())
    }
}

fn on_part<R: Real>(y: &mut [u8], x: &[u8], target: &[u8]) {
    let pairs = cast_slice::<u8, R>(x).iter().zip(cast_slice::<u8, R>(target));
    let cut = |logarithm: R| if logarithm < R::of(LOWEST) { R::of(LOWEST) } else { logarithm };
    for (y, (&x, &target)) in cast_slice_mut::<u8, R>(y).iter_mut().zip(pairs) {
        *y = (target - R::of(1.0)) * cut((-x).ln_1p()) - target * cut(x.ln());
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::*;

    use super::{Element, FireError, KernelError, LOWEST};
    use crate::device::kernel::{Call, CubeKernel, size};
    use crate::device::real::log1p;

    pub(super) struct OnCube;

    impl OnCube {
        pub(super) fn new(element: Element) -> Result<Self, KernelError> {
            if element == Element::F32 { Ok(Self) } else { Err(KernelError::Absent) }
        }
    }

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (x, target) = (call.input(0), call.input(1));
            let y = call.set_extents(0, &x.extents());
            call.each(y.elements(), |client, cubes, units| {
                let (x, target, count) = (x.array(), target.array(), size(y.elements()));
                bce::launch::<R>(client, cubes, units, x, target, y.array(), count, LOWEST as f32);
            })
        }
    }

    #[cube(launch)]
    fn bce(x: &Array<f32>, target: &Array<f32>, y: &mut Array<f32>, count: u32, lowest: f32) {
        let at = ABSOLUTE_POS;
        if at < count as usize {
            // At 0 a device need not give -inf.
            let along = select(x[at] == 0.0, lowest, x[at].ln());
            let against = select(x[at] == 1.0, lowest, log1p(-x[at]));
            let along = select(along < lowest, lowest, along);
            let against = select(against < lowest, lowest, against);
            y[at] = (target[at] - 1.0) * against - target[at] * along;
        }
    }
}

/// As every loss of pairs, with weights, at the ends, many; and other targets.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let pointwise = Pointwise {
        name: "bce",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            bce(draft, wires[0], wires[1], Some(wires[2]), total)
        },
        inputs: &[|x| 0.24 * x + 0.5, |t| 0.25 * t + 0.5, |w| w.abs()],
        expected: |x| {
            let odds = x[0] / (1.0 - x[0]);
            x[2] * ((1.0 + odds).ln() - x[1] * odds.ln())
        },
    };
    let each = Pointwise {
        name: "bce",
        build: |draft: &mut Draft, wires: &[Wire], total| {
            bce(draft, wires[0], wires[1], None, total)
        },
        inputs: &[],
        expected: |x| -x[1] * x[0].ln().max(LOWEST) - (1.0 - x[1]) * (1.0 - x[0]).ln().max(LOWEST),
    };
    let mut samples = pointwise.samples();
    samples.push(each.literal("at the ends", &[&[0.0, 1.0, 0.0, 1.0], &[0.0, 1.0, 1.0, 0.25]]));
    let probabilities = |key| {
        let noise = noise(key, &[20_011]).elements::<f32>();
        let elements: Vec<f32> = noise.into_iter().map(|x| 0.24 * x + 0.5).collect();
        Value::new(&[20_011], &elements)
    };
    let many = vec![probabilities(1), probabilities(2)];
    samples.push(Sample::new("many", bce_each(), many, each.expect(Total::Each)));
    let integers = vec![Spec::f32([3]), Spec::new(Element::I64, [3])];
    samples.push(Sample::rejected("integers", bce_each(), integers, "target", None));
    let longer = vec![Spec::f32([3]), Spec::f32([4])];
    samples.push(Sample::rejected("mismatch", bce_each(), longer, "target", Some(0)));
    samples
}
