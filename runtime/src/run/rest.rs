//! Rest: how far sources may go, and how lanes hand out their state between two iterations.
//!
//! A snapshot is asked for at an iteration. Each lane leaves its part when all its volleys have
//! fired exactly so often and none can move; because nothing beyond that iteration was let in, the
//! parts are one cut through the whole graph. The lanes read their own registers, so nobody else
//! ever touches them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Run;
use crate::clock::Clock;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::value::Value;

/// The tokens behind the delays of registers, by name; or why a device gave none.
pub(crate) type Part = Result<BTreeMap<String, Vec<Option<Value>>>, String>;

/// What lanes and the program share about resting.
pub(crate) struct Rest {
    /// Iterations that a source may begin.
    gate: AtomicU64,
    /// The iteration of the snapshot that is asked for.
    at: AtomicU64,
    owed: Box<[AtomicBool]>,
    parts: Mutex<Vec<Part>>,
    left: Condvar,
}

impl Rest {
    pub(crate) fn new(lanes: usize, iterations: u64) -> Self {
        Self {
            gate: AtomicU64::new(iterations),
            at: AtomicU64::new(0),
            owed: (0..lanes).map(|_| AtomicBool::new(false)).collect(),
            parts: Mutex::new(Vec::new()),
            left: Condvar::new(),
        }
    }

    #[inline]
    pub(crate) fn may_begin(&self, iteration: u64) -> bool {
        iteration < self.gate.load(Ordering::Relaxed)
    }

    pub(super) fn allow(&self, iterations: u64) {
        self.gate.store(iterations, Ordering::Relaxed);
    }

    /// The iteration at which a lane owes its part, if it does.
    #[inline]
    pub(crate) fn owed(&self, lane: usize) -> Option<u64> {
        let owed = self.owed[lane].load(Ordering::Acquire);
        owed.then(|| self.at.load(Ordering::Relaxed))
    }

    /// Leaves the part of a lane.
    pub(crate) fn leave(&self, lane: usize, part: Part) {
        let mut parts = self.parts.lock();
        if self.owed[lane].swap(false, Ordering::Relaxed) {
            parts.push(part);
            self.left.notify_all();
        }
    }

    /// Asks every lane for its part.
    pub(super) fn ask(&self, at: u64) {
        self.parts.lock().clear();
        self.at.store(at, Ordering::Relaxed);
        self.owed.iter().for_each(|owed| owed.store(true, Ordering::Release));
    }

    /// All parts, or the lanes that still owe theirs after `timeout`; nobody owes any then.
    fn collect(&self, clock: &dyn Clock, timeout: Duration) -> Result<Vec<Part>, Vec<usize>> {
        let start = clock.now_ns();
        let mut parts = self.parts.lock();
        while parts.len() < self.owed.len() {
            let waited = Duration::from_nanos(clock.now_ns() - start);
            if waited >= timeout {
                let owes = |owed: &AtomicBool| owed.swap(false, Ordering::Relaxed);
                let lanes = self.owed.iter().enumerate();
                return Err(lanes.filter(|(_, owed)| owes(owed)).map(|(lane, _)| lane).collect());
            }
            self.left.wait_for(&mut parts, timeout - waited);
        }
        Ok(std::mem::take(&mut parts))
    }
}

impl Run {
    /// Lets sources begin so many iterations, those before the launch included; see
    /// [`crate::launch::Options::iterations`].
    pub fn allow(&self, iterations: u64) {
        self.shared.rest.allow(iterations);
        self.shared.wake();
    }

    /// All state after the first `at` iterations, those before the launch included. Sources must
    /// have been allowed, and feeds been given, exactly so many; what came out need not be taken.
    ///
    /// # Errors
    /// When the run does not come to rest there within `timeout`, or a device fails.
    pub fn snapshot(&self, at: u64, timeout: Duration) -> Result<Snapshot, SnapshotError> {
        self.shared.rest.ask(at);
        self.shared.wake();
        let (rest, clock) = (&self.shared.rest, &*self.shared.clock);
        let parts = rest.collect(clock, timeout).map_err(|lanes| {
            let names: Vec<&str> = lanes.iter().map(|&lane| &*self.meters[lane].device).collect();
            let (lanes, waited_ms) = (names.join(", "), timeout.as_millis());
            SnapshotError::Busy { wanted: at, lanes, waited_ms }
        })?;
        let mut registers = BTreeMap::new();
        for part in parts {
            registers.extend(part.map_err(SnapshotError::Device)?);
        }
        let parameters = self.updated.clone();
        Ok(Snapshot { iteration: at, graph: self.data.fingerprint, registers, parameters })
    }
}
