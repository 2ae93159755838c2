//! Tasks: each brings a model, data, a loss and an optimiser together, so that a name trains.

mod image; // images into classes
pub mod ppn; // LiDAR perception

use synfire_runtime::device::Devices;
use synfire_runtime::random::Seed;

pub use image::{ImageTask, Model};

use crate::data::dataset::DataError;
use crate::optimisers::TrainingError;
use crate::train::Task;

/// Why there is no such task.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No task of this name.
    #[error("no task `{0}`; `synfire list` shows what there is")]
    Unknown(String),
    /// Of its examples.
    #[error("{0}")]
    Data(#[from] DataError),
    /// Of its settings.
    #[error("{0}")]
    Training(#[from] TrainingError),
    /// Of the synthetic track.
    #[error("{0}")]
    Track(#[from] crate::data::track::TrackExamplesError),
    /// Of its graphs.
    #[error("{0}")]
    Graph(#[from] synfire_runtime::fault::Faults),
}

/// Where the examples of a task come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// All of MNIST from the user's data folder if it is there, else the shipped sample.
    Best,
    /// The 5000 images of MNIST that come with the program.
    Sample,
    /// The folder with the four files of MNIST.
    Folder(std::path::PathBuf),
}

/// What a user may choose about a task; what is left out is the task's own.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The examples.
    pub source: Source,
    /// How often they are gone through.
    pub epochs: Option<u32>,
    /// Examples of a step.
    pub batch: Option<usize>,
    /// The largest learning rate.
    pub rate: Option<f64>,
    /// The key of all randomness.
    pub seed: Seed,
    /// What it will run on; a task of several networks places them.
    pub devices: Devices,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            source: Source::Best,
            epochs: None,
            batch: None,
            rate: None,
            seed: Seed(0),
            devices: Devices::cpu(1),
        }
    }
}

/// A task and what it takes to train it.
#[derive(Debug)]
pub struct Prepared {
    /// The graphs.
    pub task: Task,
    /// Steps of the whole training.
    pub steps: u64,
    /// One line on where the examples came from.
    pub data: String,
}

/// Names and descriptions of all tasks.
pub const TASKS: &[(&str, &str)] = &[
    ("mlp", "784-512-256-10 fully connected, on handwritten digits"),
    ("cnn", "two convolutions and two fully connected layers, on handwritten digits"),
    ("resnet", "residual network of 16, 32, 64 channels, on handwritten digits"),
    ("simplenet", "SimpleNet of 310 thousand parameters, on handwritten digits"),
    ("ppn", "both networks of PPN at once, one on each device, on the synthetic track"),
    ("ppn-plain", "the same without the edge loss, to compare"),
];

/// The task of a name.
///
/// # Errors
/// An unknown name, examples that cannot be read, settings out of range.
pub fn prepare(name: &str, wish: &Wish) -> Result<Prepared, TaskError> {
    let whole = ppn::PpnTask::compact();
    match name {
        "ppn" => return whole.prepare(wish),
        "ppn-plain" => return ppn::PpnTask { plain: 1.0, ..whole }.prepare(wish),
        _ => {}
    }
    let model = Model::named(name).ok_or_else(|| TaskError::Unknown(name.to_owned()))?;
    ImageTask::new(model).prepare(wish)
}
