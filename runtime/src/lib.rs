//! Synfire's runtime: static dataflow graphs of actors, proved before they run.
//!
//! The way through is `define -> check -> place -> plan -> launch -> observe`; each step takes the
//! value of the one before and returns a new type, so no step can be skipped.

#[cfg(panic = "abort")]
compile_error!("a failing kernel must not end the process: build with panic = \"unwind\"");

pub mod spec; // element types, dimensions
pub mod token; // stamps and states
pub mod value; // owned payloads
pub mod operator; // contracts and metadata
pub mod mark; // what operators say to each other
mod kernel; // what computes; named through `operator`
pub mod algebra; // receptive field, stride, prelude
pub mod firing; // what a kernel sees
pub mod device; // where registers live
pub mod crew; // the cores of one device
pub mod random; // counter-based randomness
pub mod clock; // time as an argument
pub mod fault; // what is wrong with a graph

pub mod define; // a draft
mod check; // a draft becomes a graph
pub mod graph; // checked and immutable
pub mod differentiate; // a graph that computes gradients too
pub mod place; // devices and copies
pub mod balance; // nodes moved by measured cost
pub mod plan; // lanes, volleys, registers, bytes
mod format; // the file formats of plans and snapshots
pub mod launch; // memory, ports, lanes and threads
pub mod run; // a launched plan
pub mod snapshot; // all state between two iterations
pub mod control; // Runs as actix actors
pub mod observe; // counters, distributions, traces

pub mod solo; // one operator alone
pub mod interpret; // the sequential reference
pub mod simulate; // the same actors on one thread, in a seeded order

mod actor; // the data plane
mod copy; // between memories
mod sync; // atomics, switched for loom

pub use actor::lane::Order;
pub use operator::Kernel;
