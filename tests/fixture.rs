//! Small operators over `i64` that show order, loss and duplication in their numbers.

// The fuzzer includes this file by its path, so these have theirs.
#[path = "fixture/accelerator.rs"]
pub(crate) mod accelerator; // a device without hardware
#[path = "fixture/sizes.rs"]
pub(crate) mod sizes; // tokens of any size

use std::fmt;
use std::sync::Arc;

use synfire_runtime::define::{Draft, Initial};
use synfire_runtime::device::{Devices, Target};
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::Streams;
use synfire_runtime::operator::{
    Axes, Contract, FireError, Kernel, KernelError, Metadata, Operator, Routing, SpecError, Specs,
};
use synfire_runtime::place::{Placed, Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use accelerator::{Fake, OnFake, fake};

/// One `i64`.
pub(crate) fn number() -> Spec {
    Spec::new(Element::I64, [1])
}

/// Numbers as a stream.
pub(crate) fn numbers(values: impl IntoIterator<Item = i64>) -> Vec<Option<Value>> {
    values.into_iter().map(|value| Some(Value::new(&[1], &[value]))).collect()
}

/// A stream as numbers.
pub(crate) fn plain(stream: &[Option<Value>]) -> Vec<Option<i64>> {
    stream.iter().map(|value| Some(value.as_ref()?.elements::<i64>()[0])).collect()
}

type Compute = Arc<dyn Fn(&[i64], u64) -> Result<i64, FireError> + Send + Sync>;

/// An operator from a closure over its input numbers and the number of the firing.
#[derive(Clone)]
pub(crate) struct Formula {
    name: &'static str,
    inputs: usize,
    take: u32,
    give: u32,
    compute: Compute,
}

impl fmt::Debug for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} x {}, {})", self.name, self.inputs, self.take, self.give)
    }
}

pub(crate) fn formula(
    name: &'static str,
    inputs: usize,
    compute: impl Fn(&[i64], u64) -> Result<i64, FireError> + Send + Sync + 'static,
) -> Formula {
    Formula { name, inputs, take: 1, give: 1, compute: Arc::new(compute) }
}

/// `3 x + constant`, wrapping.
pub(crate) fn affine(constant: i64) -> Formula {
    formula("affine", 1, move |x, _| Ok(x[0].wrapping_mul(3).wrapping_add(constant)))
}

/// A sum with weights that tell its inputs apart, wrapping.
pub(crate) fn mix(inputs: usize) -> Formula {
    formula("mix", inputs, |x, _| {
        Ok(x.iter().fold(7, |sum: i64, &x| sum.wrapping_mul(31).wrapping_add(x)))
    })
}

/// Counts from 0 and ends after `count`.
pub(crate) fn counter(count: u64) -> Formula {
    formula(
        "counter",
        0,
        move |_, firing| {
            if firing < count { Ok(firing as i64) } else { Err(FireError::End) }
        },
    )
}

/// Takes `take` tokens of its input and gives `give` tokens in each firing.
pub(crate) fn resample(take: u32, give: u32) -> Formula {
    Formula { name: "resample", take, give, ..mix(1) }
}

impl Operator for Formula {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.name);
        let inputs = (0..self.inputs)
            .fold(contract, |own, input| own.input_rate(&format!("x{input}"), self.take));
        let contract = inputs.output_rate("y", self.give);
        if self.inputs == 1 && self.take == 1 && self.give == 1 {
            contract.in_place(0, 0)
        } else {
            contract
        }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        for (index, spec) in inputs.iter().enumerate() {
            if *spec != number() {
                return Err(SpecError::new(&format!("x{index}"), spec, number()).at(0));
            }
        }
        Ok(vec![number()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        _specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        match target {
            Target::Host => Ok(Box::new(self.clone())),
            Target::Accelerator(device) if device.as_any().is::<Fake>() => {
                Ok(Box::new(OnFake(self.clone())))
            }
            Target::Accelerator(_) => Err(KernelError::Absent),
        }
    }
}

