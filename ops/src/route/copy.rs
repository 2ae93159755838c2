//! Copy: the identity, in a register of its own.
//!
//! # Shape
//! `x`: any -> `y`: the same.
//!
//! # Gradient
//! `dx = dy`.
//!
//! # Numerics
//! Exact: bytes are moved. Never in place: the copy is the purpose.
//!
//! # Example
//! ```
//! use synfire_ops::route::copy::copy;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2], &[1_i32, 2]);
//! assert_eq!(fire_once(&copy(), &[x.clone()])?, [x]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::strided::{Strided, Viewed};
use crate::sample::{Sample, bounded_first, ramp, reference};

/// The identity.
#[must_use]
pub fn copy() -> Copy {
    Copy
}

/// See [`copy`].
#[derive(Clone, Debug)]
pub struct Copy;

impl Operator for Copy {
    fn contract(&self) -> Contract {
        Contract::new("copy").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(inputs.to_vec())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        Gradient::one(backward.upstream(0))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: Viewed(Strided::dense), cube: Viewed(Strided::dense))
    }
}

/// Every element type, scalars, several pieces, none, bounded; any input is accepted.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let same = || reference(<[_]>::to_vec);
    let case = |name: String, element: Element, extents: &[usize]| {
        Sample::new(name, copy(), vec![ramp(element, extents)], same())
    };
    let f32 = Element::F32;
    let every = Element::ALL.map(|element| case(format!("copy of {element}"), element, &[3, 7]));
    let some = [
        case("scalar".into(), f32, &[]),
        case("several pieces".into(), f32, &[37, 1009]),
        case("none".into(), f32, &[0, 3]),
        case("bounded".into(), f32, &[2, 3]).with_specs(vec![bounded_first(f32, 5, &[3])]),
    ];
    every.into_iter().chain(some).collect()
}
