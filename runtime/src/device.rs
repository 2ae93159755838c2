//! Devices: where registers live and kernels run.
//!
//! A CPU device is a set of cores; all CPU devices share host memory. An accelerator has memory of
//! its own and is reached through the small [`Accelerator`] trait, which `synfire-ops` implements
//! over CubeCL; this crate knows no backend.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Device memory as its adapter sees it; the runtime only passes it on.
pub type Buffer = Arc<dyn Any + Send + Sync>;

/// A device with memory of its own; displays as its name, such as `wgpu:0`. One lane thread owns
/// it during a run: all calls come from that thread.
pub trait Accelerator: fmt::Debug + fmt::Display + Send + Sync {
    /// Allocates zeroed device memory.
    ///
    /// # Errors
    /// When the device cannot give that much.
    fn allocate(&self, bytes: usize) -> Result<Buffer, String>;
    /// A part of an allocation; `offset` is a multiple of 256.
    fn view(&self, buffer: &Buffer, offset: usize, bytes: usize) -> Buffer;
    /// Copies from host memory; `from` may be used again when the call returns.
    ///
    /// # Errors
    /// When the device failed.
    fn upload(&self, from: &[u8], to: &Buffer) -> Result<(), String>;
    /// Copies to host memory after everything submitted so far has been done; so it also tells
    /// what went wrong before.
    ///
    /// # Errors
    /// When the device, or a kernel submitted before, failed.
    fn download(&self, from: &Buffer, to: &mut [u8]) -> Result<(), String>;
    /// The adapter itself, for the kernels written for it.
    fn as_any(&self) -> &dyn Any;
}

/// For whom a kernel is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Slices in host memory.
    Host,
    /// Buffers of an accelerator.
    Accelerator(&'a dyn Accelerator),
}

/// A set of cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuDevice {
    /// The operating system's numbers of the cores; one thread each.
    pub cores: Vec<usize>,
    /// Whether each thread stays on its core.
    pub pinned: bool,
}

/// One device.
#[derive(Clone, Debug)]
pub enum Device {
    /// Cores and host memory.
    Cpu(CpuDevice),
    /// Everything else.
    Accelerator(Arc<dyn Accelerator>),
}

impl Device {
    /// The target for which its kernels are built.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        match self {
            Self::Cpu(_) => Target::Host,
            Self::Accelerator(accelerator) => Target::Accelerator(&**accelerator),
        }
    }

    /// The size of its crew.
    #[must_use]
    pub fn cores(&self) -> usize {
        match self {
            Self::Cpu(device) => device.cores.len().max(1),
            Self::Accelerator(_) => 1,
        }
    }

    /// Whether its registers lie in host memory.
    #[must_use]
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Cpu(_))
    }
}

/// The devices that a graph may be placed on, by name. The first is the default.
#[derive(Clone, Debug, Default)]
pub struct Devices(Vec<(String, Device)>);

impl Devices {
    /// No device yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One CPU device `cpu:0` of the cores `0..cores`, not pinned.
    #[must_use]
    pub fn cpu(cores: usize) -> Self {
        Self::new().with_cores("cpu:0", (0..cores.max(1)).collect(), false)
    }

    /// Adds a CPU device.
    #[must_use]
    pub fn with_cores(mut self, name: &str, cores: Vec<usize>, pinned: bool) -> Self {
        self.0.push((name.to_owned(), Device::Cpu(CpuDevice { cores, pinned })));
        self
    }

    /// Adds an accelerator under its own name.
    #[must_use]
    pub fn with_accelerator(mut self, accelerator: Arc<dyn Accelerator>) -> Self {
        self.0.push((accelerator.to_string(), Device::Accelerator(accelerator)));
        self
    }

    /// The devices in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Device)> {
        self.0.iter().map(|(name, device)| (name.as_str(), device))
    }

    /// How many devices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(own, _)| own == name)
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        &self.0[index].0
    }

    pub(crate) fn device(&self, index: usize) -> &Device {
        &self.0[index].1
    }
}
