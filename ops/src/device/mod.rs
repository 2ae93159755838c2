//! Accelerators through CubeCL: the only place, with each operator's `mod cube`, that knows it.
//!
//! [`wgpu_adapters`] and [`cuda_devices`] list what a machine has; [`open_wgpu`] and [`open_cuda`]
//! open a device as the runtime's `Accelerator`. Without the feature of a backend its list is empty
//! and opening is an error, so that programs are written once for machines with and without
//! accelerators.
//!
//! # Invariants
//! 1. One queue for each device, whichever thread calls: program order is queue order.
//! 2. Everything that can fail is a `Result`: no missing library, driver or adapter ends the
//!    process.
//! 3. A kernel runs one cube when it is built: what a device refuses is refused before the run.
//! 4. The backend's type is erased once, in `accelerator`; operators are generic over it inside
//!    their `mod cube` only, and use CubeCL's checked launches, so they hold no `unsafe`.

#[cfg(all(feature = "cube", not(any(feature = "wgpu", feature = "cuda"))))]
compile_error!("the feature `cube` is turned on by a backend: `wgpu` or `cuda`");

mod adapter; // which wgpu adapters there are, and how one is opened
pub use adapter::{AdapterInfo, open_wgpu, wgpu_adapters};

mod cuda; // which CUDA devices there are, and how one is opened
pub use cuda::{cuda_devices, open_cuda};

#[cfg(feature = "cube")]
mod accelerator; // the runtime's trait over any backend
#[cfg(feature = "cube")]
pub mod kernel; // what an operator's `mod cube` implements
/// The language of kernels, in the version that the devices here run.
#[cfg(feature = "cube")]
pub use cubecl;
#[cfg(feature = "cube")]
pub(crate) mod broadcast; // operands of different shapes
#[cfg(feature = "cube")]
pub(crate) mod convolution; // convolutions, transposed or not
#[cfg(feature = "cube")]
pub(crate) mod gate; // steps that may be left out
#[cfg(feature = "cube")]
pub(crate) mod gemm; // products of matrices
#[cfg(feature = "cube")]
pub(crate) mod image; // windows over images
#[cfg(feature = "cube")]
pub(crate) mod lines; // kernels with one cube for each line along an axis
#[cfg(feature = "cube")]
pub(crate) mod lookup; // elements at the places that an index names
#[cfg(feature = "cube")]
pub(crate) mod philox; // random words
#[cfg(feature = "cube")]
pub(crate) mod queue; // one stream of commands of one device
#[cfg(feature = "cube")]
pub(crate) mod real; // functions of `f32`
#[cfg(feature = "cube")]
pub(crate) mod scan; // running reductions along an axis
#[cfg(feature = "cube")]
pub(crate) mod spans; // windows of neighbouring pixels
#[cfg(feature = "cube")]
pub(crate) mod strided; // copying, for elements of any size
#[cfg(feature = "cube")]
pub(crate) mod sums; // transforms of lines, each output a sum over its line
#[cfg(feature = "cube")]
pub(crate) mod words; // elements of any size as words

/// The kernel of an operator for a target, as `Result<Box<dyn Kernel>, KernelError>`.
///
/// `on_device!(target, specs, host: expression, cube: expression)`: the first is a value of
/// `Kernel`, the second one of `CubeKernel`; the second is compiled with feature `cube` of the
/// crate that says it only, and evaluated for an accelerator only. Without `cube:` there is none
/// for accelerators.
#[macro_export]
macro_rules! on_device {
    ($target:expr, $specs:expr, host: $host:expr) => {
        match $target {
            $crate::device::runtime::device::Target::Host => {
                let _ = $specs;
                Ok(Box::new($host) as Box<dyn $crate::device::runtime::operator::Kernel>)
            }
            $crate::device::runtime::device::Target::Accelerator(_) => {
                Err($crate::device::runtime::operator::KernelError::Absent)
            }
        }
    };
    ($target:expr, $specs:expr, host: $host:expr, cube: $cube:expr) => {
        match $target {
            #[cfg(feature = "cube")]
            $crate::device::runtime::device::Target::Accelerator(accelerator) => {
                $crate::device::kernel::build(accelerator, $specs, $cube)
            }
            target => $crate::on_device!(target, $specs, host: $host),
        }
    };
}
pub(crate) use on_device;
/// What `on_device!` names.
#[doc(hidden)]
pub use synfire_runtime as runtime;
