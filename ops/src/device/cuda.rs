//! The CUDA devices of this machine.
//!
//! CubeCL panics where there is no driver, so the driver is asked first. Built and checked without
//! a card; what a card does, the device laws must show on a machine that has one.

use std::sync::Arc;

use synfire_runtime::device::Accelerator;

#[cfg(not(feature = "cuda"))]
mod backend {
    use super::{Accelerator, Arc};

    pub(super) fn count() -> Result<usize, String> {
        Err("this program was built without the feature `cuda`".into())
    }

    pub(super) fn open(_name: &str, _index: usize) -> Result<Arc<dyn Accelerator>, String> {
        unreachable!("there is no CUDA device without the feature")
    }
}

#[cfg(feature = "cuda")]
mod backend {
    #![expect(unsafe_code, reason = "asks whether the driver's library can be loaded")]

    use cubecl::cuda::{CudaDevice, CudaRuntime};
    use cudarc::driver::{result, sys};

    use super::{Accelerator, Arc};
    use crate::device::accelerator::{Erased, Opened};
    use crate::device::queue::{Mailbox, Queue, caught};

    pub(super) fn count() -> Result<usize, String> {
        // SAFETY: only tries to load the driver's library, as every call to the driver would.
        if !unsafe { sys::is_culib_present() } {
            return Err("there is no CUDA driver library".into());
        }
        let count = caught(|| result::init().and_then(|()| result::device::get_count()))?;
        let count = count.map_err(|error| format!("the CUDA driver says {error:?}"))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    pub(super) fn open(name: &str, index: usize) -> Result<Arc<dyn Accelerator>, String> {
        let queue = Queue::<CudaRuntime>::new(&CudaDevice { index }, 1, Mailbox::default());
        let queue = queue.map_err(|cause| format!("{name}: {cause}"))?;
        Ok(Arc::new(Opened::new(name, Erased::Cuda(queue))))
    }
}

/// How many CUDA devices there are; none without the feature `cuda`, a driver or a card.
#[must_use]
pub fn cuda_devices() -> usize {
    backend::count().unwrap_or(0)
}

/// Opens CUDA device `index` as `name`, such as `cuda:0`. It stays open until the process ends.
///
/// # Errors
/// When there is no such device or its driver refuses.
pub fn open_cuda(name: &str, index: usize) -> Result<Arc<dyn Accelerator>, String> {
    let count = backend::count().map_err(|cause| format!("{name}: {cause}"))?;
    if index >= count {
        return Err(format!("{name}: no CUDA device {index} of {count}"));
    }
    backend::open(name, index)
}
