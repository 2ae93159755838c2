//! Collect: one token of each of `n` streams, one after the other, as one stream.
//!
//! # Shape
//! `x0` to `x{n-1}`: of one spec -> `y`: the same, `n` tokens a firing.
//!
//! # Gradient
//! `dx0`, `dx1`, ... are [`deal`] of `dy`.
//!
//! # Numerics
//! Exact: bytes are moved.
//!
//! # Example
//! ```
//! use synfire_ops::route::collect::collect;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&collect(2), &[Value::new(&[], &[1_i32]), Value::new(&[], &[2_i32])])?;
//! assert_eq!(y, [Value::new(&[], &[1_i32]), Value::new(&[], &[2_i32])]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::deal::deal;
use crate::device::on_device;
use crate::host::strided::{SOURCES_MAX, Strided, copy};
use crate::require;
use crate::sample::{Sample, bounded_first, ramp, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators
#[cfg(feature = "cube")]
pub(super) use cube::TokenByToken;

/// Collects one token of each of `count` streams.
#[must_use]
pub fn collect(count: usize) -> Collect {
    Collect { count }
}

/// See [`collect`].
#[derive(Clone, Debug)]
pub struct Collect {
    count: usize,
}

impl Operator for Collect {
    fn contract(&self) -> Contract {
        let rate = u32::try_from(self.count).unwrap_or(u32::MAX).max(1);
        let contract = Contract::new("collect").input_list("x", self.count);
        contract.output_rate("y", rate).tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::count("x", self.count, SOURCES_MAX)?;
        for (index, spec) in inputs.iter().enumerate() {
            require::alike(&format!("x{index}"), spec, &inputs[0], None)?;
        }
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let bytes = 2 * self.count as u64 * outputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs)) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        let parts = backward.apply_many(deal(self.count), &[dy]);
        Gradient::Of(parts.into_iter().map(Some).collect())
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost, cube: TokenByToken)
    }
}

struct OnHost;

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        for stream in 0..firing.inputs() {
            let (x, mut y) = (firing.input(stream), firing.output_token(0, stream as u32));
            y.set_extents(&x.extents());
            let all = Strided::dense(&x.extents());
            copy(firing.crew(), x.spec().element, &all, x.bytes(), y.bytes());
        }
        Ok(())
    }
}

/// One stream and several, bounded, none at all, streams that differ.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, count: usize, extents: &[usize]| {
        let tokens = (0..count).map(|_| ramp(f32, extents)).collect();
        Sample::new(name, collect(count), tokens, reference(<[_]>::to_vec))
    };
    let bounded = vec![bounded_first(f32, 5, &[3]); 2];
    let differ = vec![Spec::f32([2]), Spec::f32([3])];
    vec![
        case("one", 1, &[3, 5]),
        case("three", 3, &[7]),
        case("scalars", 5, &[]),
        case("bounded", 2, &[2, 3]).with_specs(bounded),
        Sample::rejected("none", collect(0), vec![], "x", None),
        Sample::rejected("streams that differ", collect(2), differ, "x1", Some(0)),
    ]
}
