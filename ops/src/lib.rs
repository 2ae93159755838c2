//! Synfire's operator catalogue: one file and one line here for each operator.
//!
//! An operator file holds, in this order: its documentation (formula, `# Shape`, `# Gradient`,
//! `# Numerics`, `# Example`), parameters and constructor, the shape rule and metadata, the host
//! kernel, the CubeCL kernel (`mod cube`), and samples. The laws in [`laws`] hold for every entry.

pub mod device; // accelerators through CubeCL
pub mod host;
pub mod laws; // what holds for every operator
pub mod sample; // what an operator's samples say // what host kernels share

mod catalog; // the `operators!` list macro
pub use catalog::Entry;

catalog::operators! {
    normalize: softmax;
}
