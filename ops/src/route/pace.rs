//! Pace: a value, which may be a constant, once for each token of another stream.
//!
//! # Shape
//! `x`: any; `pace`: any, read for its rhythm only -> `y`: as `x`.
//!
//! # Gradient
//! `dx = dy`; none for `pace`.
//!
//! # Numerics
//! Exact: bytes are moved.
//!
//! # Example
//! ```
//! use synfire_ops::route::pace::pace;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&pace(), &[Value::new(&[], &[1_i32]), Value::new(&[2], &[0.5_f32, 2.0])])?;
//! assert_eq!(y, [Value::new(&[], &[1_i32])]);
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

mod onnx; // how it is written for ONNX
pub use onnx::ONNX;

/// The first input at the pace of the second.
#[must_use]
pub fn pace() -> Pace {
    Pace
}

/// See [`pace`].
#[derive(Clone, Debug)]
pub struct Pace;

impl Operator for Pace {
    fn contract(&self) -> Contract {
        let contract = Contract::new("pace").input("x").input("pace").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let bytes = 2 * outputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs)) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        Gradient::Of(vec![Some(backward.upstream(0)), None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: Viewed(Strided::dense), cube: Viewed(Strided::dense))
    }
}

/// Values and paces of other types and sizes, bounded, none.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let first = || reference(|inputs| vec![inputs[0].clone()]);
    let case = |name: &str, x: (Element, &[usize]), pacing: (Element, &[usize])| {
        Sample::new(name, pace(), vec![ramp(x.0, x.1), ramp(pacing.0, pacing.1)], first())
    };
    let bounded = vec![bounded_first(Element::F32, 5, &[3]), Spec::new(Element::I64, [2])];
    vec![
        case("by integers", (Element::F32, &[3, 5]), (Element::I64, &[2])),
        case("by floats", (Element::I32, &[7]), (Element::F64, &[])),
        case("none", (Element::F32, &[0, 3]), (Element::Bool, &[1])),
        case("bounded", (Element::F32, &[2, 3]), (Element::I64, &[2])).with_specs(bounded),
    ]
}
