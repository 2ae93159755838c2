//! Control: runs as actix actors see them.
//!
//! The [`Supervisor`] is an actix actor that owns runs by name: it starts, stops, restarts and
//! reports them, feeds them and sends what comes out to subscribers. It is the control plane and
//! the border: tokens between nodes never travel through a mailbox, and a token that comes from or
//! goes to an actor crosses the border once.
//!
//! # Threads
//! 1. The supervisor's own handlers never wait: they look under a short lock or queue.
//! 2. Each run has one *keeper* thread, which owns it: it launches, obeys, restarts, drains.
//! 3. Each feed has one thread, which moves offered values into the run as credits come.
//! 4. Each outlet with a subscriber has one thread, which takes tokens and sends [`Delivery`]s.
//!
//! The keeper joins the threads of its feeds and outlets, the run joins its lanes, and the
//! supervisor joins its keepers. When the supervisor ends (it is stopped, its last address is
//! dropped, or its system is), it **aborts** its runs and waits for those threads, which takes no
//! longer than the volleys that are being fired. Whoever wants what is inside sends [`Stop`] first.
//!
//! # Bounds
//! * [`RUNS_MAX`] runs by name. At the bound, runs that have ended are forgotten; when all live,
//!   [`Start`] is refused.
//! * [`OFFERS_MAX`] values wait for each feed; at the bound [`Feed`] is answered with
//!   [`FeedError::Full`] at once.
//! * [`DELIVERIES_OPEN_MAX`] deliveries of an outlet are on their way to its subscriber. A credit
//!   comes back when the subscriber has *answered* a delivery, so a slow one fills the registers,
//!   then the graph, then the feeds, and nothing is lost.
//! * [`COMMANDS_MAX`] commands wait for each keeper; at the bound they are refused as busy.
//!
//! # Failure and restart
//! Under [`FaultPolicy::Stop`](crate::run::FaultPolicy) a failed firing ends the run. What was
//! inside still comes out, poisoned where it depended on the failure. With [`Restart::OnFailure`]
//! the plan is launched anew: parameters from the weights of the options, state from the initial
//! tokens, sequences from 0. Feeds and subscriptions carry over; a value whose [`Feed`] was not yet
//! answered goes into the new run. A value answered with success belonged to the run that failed.
//!
//! # Example
//! ```
//! use std::{sync::Arc, time::Duration};
//! use synfire_runtime::control::{Feed, Restart, Start, Stop, Supervisor};
//! use synfire_runtime::control::actix::{Actor, System};
//! use synfire_runtime::{define::Draft, device::Devices, launch::Options, place, plan};
//! use synfire_runtime::{spec::{Element, Spec}, value::Value};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("in", Spec::new(Element::I64, [1]));
//! draft.outlet("out", x);
//! let graph = draft.check().unwrap();
//! let placed = place::place(&graph, &Devices::cpu(1), &place::Placement::new()).unwrap();
//! let plan = Arc::new(plan::plan(&placed, &plan::Limits::default()).unwrap());
//! System::new().block_on(async {
//!     let (supervisor, name) = (Supervisor::new().start(), "echo".to_owned());
//!     let (options, restart) = (Options::default(), Restart::Never);
//!     supervisor.send(Start { name: name.clone(), plan, options, restart }).await??;
//!     let (feed, value) = ("in".to_owned(), Value::new(&[1], &[7_i64]));
//!     supervisor.send(Feed { name: name.clone(), feed, value }).await??;
//!     let report = supervisor.send(Stop { name, timeout: Duration::from_secs(5) }).await??;
//!     assert_eq!(report.links[0].left_over, 1, "nobody subscribed to `out`");
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! }).unwrap();
//! ```

mod answer; // responses from other threads
mod message; // what is asked and answered
mod border; // the threads of feeds and outlets
mod attempt; // one launch of a run
mod keeper; // the thread that owns a run

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use actix::{Actor, Context, Handler, MessageResult};
use crossbeam::channel::{Sender, TrySendError, bounded};
use parking_lot::Mutex;

