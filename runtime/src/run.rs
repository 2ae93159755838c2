//! Run: a launched plan, seen from the program that launched it.
//!
//! A run owns its threads and memory. Tokens go in through [`Feed`]s and come out of [`Outlet`]s,
//! from any thread, without a copy if wanted. Dropping a feed ends its stream; dropping an outlet
//! means that nobody wants its tokens. [`Run::drain`] lets what is inside come out; [`Run::abort`]
//! does not wait; dropping a run aborts it.

mod shared; // what all parts share
mod rest; // a cut between two iterations
mod feed; // tokens going in
mod outlet; // tokens coming out

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use serde::Serialize;

use crate::actor::bell::Sleeper;
use crate::actor::lane::{Lane, Polled, panic_text};
use crate::fault::{Code, Fault, Faults, Stage};
use crate::launch::{Assembly, Options};
use crate::observe::{LaneMeter, Mailbox, Probe, Report, trace};
use crate::plan::{Plan, PlanData};

pub use feed::{Feed, FeedError};
pub use outlet::{Outlet, OutletError, Output};
pub(crate) use shared::Shared;

/// Says that a firing of a node shall fail, and with what; for tests. Gets the index of the node
/// in the order of definition and the number of the firing.
pub type Inject = Arc<dyn Fn(usize, u64) -> Option<String> + Send + Sync>;

/// What a failed firing does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPolicy {
    /// The run stops: sources end, what is inside comes out, [`Run::drain`] tells the failure.
    Stop,
    /// The outputs that depend on it are failures; everything else goes on.
    Skip,
}

/// A firing that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Node path.
    pub node: String,
    /// Number of the firing.
    pub firing: u64,
    /// Sequence of the token.
    pub sequence: u64,
    /// What the kernel said.
    pub cause: String,
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, firing, sequence, cause } = self;
        write!(f, "{node}, firing {firing}, sequence {sequence}: {cause}")
    }
}

/// How a run ended badly.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// A firing failed under [`FaultPolicy::Stop`].
    #[error("the run stopped because a firing failed: {0}")]
    Failed(Failure),
    /// Not everything came out in time; the run was aborted.
    #[error("after {waited_ms} ms these devices still waited for tokens or credits: {lanes}")]
    Stuck {
        /// Devices of the lanes that had not ended.
        lanes: String,
        /// How long was waited.
        waited_ms: u128,
    },
    /// A lane itself panicked: a bug of Synfire.
    #[error("a lane ended by {0}; please report this")]
    Lane(String),
}

/// One firing that was timed, stages included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedFiring {
    /// Node path of the actor that fired.
    pub path: String,
    /// Sequence of its youngest input.
    pub sequence: u64,
    /// When it began, nanoseconds of the run's clock.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// A launched plan.
pub struct Run {
    threads: Vec<JoinHandle<()>>,
    /// Each lane sends its index and how it ended.
    ended: Receiver<(usize, Result<(), String>)>,
    running: Vec<bool>,
    broken: Option<String>,
    meters: Vec<Arc<LaneMeter>>,
    feeds: BTreeMap<String, Feed>,
    outlets: BTreeMap<String, Outlet>,
    mailboxes: BTreeMap<String, Arc<Mailbox>>,
    shared: Arc<Shared>,
    data: Arc<PlanData>,
    /// The register of each updated parameter.
    updated: BTreeMap<String, String>,
}

impl Run {
    /// Starts one thread for each lane.
    pub(crate) fn start(
        assembly: Assembly,
        plan: &Plan,
        options: &Options,
    ) -> Result<Self, Faults> {
        let Assembly { lanes, feeds, outlets, mailboxes, shared } = assembly;
        let data = Arc::new(plan.data.clone());
        let (sender, ended) = bounded(lanes.len());
        let meters = lanes.iter().map(|(lane, _)| lane.meter.clone()).collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // More lanes than cores: a spinning lane would take the core that it waits for.
        let spins = options.spins.unwrap_or(if lanes.len() < cores.max(2) + 1 { 2_000 } else { 0 });
        let spins = if cores == 1 { 0 } else { spins };
        let mut run = Self {
            threads: Vec::new(),
            ended,
            running: vec![true; lanes.len()],
            broken: None,
            meters,
            feeds,
            outlets,
            mailboxes,
            shared,
            data,
            updated: plan.updated(),
        };
        tracing::info!(lanes = lanes.len(), fingerprint = run.data.fingerprint, "launched");
        for (index, (lane, sleeper)) in lanes.into_iter().enumerate() {
            let device = run.data.lanes[index].device as usize;
            let pin = match plan.placed.devices.device(device) {
                crate::device::Device::Cpu(cpu) if cpu.pinned => cpu.cores.first().copied(),
                _ => None,
            };
            let builder =
                std::thread::Builder::new().name(format!("synfire-{}", lane.meter.device));
            let end = Ending { index, sender: sender.clone() };
            let thread = builder.spawn(move || work(lane, &sleeper, spins, pin, &end));
            match thread {
                Ok(thread) => run.threads.push(thread),
                Err(error) => {
                    let fault = Fault::new(Stage::Launch, Code::Device, "").found(error);
                    return Err(fault.wanted("a thread for each lane").into());
                }
            }
        }
        Ok(run)
    }

    /// Takes the feed of a path; none when there is no such feed or it was taken.
    pub fn feed(&mut self, path: &str) -> Option<Feed> {
        self.feeds.remove(path)
    }

    /// Takes the outlet of a path; none when there is no such outlet or it was taken.
    pub fn outlet(&mut self, path: &str) -> Option<Outlet> {
        self.outlets.remove(path)
    }

