//! Tasks: what is trained, as graphs.

use synfire_runtime::graph::Graph;
use synfire_runtime::place::Placement;

/// Which number of an evaluation says how good a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The larger, the better, such as an accuracy.
    Highest(&'static str),
    /// The smaller, the better, such as a loss.
    Lowest(&'static str),
}

impl Goal {
    /// The name of the number.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Highest(name) | Self::Lowest(name) => name,
        }
    }

    /// Whether `new` is better than `old`.
    #[must_use]
    pub fn is_better(self, new: f64, old: f64) -> bool {
        match self {
            Self::Highest(_) => new > old,
            Self::Lowest(_) => new < old,
        }
    }
}

/// What is trained.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name, for people and files.
    pub name: String,
    /// One step in each iteration. Sources without end and no feeds; the outlets are scalars of
    /// `f32`, one of them `loss`.
    pub training: Graph,
    /// One batch of held-out examples in each iteration. Sources that end and no feeds; the outlets
    /// are scalars of `f32`, sums over a batch, one of them `examples`.
    pub evaluation: Graph,
    /// The same as the evaluation over examples that nothing was chosen by.
    pub test: Graph,
    /// Where all are placed.
    pub placement: Placement,
    /// Steps that go once through the training examples.
    pub steps_per_epoch: u64,
    /// What to improve.
    pub goal: Goal,
}
