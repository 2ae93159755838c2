//! The laws: what holds for every operator, run over its samples.
//!
//! Any operator, from this catalogue or from a user's crate, can be held against them:
//! `laws::host(&sample)`. Each returns the first breach as a sentence.

use std::sync::Arc;

use synfire_runtime::crew::Crew;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::interpret;
use synfire_runtime::launch::Options;
use synfire_runtime::operator::Operator;
use synfire_runtime::solo::Solo;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use crate::sample::{Expect, Sample, Subject, Tensor, tensor};

mod causal; // the law of what does not look ahead
mod device; // the laws of a device
mod gradient; // the laws of derivatives

pub use device::{Verdict, device};
pub use gradient::{Derivative, gradient};

/// Every law that needs no device: contract, shapes or rejection, reference, repeatability,
/// and, where nothing looks ahead, that steps and batches agree.
///
/// # Errors
/// The first breach.
pub fn host(sample: &Sample) -> Result<(), String> {
    let predicted = match (&sample.expect, predict(sample)) {
        (Expect::Rejected { port, dimension }, Err((error, place))) => {
            if place.is_some_and(|place| place != (port.to_string(), *dimension)) {
                return Err(format!("rejected with `{error}`, wanted {port} {dimension:?}"));
            }
            return Ok(());
        }
        (Expect::Rejected { .. }, Ok(_)) => return Err("accepted, wanted a rejection".into()),
        (_, Err((error, _))) => return Err(format!("rejected: {error}")),
        (_, Ok(outputs)) => outputs,
    };
    if let Subject::Operator(operator) = &sample.subject {
        contract(operator, &sample.specs, &predicted)?;
    }
    let outputs = match (&sample.expect, fire(sample, &[], 1)) {
        (Expect::Fails(words), Err(error)) if error.contains(words) => return Ok(()),
        (Expect::Fails(words), Err(error)) => {
            return Err(format!("failed with `{error}`, wanted `{words}`"));
        }
        (Expect::Fails(_), Ok(_)) => return Err("gave outputs, wanted a failure".into()),
        (_, outputs) => outputs?,
    };
    shapes(&predicted, &outputs)?;
    agrees(&outputs, &expected(sample))?;
    let constants: Vec<usize> = (1..sample.inputs.len()).collect();
    for (what, constants, cores) in
        [("a second firing", &[][..], 1), ("three cores", &[], 3), ("constants", &constants, 2)]
    {
        if fire(sample, constants, cores)? != outputs {
            return Err(format!("{what} gives other bits"));
        }
    }
    causal::causal(sample, &outputs)
}

/// Why a sample is rejected, and the port and dimension that an operator names.
type Rejection = (String, Option<(String, Option<usize>)>);

/// The specs of the outputs.
fn predict(sample: &Sample) -> Result<Vec<Spec>, Rejection> {
    match &sample.subject {
        Subject::Operator(operator) => operator
            .shape(&sample.specs)
            .map_err(|error| (error.to_string(), Some((error.port, error.dimension)))),
        Subject::Composite(..) => {
            let graph = alone(&sample.subject, &sample.specs).map_err(|error| (error, None))?;
            Ok(graph.outlets().map(|(_, spec)| spec.clone()).collect())
        }
    }
}

/// The name of input `index` in the graph of a subject alone.
fn input_name(index: usize) -> String {
    format!("in{index}")
}

/// Adds feeds for these specs.
fn feeds(draft: &mut Draft, specs: &[Spec]) -> Vec<Wire> {
    let feed = |(index, spec): (usize, &Spec)| draft.feed(&input_name(index), spec.clone());
    specs.iter().enumerate().map(feed).collect()
}

/// A graph of nothing but the subject.
fn alone(subject: &Subject, specs: &[Spec]) -> Result<Graph, String> {
    let mut draft = Draft::new();
    let inputs = feeds(&mut draft, specs);
    let outputs = subject.apply(&mut draft, &inputs);
    for (index, &wire) in outputs.iter().enumerate() {
        draft.outlet(&format!("out{index:03}"), wire);
    }
    draft.check().map_err(|faults| faults.to_string())
}

/// One iteration of a graph whose feeds are named by [`input_name`]; its outlets by name.
fn interpreted(graph: &Graph, inputs: &[Option<Value>]) -> Result<Vec<Option<Value>>, String> {
    let named = inputs.iter().enumerate();
    let streams = named.map(|(index, value)| (input_name(index), vec![value.clone()])).collect();
    let outlets = interpret(graph, &Options::default(), &streams).map_err(|e| e.to_string())?;
    Ok(outlets.into_values().map(|mut stream| stream.pop().flatten()).collect())
}

