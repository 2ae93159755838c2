//! The keeper: the thread that owns one run through all its launches.
//!
//! # Rules
//! 1. Commands and offers are queued only under the lock of the record, and only while its state
//!    is not over (commands) or takes tokens (offers). So once the keeper has changed the state,
//!    it can empty a queue and knows that nothing comes after.
//! 2. Feeds are closed and their threads joined before the run is told to stop: a token whose feed
//!    was answered with success is in a ring that was closed behind it, and comes out.
//! 3. The record's lock is held for a look, a report or a change of state, never while waiting.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use crossbeam::channel::{Receiver, RecvTimeoutError};
use parking_lot::Mutex;

use super::answer::Answer;
use super::attempt::Attempt;
use super::border::{Inlet, Subscription};
use super::{ControlError, Delivery, Restart, Start, State, Status};
use crate::launch::{Options, launch};
use crate::observe::Report;
use crate::plan::Plan;
use crate::run::{Run, RunError};

/// How often a keeper without commands looks whether its run has ended, and how soon the thread of
/// a full feed sees that it shall end.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// What the supervisor asks of a keeper.
pub(super) enum Command {
    Subscribe { outlet: String, recipient: Recipient<Delivery>, answer: Answer<()> },
    Stop { timeout: Duration, answer: Answer<Report> },
    Abort { answer: Answer<Report> },
}

impl Command {
    pub(super) fn refuse(self, error: ControlError) {
        match self {
            Self::Subscribe { answer, .. } => answer.send(Err(error)),
            Self::Stop { answer, .. } | Self::Abort { answer } => answer.send(Err(error)),
        }
    }
}

/// What supervisor and keeper share of a run.
pub(super) struct Record {
    pub(super) state: State,
    restarts: u64,
    /// The run, while its lanes live.
    run: Option<Run>,
    /// What was last known of it, afterwards.
    report: Option<Report>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self { state: State::Starting, restarts: 0, run: None, report: None }
    }

    pub(super) fn status(&self) -> Status {
        let report = self.run.as_ref().map(Run::report).or_else(|| self.report.clone());
        Status { state: self.state.clone(), restarts: self.restarts, report }
    }

    /// Why the run takes no commands, if it takes none.
    pub(super) fn refusal(&self, run: &str) -> Option<ControlError> {
        match &self.state {
            State::Failed(error) => Some(error.clone()),
            State::Ended => Some(ControlError::Ended { run: run.to_owned() }),
            _ => None,
        }
    }
}

/// Who waits for the run to start or to end, and how it shall.
#[derive(Default)]
struct Asked {
    start: Option<Answer<()>>,
    stop: Option<Stopping>,
    abort: Option<Answer<Report>>,
    /// To be aborted now: asked, late, or left alone by the supervisor.
    is_cut: bool,
}

struct Stopping {
    timeout: Duration,
    deadline_ns: u64,
    answer: Answer<Report>,
}

pub(super) struct Keeper {
    name: Arc<str>,
    plan: Arc<Plan>,
    options: Options,
    restart: Restart,
    /// The feeds, while no attempt has them.
    inlets: Vec<Inlet>,
    subscriptions: BTreeMap<String, Recipient<Delivery>>,
    commands: Receiver<Command>,
    record: Arc<Mutex<Record>>,
    /// When it was restarted; at most as many as may count.
    restarts_ns: VecDeque<u64>,
}

impl Keeper {
    pub(super) fn new(
        start: Start,
        inlets: Vec<Inlet>,
        commands: Receiver<Command>,
        record: Arc<Mutex<Record>>,
    ) -> Self {
        let Start { name, plan, options, restart } = start;
        Self {
            name: name.into(),
            plan,
            options,
            restart,
            inlets,
            subscriptions: BTreeMap::new(),
            commands,
            record,
            restarts_ns: VecDeque::new(),
        }
    }

    /// The life of the thread. `started` gives who waits for the launch.
    pub(super) fn live(mut self, started: &Receiver<Answer<()>>) {
        let mut asked = Asked { start: started.recv().ok(), ..Asked::default() };
        let result = loop {
            let result = self.launch().and_then(|mut attempt| {
                if let Some(answer) = asked.start.take() {
                    answer.send(Ok(()));
                }
                while !asked.is_cut && !self.has_ended(&mut attempt) {
                    self.attend(&mut attempt, &mut asked);
                }
                self.finish(attempt, &asked)
            });
            let Err(ControlError::Run { error, .. }) = &result else { break result };
            if asked.is_cut || asked.stop.is_some() || !self.may_restart() {
                break result;
            }
            tracing::warn!(run = %self.name, %error, "the run failed and is restarted");
        };
        self.close(result, asked);
    }

    fn launch(&mut self) -> Result<Attempt, ControlError> {
        let launched = launch(&self.plan, &self.options);
        let mut run = launched
            .map_err(|faults| ControlError::Launch { run: self.name.to_string(), faults })?;
        let mut attempt = Attempt::new(&run);
        let plan = self.plan.clone();
        let outlets = plan.placed().graph().outlets().map(|(path, _)| path);
        attempt.connect(&mut run, std::mem::take(&mut self.inlets), outlets)?;
        for (outlet, recipient) in &self.subscriptions {
            attempt.subscribe(self.subscription(outlet, recipient))?;
        }
        let mut record = self.record.lock();
        (record.state, record.run) = (State::Running, Some(run));
        tracing::info!(run = %self.name, restarts = record.restarts, "the run was launched");
        drop(record);
        Ok(attempt)
    }

