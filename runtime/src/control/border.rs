//! The border: the threads that move tokens between mailboxes and the registers of a run.
//!
//! A feed's thread owns the feed and is alone in reading its queue of offers. An outlet's thread
//! owns the outlet and its requests to the subscriber. Neither touches anything else of a run.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use actix::Recipient;
use actix::dev::RecipientRequest;
use crossbeam::channel::{Receiver, TryRecvError, select_biased};

use super::answer::Answer;
use super::keeper::LOOK;
use super::{ControlError, DELIVERIES_OPEN_MAX, Delivery};
use crate::run::{Feed, FeedError, Outlet, Stopper};
use crate::value::Value;

/// A value to be fed, and who waits for the answer.
pub(super) struct Offer {
    pub(super) value: Value,
    pub(super) answer: Answer<()>,
}

/// A feed as the control plane sees it; it outlives the launches of its run.
pub(super) struct Inlet {
    pub(super) run: Arc<str>,
    pub(super) path: String,
    pub(super) offers: Receiver<Offer>,
    /// Taken from the queue, but not yet in a register when the last launch ended.
    pub(super) held: Option<Offer>,
}

impl Inlet {
    pub(super) fn new(run: &Arc<str>, path: &str, offers: Receiver<Offer>) -> Self {
        Self { run: run.clone(), path: path.to_owned(), offers, held: None }
    }

    pub(super) fn error(&self, error: FeedError) -> ControlError {
        ControlError::Feed { run: self.run.to_string(), feed: self.path.clone(), error }
    }

    /// Refuses every offer; the caller has seen to it that no more will come.
    pub(super) fn close(&mut self) {
        for offer in self.held.take().into_iter().chain(self.offers.try_iter()) {
            offer.answer.send(Err(self.error(FeedError::Closed)));
        }
    }
}

/// Starts a thread named after its subject and run.
pub(super) fn spawn<T: Send + 'static>(
    subject: &str,
    run: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ControlError> {
    // A thread's name must not contain NUL.
    let name = format!("{subject} {run}").replace('\0', " ");
    std::thread::Builder::new().name(name).spawn(work).map_err(|error| ControlError::Thread {
        run: run.to_owned(),
        subject: subject.to_owned(),
        error: error.to_string(),
    })
}

/// Moves offers into a feed, one at a time, until `open` hangs up or the run is stopping.
/// Gives the inlet back, with the offer in hand if it was not fed.
pub(super) fn forward(
    mut inlet: Inlet,
    mut feed: Feed,
    open: &Receiver<Infallible>,
    stopper: &Stopper,
) -> Inlet {
    loop {
        let offer = inlet.held.take().or_else(|| {
            select_biased! {
                recv(open) -> _ => None,
                recv(inlet.offers) -> offer => offer.ok(),
            }
        });
        let Some(offer) = offer else { return inlet };
        let result = loop {
            // The feed wakes for room and for the end; only `open` has to be looked at.
            match feed.send(&offer.value, LOOK) {
                Err(FeedError::Full) if open.try_recv() == Err(TryRecvError::Empty) => {}
                result => break result,
            }
        };
        match result {
            Err(FeedError::Full) => return Inlet { held: Some(offer), ..inlet },
            Err(FeedError::Closed) if stopper.is_stopping() => {
                return Inlet { held: Some(offer), ..inlet };
            }
            result => offer.answer.send(result.map_err(|error| inlet.error(error))),
        }
    }
}

/// Where the tokens of an outlet go.
pub(super) struct Subscription {
    pub(super) run: Arc<str>,
    pub(super) outlet: Arc<str>,
    pub(super) recipient: Recipient<Delivery>,
}

/// Sends the tokens of an outlet to its subscriber until the stream ends, the subscriber has
/// stopped, or `cut` is set and the thread unparked.
///
/// A token is taken only when there is a credit for it: fewer than [`DELIVERIES_OPEN_MAX`]
/// requests are open. At the end, waits until all are answered.
pub(super) fn deliver(subscription: &Subscription, mut outlet: Outlet, cut: &AtomicBool) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut open = VecDeque::with_capacity(DELIVERIES_OPEN_MAX);
    let Subscription { run, outlet: path, recipient } = subscription;
    while outlet.wait(Duration::MAX).is_ok() {
        if open.len() == DELIVERIES_OPEN_MAX && !answered(&mut open, &mut context, cut) {
            return;
        }
        if cut.load(Ordering::Acquire) {
            return;
        }
        let output = outlet.try_receive().expect("this thread alone takes what it waited for");
        let delivery = Delivery { run: run.clone(), outlet: path.clone(), output };
        let mut request = Box::pin(recipient.send(delivery));
        // The first poll puts it into the mailbox: a request that found the mailbox full has a
        // sender of its own, which the mailbox always admits.
        match request.as_mut().poll(&mut context) {
            Poll::Pending => open.push_back(request),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => {
                tracing::info!(%run, outlet = %path, "the subscriber has stopped");
                return;
            }
        }
    }
    while !open.is_empty() && answered(&mut open, &mut context, cut) {}
}

/// Waits until the oldest request is answered; false when its subscriber has stopped or the thread
/// is cut.
fn answered(
    open: &mut VecDeque<Pin<Box<RecipientRequest<Delivery>>>>,
    context: &mut Context<'_>,
    cut: &AtomicBool,
) -> bool {
    let Some(mut oldest) = open.pop_front() else { return true };
    loop {
        if cut.load(Ordering::Acquire) {
            return false;
        }
        match oldest.as_mut().poll(context) {
            Poll::Ready(result) => return result.is_ok(),
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Wakes a thread that waits for an answer.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