/// The contract names ports as the specs have them and the metadata has labels for every axis.
fn contract(operator: &Arc<dyn Operator>, inputs: &[Spec], outputs: &[Spec]) -> Result<(), String> {
    let contract = operator.contract();
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if contract.name.is_empty() || !contract.name.chars().all(lower) {
        return Err(format!("`{}` is no lower-case name", contract.name));
    }
    let metadata = operator.metadata(inputs, outputs);
    let ranks = |specs: &[Spec]| specs.iter().map(Spec::rank).collect::<Vec<_>>();
    let labels = |axes: &[Vec<u8>]| axes.iter().map(Vec::len).collect::<Vec<_>>();
    if ranks(inputs) != labels(&metadata.axes.inputs)
        || ranks(outputs) != labels(&metadata.axes.outputs)
    {
        return Err(format!("axes {:?} do not label every axis", metadata.axes));
    }
    if contract.inputs.len() != inputs.len() || contract.outputs.len() != outputs.len() {
        return Err("the contract has another number of ports than the shape rule".into());
    }
    Ok(())
}

fn fire(sample: &Sample, constants: &[usize], cores: usize) -> Result<Vec<Option<Value>>, String> {
    let Subject::Operator(operator) = &sample.subject else {
        return interpreted(&alone(&sample.subject, &sample.specs)?, &sample.inputs);
    };
    let mut solo =
        Solo::new(&**operator, &sample.specs, constants).map_err(|error| error.to_string())?;
    let crew = Crew::new(&vec![0; cores], false);
    // Twice: the second firing meets the registers and the scratch that the first left behind.
    solo.fire(&sample.inputs, &crew).map_err(|error| error.to_string())?;
    solo.fire(&sample.inputs, &crew).map_err(|error| error.to_string())
}

fn shapes(predicted: &[Spec], outputs: &[Option<Value>]) -> Result<(), String> {
    for (spec, value) in predicted.iter().zip(outputs) {
        if let Some(value) = value
            && !value.fits(spec)
        {
            return Err(format!("gave {}, predicted {spec}", value.spec()));
        }
    }
    Ok(())
}

/// What the sample expects, as `f64`; `None` for null.
pub(crate) fn expected(sample: &Sample) -> Vec<Option<Tensor>> {
    match &sample.expect {
        Expect::Outputs(outputs) => outputs.iter().cloned().map(Some).collect(),
        Expect::Reference(reference) => {
            let inputs: Vec<Tensor> = sample.inputs.iter().flatten().map(tensor).collect();
            reference(&inputs).into_iter().map(Some).collect()
        }
        Expect::Routed(outputs) => outputs.clone(),
        Expect::Fails(_) | Expect::Rejected { .. } => Vec::new(),
    }
}

/// Host and reference agree: within 1e-5 of the largest magnitude, NaN with NaN, inf with inf,
/// null with null.
fn agrees(outputs: &[Option<Value>], expected: &[Option<Tensor>]) -> Result<(), String> {
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), expected.len()));
    }
    for (index, (value, expected)) in outputs.iter().zip(expected).enumerate() {
        let agreement = match (value, expected) {
            (Some(value), Some(expected)) => close(&tensor(value), expected, 1e-5),
            (None, None) => Ok(()),
            (None, Some(_)) => Err("null, expected a value".into()),
            (Some(_), None) => Err("a value, expected null".into()),
        };
        agreement.map_err(|breach| format!("output {index}: {breach}"))?;
    }
    Ok(())
}

/// Whether two tensors agree relative to the largest finite magnitude of `expected`.
///
/// # Errors
/// The first element that differs.
pub fn close(found: &Tensor, expected: &Tensor, relative: f64) -> Result<(), String> {
    let finite = expected.data.iter().filter(|x| x.is_finite());
    let scale = finite.fold(0.01, |scale: f64, x| scale.max(x.abs()));
    close_by(found, expected, relative * scale)
}

/// Whether two tensors agree within `distance`.
fn close_by(found: &Tensor, expected: &Tensor, distance: f64) -> Result<(), String> {
    if found.extents != expected.extents {
        return Err(format!("extents {:?}, expected {:?}", found.extents, expected.extents));
    }
    for (index, (a, b)) in found.data.iter().zip(&expected.data).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan());
        let near = (a - b).abs() <= distance;
        if !(same || near) {
            return Err(format!("element {index} is {a:e}, expected {b:e}"));
        }
    }
    Ok(())
}