use crate::run::FeedError;
use answer::{Answer, Deferred};
use border::{Inlet, Offer};
use keeper::{Command, Keeper, Record};

/// The actix that the messages are for.
pub use actix;
pub use message::{
    Abort, ControlError, Delivery, Feed, Observe, Restart, Start, State, Status, Stop, Subscribe,
};

/// How many runs a supervisor keeps by name, ended ones included.
pub const RUNS_MAX: usize = 1024;

/// How many values wait for a feed, beyond what its registers hold.
pub const OFFERS_MAX: usize = 64;

/// How many deliveries of an outlet its subscriber has not yet answered, at most.
pub const DELIVERIES_OPEN_MAX: usize = 8;

/// How many commands wait for a run, for instance while it is being launched.
pub const COMMANDS_MAX: usize = 64;

/// The actor that owns runs.
#[derive(Default)]
pub struct Supervisor {
    runs: BTreeMap<String, Kept>,
}

/// A run as the supervisor holds it; dropping it aborts the run and joins its keeper.
struct Kept {
    name: Arc<str>,
    outlets: Vec<String>,
    offers: BTreeMap<String, Sender<Offer>>,
    record: Arc<Mutex<Record>>,
    /// Hanging up tells the keeper to abort.
    commands: Option<Sender<Command>>,
    keeper: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// A supervisor without runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn run(&self, name: &str) -> Result<&Kept, ControlError> {
        self.runs.get(name).ok_or_else(|| {
            let known = self.runs.keys().cloned().collect::<Vec<_>>().join(", ");
            ControlError::UnknownRun { run: name.to_owned(), known }
        })
    }

    /// Whether a run of this name may start; makes room for it.
    fn admit(&mut self, name: &str) -> Result<(), ControlError> {
        if self.runs.get(name).is_some_and(|kept| !kept.is_over()) {
            return Err(ControlError::Running { run: name.to_owned() });
        }
        self.runs.remove(name);
        if self.runs.len() >= RUNS_MAX {
            self.runs.retain(|_, kept| !kept.is_over());
        }
        if self.runs.len() >= RUNS_MAX {
            return Err(ControlError::TooMany { run: name.to_owned(), most: RUNS_MAX });
        }
        Ok(())
    }

    /// Queues a command for the keeper of a run.
    fn tell<T: Send + 'static>(
        &self,
        name: &str,
        command: impl FnOnce(Answer<T>) -> Command + 'static,
    ) -> Deferred<T> {
        match self.run(name) {
            Ok(kept) => kept.tell(command),
            Err(error) => Deferred::refused(error),
        }
    }
}

impl Kept {
    /// Starts the keeper; what is given besides wants to know who waits for the launch.
    fn start(message: Start) -> Result<(Self, Sender<Answer<()>>), ControlError> {
        let name: Arc<str> = message.name.as_str().into();
        let (mut offers, mut inlets) = (BTreeMap::new(), Vec::new());
        let graph = message.plan.placed().graph();
        for (path, _) in graph.feeds() {
            let (sender, receiver) = bounded(OFFERS_MAX);
            offers.insert(path.to_owned(), sender);
            inlets.push(Inlet::new(&name, path, receiver));
        }
        let outlets = graph.outlets().map(|(path, _)| path.to_owned()).collect();
        let (sender, commands) = bounded(COMMANDS_MAX);
        let (start, started) = bounded(1);
        let record = Arc::new(Mutex::new(Record::new()));
        let keeper = Keeper::new(message, inlets, commands, record.clone());
        let keeper = border::spawn("keeper", &name, move || keeper.live(&started))?;
        let (commands, keeper) = (Some(sender), Some(keeper));
        Ok((Self { name, outlets, offers, record, commands, keeper }, start))
    }

    fn is_over(&self) -> bool {
        self.record.lock().state.is_over()
    }

