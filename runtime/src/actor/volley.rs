//! Volleys: actors that fire as one straight line, the streams they wait for, the rings they write.

use std::sync::Arc;

use super::bell::Bell;
use super::register::Port;
use super::ring::Ring;
use crate::run::Shared;
use crate::token::Stamp;

/// Firings of one actor in a row, and the rings that they complete.
pub(crate) struct Step {
    pub(crate) actor: usize,
    pub(crate) times: u32,
    /// Indexes of the volley's grants that are published after this step.
    pub(crate) publishes: std::ops::Range<usize>,
}

/// A stream that a volley waits for.
pub(crate) struct Wait {
    pub(crate) ring: Arc<Ring>,
    pub(crate) reader: usize,
    pub(crate) tokens: u64,
    pub(crate) head: u64,
    /// The slot of the last token of the next iteration.
    pub(crate) slot: usize,
    /// The writer's bell, unless it is this lane.
    pub(crate) writer: Option<Arc<Bell>>,
    /// Whether a feed writes it: when the run is told to stop, what was fed is the end.
    pub(crate) is_fed: bool,
    pub(crate) link: usize,
    /// The slot of the next token, for its meter.
    pub(crate) port: Port,
}

impl Wait {
    /// Meters the tokens of one iteration, while their credits are not yet returned.
    pub(super) fn count_passed(&mut self, shared: &Shared) {
        for _ in 0..self.tokens {
            if self.port.state(0).is_value() {
                shared.count_passed(self.link, self.port.payload_bytes(0) as u64);
            }
            self.port.advance();
        }
    }
}

/// A ring that a volley writes.
pub(crate) struct Grant {
    pub(crate) ring: Arc<Ring>,
    pub(crate) tokens: u64,
    pub(crate) tail: u64,
    /// The slot of the next token.
    pub(crate) slot: usize,
    /// The oldest head as last seen.
    pub(crate) oldest: u64,
    /// Bells of the readers on other lanes and outside.
    pub(crate) readers: Vec<Arc<Bell>>,
}

/// Actors that fire as one straight line.
pub(crate) struct Volley {
    pub(crate) steps: Vec<Step>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) has_effect: bool,
    pub(crate) starts_by_itself: bool,
    pub(crate) ended: bool,
    /// Iterations so far, those before the launch included.
    pub(crate) iteration: u64,
}

/// What all firings of one iteration of a volley share.
#[derive(Clone, Copy, Default)]
pub(crate) struct Line {
    pub(super) stamp: Stamp,
    /// Whether every token so far had a value.
    pub(super) clean: bool,
}

/// Whether a volley may fire.
pub(super) enum Readiness {
    Ready,
    Blocked,
    Over,
}

impl Volley {
    /// Rules 1 and 2.
    #[inline]
    pub(super) fn readiness(&mut self, shared: &Shared) -> Readiness {
        if self.starts_by_itself && shared.is_stopping() {
            return Readiness::Over;
        }
        if self.starts_by_itself && !shared.rest.may_begin(self.iteration) {
            return Readiness::Blocked;
        }
        for wait in &self.waits {
            let last = wait.head + wait.tokens - 1;
            if !wait.ring.is_published_in(wait.slot, last) {
                let over = wait.ring.closed_at().is_some_and(|tail| tail <= last)
                    || (wait.is_fed && shared.is_stopping());
                // Published and closed between the two looks: look once more.
                if over && !wait.ring.is_published(last) {
                    return Readiness::Over;
                }
                return Readiness::Blocked;
            }
        }
        let mut unread = !self.has_effect && !self.grants.is_empty();
        for grant in &mut self.grants {
            let end = grant.tail + grant.tokens;
            if end.saturating_sub(grant.oldest) > grant.ring.capacity() || grant.oldest == u64::MAX
            {
                grant.oldest = grant.ring.oldest_head();
                if end.saturating_sub(grant.oldest) > grant.ring.capacity() {
                    return Readiness::Blocked;
                }
            }
            unread &= grant.oldest == u64::MAX;
        }
        if unread { Readiness::Over } else { Readiness::Ready }
    }
}

/// A slot index just beyond the ring's end, brought back to its start.
pub(super) fn wrapped(slot: usize, ring: &Ring) -> usize {
    let capacity = ring.slots().len();
    if slot >= capacity { slot - capacity } else { slot }
}
