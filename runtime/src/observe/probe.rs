//! Probes: the latest token of a stream, looked at without disturbing it.
//!
//! A stream named in [`crate::plan::Limits::probes`] is not fused away. After each firing its lane
//! copies the token into the probe, unless somebody is just reading it: then the lane goes on
//! and the token is counted as missed. So a probe never waits, never allocates and never changes a
//! result. A probe of a stream on an accelerator would have to wait for the device: put it on the
//! stream's copy to the host.

use parking_lot::Mutex;
use std::sync::Arc;

use super::Counter;
use crate::actor::register::Port;
use crate::spec::{Extents, Spec};
use crate::token::{Stamp, State, Token};
use crate::value::Value;

/// What the lane leaves behind.
struct Latest {
    token: Option<Token>,
    payload: Vec<u8>,
    bytes: usize,
}

/// The mailbox of one stream.
pub(crate) struct Mailbox {
    spec: Arc<Spec>,
    latest: Mutex<Latest>,
    seen: Counter,
    missed: Counter,
}

impl Mailbox {
    pub(crate) fn new(spec: Arc<Spec>) -> Self {
        let latest = Latest { token: None, payload: vec![0; spec.bytes()], bytes: 0 };
        let (seen, missed) = (Counter::default(), Counter::default());
        Self { spec, latest: Mutex::new(latest), seen, missed }
    }

    /// Copies the (first) token of the port's current firing.
    pub(crate) fn leave(&self, port: &Port, stamp: Stamp, state: State) {
        let Some(mut latest) = self.latest.try_lock() else { return self.missed.add(1) };
        let mut token = port.token(0);
        (token.stamp, token.state) = (stamp, state);
        latest.token = Some(token);
        latest.bytes = 0;
        if state.is_value() {
            latest.bytes = port.copy_out(&mut latest.payload);
        }
        self.seen.add(1);
    }
}

/// A view of the latest token of one stream.
#[derive(Clone)]
pub struct Probe(pub(crate) Arc<Mailbox>);

/// A token that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Identity and times.
    pub stamp: Stamp,
    /// Its state.
    pub state: State,
    /// Its value; none for null and poison.
    pub value: Option<Value>,
}

impl Probe {
    /// The latest token, if there was any.
    #[must_use]
    pub fn latest(&self) -> Option<Seen> {
        let latest = self.0.latest.lock();
        let token = latest.token?;
        let extents: Extents = token.extents(&self.0.spec);
        let value = token.state.is_value().then(|| {
            let bytes = latest.payload[..latest.bytes].to_vec();
            Value::from_bytes(self.0.spec.element, &extents, bytes)
        });
        Some(Seen { stamp: token.stamp, state: token.state, value })
    }

    /// Tokens copied, and tokens missed because the probe was just being read.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.0.seen.get(), self.0.missed.get())
    }
}
