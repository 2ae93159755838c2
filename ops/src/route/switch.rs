//! Switch: sends each token to the one of several branches that a selector names.
//!
//! # Shape
//! `selector`: `i64[]`; `x`: any -> `y0`, `y1`, ...: as `x`; 1 to 64 branches.
//!
//! # Gradient
//! `dx` is `merge` of `dy0`, `dy1`, ... by the same selector; none for `selector`.
//!
//! # Numerics
//! Exact: the chosen output gets the bytes of `x`, every other null. A selector outside
//! `0..branches` fails the firing.
//!
//! # Example
//! ```
//! use synfire_ops::route::switch::switch;
//! use synfire_runtime::{crew::Crew, solo::Solo, value::Value};
//!
//! let inputs = [Value::new(&[], &[1_i64]), Value::new(&[1], &[5.0_f32])];
//! let specs: Vec<_> = inputs.iter().map(Value::spec).collect();
//! let y = Solo::new(&switch(2), &specs, &[])?.fire(&inputs.map(Some), &Crew::solo())?;
//! assert_eq!(y, [None, Some(Value::new(&[1], &[5.0_f32]))]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    Routing, SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::merge::merge;
use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::strided::{SOURCES_MAX, Strided, copy};
use crate::require;
use crate::sample::{Expect, Sample, bounded_first, ramp, tensor};

/// Sends `x` to one of `branches` outputs.
#[must_use]
pub fn switch(branches: usize) -> Switch {
    Switch { branches }
}

/// See [`switch`].
#[derive(Clone, Debug)]
pub struct Switch {
    branches: usize,
}

impl Operator for Switch {
    fn contract(&self) -> Contract {
        let contract = Contract::new("switch").input("selector").input("x");
        let contract = contract.output_list("y", self.branches).tolerance(Tolerance::EXACT);
        contract.routing(Routing::Switch { selector: 0 })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("selector", &inputs[0], &[Element::I64])?;
        require::rank("selector", &inputs[0], 0)?;
        require::count("y", self.branches, SOURCES_MAX)?;
        Ok(vec![inputs[1].clone(); self.branches])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // One branch is written.
        let bytes = (inputs[0].bytes() + 2 * inputs[1].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs)) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let mut inputs: Vec<Wire> = vec![backward.input(0)];
        inputs.extend((0..self.branches).map(|branch| backward.upstream(branch)));
        let dx = backward.apply(merge(self.branches), &inputs);
        Gradient::Of(vec![None, Some(dx)])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let branches = self.branches;
        // Which branch it is, the lane must know: the selector lies in host memory.
        on_device!(target, specs, host: OnHost { branches })
    }
}

struct OnHost {
    branches: usize,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let selector = firing.input(0).elements::<i64>();
        in_range("switch", "selector", selector, &[], self.branches)?;
        let chosen = selector[0] as usize;
        for branch in (0..self.branches).filter(|&branch| branch != chosen) {
            firing.nullify(branch);
        }
        let (x, mut y) = (firing.input(1), firing.output(chosen));
        let all = Strided::dense(&x.extents());
        y.set_extents(&x.extents());
        copy(firing.crew(), x.spec().element, &all, x.bytes(), y.bytes());
        Ok(())
    }
}

/// Element types, first and last branch, one branch, null, none, bounded, failures, rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let i64s = || Spec::new::<usize>(Element::I64, []);
    let case = |name: String, x: Value, [chosen, branches]: [usize; 2]| {
        let mut outputs = vec![None; branches];
        outputs[chosen] = Some(tensor(&x));
        let inputs = vec![Value::new(&[], &[chosen as i64]), x];
        Sample::new(name, switch(branches), inputs, Expect::Routed(outputs))
    };
    let every = Element::ALL
        .map(|element| case(format!("last branch, {element}"), ramp(element, &[3, 5]), [2, 3]));
    let fails = |selector: i64, words: &'static str| {
        let inputs = vec![Value::new(&[], &[selector]), ramp(f32, &[2])];
        Sample::new(format!("selector {selector}"), switch(2), inputs, Expect::Fails(words))
    };
    let null = |name: &str, inputs: &[usize]| {
        let mut sample = case(name.into(), ramp(f32, &[3]), [0, 2]).with_nulls(inputs);
        sample.expect = Expect::Routed(vec![None; 2]);
        sample
    };
    let some = [
        case("first branch".into(), ramp(f32, &[3]), [0, 16]),
        case("one branch".into(), ramp(f32, &[]), [0, 1]),
        case("none".into(), ramp(f32, &[0, 3]), [1, 2]),
        case("bounded".into(), ramp(f32, &[2, 3]), [1, 2])
            .with_specs(vec![i64s(), bounded_first(f32, 5, &[3])]),
        null("null", &[1]),
        null("null selector", &[0]),
        fails(2, "switch: port selector: found 2 at []; wanted 0 to below 2"),
        fails(-1, "found -1"),
        Sample::rejected(
            "selector of one axis",
            switch(2),
            vec![Spec::new(Element::I64, [1]), Spec::f32([2])],
            "selector",
            None,
        ),
        Sample::rejected(
            "selector of floats",
            switch(2),
            vec![Spec::f32::<usize>([]), Spec::f32([2])],
            "selector",
            None,
        ),
        Sample::rejected(
            "too many",
            switch(SOURCES_MAX + 1),
            vec![i64s(), Spec::f32([2])],
            "y",
            None,
        ),
    ];
    every.into_iter().chain(some).collect()
}
