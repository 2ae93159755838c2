//! Deal: each `n` tokens of a stream as one token of each of `n` streams.
//!
//! # Shape
//! `x`: any, `n` tokens a firing -> `y0` to `y{n-1}`: the same, one token each.
//!
//! # Gradient
//! `dx` is [`collect`] of `dy0`, `dy1`, ...
//!
//! # Numerics
//! Exact: bytes are moved.
//!
//! # Example
//! ```
//! use synfire_ops::route::deal::deal;
//! use synfire_runtime::{crew::Crew, solo::Solo, spec::Spec, value::Value};
//!
//! let tokens = [1.0_f32, 2.0].map(|x| Some(Value::new(&[], &[x])));
//! let mut solo = Solo::new(&deal(2), &[Spec::f32::<usize>([])], &[])?;
//! assert_eq!(solo.fire(&tokens, &Crew::solo())?, tokens);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::collect::collect;
use crate::device::on_device;
use crate::host::strided::{SOURCES_MAX, Strided, copy};
use crate::require;
use crate::sample::{Sample, bounded_first, ramp, reference};

/// Deals `count` tokens to as many streams.
#[must_use]
pub fn deal(count: usize) -> Deal {
    Deal { count }
}

/// See [`deal`].
#[derive(Clone, Debug)]
pub struct Deal {
    count: usize,
}

impl Operator for Deal {
    fn contract(&self) -> Contract {
        let rate = u32::try_from(self.count).unwrap_or(u32::MAX).max(1);
        let contract = Contract::new("deal").input_rate("x", rate);
        contract.output_list("y", self.count).tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::count("y", self.count, SOURCES_MAX)?;
        Ok(vec![inputs[0].clone(); self.count])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let bytes = 2 * self.count as u64 * inputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs)) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let parts: Vec<_> = (0..self.count).map(|stream| backward.upstream(stream)).collect();
        Gradient::one(backward.apply(collect(self.count), &parts))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let count = self.count;
        on_device!(target, specs, host: OnHost { count }, cube: super::collect::TokenByToken)
    }
}

struct OnHost {
    count: usize,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        for stream in 0..self.count {
            let (x, mut y) = (firing.input_token(0, stream as u32), firing.output(stream));
            y.set_extents(&x.extents());
            let all = Strided::dense(&x.extents());
            copy(firing.crew(), x.spec().element, &all, x.bytes(), y.bytes());
        }
        Ok(())
    }
}

/// One stream and several, bounded, none at all, more than can be.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, count: usize, extents: &[usize]| {
        let spec = vec![Spec::new(f32, extents.iter().copied())];
        let tokens = (0..count).map(|_| ramp(f32, extents)).collect();
        Sample::new(name, deal(count), tokens, reference(<[_]>::to_vec)).with_specs(spec)
    };
    let bounded = vec![bounded_first(f32, 5, &[3])];
    vec![
        case("one", 1, &[3, 5]),
        case("three", 3, &[7]),
        case("scalars", 5, &[]),
        case("bounded", 2, &[2, 3]).with_specs(bounded),
        Sample::rejected("none", deal(0), vec![Spec::f32([2])], "y", None),
        Sample::rejected("too many", deal(1000), vec![Spec::f32([2])], "y", None),
    ]
}
