//! An actor that passes a number on after a given time: the body of a benchmark.

use std::sync::Arc;

use synfire_runtime::clock::Clock;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Contract, FireError, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire_runtime::spec::{Element, Spec};

/// One `u64`-sized number.
#[must_use]
pub fn number() -> Spec {
    Spec::new(Element::I64, [1])
}

/// What the actor does besides passing its number on.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// Looks at the clock until this many nanoseconds have passed.
    Spin(u64, Arc<dyn Clock>),
    /// Ends its stream at this firing.
    EndAt(u64),
}

/// Passes on the sum of its inputs; without inputs, the number of the firing.
#[derive(Clone)]
pub struct Pass {
    inputs: usize,
    body: Body,
}

/// An actor with `inputs` inputs and one output.
#[must_use]
pub fn pass(inputs: usize, body: Body) -> Pass {
    Pass { inputs, body }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pass({})", self.inputs)
    }
}

impl Operator for Pass {
    fn contract(&self) -> Contract {
        Contract::new("pass").input_list("x", self.inputs).output("y")
    }

    fn shape(&self, _inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
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

impl Kernel for Pass {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if let (1, Body::Nothing) = (self.inputs, &self.body) {
            let x = firing.input(0).elements::<i64>()[0];
            firing.output(0).elements::<i64>()[0] = x;
            return Ok(());
        }
        let index = firing.index();
        match &self.body {
            Body::Nothing => {}
            Body::Spin(nanoseconds, clock) => {
                let end = clock.now_ns() + nanoseconds;
                while clock.now_ns() < end {
                    std::hint::spin_loop();
                }
            }
            Body::EndAt(count) => {
                if index >= *count {
                    return Err(FireError::End);
                }
            }
        }
        let sum: i64 = (0..self.inputs).map(|input| firing.input(input).elements::<i64>()[0]).sum();
        let value = if self.inputs == 0 { index as i64 } else { sum };
        firing.output(0).elements::<i64>()[0] = value;
        Ok(())
    }
}
