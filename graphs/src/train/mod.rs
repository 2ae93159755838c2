//! Train: one driver for every model, over graphs that hold data, model, gradient and optimiser.
//!
//! A [`Task`] is two graphs. The *training* graph takes one step in each iteration: its sources
//! give batches, its parameters are updated by the graph itself. The *evaluation* graph goes once
//! through held-out examples. The driver only decides how far the sources may go: it lets the run
//! rest at an iteration, takes a snapshot of all state, evaluates, and saves. So a training that
//! was killed goes on from its last checkpoint to the same weights, bit for bit.
//!
//! # Files in the folder of a training
//! `checkpoint-STEP.synfire`: everything needed to go on, the last few of them. `best.safetensors`
//! and `last.safetensors`: weights that other tools read. `metrics.csv`, `metrics.json`,
//! `report.html`: what happened.

mod task; // what is trained
mod history; // what happened so far
mod checkpoint; // everything needed to go on
mod evaluate; // held-out examples
mod driver; // step by step

pub use checkpoint::{CheckpointError, newest};
pub use driver::{Ending, Outcome, Settings, TrainError, Watch, train};
pub use evaluate::{EvaluateError, evaluate};
pub use history::{Evaluation, History, Row};
pub use task::{Goal, Task};
