//! The laws: what holds for every operator, run over its samples.
//!
//! Any operator, from this catalogue or from a user's crate, can be held against them:
//! `laws::host(&sample)`. Each returns the first breach as a sentence.

use synfire_runtime::crew::Crew;
use synfire_runtime::device::Device;
use synfire_runtime::operator::{KernelError, Specs, Tolerance};
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
    let outputs = match (&sample.expect, fire(sample, &[], 1)) {
        (Expect::Fails(words), Err(error)) if error.contains(words) => return Ok(()),
        (Expect::Fails(words), Err(error)) => {
            return Err(format!("failed with `{error}`, wanted `{words}`"));
        }
        (Expect::Fails(_), Ok(_)) => return Err("gave outputs, wanted a failure".into()),
        (_, outputs) => outputs?,
    };
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

/// What a device showed of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The laws hold.
    Holds,
    /// The operator has no kernel for this device, or the sample gives no outputs.
    Absent,
}

/// The laws of a device: as the host within the contract's tolerance, and always the same bits.
///
/// # Errors
/// The first breach.
pub fn device(sample: &Sample, device: &Device) -> Result<Verdict, String> {
    if matches!(sample.expect, Expect::Rejected { .. } | Expect::Fails(_)) {
        return Ok(Verdict::Absent);
    }
    let Sample { operator, specs, .. } = sample;
    let outputs = operator.shape(specs).map_err(|error| format!("rejected: {error}"))?;
    let constant = vec![false; specs.len()];
    let ports = Specs { inputs: specs, outputs: &outputs, constant: &constant, cores: 1 };
    match operator.kernel(device.target(), &ports) {
        Err(KernelError::Absent) => return Ok(Verdict::Absent),
        Err(error) => return Err(error.to_string()),
        Ok(_) => {}
    }
    let expected = fire(sample, &[], 1)?;
    let mut solo = Solo::on(device, &**operator, specs, &[]).map_err(|error| error.to_string())?;
    let mut fire = || solo.fire(&sample.inputs, &Crew::solo()).map_err(|error| error.to_string());
    let found = fire()?;
    shapes(&outputs, &found)?;
    let contract = operator.contract();
    for ((found, expected), port) in found.iter().zip(&expected).zip(contract.outputs) {
        near(found.as_ref(), expected.as_ref(), contract.tolerance)
            .map_err(|breach| format!("output {}: {breach}", port.name))?;
    }
    if fire()? != found {
        return Err("a second firing gives other bits".into());
    }
    Ok(Verdict::Holds)
}

/// Whether a device's value is as near to the host's as a contract says.
fn near(
    found: Option<&Value>,
    expected: Option<&Value>,
    tolerance: Tolerance,
) -> Result<(), String> {
    let (Some(found), Some(expected)) = (found, expected) else {
        let same = found.is_none() == expected.is_none();
        return same.then_some(()).ok_or_else(|| "null on one of host and device".into());
    };
    let (found, expected) = (tensor(found), tensor(expected));
    let finite = expected.data.iter().filter(|x| x.is_finite());
    let scale = finite.fold(0.0, |scale: f64, x| scale.max(x.abs()));
    close_by(&found, &expected, tolerance.relative * scale + tolerance.absolute)
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

fn fire(sample: &Sample, constants: &[usize], cores: usize) -> Result<Vec<Option<Value>>, String> {
    let mut solo = Solo::new(&*sample.operator, &sample.specs, constants)
        .map_err(|error| error.to_string())?;
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
fn agrees(
    sample: &Sample,
    outputs: &[Option<Value>],
    expected: &[Option<Tensor>],
) -> Result<(), String> {
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), expected.len()));
    }
    let names = sample.operator.contract().outputs;
    for ((value, expected), port) in outputs.iter().zip(expected).zip(names) {
        let agreement = match (value, expected) {
            (Some(value), Some(expected)) => close(&tensor(value), expected, 1e-5),
            (None, None) => Ok(()),
            (None, Some(_)) => Err("null, expected a value".into()),
            (Some(_), None) => Err("a value, expected null".into()),
        };
        agreement.map_err(|breach| format!("output {}: {breach}", port.name))?;
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