    fn tell<T: Send + 'static>(
        &self,
        command: impl FnOnce(Answer<T>) -> Command + 'static,
    ) -> Deferred<T> {
        let (name, record) = (self.name.clone(), self.record.clone());
        let commands = self.commands.clone().expect("only dropping takes the sender");
        Deferred::new(move |answer| {
            // Keeper rule 1: whoever queues holds the lock and has seen that the run is not over.
            let record = record.lock();
            if let Some(error) = record.refusal(&name) {
                return answer.send(Err(error));
            }
            let run = name.to_string();
            match commands.try_send(command(answer)) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => command.refuse(ControlError::Busy { run }),
                // Only a keeper that panicked hangs up before its run is over.
                Err(TrySendError::Disconnected(command)) => {
                    command.refuse(ControlError::Ended { run });
                }
            }
        })
    }

    fn offer(&self, message: Feed) -> Deferred<()> {
        let Feed { name, feed, value } = message;
        let Some(offers) = self.offers.get(&feed).cloned() else {
            let wanted = self.offers.keys().cloned().collect::<Vec<_>>().join(", ");
            return Deferred::refused(ControlError::UnknownFeed { run: name, feed, wanted });
        };
        let record = self.record.clone();
        Deferred::new(move |answer| {
            // Keeper rule 1.
            let record = record.lock();
            let offer = Offer { value, answer };
            let offered = if record.state.takes_tokens() {
                offers.try_send(offer)
            } else {
                Err(TrySendError::Disconnected(offer))
            };
            let (offer, error) = match offered {
                Ok(()) => return,
                Err(TrySendError::Full(offer)) => (offer, FeedError::Full),
                Err(TrySendError::Disconnected(offer)) => (offer, FeedError::Closed),
            };
            offer.answer.send(Err(ControlError::Feed { run: name, feed, error }));
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has told so; its parts were joined while it unwound.
            let _ = keeper.join();
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<Start> for Supervisor {
    type Result = Deferred<()>;

    fn handle(&mut self, message: Start, _: &mut Context<Self>) -> Deferred<()> {
        let name = message.name.clone();
        match self.admit(&name).and_then(|()| Kept::start(message)) {
            Ok((kept, start)) => {
                self.runs.insert(name, kept);
                Deferred::new(move |answer| {
                    // There is room for the one answer that is ever sent.
                    let _ = start.try_send(answer);
                })
            }
            Err(error) => Deferred::refused(error),
        }
    }
}

impl Handler<Stop> for Supervisor {
    type Result = Deferred<crate::observe::Report>;

    fn handle(&mut self, Stop { name, timeout }: Stop, _: &mut Context<Self>) -> Self::Result {
        self.tell(&name, move |answer| Command::Stop { timeout, answer })
    }
}

impl Handler<Abort> for Supervisor {
    type Result = Deferred<crate::observe::Report>;

    fn handle(&mut self, Abort { name }: Abort, _: &mut Context<Self>) -> Self::Result {
        self.tell(&name, |answer| Command::Abort { answer })
    }
}

impl Handler<Subscribe> for Supervisor {
    type Result = Deferred<()>;

    fn handle(&mut self, message: Subscribe, _: &mut Context<Self>) -> Deferred<()> {
        let Subscribe { name, outlet, recipient } = message;
        match self.run(&name) {
            Ok(kept) if !kept.outlets.contains(&outlet) => {
                let wanted = kept.outlets.join(", ");
                Deferred::refused(ControlError::UnknownOutlet { run: name, outlet, wanted })
            }
            Ok(kept) => kept.tell(|answer| Command::Subscribe { outlet, recipient, answer }),
            Err(error) => Deferred::refused(error),
        }
    }
}

impl Handler<Feed> for Supervisor {
    type Result = Deferred<()>;

    fn handle(&mut self, message: Feed, _: &mut Context<Self>) -> Deferred<()> {
        match self.run(&message.name) {
            Ok(kept) => kept.offer(message),
            Err(error) => Deferred::refused(error),
        }
    }
}

impl Handler<Observe> for Supervisor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let rows = self.runs.iter();
        MessageResult(
            rows.map(|(name, kept)| (name.clone(), kept.record.lock().status())).collect(),
        )
    }
}
