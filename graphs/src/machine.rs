//! The devices of this machine, by the names that users give them.
//!
//! - `cpu:0,cpu:1`: CPU devices; the cores are shared out evenly among those named;
//! - `cpu:0=2-3`: a CPU device of cores 2 and 3, its threads pinned to them;
//! - `wgpu:0`: a hardware adapter; `software:0`: a software adapter, for tests;
//! - `cuda:0`: a CUDA device, when built with that feature.

use std::sync::Arc;

use synfire_ops::device::{cuda_devices, open_cuda, open_wgpu, wgpu_adapters};
use synfire_runtime::device::{Accelerator, Devices};

/// A device list that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("device {name}: {reason}")]
pub struct DeviceError {
    /// The name given.
    pub name: String,
    /// What is wrong, and what there is.
    pub reason: String,
}

/// How many cores this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The devices that a job uses when none are named, and a notice when there is no GPU among them.
///
/// Two hardware adapters, one and the CPU, or else two CPU devices (one on a single core).
/// Software adapters are for tests and must be named.
#[must_use]
pub fn default_names() -> (String, Option<String>) {
    let adapters = wgpu_adapters();
    let cpus = if cores() >= 2 { "cpu:0,cpu:1" } else { "cpu:0" }.to_owned();
    match adapters.iter().filter(|adapter| !adapter.is_software).count() {
        0 => {
            let found = adapters.first().map_or_else(
                || "no GPU adapter".to_owned(),
                |adapter| format!("only a software adapter ({})", adapter.name),
            );
            let notice = format!("{found}: using {cpus}. `synfire doctor` says more");
            (cpus, Some(notice))
        }
        1 => ("wgpu:0,cpu:0".to_owned(), None),
        _ => ("wgpu:0,wgpu:1".to_owned(), None),
    }
}

/// Opens the devices of a comma-separated list.
///
/// # Errors
/// When a name is foreign or given twice, cores do not exist, or an adapter is not there.
pub fn open(list: &str) -> Result<Devices, DeviceError> {
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    let is_shared = |name: &&&str| name.starts_with("cpu") && !name.contains('=');
    let sharing = names.iter().filter(is_shared).count();
    let mut devices = Devices::new();
    let mut shared = 0;
    for (place, &name) in names.iter().enumerate() {
        let fail = |reason: String| DeviceError { name: name.to_owned(), reason };
        let own = name.split('=').next().unwrap_or(name);
        if names[..place].iter().any(|other| other.split('=').next() == Some(own)) {
            return Err(fail("named twice".to_owned()));
        }
        let (kind, number) = own.split_once(':').unwrap_or((own, "0"));
        let number: usize =
            number.parse().map_err(|_| fail("wanted a number after the colon".to_owned()))?;
        devices = match kind {
            "cpu" => match name.split_once('=') {
                Some((_, cores)) => devices.with_cores(own, core_set(cores).map_err(fail)?, true),
                None => {
                    let share = share(shared, sharing);
                    shared += 1;
                    devices.with_cores(own, share, false)
                }
            },
            "wgpu" | "software" | "cuda" => {
                devices.with_accelerator(accelerator(kind, number, own).map_err(fail)?)
            }
            _ => {
                return Err(fail("wanted cpu:N, cpu:N=CORES, wgpu:N, software:N or cuda:N".into()));
            }
        };
    }
    Ok(devices)
}

/// The cores of the `index`th of `count` devices that share all cores; never none.
fn share(index: usize, count: usize) -> Vec<usize> {
    let all = cores();
    let (start, end) = (index * all / count, (index + 1) * all / count);
    if start < end { (start..end).collect() } else { vec![start.min(all - 1)] }
}

/// `2`, `0-3`, or several joined by `+`.
fn core_set(text: &str) -> Result<Vec<usize>, String> {
    let mut set = Vec::new();
    for range in text.split('+') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let wanted = || format!("cores `{text}`; wanted for instance 0-3 or 0+2");
        let first: usize = first.parse().map_err(|_| wanted())?;
        let last: usize = last.parse().map_err(|_| wanted())?;
        if last >= cores() || first > last {
            return Err(format!("cores {first}-{last}; this machine has 0-{}", cores() - 1));
        }
        set.extend(first..=last);
    }
    Ok(set)
}

fn accelerator(kind: &str, number: usize, name: &str) -> Result<Arc<dyn Accelerator>, String> {
    if kind == "cuda" {
        return open_cuda(name, number);
    }
    let adapters = wgpu_adapters();
    let software = kind == "software";
    let fitting: Vec<usize> = adapters
        .iter()
        .enumerate()
        .filter(|(_, adapter)| adapter.is_software == software)
        .map(|(index, _)| index)
        .collect();
    if fitting.is_empty() {
        let found: Vec<&str> = adapters.iter().map(|adapter| adapter.name.as_str()).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        return Err(format!("no {kind} adapter; found {found}. Try `synfire doctor`"));
    }
    // Two devices over one adapter stand for two GPUs: numbers wrap around.
    open_wgpu(name, fitting[number % fitting.len()])
}

/// What `synfire doctor` says: a line for each thing that is there or missing.
#[must_use]
pub fn diagnosis() -> Vec<String> {
    let mut lines = vec![format!("cores: {} (as cpu:0, or cpu:0,cpu:1, ...)", cores())];
    let path = synfire_ops::host::Path::best();
    lines.push(format!("host kernels: {path:?}"));
    let adapters = wgpu_adapters();
    for adapter in &adapters {
        let kind =
            if adapter.is_software { "software, for tests: name it software:0" } else { "wgpu:0" };
        lines.push(format!("adapter: {} over {} ({kind})", adapter.name, adapter.backend));
    }
    if cfg!(not(feature = "wgpu")) {
        lines.push("GPU: this build is CPU only (--no-default-features)".to_owned());
    } else if adapters.is_empty() {
        lines.push(
            "GPU: no Vulkan adapter. On Debian: apt-get install libvulkan1 and the driver of your \
             card, or mesa-vulkan-drivers for a software device"
                .to_owned(),
        );
    } else if adapters.iter().all(|adapter| adapter.is_software) {
        lines
            .push("GPU: only software adapters, so the CPU is used unless one is named".to_owned());
    }
    let cuda = cuda_devices();
    if cuda == 0 {
        lines.push(
            if cfg!(feature = "cuda") {
                "CUDA: no driver or no device"
            } else {
                "CUDA: not in this build (--features cuda)"
            }
            .to_owned(),
        );
    }
    lines.extend((0..cuda).map(|device| format!("CUDA: cuda:{device}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for (list, reason) in [
            ("gpu:0", "wanted cpu:N"),
            ("cpu:x", "a number"),
            ("cpu:0,cpu:0", "named twice"),
            ("cpu:0=9999", "this machine has"),
            ("cpu:0=a-b", "wanted for instance"),
        ] {
            let error = open(list).expect_err("the list is wrong").to_string();
            assert!(error.contains(reason), "{list}: {error}");
        }
    }

    #[test]
    fn cores_are_shared_out_evenly_and_never_none() {
        let devices = open("cpu:0,cpu:1,cpu:2").expect("CPU devices are always there");
        assert_eq!(devices.len(), 3);
        for (name, device) in devices.iter() {
            let synfire_runtime::device::Device::Cpu(cpu) = device else { panic!("{name}") };
            assert!(!cpu.cores.is_empty());
        }
    }
}
