//! Proposals: a source of random architectures, each a token with a tag.
//!
//! # Shape
//! `candidate`: `i64[edges]`, of each edge one of `candidates` but the first, which is `none`;
//! `tag`: `i64[]`, the number of the candidate, from 0.
//!
//! # Numerics
//! Candidate `n` is a function of seed and `n` alone: who evaluates it, when and where, changes
//! nothing, and a search that goes on sees what it would have seen.

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Contract, FireError, Kernel, KernelError, Metadata, Operator, SpecError, Specs, Tolerance,
};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Element, Spec};

/// Random architectures of `edges` edges with `candidates` candidates each, without end.
#[must_use]
pub fn proposals(edges: usize, candidates: usize, seed: Seed) -> Proposals {
    Proposals { edges, candidates, seed }
}

/// See [`proposals`].
#[derive(Clone, Debug)]
pub struct Proposals {
    edges: usize,
    candidates: usize,
    seed: Seed,
}

impl Proposals {
    /// Architecture `number`.
    fn write(&self, number: u64, candidate: &mut [i64]) {
        let seed = self.seed.derive(number);
        let choices = self.candidates.saturating_sub(1);
        let drawn = (0..).map(|edge| 1 + seed.index(edge, choices) as i64);
        candidate.iter_mut().zip(drawn).for_each(|(own, drawn)| *own = drawn);
    }
}

impl Operator for Proposals {
    fn contract(&self) -> Contract {
        let contract = Contract::new("proposals").output("candidate").output("tag");
        contract.counts().tolerance(Tolerance::EXACT)
    }

    fn shape(&self, _inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        if self.candidates < 2 {
            let found = format!("{} candidates", self.candidates);
            return Err(SpecError::new("candidate", found, "`none` and at least one other"));
        }
        let tag = Spec::new(Element::I64, [0_usize; 0]);
        Ok(vec![Spec::new(Element::I64, [self.edges]), tag])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let axes = Axes { inputs: Vec::new(), outputs: vec![vec![0], Vec::new()] };
        Metadata::streaming(inputs, outputs, axes)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        _specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        match target {
            Target::Host => Ok(Box::new(OnHost(self.clone()))),
            Target::Accelerator(_) => Err(KernelError::Absent),
        }
    }
}

struct OnHost(Proposals);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let number = firing.index();
        self.0.write(number, firing.output(0).elements::<i64>());
        firing.output(1).elements::<i64>()[0] = number as i64;
        Ok(())
    }
}
