//! Search: the loops that find an architecture are static graphs too.
//!
//! A search alternates, proposes, evaluates and remembers; here each of these is a part of the
//! graph. What changes is state on feedback edges: weights, architecture, moments, the phase, the
//! best so far. What takes turns stands behind a switch. A candidate is a token. So a search is
//! planned, placed, stopped, resumed and repeated, bit for bit, as any other graph.
//!
//! ```no_run
//! use synfire::search::darts;
//! use synfire::prelude::*;
//!
//! let settings = darts::Settings { devices: Devices::cpu(1), ..darts::Settings::default() };
//! let found = darts::search(&settings, &mut |_| true)?;
//! println!("{} of the planted operations, test error {}", found.recovered(), found.test);
//! # Ok::<(), synfire::search::SearchError>(())
//! ```

use synfire_runtime::fault::Faults;
use synfire_runtime::operator::FireError;
use synfire_runtime::run::RunError;
use synfire_runtime::snapshot::SnapshotError;

use crate::data::dataset::DataError;
use crate::optimisers::TrainingError;

pub mod mixed; // candidates weighed by gates
pub mod bilevel; // two levels that take turns
pub mod unrolled; // the gradient of the second order
pub mod planted; // a task whose answer is known
pub mod darts; // DARTS on it
pub mod proposals; // random architectures
pub mod random; // candidates as tokens, on it too

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps taken, or candidates evaluated.
    pub done: u64,
    /// The newest validation loss.
    pub validation: f64,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The operation of each edge that was planted, by its place in [`planted::CANDIDATES`].
    pub planted: Vec<usize>,
    /// The operation of each edge that was found.
    pub operations: Vec<usize>,
    /// The mean squared error on held-out examples of what was searched with; the targets have
    /// variance 1.
    pub test: f64,
    /// The same of the discrete network, with the weights it has.
    pub discrete: f64,
}

impl Found {
    /// The part of the edges whose planted operation was found.
    #[must_use]
    pub fn recovered(&self) -> f64 {
        let pairs = self.planted.iter().zip(&self.operations);
        let same = pairs.filter(|(planted, found)| planted == found).count();
        same as f64 / self.planted.len().max(1) as f64
    }
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// A setting that makes no sense.
    #[error("{name}: found {found}; wanted {wanted}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What was found.
        found: String,
        /// What was wanted.
        wanted: &'static str,
    },
    /// The training of a level cannot be built.
    #[error("{0}")]
    Training(#[from] TrainingError),
    /// The data cannot be had.
    #[error("{0}")]
    Data(#[from] DataError),
    /// The graph cannot run on these devices.
    #[error("{0}")]
    Plan(#[from] Faults),
    /// A node failed.
    #[error("{0}")]
    Run(#[from] RunError),
    /// A node failed in an evaluation.
    #[error("{0}")]
    Fire(#[from] FireError),
    /// State could not be taken.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// The loss is no number any more.
    #[error("the validation loss was {loss} in step {step}: it diverged; lower the rates")]
    Diverged {
        /// The step.
        step: u64,
        /// What it gave.
        loss: f64,
    },
    /// The stream of losses ended too early.
    #[error("the search gave nothing for step {step}: its sources ended, or it is stuck")]
    Ended {
        /// The step that was waited for.
        step: u64,
    },
}

/// An architecture from its logits, `[edge, candidate]` row-major: of each edge the candidate with
/// the largest gate, but for those that `may_stay` leaves out; of equal ones the first. DARTS
/// leaves out `none`: it would win by making nothing worse.
#[must_use]
pub fn discretise(
    logits: &[f32],
    candidates: usize,
    may_stay: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let rows = logits.chunks_exact(candidates.max(1));
    let largest = |row: &[f32]| {
        let own = (0..row.len()).filter(|&place| may_stay(place));
        own.reduce(|best, place| if row[place] > row[best] { place } else { best })
    };
    rows.map(|row| largest(row).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_never_wins_and_the_first_of_equals_does() {
        let logits = [9.0, 1.0, 1.0, -3.0, -2.0, -1.0];
        assert_eq!(discretise(&logits, 3, |place| place != 0), [1, 2]);
        assert_eq!(discretise(&logits, 3, |_| true), [0, 2]);
    }

    #[test]
    fn recovery_is_the_part_of_the_edges_that_agree() {
        let (planted, operations) = (vec![1, 2, 3, 4], vec![1, 2, 4, 4]);
        let found = Found { planted, operations, test: 0.0, discrete: 0.0 };
        assert!((found.recovered() - 0.75).abs() < 1e-12);
    }
}