    fn subscription(&self, outlet: &str, recipient: &Recipient<Delivery>) -> Subscription {
        let (run, recipient) = (self.name.clone(), recipient.clone());
        Subscription { run, outlet: outlet.into(), recipient }
    }

    fn has_ended(&mut self, attempt: &mut Attempt) -> bool {
        if attempt.stopper.is_stopping() {
            self.inlets.extend(attempt.close_feeds());
            attempt.drop_unread();
        }
        let lanes_ended = self.record.lock().run.as_mut().is_none_or(Run::is_finished);
        lanes_ended && attempt.is_empty()
    }

    /// Obeys a command, or waits for one until it is time to look.
    fn attend(&mut self, attempt: &mut Attempt, asked: &mut Asked) {
        match self.commands.recv_timeout(LOOK) {
            Ok(command) => self.obey(command, attempt, asked),
            Err(RecvTimeoutError::Disconnected) => asked.is_cut = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now_ns = self.options.clock.now_ns();
        asked.is_cut |= asked.stop.as_ref().is_some_and(|stop| now_ns >= stop.deadline_ns);
    }

    fn obey(&mut self, command: Command, attempt: &mut Attempt, asked: &mut Asked) {
        match command {
            Command::Subscribe { outlet, recipient, answer } => {
                let result = attempt.subscribe(self.subscription(&outlet, &recipient));
                answer.send(result.and_then(|is_new| {
                    let run = self.name.to_string();
                    let error = ControlError::Taken { run, outlet: outlet.clone() };
                    is_new.then_some(()).ok_or(error)?;
                    self.subscriptions.insert(outlet, recipient);
                    Ok(())
                }));
            }
            Command::Stop { answer, .. } if asked.stop.is_some() => {
                answer.send(Err(ControlError::Ended { run: self.name.to_string() }));
            }
            Command::Stop { timeout, answer } => {
                self.record.lock().state = State::Stopping;
                // Rules 1 and 2.
                self.inlets.extend(attempt.close_feeds());
                self.inlets.iter_mut().for_each(Inlet::close);
                attempt.stopper.stop();
                let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
                let deadline_ns = self.options.clock.now_ns().saturating_add(timeout_ns);
                asked.stop = Some(Stopping { timeout, deadline_ns, answer });
            }
            Command::Abort { answer } => (asked.abort, asked.is_cut) = (Some(answer), true),
        }
    }

    /// Takes the run apart and says how it ended.
    fn finish(&mut self, mut attempt: Attempt, asked: &Asked) -> Result<Report, ControlError> {
        if asked.is_cut {
            // A feed in mid-send sees it at once.
            attempt.stopper.stop();
        }
        self.inlets.extend(attempt.close_feeds());
        let mut record = self.record.lock();
        let run = record.run.take().expect("an attempt has a run");
        record.report = Some(run.report());
        drop(record);
        let name = || self.name.to_string();
        let result = match &asked.stop {
            Some(stop) if asked.is_cut && asked.abort.is_none() => {
                let waited_ms = stop.timeout.as_millis();
                let outlets = attempt.unanswered().join(", ");
                match run.drain(Duration::ZERO) {
                    Err(RunError::Stuck { lanes, .. }) => {
                        let error = RunError::Stuck { lanes, waited_ms };
                        Err(ControlError::Run { run: name(), error })
                    }
                    Err(error) => Err(ControlError::Run { run: name(), error }),
                    Ok(_) if !outlets.is_empty() => {
                        Err(ControlError::Unanswered { run: name(), outlets, waited_ms })
                    }
                    Ok(report) => Ok(report),
                }
            }
            _ if asked.is_cut => Ok(run.abort()),
            _ => {
                run.drain(Duration::ZERO).map_err(|error| ControlError::Run { run: name(), error })
            }
        };
        drop(attempt);
        result
    }

    /// Whether the policy allows one more restart now; counts it.
    fn may_restart(&mut self) -> bool {
        let Restart::OnFailure { most, within } = self.restart else { return false };
        let now_ns = self.options.clock.now_ns();
        let counts = |at_ns: &u64| u128::from(now_ns - at_ns) < within.as_nanos();
        self.restarts_ns.retain(counts);
        let may = self.restarts_ns.len() < most as usize;
        if may {
            self.restarts_ns.push_back(now_ns);
            let mut record = self.record.lock();
            record.restarts += 1;
            record.state = State::Restarting;
        }
        may
    }

    /// Answers everyone who still waits.
    fn close(mut self, result: Result<Report, ControlError>, asked: Asked) {
        let ended = ControlError::Ended { run: self.name.to_string() };
        let (state, refusal) = match &result {
            Ok(_) => (State::Ended, ended.clone()),
            Err(error) => (State::Failed(error.clone()), error.clone()),
        };
        match &result {
            Ok(_) => tracing::info!(run = %self.name, "the run has ended"),
            Err(error) => tracing::error!(run = %self.name, %error, "the run has failed"),
        }
        let mut record = self.record.lock();
        record.state = state;
        if let Ok(report) = &result {
            record.report = Some(report.clone());
        }
        drop(record);
        // Rule 1.
        self.inlets.iter_mut().for_each(Inlet::close);
        for command in self.commands.try_iter() {
            command.refuse(refusal.clone());
        }
        if let Some(start) = asked.start {
            start.send(Err(refusal));
        }
        match (asked.stop, asked.abort) {
            (Some(stop), Some(abort)) => {
                stop.answer.send(Err(ended));
                abort.send(result);
            }
            (Some(Stopping { answer, .. }), None) | (None, Some(answer)) => answer.send(result),
            (None, None) => {}
        }
    }
}
