//! Where examples come from.

pub mod dataset; // examples and what is wanted for them, in memory
pub mod batches; // the source operator that gives them to a graph
pub mod augment; // variations of an example
pub mod track; // a synthetic race track seen by a LiDAR