impl Kernel for Formula {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.inputs == 1 && self.take == 1 && self.give == 1 {
            let index = firing.index();
            let (x, mut y) = match firing.pair(0, 0) {
                Pair::Distinct(x, y) => (x.elements::<i64>()[0], y),
                Pair::Same(mut y) => (y.elements::<i64>()[0], y),
            };
            y.elements::<i64>()[0] = (self.compute)(&[x], index)?;
            return Ok(());
        }
        let mut taken = Vec::new();
        for input in 0..self.inputs {
            for token in 0..self.take {
                taken.push(firing.input_token(input, token).elements::<i64>()[0]);
            }
        }
        let value = (self.compute)(&taken, firing.index())?;
        for token in 0..self.give {
            firing.output_token(0, token).elements::<i64>()[0] =
                value.wrapping_add(i64::from(token));
        }
        Ok(())
    }
}

/// Routes numbers by a selector, taken modulo the number of branches; host only.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    branches: usize,
    merges: bool,
}

/// Sends `x` to one of `branches` outputs: inputs `selector` and `x`.
pub(crate) fn switch(branches: usize) -> Router {
    Router { branches, merges: false }
}

/// Takes one of `branches` inputs: `selector`, then the branches.
pub(crate) fn merge(branches: usize) -> Router {
    Router { branches, merges: true }
}

impl Operator for Router {
    fn contract(&self) -> Contract {
        if self.merges {
            let contract = Contract::new("merge").input("selector").input_list("x", self.branches);
            return contract.output("y").routing(Routing::Merge { first: 1 });
        }
        let contract = Contract::new("switch").input("selector").input("x");
        contract.output_list("y", self.branches).routing(Routing::Switch { selector: 0 })
    }

    fn shape(&self, _inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(vec![number(); if self.merges { 1 } else { self.branches }])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        _specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        match target {
            Target::Host => Ok(Box::new(self.clone())),
            Target::Accelerator(_) => Err(KernelError::Absent),
        }
    }
}

impl Kernel for Router {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let selector = firing.input(0).elements::<i64>()[0];
        let chosen = selector.rem_euclid(self.branches as i64) as usize;
        if self.merges {
            let x = firing.input(1 + chosen);
            if x.state().is_null() {
                firing.nullify(0);
            } else {
                firing.output(0).elements::<i64>()[0] = x.elements::<i64>()[0];
            }
            return Ok(());
        }
        for branch in (0..self.branches).filter(|&branch| branch != chosen) {
            firing.nullify(branch);
        }
        firing.output(chosen).elements::<i64>()[0] = firing.input(1).elements::<i64>()[0];
        Ok(())
    }
}

/// `count` CPU devices of one core each.
pub(crate) fn cpus(count: usize) -> Devices {
    let add = |own: Devices, k: usize| own.with_cores(&format!("cpu:{k}"), vec![k % 2], false);
    (0..count).fold(Devices::new(), add)
}

/// A plan with nodes bound to devices by path.
pub(crate) fn planned(
    graph: &Graph,
    devices: usize,
    bound: &[(&str, &str)],
    limits: &Limits,
) -> Plan {
    let wishes = bound.iter().fold(Placement::new(), |own, (path, name)| own.on(path, name));
    let placed = place(graph, &cpus(devices), &wishes).expect("the placement is possible");
    plan(&placed, limits).expect("the plan is possible")
}

/// One feed `in` with these numbers.
pub(crate) fn fed(values: impl IntoIterator<Item = i64>) -> Streams {
    Streams::from([("in".to_owned(), numbers(values))])
}

/// A graph whose plan has every kind of part: arenas, delays, rates, links, a parameter, copies.
pub(crate) fn rich() -> Placed {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());

    let weight = draft.parameter("weight", number(), Initial::Constant(2.0));
    let a = draft.apply_named("a", mix(2), &[x, weight]);
    let a = draft.apply_named("a2", affine(1), &[a]);
    let before = draft.delay(a, 2, Initial::Zeros);
    let b = draft.apply_named("b", resample(2, 1), &[before]);
    let b = draft.apply_named("b2", affine(1), &[b]);
    let c = draft.apply_named("c", affine(3), &[b]);
    draft.outlet("out", c);
    let graph = draft.check().expect("the draft is right");
    let devices = cpus(2).with_accelerator(fake("x", 1 << 20));
    let wishes = Placement::new().on("a", "cpu:0").on("a2", "cpu:0");
    let wishes = wishes.on("b", "cpu:1").on("b2", "cpu:1").on("c", "x");
    place(&graph, &devices, &wishes).expect("the devices exist")
}
