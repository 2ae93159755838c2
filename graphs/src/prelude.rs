//! What a program that defines and runs a graph needs.

pub use synfire_runtime::define::{Draft, Initial, Wire};
pub use synfire_runtime::device::Devices;
pub use synfire_runtime::launch::{Options, Weights, launch};
pub use synfire_runtime::place::{Placement, place};
pub use synfire_runtime::plan::{Limits, plan};
pub use synfire_runtime::spec::{Dimension, Element, Spec};
pub use synfire_runtime::value::Value;
