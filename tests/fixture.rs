//! Small operators over `i64` that show order, loss and duplication in their numbers.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use synfire_runtime::device::{Accelerator, Buffer, Devices, Target};
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::Streams;
use synfire_runtime::operator::{
    Axes, Contract, FireError, Kernel, KernelError, Metadata, Operator, Routing, SpecError, Specs,
};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

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

/// The same over the buffers of a [`Fake`].
struct OnFake(Formula);

impl Kernel for OnFake {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let own = &self.0;
        if own.inputs == 1 && own.take == 1 && own.give == 1 {
            let index = firing.index();
            let (x, y) = match firing.pair(0, 0) {
                Pair::Distinct(x, y) => (Piece::of(x.buffer()), Piece::of(y.buffer())),
                Pair::Same(y) => (Piece::of(y.buffer()), Piece::of(y.buffer())),
            };
            y.set((own.compute)(&[x.get()], index)?);
            return Ok(());
        }
        let tokens = (0..own.inputs).flat_map(|input| (0..own.take).map(move |t| (input, t)));
        let token = |(input, token)| Piece::of(firing.input_token(input, token).buffer()).get();
        let taken: Vec<i64> = tokens.map(token).collect();
        let value = (own.compute)(&taken, firing.index())?;
        for token in 0..own.give {
            let output = firing.output_token(0, token);
            Piece::of(output.buffer()).set(value.wrapping_add(i64::from(token)));
        }
        Ok(())
    }
}

/// An accelerator whose memory is host memory behind a lock: everything but the hardware.
pub(crate) struct Fake {
    name: String,
    /// Bytes that it still gives.
    left: Mutex<usize>,
}

/// A part of an allocation of a [`Fake`].
struct Piece {
    memory: Arc<Mutex<Vec<u8>>>,
    offset: usize,
    bytes: usize,
}

impl Piece {
    fn of(buffer: Option<&Buffer>) -> &Self {
        let buffer = buffer.expect("registers of an accelerator have buffers");
        buffer.downcast_ref().expect("buffers of a fake are pieces")
    }

    fn touch<R>(&self, touch: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        touch(&mut memory[self.offset..self.offset + self.bytes])
    }

    fn get(&self) -> i64 {
        self.touch(|bytes| i64::from_ne_bytes(bytes.try_into().expect("one number")))
    }

    fn set(&self, value: i64) {
        self.touch(|bytes| bytes.copy_from_slice(&value.to_ne_bytes()));
    }
}

/// A fake accelerator that gives so many bytes.
pub(crate) fn fake(name: &str, bytes: usize) -> Arc<Fake> {
    Arc::new(Fake { name: name.to_owned(), left: Mutex::new(bytes) })
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Accelerator for Fake {
    fn allocate(&self, bytes: usize) -> Result<Buffer, String> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(bytes).ok_or_else(|| format!("no {bytes} bytes left"))?;
        let memory = Arc::new(Mutex::new(vec![0; bytes]));
        Ok(Arc::new(Piece { memory, offset: 0, bytes }))
    }

    fn view(&self, buffer: &Buffer, offset: usize, bytes: usize) -> Buffer {
        let whole = Piece::of(Some(buffer));
        assert!(offset.is_multiple_of(256), "views start at multiples of 256");
        assert!(offset + bytes <= whole.bytes, "views lie inside their buffer");
        Arc::new(Piece { memory: whole.memory.clone(), offset: whole.offset + offset, bytes })
    }

    fn upload(&self, from: &[u8], to: &Buffer) -> Result<(), String> {
        Piece::of(Some(to)).touch(|bytes| bytes[..from.len()].copy_from_slice(from));
        Ok(())
    }

    fn download(&self, from: &Buffer, to: &mut [u8]) -> Result<(), String> {
        Piece::of(Some(from)).touch(|bytes| to.copy_from_slice(&bytes[..to.len()]));
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
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

/// Takes any inputs and gives bytes that depend on all of them, or nothing at all.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    inputs: usize,
    output: Option<Spec>,
    in_place: bool,
}

/// Gives tokens of `output`.
pub(crate) fn bytes(inputs: usize, output: Spec) -> Bytes {
    Bytes { inputs, output: Some(output), in_place: false }
}

/// The same, working in place over input 0.
pub(crate) fn bytes_in_place(inputs: usize, output: Spec) -> Bytes {
    Bytes { in_place: true, ..bytes(inputs, output) }
}

/// Takes tokens and gives none.
pub(crate) fn sink(inputs: usize) -> Bytes {
    Bytes { inputs, output: None, in_place: false }
}

impl Operator for Bytes {
    fn contract(&self) -> Contract {
        let contract = Contract::new(if self.output.is_some() { "bytes" } else { "sink" });
        let contract = contract.input_list("x", self.inputs);
        let contract = if self.output.is_some() { contract.output("y") } else { contract.effect() };
        if self.in_place { contract.in_place(0, 0) } else { contract }
    }

    fn shape(&self, _inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(self.output.iter().cloned().collect())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::default())
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

impl Kernel for Bytes {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.output.is_none() {
            return Ok(());
        }
        let sum = |bytes: &[u8]| bytes.iter().fold(1_u8, |sum, &byte| sum.wrapping_add(byte));
        let first = usize::from(self.in_place);
        let others = (first..self.inputs).map(|input| sum(firing.input(input).bytes()));
        let mut total = others.fold(0_u8, u8::wrapping_add);
        let mut y = if self.in_place {
            match firing.pair(0, 0) {
                Pair::Distinct(x, y) => {
                    total = total.wrapping_add(sum(x.bytes()));
                    y
                }
                Pair::Same(mut y) => {
                    total = total.wrapping_add(sum(y.bytes()));
                    y
                }
            }
        } else {
            firing.output(0)
        };
        y.bytes().fill(total);
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
