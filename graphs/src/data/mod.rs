//! Where examples come from.

pub mod dataset; // examples and what is wanted for them, in memory
mod file; // bytes of data files, plain or compressed
pub mod idx; // files of MNIST's format
pub mod table; // CSV files
pub mod digits; // what comes with Synfire, and MNIST
pub mod track; // a synthetic race track seen by a LiDAR
pub mod batches; // the source operator that gives examples to a graph
pub mod augment; // variations of an example
