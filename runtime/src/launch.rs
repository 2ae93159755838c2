//! Launch: a plan becomes memory, ports, lanes and threads.
//!
//! Everything is allocated here; afterwards the data plane allocates nothing.

mod memory; // arenas and registers
mod wiring; // who waits for whom
mod state; // cells, and going on from a snapshot
mod assemble; // registers, ports and lanes from plan data
pub(crate) mod weights; // the first values of parameters and delays

use std::sync::Arc;

use crate::actor::lane::Order;
use crate::clock::{Clock, RealClock};
use crate::fault::Faults;
use crate::observe::Sampling;
use crate::plan::Plan;
use crate::random::Seed;
use crate::run::{FaultPolicy, Inject, Run};
use crate::snapshot::Snapshot;

pub(crate) use assemble::{Assembly, assemble};
pub use weights::Weights;

/// How to run a plan.
#[derive(Clone)]
pub struct Options {
    /// Values of the parameters; what they leave out is initialised from the seed.
    pub weights: Weights,
    /// The key of all randomness.
    pub seed: Seed,
    /// What a failed firing does to the run.
    pub policy: FaultPolicy,
    /// How lanes look for work.
    pub order: Order,
    /// How closely to observe.
    pub sampling: Sampling,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Iterations that sources may begin, those before the launch included, until
    /// [`Run::allow`] says otherwise. Feeds are paced by who feeds them.
    pub iterations: u64,
    /// Goes on from here instead of from the initial tokens.
    pub resume: Option<Arc<Snapshot>>,
    /// How often an idle lane looks again before it parks. None: about 20 us, and not at all when
    /// there are more lanes than cores.
    pub spins: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            seed: Seed::default(),
            policy: FaultPolicy::Stop,
            order: Order::Static,
            sampling: Sampling::SPARSE,
            clock: Arc::new(RealClock::new()),
            iterations: u64::MAX,
            resume: None,
            spins: None,
        }
    }
}

impl Options {
    /// Iterations before the launch.
    pub(crate) fn before(&self) -> u64 {
        self.resume.as_ref().map_or(0, |snapshot| snapshot.iteration)
    }
}

/// Allocates what the plan says, loads the weights, prepares the kernels and starts the lanes.
///
/// # Errors
/// Weights that are missing, foreign or of another shape, a snapshot of another graph, a device
/// that refuses memory, a kernel that cannot use its constants, a thread that cannot be started.
pub fn launch(plan: &Plan, options: &Options) -> Result<Run, Faults> {
    launch_with(plan, options, None)
}

/// [`launch`] with a failure injected where `inject` says so; for tests of what must survive it.
///
/// # Errors
/// As [`launch`].
pub fn launch_with(plan: &Plan, options: &Options, inject: Option<Inject>) -> Result<Run, Faults> {
    Run::start(assemble(plan, options, inject)?, plan, options)
}
