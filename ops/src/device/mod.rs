//! Accelerators through CubeCL: the only place, with each operator's `mod cube`, that knows it.

/// The kernel of an operator for a target; the one place that names backends.
///
/// `on_device!(target, specs, host: expression, cube: expression)`: each expression is a value
/// that implements the target's kernel trait; the second is only compiled with feature `cube`.
macro_rules! on_device {
    ($target:expr, $specs:expr, host: $host:expr, cube: $cube:expr) => {
        match $target {
            ::synfire_runtime::device::Target::Host => {
                let _ = $specs;
                Some(Box::new($host) as Box<dyn ::synfire_runtime::Kernel>)
            }
            ::synfire_runtime::device::Target::Accelerator(_) => None,
        }
    };
}
pub(crate) use on_device;
