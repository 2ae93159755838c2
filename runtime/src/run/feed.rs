//! Feeds: tokens going in.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::actor::bell::{Bell, Sleeper};
use crate::actor::register::Port;
use crate::clock::Clock;
use crate::spec::Spec;
use crate::token::{Stamp, State, Token};
use crate::value::Value;

/// The writing end of a feed. Dropping it ends the stream.
pub struct Feed {
    port: Port,
    tail: u64,
    oldest: u64,
    /// The sequence of the next token, unless the caller gives one.
    sequence: u64,
    sleeper: Sleeper,
    readers: Vec<Arc<Bell>>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

/// Why a token was not fed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Every register is in use: the graph is slower than its feed.
    #[error("the graph has no room for another token now")]
    Full,
    /// The run ended, was told to stop, or nobody reads this feed any more.
    #[error("the run takes no more tokens")]
    Closed,
    /// The value is no token of this feed.
    #[error("found {found}; wanted {wanted}")]
    Misfit {
        /// What was given.
        found: String,
        /// What the feed takes.
        wanted: String,
    },
}

impl Feed {
    pub(crate) fn new(
        port: Port,
        tail: u64,
        (sleeper, readers): (Sleeper, Vec<Arc<Bell>>),
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { port, tail, oldest: 0, sequence: 0, sleeper, readers, shared, clock }
    }

    /// The sequence of the first token.
    pub(crate) fn starts_at(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// What the feed takes.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.port.spec
    }

    /// Feeds a copy of `value` if there is room now.
    ///
    /// # Errors
    /// See [`FeedError`]; nothing was fed then.
    pub fn try_send(&mut self, value: &Value) -> Result<(), FeedError> {
        self.misfit(value)?;
        let event_time_ns = self.clock.now_ns() as i64;
        self.try_write(&value.extents, event_time_ns, |bytes| bytes.copy_from_slice(value.bytes()))
    }

    /// Feeds a copy of `value` and waits for room up to `timeout`.
    ///
    /// # Errors
    /// See [`FeedError`]; [`FeedError::Full`] when there was no room in time.
    pub fn send(&mut self, value: &Value, timeout: Duration) -> Result<(), FeedError> {
        self.misfit(value)?;
        let start = self.clock.now_ns();
        while let Err(error) = self.room() {
            let waited = Duration::from_nanos(self.clock.now_ns() - start);
            if error == FeedError::Closed || waited >= timeout {
                return Err(error);
            }
            let Self { sleeper, port, tail, shared, .. } = self;
            sleeper.sleep_unless_for(timeout - waited, || {
                let ring = port.ring();
                shared.is_stopping()
                    || ring.is_some_and(|ring| has_room(*tail, ring.oldest_head(), ring.capacity()))
            });
        }
        self.try_send(value)
    }

    /// Feeds a token written in place: `write` gets the payload of these extents. No copy.
    ///
    /// # Errors
    /// See [`FeedError`]; `write` was not called then.
    ///
    /// # Panics
    /// When the extents do not fit the feed.
    #[expect(unsafe_code, reason = "the writer's end of the ring protocol")]
    pub fn try_write(
        &mut self,
        extents: &[usize],
        event_time_ns: i64,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), FeedError> {
        self.room()?;
        let stamp = Stamp {
            sequence: self.sequence,
            event_time_ns,
            ingest_time_ns: self.clock.now_ns() as i64,
        };
        let mut token = Token::new(stamp, State::VALUE);
        token.set_extents(&self.port.spec, extents);
        self.port.set_token(0, token);
        let bytes = self.port.payload_bytes(0);
        // SAFETY: ring rule 1: `room` showed that no reader holds this slot.
        write(&mut unsafe { self.port.payload_mut(0) }[..bytes]);
        self.publish();
        Ok(())
    }

    fn publish(&mut self) {
        if let Some(ring) = self.port.ring() {
            ring.publish(self.tail);
        }
        self.port.advance();
        self.tail += 1;
        self.sequence += 1;
        self.readers.iter().for_each(|bell| bell.ring());
    }

    /// Feeds null: there is deliberately no value for this step.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub fn try_send_null(&mut self) -> Result<(), FeedError> {
        self.room()?;
        let ingest_time_ns = self.clock.now_ns() as i64;
        let stamp =
            Stamp { sequence: self.sequence, event_time_ns: ingest_time_ns, ingest_time_ns };
        self.port.set_token(0, Token::new(stamp, State::NULL));
        self.publish();
        Ok(())
    }

    /// Leaves out sequence numbers: tokens that a source knows to be lost.
    pub fn skip(&mut self, count: u64) {
        self.sequence += count;
    }

    fn misfit(&self, value: &Value) -> Result<(), FeedError> {
        if value.fits(&self.port.spec) {
            return Ok(());
        }
        let (found, wanted) = (value.spec().to_string(), self.port.spec.to_string());
        Err(FeedError::Misfit { found, wanted })
    }

    /// Whether a slot is free.
    fn room(&mut self) -> Result<(), FeedError> {
        if self.shared.is_stopping() {
            return Err(FeedError::Closed);
        }
        // Without a ring nobody reads this feed: its one slot is always free.
        let Some(ring) = self.port.ring() else { return Ok(()) };
        if !has_room(self.tail, self.oldest, ring.capacity()) || self.oldest == u64::MAX {
            self.oldest = ring.oldest_head();
        }
        if self.oldest == u64::MAX {
            return Err(FeedError::Closed);
        }
        if has_room(self.tail, self.oldest, ring.capacity()) {
            Ok(())
        } else {
            Err(FeedError::Full)
        }
    }
}

fn has_room(tail: u64, oldest: u64, capacity: u64) -> bool {
    (tail + 1).saturating_sub(oldest) <= capacity
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(ring) = self.port.ring() {
            ring.close(self.tail);
        }
        self.readers.iter().for_each(|bell| bell.ring());
    }
}
