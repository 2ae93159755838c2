//! The laws: what holds for every operator, run over its samples.
//!
//! Any operator, from this catalogue or from a user's crate, can be held against them:
//! `laws::host(&sample)`. Each returns the first breach as a sentence.

use synfire_runtime::crew::Crew;
use synfire_runtime::solo::Solo;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use crate::sample::{Expect, Sample, Tensor, tensor};

/// Every law that needs no device: contract, shapes or rejection, reference, repeatability.
///
/// # Errors
/// The first breach.
pub fn host(sample: &Sample) -> Result<(), String> {
    contract(sample)?;
    let predicted = match (&sample.expect, sample.operator.shape(&sample.specs)) {
        (Expect::Rejected { port, dimension }, Err(error)) => {
            if error.port != *port || error.dimension != *dimension {
                return Err(format!("rejected with `{error}`, wanted {port} {dimension:?}"));
            }
            return Ok(());
        }
        (Expect::Rejected { .. }, Ok(_)) => return Err("accepted, wanted a rejection".into()),
        (_, Err(error)) => return Err(format!("rejected: {error}")),
        (_, Ok(outputs)) => outputs,
    };
    let outputs = fire(sample, &[], 1)?;
    shapes(&predicted, &outputs)?;
    agrees(sample, &outputs, &expected(sample))?;
    let constants: Vec<usize> = (1..sample.inputs.len()).collect();
    for (what, constants, cores) in
        [("a second firing", &[][..], 1), ("three cores", &[], 3), ("constants", &constants, 2)]
    {
        if fire(sample, constants, cores)? != outputs {
            return Err(format!("{what} gives other bits"));
        }
    }
    Ok(())
}

/// The contract names ports as the specs have them and the metadata has labels for every axis.
fn contract(sample: &Sample) -> Result<(), String> {
    let contract = sample.operator.contract();
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if contract.name.is_empty() || !contract.name.chars().all(lower) {
        return Err(format!("`{}` is no lower-case name", contract.name));
    }
    if let Ok(outputs) = sample.operator.shape(&sample.specs) {
        let metadata = sample.operator.metadata(&sample.specs, &outputs);
        let ranks = |specs: &[Spec]| specs.iter().map(Spec::rank).collect::<Vec<_>>();
        let labels = |axes: &[Vec<u8>]| axes.iter().map(Vec::len).collect::<Vec<_>>();
        if ranks(&sample.specs) != labels(&metadata.axes.inputs)
            || ranks(&outputs) != labels(&metadata.axes.outputs)
        {
            return Err(format!("axes {:?} do not label every axis", metadata.axes));
        }
        let ports = contract.inputs.len() == sample.specs.len();
        if !ports || contract.outputs.len() != outputs.len() {
            return Err("the contract has another number of ports than the shape rule".into());
        }
    }
    Ok(())
}

fn fire(sample: &Sample, constants: &[usize], cores: usize) -> Result<Vec<Value>, String> {
    let mut solo = Solo::new(&*sample.operator, &sample.specs, constants)
        .map_err(|error| error.to_string())?;
    let inputs: Vec<Option<Value>> = sample.inputs.iter().cloned().map(Some).collect();
    let crew = Crew::new(&vec![0; cores], false);
    // Twice: the second firing meets the registers and the scratch that the first left behind.
    solo.fire(&inputs, &crew).map_err(|error| error.to_string())?;
    let outputs = solo.fire(&inputs, &crew).map_err(|error| error.to_string())?;
    Ok(outputs.into_iter().flatten().collect())
}

fn shapes(predicted: &[Spec], outputs: &[Value]) -> Result<(), String> {
    for (spec, value) in predicted.iter().zip(outputs) {
        if !value.fits(spec) {
            return Err(format!("gave {}, predicted {spec}", value.spec()));
        }
    }
    Ok(())
}

/// What the sample expects, as `f64`.
pub(crate) fn expected(sample: &Sample) -> Vec<Tensor> {
    match &sample.expect {
        Expect::Outputs(outputs) => outputs.clone(),
        Expect::Reference(reference) => {
            reference(&sample.inputs.iter().map(tensor).collect::<Vec<_>>())
        }
        Expect::Rejected { .. } => Vec::new(),
    }
}

/// Host and reference agree: within 1e-5 of the largest magnitude, NaN with NaN, inf with inf.
fn agrees(sample: &Sample, outputs: &[Value], expected: &[Tensor]) -> Result<(), String> {
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), expected.len()));
    }
    let names = sample.operator.contract().outputs;
    for ((value, expected), port) in outputs.iter().zip(expected).zip(names) {
        close(&tensor(value), expected, 1e-5)
            .map_err(|breach| format!("output {}: {breach}", port.name))?;
    }
    Ok(())
}

/// Whether two tensors agree relative to the largest finite magnitude of `expected`.
///
/// # Errors
/// The first element that differs.
pub fn close(found: &Tensor, expected: &Tensor, relative: f64) -> Result<(), String> {
    if found.extents != expected.extents {
        return Err(format!("extents {:?}, expected {:?}", found.extents, expected.extents));
    }
    let finite = expected.data.iter().filter(|x| x.is_finite());
    let scale = finite.fold(0.01, |scale: f64, x| scale.max(x.abs()));
    for (index, (a, b)) in found.data.iter().zip(&expected.data).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan());
        if !same && !((a - b).abs() <= relative * scale) {
            return Err(format!("element {index} is {a:e}, expected {b:e}"));
        }
    }
    Ok(())
}
