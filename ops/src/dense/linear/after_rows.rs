//! A linear layer, or a product with one matrix, together with the operator that makes its rows,
//! such as a norm: a block of rows is made in scratch memory and multiplied while in cache, so no
//! register ever holds all of them. The bits are those of both operators one after the other.

use std::sync::Arc;

use synfire_runtime::device::Target;
use synfire_runtime::mark::{Form, Part};
use synfire_runtime::operator::{
    Contract, Fusion, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire_runtime::spec::Spec;

use super::on_host::{OnHost, Ports};

/// `then`, of which input 0 is output 0 of `first`.
#[derive(Clone, Debug)]
struct AfterRows {
    first: Arc<dyn Operator>,
    /// The inputs of `first`.
    inputs: usize,
    then: Arc<dyn Operator>,
    weight_is_transposed: bool,
}

/// The form of which a product of rows and the matrix at input 1 is the last part.
pub(crate) fn after_rows(last: &Part<'_>, weight_is_transposed: bool) -> Option<Form> {
    let first = last.reads(0)?;
    let weight = last.input(1);
    if first.fusion() != Fusion::Rows || weight.rank() != 2 || !weight.is_fixed() {
        return None;
    }
    let operator = AfterRows {
        first: first.operator()?.clone(),
        inputs: first.inputs(),
        then: last.operator()?.clone(),
        weight_is_transposed,
    };
    let rows = (0..first.inputs()).map(|input| first.stream(input));
    let inputs = rows.chain((1..last.inputs()).map(|input| last.stream(input))).collect();
    Some(Form { operator: Arc::new(operator), inputs })
}

impl AfterRows {
    /// The input specs of `then`.
    fn between(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let mut between = self.first.shape(&inputs[..self.inputs])?;
        between.truncate(1);
        between.extend_from_slice(&inputs[self.inputs..]);
        Ok(between)
    }
}

impl Operator for AfterRows {
    fn contract(&self) -> Contract {
        let then = self.then.contract();
        let mut inputs = self.first.contract().inputs;
        inputs.extend_from_slice(&then.inputs[1..]);
        Contract { inputs, marks: Vec::new(), form: None, ..then }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        self.then.shape(&self.between(inputs)?)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let between = self.between(inputs).expect("the shape rule saw that they fit");
        let mut metadata = self.then.metadata(&between, outputs);
        // What else makes a row has its last axis, or several that nobody else has.
        let feature = metadata.axes.inputs[0].last().copied();
        let of = |spec: &Spec| feature.into_iter().cycle().take(spec.rank()).collect();
        metadata.axes.inputs.splice(1..1, inputs[1..self.inputs].iter().map(of));
        metadata.bytes +=
            inputs[1..self.inputs].iter().map(|spec| spec.bytes() as u64).sum::<u64>();
        metadata
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let Target::Host = target else { return Err(KernelError::Absent) };
        let (count, inputs) = (self.inputs, specs.inputs);
        let between = self.between(inputs).map_err(|_| KernelError::Absent)?;
        let (own, constant) = (&inputs[..count], &specs.constant[..count]);
        let rows = Specs { inputs: own, outputs: &between[..1], constant, cores: specs.cores };
        let stage = self.first.kernel(target, &rows)?.stage().ok_or(KernelError::Absent)?;
        let kept = own[1..].iter().map(Spec::bytes).sum();
        let bias = (inputs.len() > count + 1).then_some(count + 1);
        let ports = Ports { weight: count, is_transposed: self.weight_is_transposed, bias };
        Ok(Box::new(OnHost::<f32>::new(ports, specs).after(stage, kept)))
    }
}
