//! Observe: what a run did, counted where it happened and read without disturbing it.
//!
//! Counters have one writer, the lane, which stores them relaxed; anyone may read them at any
//! time. Durations are sampled: a clock read costs more than a hop, so only one firing in `every`
//! is timed, and none at all when sampling is off. Observing never changes results.

mod report; // tables, JSON
mod probe; // the latest token of a stream
mod allocations; // what was really taken
pub(crate) mod trace; // Chrome and Perfetto trace files

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::actor::ring::Ring;
use crate::clock::Clock;
use crate::token::State;

pub use allocations::Allocations;
pub(crate) use probe::Mailbox;
pub use probe::{Probe, Seen};
pub use report::{ActorReport, LaneReport, LinkReport, Report};

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Time one firing of each actor in this many, rounded up to a power of two; 0 never.
    pub every: u64,
    /// How many timed firings each lane keeps for a trace file; the last ones win.
    pub trace_events: usize,
}

impl Sampling {
    /// Counters only.
    pub const OFF: Self = Self { every: 0, trace_events: 0 };
    /// One firing in 64.
    pub const SPARSE: Self = Self { every: 64, trace_events: 0 };
    /// Every firing.
    pub const FULL: Self = Self { every: 1, trace_events: 0 };
}

/// A counter with one writer. Counters of different writers must not share a cache line: a store to
/// a contended line holds up every store after it, such as a publication.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        // One writer: no read-modify-write needed.
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct ActorMeter {
    /// Index in the plan.
    pub(crate) index: usize,
    /// Its volley's place in the lane.
    pub(crate) volley: usize,
    pub(crate) null: Counter,
    pub(crate) poisoned: Counter,
    pub(crate) failed: Counter,
}

/// Counters of one lane.
#[derive(Debug, Default)]
pub(crate) struct LaneMeter {
    pub(crate) device: String,
    pub(crate) actors: Vec<ActorMeter>,
    /// Whole iterations of each volley.
    pub(crate) volleys: Vec<CachePadded<Counter>>,
    /// Firings that were timed, in nanoseconds; empty when sampling is off.
    pub(crate) durations: Mutex<Vec<Histogram<u32>>>,
    pub(crate) busy_ns: Counter,
    pub(crate) parked: Counter,
    pub(crate) spun: Counter,
    pub(crate) trace: Mutex<Vec<TraceEvent>>,
}

impl LaneMeter {
    /// Meters of these actors, each with the place of its volley.
    pub(crate) fn new(
        device: &str,
        (actors, volleys): (&[usize], &[usize]),
        sampling: Sampling,
    ) -> Self {
        let timed = if sampling.every == 0 { 0 } else { actors.len() };
        let meter = |(&index, &volley): (&usize, &usize)| ActorMeter {
            index,
            volley,
            ..ActorMeter::default()
        };
        let count = volleys.iter().max().map_or(0, |last| last + 1);
        Self {
            device: device.to_owned(),
            actors: actors.iter().zip(volleys).map(meter).collect(),
            volleys: (0..count).map(|_| CachePadded::default()).collect(),
            durations: Mutex::new((0..timed).map(|_| durations()).collect()),
            trace: Mutex::new(Vec::with_capacity(sampling.trace_events)),
            ..Self::default()
        }
    }

    pub(crate) fn skipped(&self, actor: usize, state: State) {
        let own = &self.actors[actor];
        if state.is_null() { own.null.add(1) } else { own.poisoned.add(1) }
    }

    pub(crate) fn failed(&self, actor: usize) {
        self.actors[actor].failed.add(1);
    }
}

/// One microsecond to one hour, two digits; durations outside are clamped.
fn durations() -> Histogram<u32> {
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 2)
        .expect("the bounds are those that the histogram documents");
    histogram.auto(false);
    histogram
}

/// A timed firing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceEvent {
    /// Index in the plan.
    pub(crate) actor: u32,
    pub(crate) sequence: u64,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

/// The lane's side of timing.
pub(crate) struct Tracer {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sampling: Sampling,
    /// Firings whose number has none of these bits are timed.
    mask: u64,
    kept: usize,
}

impl Tracer {
    /// None when nothing is to be timed.
    pub(crate) fn new(clock: Arc<dyn Clock>, sampling: Sampling) -> Option<Self> {
        // Beyond the largest power of two, the first firing alone is timed.
        let mask = sampling.every.checked_next_power_of_two().unwrap_or(0).wrapping_sub(1);
        (sampling.every > 0).then_some(Self { clock, sampling, mask, kept: 0 })
    }

    #[inline]
    pub(crate) fn samples(&self, firing: u64) -> bool {
        firing & self.mask == 0
    }

    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Records a timed firing of the lane's actor `own`, index `actor` in the plan.
    pub(crate) fn fired(
        &mut self,
        meter: &LaneMeter,
        (own, actor): (usize, usize),
        sequence: u64,
        start_ns: u64,
    ) {
        let end_ns = self.now_ns();
        meter.durations.lock()[own].saturating_record((end_ns - start_ns).max(1));
        meter.busy_ns.add(end_ns - start_ns);
        if self.sampling.trace_events > 0 {
            let event = TraceEvent { actor: actor as u32, sequence, start_ns, end_ns };
            let mut events = meter.trace.lock();
            if events.len() < self.sampling.trace_events {
                events.push(event);
            } else {
                events[self.kept % self.sampling.trace_events] = event;
            }
            self.kept += 1;
        }
    }
}

/// Counters of one link; apart from those of others, whose readers are on other cores.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct LinkMeter {
    /// Tokens with a value that were taken.
    pub(crate) tokens: Counter,
    /// Their payload bytes.
    pub(crate) bytes: Counter,
    /// The reader's head as it last was, even after it left.
    pub(crate) head: Counter,
    pub(crate) ring: OnceLock<Arc<Ring>>,
}

impl LinkMeter {
    /// Tokens published but never taken: known once the stream has ended.
    pub(crate) fn left_over(&self) -> u64 {
        let tail = self.ring.get().and_then(|ring| ring.closed_at());
        tail.map_or(0, |tail| tail.saturating_sub(self.head.get()))
    }
}
