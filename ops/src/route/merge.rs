//! Merge: takes each token from the one of several branches that a selector names.
//!
//! # Shape
//! `selector`: `i64[]`; `x0`, `x1`, ...: all alike -> `y`: as they are; at least 1 branch.
//!
//! # Gradient
//! `dx0`, `dx1`, ... are `switch` of `dy` by the same selector; none for `selector`. A merge of
//! more than 64 branches has none, since a switch has not that many.
//!
//! # Numerics
//! Exact: bytes are moved. The branches not chosen may be null, and are not looked at. A chosen
//! branch that is null gives null. A selector outside `0..branches` fails the firing.
//!
//! # Example
//! ```
//! use synfire_ops::route::merge::merge;
//! use synfire_runtime::{crew::Crew, solo::Solo, spec::Spec, value::Value};
//!
//! let (selector, x1) = (Value::new(&[], &[1_i64]), Value::new(&[1], &[5.0_f32]));
//! let specs = [selector.spec(), Spec::f32([1]), x1.spec()];
//! let inputs = [Some(selector), None, Some(x1.clone())];
//! let y = Solo::new(&merge(2), &specs, &[])?.fire(&inputs, &Crew::solo())?;
//! assert_eq!(y, [Some(x1)]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    Routing, SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::switch::switch;
use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::strided::{SOURCES_MAX, Strided, copy};
use crate::require;
use crate::sample::{Expect, Sample, bounded_first, ramp, tensor};

/// Takes one of `branches` inputs.
#[must_use]
pub fn merge(branches: usize) -> Merge {
    Merge { branches }
}

/// See [`merge`].
#[derive(Clone, Debug)]
pub struct Merge {
    branches: usize,
}

impl Operator for Merge {
    fn contract(&self) -> Contract {
        let contract = Contract::new("merge").input("selector").input_list("x", self.branches);
        contract.output("y").tolerance(Tolerance::EXACT).routing(Routing::Merge { first: 1 })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("selector", &inputs[0], &[Element::I64])?;
        require::rank("selector", &inputs[0], 0)?;
        require::count("x", self.branches, usize::MAX)?;
        for (index, x) in inputs[1..].iter().enumerate() {
            require::alike(&format!("x{index}"), x, &inputs[1], None)?;
        }
        Ok(vec![inputs[1].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // One branch is read.
        let bytes = (inputs[0].bytes() + 2 * outputs[0].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs)) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        if self.branches > SOURCES_MAX {
            return Gradient::Absent("it has more branches than a switch may have");
        }
        let (selector, dy) = (backward.input(0), backward.upstream(0));
        let branches = backward.apply_many(switch(self.branches), &[selector, dy]);
        Gradient::Of(std::iter::once(None).chain(branches.into_iter().map(Some)).collect())
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
        in_range("merge", "selector", selector, &[], self.branches)?;
        let x = firing.input(1 + selector[0] as usize);
        if x.state().is_null() {
            firing.nullify(0);
            return Ok(());
        }
        if !x.state().is_value() {
            return Err(FireError::failed(format!("merge: branch x{} is poisoned", selector[0])));
        }
        let mut y = firing.output(0);
        let all = Strided::dense(&x.extents());
        y.set_extents(&x.extents());
        copy(firing.crew(), x.spec().element, &all, x.bytes(), y.bytes());
        Ok(())
    }
}

/// Element types, other branches null or not, one branch, null, none, bounded, failures,
/// rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let i64s = || Spec::new::<usize>(Element::I64, []);
    let case = |name: String, branches: Vec<Value>, chosen: usize| {
        let output = Some(tensor(&branches[chosen]));
        let operator = merge(branches.len());
        let inputs = std::iter::once(Value::new(&[], &[chosen as i64])).chain(branches);
        Sample::new(name, operator, inputs.collect(), Expect::Routed(vec![output]))
    };
    let pair = |element: Element| {
        let joined = ramp(element, &[30]).bytes().to_vec();
        let (first, second) = joined.split_at(joined.len() / 2);
        [first, second].map(|part| Value::from_bytes(element, &[3, 5], part.to_vec())).to_vec()
    };
    let every = Element::ALL.into_iter().flat_map(|element| {
        [
            case(format!("x0, {element}"), pair(element), 0),
            case(format!("x1 beside null, {element}"), pair(element), 1).with_nulls(&[1]),
        ]
    });
    let null = |name: &str, inputs: &[usize]| {
        let mut sample = case(name.into(), pair(f32), 1).with_nulls(inputs);
        sample.expect = Expect::Routed(vec![None]);
        sample
    };
    let fails = |selector: i64, words: &'static str| {
        let inputs = vec![Value::new(&[], &[selector]), ramp(f32, &[2])];
        Sample::new(format!("selector {selector}"), merge(1), inputs, Expect::Fails(words))
    };
    let rejected = |name: &str, specs: [Spec; 3], port, dimension| {
        Sample::rejected(name, merge(2), specs.to_vec(), port, dimension)
    };
    let bounded = || bounded_first(f32, 5, &[3]);
    let some =
        [
            case("one branch".into(), vec![ramp(f32, &[])], 0),
            case("none".into(), vec![ramp(f32, &[0, 3]); 2], 1),
            case("bounded".into(), vec![ramp(f32, &[2, 3]), ramp(f32, &[4, 3])], 1)
                .with_specs(vec![i64s(), bounded(), bounded()]),
            null("null", &[2]),
            null("null selector", &[0]),
            fails(1, "merge: port selector: found 1 at []; wanted 0 to below 1"),
            fails(-1, "found -1"),
            rejected("another extent", [i64s(), Spec::f32([2]), Spec::f32([3])], "x1", Some(0)),
            rejected("another rank", [i64s(), Spec::f32([2]), Spec::f32([2, 1])], "x1", None),
            rejected(
                "floats",
                [Spec::f32::<usize>([]), Spec::f32([2]), Spec::f32([2])],
                "selector",
                None,
            ),
        ];
    every.chain(some).collect()
}
