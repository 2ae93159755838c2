//! Stop gradient: the identity, through which no gradient passes.
//!
//! # Shape
//! `x`: any -> `y`: the same, in its place.
//!
//! # Gradient
//! None, on purpose: what comes before counts as a constant.
//!
//! # Numerics
//! Exact: nothing is done in place, else bytes are moved. As PyTorch's `detach`.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::stop_gradient::stop_gradient;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2], &[1.0_f32, -2.0]);
//! assert_eq!(fire_once(&stop_gradient(), &[x.clone()])?, [x]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::strided::{Strided, copy};
use crate::sample::{Sample, bounded_first, ramp, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("detach", |case| {
        let x = super::unary::operand(case)?;
        Ok(vec![case.apply(stop_gradient(), &[x])])
    }),
    ("stop_gradient", |case| {
        let x = super::unary::operand(case)?;
        Ok(vec![case.apply(stop_gradient(), &[x])])
    }),
];

/// The identity, without a gradient.
#[must_use]
pub fn stop_gradient() -> StopGradient {
    StopGradient
}

/// See [`stop_gradient`].
#[derive(Clone, Debug)]
pub struct StopGradient;

impl Operator for StopGradient {
    fn contract(&self) -> Contract {
        let contract = Contract::new("stop_gradient").input("x").output("y").in_place(0, 0);
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(inputs.to_vec())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Of(vec![None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost, cube: cube::OnCube)
    }
}

struct OnHost;

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        if let Pair::Distinct(x, mut y) = firing.pair(0, 0) {
            let extents = x.extents();
            y.set_extents(&extents);
            copy(crew, x.spec().element, &Strided::dense(&extents), x.bytes(), y.bytes());
        }
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, Strided};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::copy;

    pub(super) struct OnCube;

    impl CubeKernel for OnCube {
        const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let x = call.input(0);
            let y = call.set_extents(0, &x.extents());
            if call.is_in_place(0) {
                return Ok(());
            }
            copy(call, &Strided::dense(&x.extents()), &x, &y)
        }
    }
}

/// Every element type that has no derivative to hold this one against, which is none on purpose;
/// scalars, several pieces, none, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: String, element: Element, extents: &[usize]| {
        let same = reference(<[_]>::to_vec);
        Sample::new(name, stop_gradient(), vec![ramp(element, extents)], same)
    };
    let real = [Element::F32, Element::F64];
    let others = Element::ALL.into_iter().filter(|element| !real.contains(element));
    let every = others.map(|element| case(format!("of {element}"), element, &[3, 7]));
    let i32 = Element::I32;
    let some = [
        case("scalar".into(), i32, &[]),
        case("several pieces".into(), Element::F32, &[37, 1009]),
        case("none".into(), i32, &[0, 3]),
        case("bounded".into(), i32, &[2, 3]).with_specs(vec![bounded_first(i32, 5, &[3])]),
    ];
    every.chain(some).collect()
}

#[cfg(test)]
mod tests {
    use synfire_runtime::define::Draft;

    use super::*;
    use crate::differentiate::gradients;

    #[test]
    fn no_gradient_passes() {
        let mut draft = Draft::new();
        let x = draft.feed("x", Spec::f32([1]));
        let y = draft.apply(stop_gradient(), &[x]);
        assert_eq!(gradients(&mut draft, y, &[x]), [None]);
    }
}
