//! Synfire: models and search loops as static dataflow graphs of actors.
//!
//! This package is the facade: it brings the runtime, the operators and the sensors together with
//! blocks, models, data and reports, and it is the `synfire` command.
#![forbid(unsafe_code)]

pub use synfire_ops as ops;
pub use synfire_runtime as runtime;
pub use synfire_sensors as sensors;

pub mod prelude; // what a program that defines and runs a graph needs
pub mod blocks; // pieces that models share
pub mod models; // one file for each model
pub mod data; // where examples come from
pub mod optimisers; // training steps as part of a graph
pub mod train; // one driver for every model
pub mod tasks; // model, data, loss and optimiser under a name
pub mod weights; // parameters in files
pub mod onnx; // models of other frameworks
mod atomic; // files that are whole or not there
pub mod report; // pictures and tables
pub mod bench; // what things cost
pub mod conform; // cases of other frameworks
pub mod machine; // the devices of this machine
pub mod cli; // the `synfire` command

/// The README's program is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