    /// The probe of a stream, `node path:port`; none unless the plan's limits named it.
    #[must_use]
    pub fn probe(&self, stream: &str) -> Option<Probe> {
        self.mailboxes.get(stream).cloned().map(Probe)
    }

    /// What happened so far.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::new(&self.data, self.meters.iter().map(|meter| &**meter), &self.shared)
    }

    /// The timed firings so far as a Chrome trace, if the run keeps any.
    #[must_use]
    pub fn trace(&self) -> String {
        trace::chrome(&self.data, self.meters.iter().map(|meter| &**meter))
    }

    /// The timed firings that were kept, by lane and time: exact where distributions are not.
    #[must_use]
    pub fn timed(&self) -> Vec<TimedFiring> {
        let mut timed = Vec::new();
        for meter in &self.meters {
            let events = meter.trace.lock();
            let first = timed.len();
            timed.extend(events.iter().map(|event| TimedFiring {
                path: self.data.actors[event.actor as usize].path.clone(),
                sequence: event.sequence,
                start_ns: event.start_ns,
                end_ns: event.end_ns,
            }));
            timed[first..].sort_by_key(|event| event.start_ns);
        }
        timed
    }

    /// Whether every lane has ended: nothing more will come out.
    pub fn is_finished(&mut self) -> bool {
        while let Ok((lane, end)) = self.ended.try_recv() {
            self.note(lane, end);
        }
        self.running.iter().all(|running| !running)
    }

    /// A handle that can stop the run from elsewhere, such as a signal handler.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.shared.clone())
    }

    /// Waits until the run ends by itself, then reports.
    ///
    /// # Errors
    /// As [`Run::drain`].
    pub fn finish(mut self, timeout: Duration) -> Result<Report, RunError> {
        self.feeds.clear();
        self.outlets.clear();
        self.join(timeout)
    }

    /// Ends feeds and sources, lets what is inside come out, and reports. Outlets that were taken
    /// must be read or dropped meanwhile.
    ///
    /// # Errors
    /// When a firing failed under [`FaultPolicy::Stop`], or not everything came out within
    /// `timeout`; the run is aborted then.
    pub fn drain(mut self, timeout: Duration) -> Result<Report, RunError> {
        self.shared.stop();
        self.feeds.clear();
        self.outlets.clear();
        self.join(timeout)
    }

    /// Ends every lane at the next volley; what is inside is lost and counted.
    #[must_use]
    pub fn abort(mut self) -> Report {
        self.end();
        self.report()
    }

    fn note(&mut self, lane: usize, end: Result<(), String>) {
        self.running[lane] = false;
        if let Err(text) = end {
            self.broken.get_or_insert(text);
        }
    }

    fn join(&mut self, timeout: Duration) -> Result<Report, RunError> {
        let start = self.shared.clock.now_ns();
        while self.running.iter().any(|&running| running) {
            let waited = Duration::from_nanos(self.shared.clock.now_ns() - start);
            match self.ended.recv_timeout(timeout.saturating_sub(waited)) {
                Ok((lane, end)) => self.note(lane, end),
                Err(_) => {
                    let names = self.running.iter().zip(&self.meters);
                    let stuck = names.filter(|(running, _)| **running);
                    let lanes: Vec<&str> = stuck.map(|(_, meter)| &*meter.device).collect();
                    let lanes = lanes.join(", ");
                    self.end();
                    return Err(RunError::Stuck { lanes, waited_ms: timeout.as_millis() });
                }
            }
        }
        self.end();
        if let Some(text) = self.broken.take() {
            return Err(RunError::Lane(text));
        }
        let report = self.report();
        tracing::info!(failures = report.failure_count, "the run ended");
        match report.failures.first() {
            Some(first) if self.shared.policy == FaultPolicy::Stop => {
                Err(RunError::Failed(first.clone()))
            }
            _ => Ok(report),
        }
    }

    fn end(&mut self) {
        self.shared.abort();
        for thread in self.threads.drain(..) {
            // A lane tells how it ended before its thread does.
            let _ = thread.join();
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}

/// Stops a run from elsewhere.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Ends feeds and sources; what is inside still comes out.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends every lane at the next volley.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Whether the run was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping()
    }
}

/// Tells the run how a lane ended.
struct Ending {
    index: usize,
    sender: Sender<(usize, Result<(), String>)>,
}

/// The life of a lane's thread.
fn work(lane: Lane, sleeper: &Sleeper, spins: u32, pin: Option<usize>, end: &Ending) {
    if let Some(core) = pin {
        core_affinity::set_for_current(core_affinity::CoreId { id: core });
    }
    let mut lane = lane;
    let turn = std::panic::AssertUnwindSafe(|| turn(&mut lane, sleeper, spins));
    let result = std::panic::catch_unwind(turn);
    lane.abort();
    let result = result.map_err(|panic| panic_text(&*panic));
    // The channel has room for every lane; a run that is gone does not listen.
    let _ = end.sender.try_send((end.index, result));
}

/// Looks at one word between two looks at everything.
const LOOKS: u32 = 16;

fn turn(lane: &mut Lane, sleeper: &Sleeper, spins: u32) {
    let mut idle = 0;
    while !lane.shared.is_aborting() {
        match lane.poll() {
            Polled::Fired => {
                if idle > 0 {
                    lane.meter.spun.add(1);
                }
                idle = 0;
            }
            Polled::Done => return,
            Polled::Idle if lane.owes_state() => lane.leave_state(),
            Polled::Idle if idle < spins => {
                idle += LOOKS;
                lane.spin(LOOKS);
            }
            Polled::Idle => {
                idle = 0;
                lane.meter.parked.add(1);
                sleeper.sleep_unless(|| {
                    lane.could_move() || lane.owes_state() || lane.shared.is_aborting()
                });
            }
        }
    }
}
