//! What all parts of a run share: whether it is to stop, what failed, what passed over links.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::rest::Rest;
use super::{Failure, FaultPolicy, Inject};
use crate::actor::bell::Bell;
use crate::clock::Clock;
use crate::launch::Options;
use crate::observe::LinkMeter;
use crate::plan::PlanData;

/// Failures that are kept with their text; later ones are only counted.
const FAILURES_KEPT: usize = 1024;

const RUNNING: u8 = 0;
const STOPPING: u8 = 1;
const ABORTING: u8 = 2;

/// What all parts of a run share.
pub(crate) struct Shared {
    state: AtomicU8,
    pub(super) policy: FaultPolicy,
    failures: Mutex<Vec<Failure>>,
    failure_count: AtomicU64,
    paths: Vec<String>,
    bells: OnceLock<Vec<Arc<Bell>>>,
    pub(crate) links: Vec<LinkMeter>,
    pub(crate) inject: Option<Inject>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rest: Rest,
}

impl Shared {
    pub(crate) fn new(options: &Options, data: &PlanData, inject: Option<Inject>) -> Self {
        let paths = data.actors.iter().map(|actor| actor.path.clone()).collect();
        Self {
            state: AtomicU8::new(RUNNING),
            policy: options.policy,
            failures: Mutex::new(Vec::new()),
            failure_count: AtomicU64::new(0),
            paths,
            bells: OnceLock::new(),
            links: data.links.iter().map(|_| LinkMeter::default()).collect(),
            inject,
            clock: options.clock.clone(),
            rest: Rest::new(data.lanes.len(), options.iterations),
        }
    }

    pub(crate) fn set_bells(&self, bells: Vec<Arc<Bell>>) {
        assert!(self.bells.set(bells).is_ok(), "bells are set once");
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= STOPPING
    }

    #[inline]
    pub(crate) fn is_aborting(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ABORTING
    }

    fn tell(&self, state: u8) {
        self.state.fetch_max(state, Ordering::Relaxed);
        self.wake();
    }

    /// Makes every lane, feed and outlet look again.
    pub(super) fn wake(&self) {
        self.bells.get().into_iter().flatten().for_each(|bell| bell.ring());
    }

    pub(crate) fn stop(&self) {
        self.tell(STOPPING);
    }

    pub(crate) fn abort(&self) {
        self.tell(ABORTING);
    }

    /// Notes a failure; gives the index of its cause.
    #[cold]
    pub(crate) fn failed(&self, node: usize, firing: u64, sequence: u64, cause: String) -> u32 {
        let count = self.failure_count.fetch_add(1, Ordering::Relaxed);
        let failure = Failure { node: self.paths[node].clone(), firing, sequence, cause };
        tracing::error!(%failure, "a firing failed");
        let mut failures = self.failures.lock();
        if failures.len() < FAILURES_KEPT {
            failures.push(failure);
        }
        let index = failures.len() - 1;
        drop(failures);
        if self.policy == FaultPolicy::Stop && count == 0 {
            self.stop();
        }
        index as u32
    }

    /// The failure behind poison; the last one kept when its own was not.
    pub(crate) fn failure(&self, cause: u32) -> Failure {
        let failures = self.failures.lock();
        failures[(cause as usize).min(failures.len() - 1)].clone()
    }

    pub(crate) fn failures(&self) -> (Vec<Failure>, u64) {
        (self.failures.lock().clone(), self.failure_count.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn count_passed(&self, link: usize, bytes: u64) {
        let meter = &self.links[link];
        meter.tokens.add(1);
        meter.bytes.add(bytes);
    }

    #[inline]
    pub(crate) fn count_head(&self, link: usize, head: u64) {
        self.links[link].head.set(head);
    }
}
