//! The wgpu adapters of this machine: a list, and a device of its own over one of them.

use std::sync::Arc;

use synfire_runtime::device::Accelerator;

/// A graphics or compute device that wgpu can drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// As its driver says.
    pub name: String,
    /// Through which interface: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Whether it computes on the CPU: right values, no speed.
    pub is_software: bool,
}

#[cfg(not(feature = "wgpu"))]
mod backend {
    use super::{Accelerator, AdapterInfo, Arc};

    pub(super) fn adapters() -> Vec<AdapterInfo> {
        Vec::new()
    }

    pub(super) fn open(_name: &str, _adapter: usize) -> Result<Arc<dyn Accelerator>, String> {
        Err("this program was built without the feature `wgpu`".into())
    }
}

#[cfg(feature = "wgpu")]
mod backend {
    use cubecl::wgpu::{MemoryConfiguration, RuntimeOptions, WgpuRuntime, WgpuSetup, init_device};
    use wgpu::{Backends, DeviceType, Features};

    use super::{Accelerator, AdapterInfo, Arc};
    use crate::device::accelerator::{Erased, Opened};
    use crate::device::queue::{Mailbox, Queue, caught};

    /// Launches that CubeCL holds back until somebody flushes.
    const LAUNCHES_HELD_MAX: usize = 32;

    type Found = (wgpu::Instance, wgpu::Adapter);

    /// The adapters over an instance of their own. OpenGL is left out: it has no compute shaders
    /// worth the name, and stands for the same hardware once more.
    fn enumerate() -> Vec<Found> {
        let backends = Backends::all().difference(Backends::GL);
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = backends;
        let found = caught(|| {
            let instance = wgpu::Instance::new(descriptor);
            let adapters = cubecl::future::block_on(instance.enumerate_adapters(backends));
            adapters.into_iter().map(|adapter| (instance.clone(), adapter)).collect()
        });
        found.unwrap_or_default()
    }

    fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
        let info = adapter.get_info();
        let (backend, is_software) =
            (info.backend.to_string(), info.device_type == DeviceType::Cpu);
        AdapterInfo { name: info.name, backend, is_software }
    }

    pub(super) fn adapters() -> Vec<AdapterInfo> {
        enumerate().iter().map(|(_, adapter)| describe(adapter)).collect()
    }

    /// Each device gets an instance of its own: a software Vulkan keeps its threads per instance,
    /// so two devices over one instance would take turns.
    pub(super) fn open(name: &str, adapter: usize) -> Result<Arc<dyn Accelerator>, String> {
        let found = enumerate();
        let count = found.len();
        let wanted = found.into_iter().nth(adapter);
        let wanted =
            wanted.ok_or_else(|| format!("{name}: no wgpu adapter {adapter} of {count}"))?;
        let queue = over(wanted).map_err(|cause| format!("{name}: {cause}"))?;
        Ok(Arc::new(Opened::new(name, Erased::Wgpu(queue))))
    }

    fn over((instance, adapter): Found) -> Result<Queue<WgpuRuntime>, String> {
        let mailbox = Mailbox::default();
        let avoided = Features::MAPPABLE_PRIMARY_BUFFERS | Features::all_experimental_mask();
        let wanted = wgpu::DeviceDescriptor {
            label: None,
            required_features: adapter.features().difference(avoided),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            trace: wgpu::Trace::Off,
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
        };
        let requested = caught(|| cubecl::future::block_on(adapter.request_device(&wanted)))?;
        let (device, queue) = requested.map_err(|error| error.to_string())?;
        let inbox = mailbox.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            inbox.post(error.to_string());
        }));
        let alignment = device.limits().min_storage_buffer_offset_alignment as usize;
        let backend = adapter.get_info().backend;
        let setup = WgpuSetup { instance, adapter, device, queue, backend };
        let memory_config = MemoryConfiguration::ExclusivePages;
        let options = RuntimeOptions { tasks_max: LAUNCHES_HELD_MAX, memory_config };
        let id = caught(|| init_device(setup, options))?;
        Queue::new(&id, alignment, mailbox)
    }
}

/// The adapters that wgpu finds; none without the feature `wgpu`, a driver or its library.
#[must_use]
pub fn wgpu_adapters() -> Vec<AdapterInfo> {
    backend::adapters()
}

/// Opens a device called `name`, such as `wgpu:0`, over the adapter at this place of
/// [`wgpu_adapters`]. A second call gives a second device with memory and a queue of its own,
/// over the same hardware. Every device stays open until the process ends.
///
/// # Errors
/// When there is no such adapter or its driver refuses.
pub fn open_wgpu(name: &str, adapter: usize) -> Result<Arc<dyn Accelerator>, String> {
    backend::open(name, adapter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_is_not_there_is_an_error() {
        let error = open_wgpu("wgpu:9", usize::MAX).expect_err("no machine has that many");
        assert!(!error.is_empty());
    }

    #[test]
    fn two_devices_over_one_adapter_are_apart() {
        if wgpu_adapters().is_empty() {
            return;
        }
        let [a, b] = ["wgpu:0", "wgpu:1"].map(|name| open_wgpu(name, 0).expect("it was listed"));
        let [of_a, of_b] = [&a, &b].map(|device| device.allocate(9).expect("nine bytes"));
        a.upload(&[1; 9], &of_a).expect("its own buffer");
        b.upload(&[2; 5], &of_b).expect("its own buffer");
        let mut found = [9; 7];
        b.download(&of_b, &mut found).expect("its own buffer");
        assert_eq!(found, [2, 2, 2, 2, 2, 0, 0]);
        a.download(&of_a, &mut found).expect("its own buffer");
        assert_eq!(found, [1; 7]);
        let error = a.download(&of_b, &mut found).expect_err("the buffer is another's");
        assert_eq!(error, "wgpu:0: a buffer of another device");
        let error = a.upload(&[0; 10], &of_a).expect_err("a byte too many");
        assert_eq!(error, "wgpu:0: 10 bytes for a buffer of 9");
        assert!(a.allocate(1 << 50).expect_err("no such buffer").contains("the device's largest"));
    }
}
