//! Messages to the supervisor and its subscribers, what they are answered with, and what can be
//! wrong with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};

use crate::fault::Faults;
use crate::launch::Options;
use crate::observe::Report;
use crate::plan::Plan;
use crate::run::{FeedError, Output, RunError};
use crate::value::Value;

/// Launches a plan under a name; answered when its lanes run. The name of a run that has ended
/// may be given again.
pub struct Start {
    /// The name of the run.
    pub name: String,
    /// What to run, now and at every restart.
    pub plan: Arc<Plan>,
    /// How to run it. Timeouts and restarts are counted by its clock, which must move by itself.
    pub options: Options,
    /// What to do when it fails.
    pub restart: Restart,
}

/// What to do when a run ends by a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It stays failed.
    Never,
    /// It is launched anew, unless that has happened `most` times `within` the last such time.
    OnFailure {
        /// The largest number of restarts.
        most: u32,
        /// The time in which they are counted.
        within: Duration,
    },
}

/// Closes the feeds, lets everything come out that was fed, and ends the run. Values whose [`Feed`]
/// is not yet answered are refused. Answered when subscribers have answered every delivery.
pub struct Stop {
    /// The name of the run.
    pub name: String,
    /// How long to wait; the run is aborted then.
    pub timeout: Duration,
}

/// Ends the run at the next volley; what is inside is lost and counted.
pub struct Abort {
    /// The name of the run.
    pub name: String,
}

/// Sends all tokens of an outlet to one actor, in order. An outlet keeps its tokens until it is
/// subscribed to, so none is missed, and the graph waits when its registers are full. When the
/// subscriber has stopped, the outlet is dropped: nobody wants its tokens.
pub struct Subscribe {
    /// The name of the run.
    pub name: String,
    /// Path of the outlet.
    pub outlet: String,
    /// Who gets its tokens. The credit of a token comes back when its [`Delivery`] is answered.
    pub recipient: Recipient<Delivery>,
}

/// A token that came out of a run.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The name of the run.
    pub run: Arc<str>,
    /// Path of the outlet.
    pub outlet: Arc<str>,
    /// The token. Its sequence starts from 0 again after a restart.
    pub output: Output,
}

/// Feeds a value; answered with success when it is in a register of the run.
pub struct Feed {
    /// The name of the run.
    pub name: String,
    /// Path of the feed.
    pub feed: String,
    /// The token's value.
    pub value: Value,
}

/// Asks for the status of every run, by name.
pub struct Observe;

/// How a run is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// How often it was restarted.
    pub restarts: u64,
    /// What its last launch did so far; none before it.
    pub report: Option<Report>,
}

/// What a run is doing.
#[derive(Clone, Debug)]
pub enum State {
    /// It is being launched.
    Starting,
    /// Its lanes run.
    Running,
    /// It failed and is being launched anew.
    Restarting,
    /// It was told to stop, and what is inside comes out.
    Stopping,
    /// It ended by itself, or was stopped or aborted.
    Ended,
    /// It could not be launched, failed once too often, or did not stop in time.
    Failed(ControlError),
}

impl State {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Ended | Self::Failed(_))
    }

    /// Whether values may be fed, now or after the restart.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Restarting)
    }
}

/// Why the supervisor did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ControlError {
    /// No run has this name.
    #[error("found no run {run}; there are: {known}")]
    UnknownRun {
        /// What was asked for.
        run: String,
        /// The names of the runs.
        known: String,
    },
    /// The run has no such feed.
    #[error("run {run} has no feed {feed}; its feeds are: {wanted}")]
    UnknownFeed {
        /// The run.
        run: String,
        /// What was asked for.
        feed: String,
        /// The paths of its feeds.
        wanted: String,
    },
    /// The run has no such outlet.
    #[error("run {run} has no outlet {outlet}; its outlets are: {wanted}")]
    UnknownOutlet {
        /// The run.
        run: String,
        /// What was asked for.
        outlet: String,
        /// The paths of its outlets.
        wanted: String,
    },
    /// A run of this name has not ended.
    #[error("run {run} has not ended; stop it or give another name")]
    Running {
        /// The run.
        run: String,
    },
    /// The supervisor has as many runs as it may have.
    #[error("run {run} would be one more than {most}; stop another first")]
    TooMany {
        /// The run.
        run: String,
        /// The bound.
        most: usize,
    },
    /// The run has ended or is being stopped.
    #[error("run {run} has ended or is being stopped")]
    Ended {
        /// The run.
        run: String,
    },
    /// Too many commands wait for the run, for instance because its launch takes long.
    #[error("run {run} has too many commands waiting; ask again later")]
    Busy {
        /// The run.
        run: String,
    },
    /// The outlet has a subscriber, or had one that has stopped.
    #[error("outlet {outlet} of run {run} was subscribed to before")]
    Taken {
        /// The run.
        run: String,
        /// The outlet.
        outlet: String,
    },
    /// The value was not fed.
    #[error("feed {feed} of run {run}: {error}")]
    Feed {
        /// The run.
        run: String,
        /// The feed.
        feed: String,
        /// Why.
        error: FeedError,
    },
    /// The plan could not be launched.
    #[error("run {run} could not be launched: {faults}")]
    Launch {
        /// The run.
        run: String,
        /// What is wrong with it.
        faults: Faults,
    },
    /// The run ended badly.
    #[error("run {run}: {error}")]
    Run {
        /// The run.
        run: String,
        /// How.
        error: RunError,
    },
    /// Everything came out of the lanes, but not all of it was answered by subscribers in time.
    #[error("run {run}: after {waited_ms} ms the subscribers of {outlets} had not answered")]
    Unanswered {
        /// The run.
        run: String,
        /// The outlets.
        outlets: String,
        /// How long was waited.
        waited_ms: u128,
    },
    /// The system gave no thread.
    #[error("no thread for {subject} of run {run}: {error}")]
    Thread {
        /// The run.
        run: String,
        /// What the thread was for.
        subject: String,
        /// What the system said.
        error: String,
    },
}

impl Message for Start {
    type Result = Result<(), ControlError>;
}

impl Message for Stop {
    type Result = Result<Report, ControlError>;
}

impl Message for Abort {
    type Result = Result<Report, ControlError>;
}

impl Message for Subscribe {
    type Result = Result<(), ControlError>;
}

impl Message for Delivery {
    type Result = ();
}

impl Message for Feed {
    type Result = Result<(), ControlError>;
}

impl Message for Observe {
    type Result = BTreeMap<String, Status>;
}
