//! Synfire's runtime: static dataflow graphs of actors, proved before they run.
//!
//! The way through is `define -> check -> place -> plan -> launch -> observe`; each step takes the
//! value of the one before and returns a new type, so no step can be skipped.

pub mod algebra; // receptive field, stride, prelude
pub mod crew; // cores of one device
pub mod device; // where registers live
pub mod fault; // what is wrong with a graph
pub mod firing; // what a kernel sees
pub mod operator; // contracts and kernels
pub mod solo;
pub mod spec; // element types, dimensions
pub mod token; // stamps and states
pub mod value; // owned payloads // one operator alone

mod actor; // the data plane
mod sync; // atomics, switched for loom

pub use operator::Kernel;
