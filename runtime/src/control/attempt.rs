//! An attempt: one launch of a run, with the threads of its feeds and outlets.
//!
//! The run itself lies in the keeper's record, so that the supervisor can report it. Dropping an
//! attempt aborts its run and joins every thread, also while a panic unwinds.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::ControlError;
use super::border::{Inlet, Subscription, deliver, forward, spawn};
use crate::run::{Outlet, OutletError, Run, Stopper};

pub(super) struct Attempt {
    pub(super) stopper: Stopper,
    /// Hanging up tells the threads of the feeds to end; nothing is ever sent.
    open: (Option<Sender<Infallible>>, Receiver<Infallible>),
    feeds: Vec<JoinHandle<Inlet>>,
    /// Outlets that nobody has subscribed to.
    outlets: BTreeMap<String, Outlet>,
    deliveries: Vec<(Arc<str>, JoinHandle<()>)>,
    cut: Arc<AtomicBool>,
}

impl Attempt {
    pub(super) fn new(run: &Run) -> Self {
        let (sender, receiver) = bounded(0);
        Self {
            stopper: run.stopper(),
            open: (Some(sender), receiver),
            feeds: Vec::new(),
            outlets: BTreeMap::new(),
            deliveries: Vec::new(),
            cut: Arc::default(),
        }
    }

    /// Takes the feeds and outlets out of the run, and starts the threads of the feeds.
    pub(super) fn connect<'a>(
        &mut self,
        run: &mut Run,
        inlets: Vec<Inlet>,
        outlets: impl Iterator<Item = &'a str>,
    ) -> Result<(), ControlError> {
        for path in outlets {
            let outlet = run.outlet(path).expect("a new run has every outlet of its graph");
            self.outlets.insert(path.to_owned(), outlet);
        }
        for inlet in inlets {
            let feed = run.feed(&inlet.path).expect("a new run has every feed of its graph");
            let (open, stopper) = (self.open.1.clone(), self.stopper.clone());
            let (subject, name) = (format!("feed {}", inlet.path), inlet.run.clone());
            let work = move || forward(inlet, feed, &open, &stopper);
            self.feeds.push(spawn(&subject, &name, work)?);
        }
        Ok(())
    }

    /// Starts the thread that delivers the tokens of an outlet; false when the outlet is not there
    /// any more.
    pub(super) fn subscribe(&mut self, subscription: Subscription) -> Result<bool, ControlError> {
        let path = subscription.outlet.clone();
        let Some(outlet) = self.outlets.remove(&*path) else { return Ok(false) };
        let (cut, name) = (self.cut.clone(), subscription.run.clone());
        let work = move || deliver(&subscription, outlet, &cut);
        let thread = spawn(&format!("outlet {path}"), &name, work)?;
        self.deliveries.push((path, thread));
        Ok(true)
    }

    /// Ends the threads of the feeds, and with them the streams; gives the inlets back.
    pub(super) fn close_feeds(&mut self) -> Vec<Inlet> {
        self.open.0 = None;
        let joined = self.feeds.drain(..).map(JoinHandle::join);
        joined.map(|inlet| inlet.expect("forwarding does not panic")).collect()
    }

    /// Drops the outlets that nobody has subscribed to: the run is stopping, nobody will.
    pub(super) fn drop_unread(&mut self) {
        self.outlets.clear();
    }

    /// Whether everything was taken and answered, once the lanes have ended.
    pub(super) fn is_empty(&mut self) -> bool {
        // An outlet without subscriber whose stream has ended is of no use any more. A stream that
        // goes straight from a feed to an outlet may outlive the lanes.
        self.outlets.retain(|_, outlet| outlet.wait(Duration::ZERO) != Err(OutletError::Ended));
        self.outlets.is_empty() && self.unanswered().is_empty()
    }

    /// The outlets whose tokens are not all answered.
    pub(super) fn unanswered(&self) -> Vec<&str> {
        let open = self.deliveries.iter().filter(|(_, thread)| !thread.is_finished());
        open.map(|(path, _)| &**path).collect()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.stopper.abort();
        self.open.0 = None;
        self.outlets.clear();
        self.cut.store(true, Ordering::Release);
        for thread in self.feeds.drain(..) {
            // Its panic, a bug, was told when it happened.
            let _ = thread.join();
        }
        for (_, thread) in self.deliveries.drain(..) {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
