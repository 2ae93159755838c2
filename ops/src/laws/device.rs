//! The laws of a device: as the host within the contract's tolerance, and always the same bits.

use synfire_runtime::crew::Crew;
use synfire_runtime::device::Device;
use synfire_runtime::operator::{FireError, KernelError, Specs, Tolerance};
use synfire_runtime::solo::Solo;
use synfire_runtime::value::Value;

use super::{close_by, fire, shapes};
use crate::sample::{Expect, Sample, Subject, tensor};

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
    let Sample { subject: Subject::Operator(operator), specs, .. } = sample else {
        // Its parts are entries of their own.
        return Ok(Verdict::Absent);
    };
    let outputs = operator.shape(specs).map_err(|error| format!("rejected: {error}"))?;
    let constant = vec![false; specs.len()];
    let ports = Specs { inputs: specs, outputs: &outputs, constant: &constant, cores: 1 };
    match operator.kernel(device.target(), &ports) {
        Err(KernelError::Absent) => return Ok(Verdict::Absent),
        Err(error) => return Err(error.to_string()),
        Ok(_) => {}
    }
    let expected = fire(sample, &[], 1)?;
    // As on the host: the second firing, which is another step of random numbers.
    let fire = || {
        let mut solo = Solo::on(device, &**operator, specs, &[])?;
        solo.fire(&sample.inputs, &Crew::solo())?;
        solo.fire(&sample.inputs, &Crew::solo())
    };
    let fire = || fire().map_err(|error: FireError| error.to_string());
    let found = fire()?;
    shapes(&outputs, &found)?;
    let contract = operator.contract();
    for ((found, expected), port) in found.iter().zip(&expected).zip(contract.outputs) {
        near(found.as_ref(), expected.as_ref(), contract.tolerance)
            .map_err(|breach| format!("output {}: {breach}", port.name))?;
    }
    if fire()? != found {
        return Err("a second run gives other bits".into());
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
