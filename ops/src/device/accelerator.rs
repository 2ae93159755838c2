//! The runtime's [`Accelerator`] over any backend: the one place where the backend's type ends.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use synfire_runtime::device::{Accelerator, Buffer};

use super::queue::{Queue, Region};

/// The queue of a device of some backend.
pub(crate) enum Erased {
    /// Through wgpu.
    #[cfg(feature = "wgpu")]
    Wgpu(Queue<cubecl::wgpu::WgpuRuntime>),
    /// Through CUDA.
    #[cfg(feature = "cuda")]
    Cuda(Queue<cubecl::cuda::CudaRuntime>),
}

/// `on_queue!(erased, queue => expression)`: the expression, compiled once for each backend.
macro_rules! on_queue {
    ($erased:expr, $queue:ident => $body:expr) => {
        match *$erased {
            #[cfg(feature = "wgpu")]
            $crate::device::accelerator::Erased::Wgpu(ref $queue) => $body,
            #[cfg(feature = "cuda")]
            $crate::device::accelerator::Erased::Cuda(ref $queue) => $body,
        }
    };
}
pub(super) use on_queue;

/// An open device. Clones are the same device.
#[derive(Clone)]
pub(crate) struct Opened {
    name: Arc<str>,
    queue: Arc<Erased>,
}

impl Opened {
    /// Calls an open queue by a name.
    pub(super) fn new(name: &str, queue: Erased) -> Self {
        Self { name: name.into(), queue: Arc::new(queue) }
    }

    /// Its queue, whose backend [`on_queue!`] tells.
    pub(super) fn queue(&self) -> &Erased {
        &self.queue
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({})", self.name)
    }
}

impl Accelerator for Opened {
    fn allocate(&self, bytes: usize) -> Result<Buffer, String> {
        let region = on_queue!(&*self.queue, queue => queue.allocate_zeroed(bytes))
            .map_err(|cause| format!("{self}: {cause}"))?;
        Ok(Arc::new(region))
    }

    fn view(&self, buffer: &Buffer, offset: usize, bytes: usize) -> Buffer {
        let whole = region(buffer).expect("the runtime views what it allocated here");
        Arc::new(on_queue!(&*self.queue, queue => queue.view(whole, offset, bytes)))
    }

    fn upload(&self, from: &[u8], to: &Buffer) -> Result<(), String> {
        region(to)
            .and_then(|to| on_queue!(&*self.queue, queue => queue.write(from, to)))
            .map_err(|cause| format!("{self}: {cause}"))
    }

    fn download(&self, from: &Buffer, to: &mut [u8]) -> Result<(), String> {
        region(from)
            .and_then(|from| on_queue!(&*self.queue, queue => queue.read(from, to)))
            .map_err(|cause| format!("{self}: {cause}"))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The region behind a buffer.
///
/// # Errors
/// When another adapter made it.
pub(super) fn region(buffer: &Buffer) -> Result<&Region, String> {
    buffer.downcast_ref().ok_or_else(|| "a buffer of another kind of device".into())
}
