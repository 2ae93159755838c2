//! Outlets: tokens coming out.

use std::sync::Arc;
use std::time::Duration;

use super::{Failure, Shared};
use crate::actor::bell::{Bell, Sleeper};
use crate::actor::register::Port;
use crate::spec::{Extents, Spec};
use crate::token::Stamp;
use crate::value::Value;

/// The reading end of an outlet. Dropping it means that nobody wants its tokens.
pub struct Outlet {
    port: Port,
    /// Which reader of the ring, and which link of the plan.
    reader: (usize, usize),
    head: u64,
    sleeper: Sleeper,
    writer: Arc<Bell>,
    shared: Arc<Shared>,
}

/// A token that came out.
#[derive(Clone, Debug)]
pub struct Output {
    /// Identity and times.
    pub stamp: Stamp,
    /// The value; none for null; or the failure that it depended on.
    pub value: Result<Option<Value>, Failure>,
}

/// Why nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutletError {
    /// Nothing yet.
    #[error("nothing has come out yet")]
    Empty,
    /// The stream has ended and everything was taken.
    #[error("the stream has ended")]
    Ended,
}

impl Outlet {
    pub(crate) fn new(
        port: Port,
        reader: (usize, usize),
        head: u64,
        (sleeper, writer): (Sleeper, Arc<Bell>),
        shared: Arc<Shared>,
    ) -> Self {
        Self { port, reader, head, sleeper, writer, shared }
    }

    /// What comes out.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.port.spec
    }

    /// Takes a copy of the next token, if there is one now.
    ///
    /// # Errors
    /// See [`OutletError`].
    pub fn try_receive(&mut self) -> Result<Output, OutletError> {
        let element = self.port.spec.element;
        let take =
            |bytes: &[u8], extents: Extents| Value::from_bytes(element, &extents, bytes.to_vec());
        self.try_read(take).map(|(stamp, value)| Output { stamp, value })
    }

    /// Takes a copy of the next token and waits for it up to `timeout`.
    ///
    /// # Errors
    /// See [`OutletError`]; [`OutletError::Empty`] when nothing came out in time.
    pub fn receive(&mut self, timeout: Duration) -> Result<Output, OutletError> {
        self.wait(timeout)?;
        self.try_receive()
    }

    /// Waits up to `timeout` for a token.
    ///
    /// # Errors
    /// See [`OutletError`].
    pub fn wait(&mut self, timeout: Duration) -> Result<(), OutletError> {
        let start = self.shared.clock.now_ns();
        loop {
            match self.state() {
                Err(OutletError::Empty) => {}
                state => return state,
            }
            let waited = Duration::from_nanos(self.shared.clock.now_ns() - start);
            if waited >= timeout {
                return Err(OutletError::Empty);
            }
            let this = &*self;
            self.sleeper
                .sleep_unless_for(timeout - waited, || this.state() != Err(OutletError::Empty));
        }
    }

    /// Reads the next token in place: `read` gets its payload and extents. No copy.
    ///
    /// # Errors
    /// See [`OutletError`]; `read` is not called for null and failures.
    #[expect(unsafe_code, reason = "the reader's end of the ring protocol")]
    pub fn try_read<R>(
        &mut self,
        read: impl FnOnce(&[u8], Extents) -> R,
    ) -> Result<(Stamp, Result<Option<R>, Failure>), OutletError> {
        self.state()?;
        let token = self.port.token(0);
        let value = if let Some(cause) = token.state.cause() {
            Err(self.shared.failure(cause))
        } else if token.state.is_null() {
            Ok(None)
        } else {
            let bytes = self.port.payload_bytes(0);
            self.shared.count_passed(self.reader.1, bytes as u64);
            // SAFETY: ring rule 2: the token is published and its credit not yet returned.
            let payload = unsafe { self.port.payload(0) };
            Ok(Some(read(&payload[..bytes], self.port.extents(0))))
        };
        self.head += 1;
        self.shared.count_head(self.reader.1, self.head);
        self.port.advance();
        if let Some(ring) = self.port.ring() {
            ring.release(self.reader.0, self.head);
        }
        self.writer.ring();
        Ok((token.stamp, value))
    }

    fn state(&self) -> Result<(), OutletError> {
        let ring = self.port.ring().expect("outlets read rings");
        if ring.is_published(self.head) {
            return Ok(());
        }
        let ended = ring.closed_at().is_some_and(|tail| tail <= self.head);
        if !ended {
            return Err(OutletError::Empty);
        }
        // Published and closed between the two looks: look once more.
        if ring.is_published(self.head) { Ok(()) } else { Err(OutletError::Ended) }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let ring = self.port.ring().expect("outlets read rings");
        ring.leave(self.reader.0);
        self.writer.ring();
    }
}
