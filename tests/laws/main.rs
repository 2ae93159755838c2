//! The laws over the whole catalogue: one named test for each sample of each entry.
//!
//! With the feature of a backend and `SYNFIRE_DEVICE` set to `software`, `wgpu` or `cuda`, the laws
//! of devices too, as `device::..`: on a software adapter, a real one, or the first CUDA device.

use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};
use synfire_ops::device::{open_cuda, open_wgpu, wgpu_adapters};
use synfire_ops::sample::Sample;
use synfire_ops::{CATALOG, laws};
use synfire_runtime::device::Device;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = samples()
        .map(|(name, sample)| Trial::test(name, move || laws::host(&sample).map_err(Into::into)))
        .collect();
    if let Ok(kind) = std::env::var("SYNFIRE_DEVICE") {
        // One trial at a time: a device has one user.
        let device = Arc::new(open(&kind).map(Mutex::new));
        trials.extend(samples().map(|(name, sample)| {
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
