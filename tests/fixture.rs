//! Small operators over `i64` that show order, loss and duplication in their numbers.

use std::sync::Arc;

use synfire_runtime::device::{Devices, Target};
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::Streams;
use synfire_runtime::operator::{
    Axes, Contract, FireError, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

/// One `i64`.
pub fn number() -> Spec {
    Spec::new(Element::I64, [1])
}

/// Numbers as a stream.
pub fn numbers(values: impl IntoIterator<Item = i64>) -> Vec<Option<Value>> {
    values.into_iter().map(|value| Some(Value::new(&[1], &[value]))).collect()
}

/// A stream as numbers.
pub fn plain(stream: &[Option<Value>]) -> Vec<Option<i64>> {
    stream.iter().map(|value| Some(value.as_ref()?.elements::<i64>()[0])).collect()
}

type Compute = Arc<dyn Fn(&[i64], u64) -> Result<i64, FireError> + Send + Sync>;

/// An operator from a closure over its input numbers and the number of the firing.
#[derive(Clone)]
pub struct Formula {
    name: &'static str,
    inputs: usize,
    take: u32,
    give: u32,
    compute: Compute,
}

impl std::fmt::Debug for Formula {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({} x {}, {})", self.name, self.inputs, self.take, self.give)
    }
}

pub fn formula(
    name: &'static str,
    inputs: usize,
    compute: impl Fn(&[i64], u64) -> Result<i64, FireError> + Send + Sync + 'static,
) -> Formula {
    Formula { name, inputs, take: 1, give: 1, compute: Arc::new(compute) }
}

/// `3 x + constant`, wrapping.
pub fn affine(constant: i64) -> Formula {
    formula("affine", 1, move |x, _| Ok(x[0].wrapping_mul(3).wrapping_add(constant)))
}

/// A sum with weights that tell its inputs apart, wrapping.
pub fn mix(inputs: usize) -> Formula {
    formula("mix", inputs, |x, _| {
        Ok(x.iter().fold(7, |sum: i64, &x| sum.wrapping_mul(31).wrapping_add(x)))
    })
}

/// Counts from 0 and ends after `count`.
pub fn counter(count: u64) -> Formula {
    formula(
        "counter",
        0,
        move |_, firing| {
            if firing < count { Ok(firing as i64) } else { Err(FireError::End) }
        },
    )
}

/// Takes `take` tokens of its input and gives `give` tokens in each firing.
pub fn resample(take: u32, give: u32) -> Formula {
    Formula { take, give, ..mix(1) }
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
            firing.output_token(0, token).elements::<i64>()[0] = value + i64::from(token);
        }
        Ok(())
    }
}

/// `count` CPU devices of one core each.
pub fn cpus(count: usize) -> Devices {
    let add = |own: Devices, k: usize| own.with_cores(&format!("cpu:{k}"), vec![k % 2], false);
    (0..count).fold(Devices::new(), add)
}

/// A plan with nodes bound to devices by path.
pub fn planned(graph: &Graph, devices: usize, bound: &[(&str, &str)], limits: &Limits) -> Plan {
    let wishes = bound.iter().fold(Placement::new(), |own, (path, name)| own.on(path, name));
    let placed = place(graph, &cpus(devices), &wishes).expect("the placement is possible");
    plan(&placed, limits).expect("the plan is possible")
}

/// One feed `in` with these numbers.
pub fn fed(values: impl IntoIterator<Item = i64>) -> Streams {
    Streams::from([("in".to_owned(), numbers(values))])
}
