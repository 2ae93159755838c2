//! The laws over the whole catalogue: one named test for each sample of each entry, and for its
//! first and second derivative, as `gradient::..` and `curvature::..`.
//!
//! With the feature of a backend and `SYNFIRE_DEVICE` set to `software`, `wgpu` or `cuda`, the laws
//! of devices too, as `device::..`: on a software adapter, a real one, or the first CUDA device.
//!
//! Second derivatives and devices take a few samples of each operator, and with `SYNFIRE_LAWS=full`
//! all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};
use synfire_ops::device::{open_cuda, open_wgpu, wgpu_adapters};
use synfire_ops::laws::Derivative;
use synfire_ops::sample::Sample;
use synfire_ops::{CATALOG, laws};
use synfire_runtime::device::Device;

/// Samples of each operator in a run that is not full.
const FEW: usize = 4;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = samples()
        .map(|(name, sample)| Trial::test(name, move || laws::host(&sample).map_err(Into::into)))
        .collect();
    trials.extend(samples().map(|(name, sample)| {
        Trial::test(format!("gradient::{name}"), move || derivative(&sample, 1))
    }));
    trials.extend(few().map(|(name, sample)| {
        Trial::test(format!("curvature::{name}"), move || derivative(&sample, 2))
    }));
    if let Ok(kind) = std::env::var("SYNFIRE_DEVICE") {
        // One trial at a time: a device has one user.
        let device = Arc::new(open(&kind).map(Mutex::new));
        trials.extend(few().map(|(name, sample)| {
            let device = device.clone();
            Trial::test(format!("device::{name}"), move || on_device(&sample, &device))
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Every sample with its name.
fn samples() -> impl Iterator<Item = (String, Sample)> {
    CATALOG.iter().flat_map(|entry| {
        (entry.samples)().into_iter().map(|sample| {
            let operator = sample.subject.name();
            (format!("{}::{}::{operator}: {}", entry.kind, entry.name, sample.name), sample)
        })
    })
}

/// The first samples of each operator, or all of them.
fn few() -> impl Iterator<Item = (String, Sample)> {
    let full = std::env::var("SYNFIRE_LAWS").is_ok_and(|which| which == "full");
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    samples().filter(move |(_, sample)| {
        let count = seen.entry(sample.subject.name()).or_default();
        *count += 1;
        full || *count <= FEW
    })
}

fn derivative(sample: &Sample, order: u32) -> Result<(), libtest_mimic::Failed> {
    match laws::gradient(sample, order)? {
        Derivative::Agrees(_) | Derivative::Absent(_) => Ok(()),
    }
}

fn on_device(
    sample: &Sample,
    device: &Result<Mutex<Device>, String>,
) -> Result<(), libtest_mimic::Failed> {
    let device = device.as_ref()?.lock().expect("no law panics");
    laws::device(sample, &device)?;
    Ok(())
}

/// The first device of a kind.
fn open(kind: &str) -> Result<Device, String> {
    let accelerator = match kind {
        "cuda" => open_cuda("cuda:0", 0),
        "wgpu" | "software" => {
            let adapters = wgpu_adapters();
            let place = adapters.iter().position(|a| a.is_software == (kind == "software"));
            open_wgpu("wgpu:0", place.ok_or_else(|| format!("no {kind} adapter: {adapters:?}"))?)
        }
        _ => Err(format!("SYNFIRE_DEVICE={kind}; software, wgpu or cuda wanted")),
    };
    accelerator.map(Device::Accelerator)
}
