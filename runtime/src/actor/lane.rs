//! Lanes: one thread's actors, fired volley by volley.
//!
//! # Rules
//! 1. A volley may fire when every stream that it waits for holds the tokens of one iteration and
//!    every ring that it writes has room for one. Inside a volley nothing is asked.
//! 2. A volley ends when a stream that it waits for is closed and used up, when its source has
//!    nothing more, when the run is told to stop and it is a source, or when all who read it have
//!    left and it has no effect of its own. It then closes its rings and leaves those it reads, so
//!    the end floods downstream and nobody upstream waits for it.
//! 3. A firing whose inputs are null or poisoned is skipped and its outputs say so. A firing that
//!    fails or panics poisons its outputs. Credits are conserved in every case.
//! 4. A reader behind a delay does not see poison: the writer leaves the last good payload in
//!    place of the one that failed, and the reader takes it (last good value held).
//!
//! # What a hop costs
//! All firings of an iteration of a volley share one stamp, that of the tokens it waited for. While
//! every token of an iteration has a value, which is nearly always, nothing is written or read
//! about registers inside the volley: the line is *clean*. The first null, poison or failure
//! *sullies* it: the states left out so far are written, and from there on each is looked at.
//!
//! The same code runs on threads and, one poll at a time, in the simulator.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::body::{Actor, Scratch};
use super::cell::Cell;
use super::volley::{Line, Readiness, Volley, wrapped};
use crate::crew::Crew;
use crate::observe::{LaneMeter, Tracer};
use crate::operator::FireError;
use crate::run::Shared;
use crate::token::{Stamp, State, Token};

/// How a lane looks for a volley that may fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The plan's cyclic order: waits for the next volley even if a later one could fire.
    Static,
    /// Any volley that may fire, from the one after the last.
    Ready,
}

/// What a poll of a lane came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    Fired,
    Idle,
    Done,
}

/// Where in its volley a lane is.
#[derive(Clone, Copy)]
struct Position {
    volley: usize,
    step: usize,
    time: u32,
}

/// One lane.
pub(crate) struct Lane {
    pub(crate) actors: Vec<Actor>,
    pub(crate) volleys: Vec<Volley>,
    pub(crate) order: Order,
    pub(crate) batch: u32,
    pub(crate) next: usize,
    pub(crate) crew: Crew,
    pub(crate) scratch: Scratch,
    pub(crate) shared: Arc<Shared>,
    pub(crate) meter: Arc<LaneMeter>,
    pub(crate) tracer: Option<Tracer>,
    /// Whether firings are timed or made to fail.
    pub(crate) watched: bool,
    pub(crate) line: Line,
    /// Its place among the lanes.
    pub(crate) index: usize,
    /// Iterations before the launch: all its counts begin there.
    pub(crate) before: u64,
    /// What it keeps from one iteration to the next.
    pub(crate) cells: Vec<Cell>,
}

impl Lane {
    /// Calls every kernel's `prepare`; the constants are in place.
    pub(crate) fn prepare(&mut self) -> Result<(), (usize, FireError)> {
        for actor in &mut self.actors {
            actor.prepare(&self.crew, self.scratch.take()).map_err(|e| (actor.index, e))?;
        }
        Ok(())
    }

    /// Fires one volley, if one may fire, up to `batch` times.
    pub(crate) fn poll(&mut self) -> Polled {
        let volleys = self.volleys.len();
        let candidates = if self.order == Order::Static { 1 } else { volleys };
        let mut place = self.next;
        for _ in 0..volleys {
            if !self.volleys[place].ended {
                break;
            }
            place = (place + 1) % volleys;
        }
        for offset in 0..candidates {
            let index = (place + offset) % volleys;
            if self.poll_volley(index) {
                self.next = (index + 1) % volleys;
                return Polled::Fired;
            }
        }
        if self.volleys.iter().all(|volley| volley.ended) { Polled::Done } else { Polled::Idle }
    }

    /// Fires this volley, or ends it; false when it must wait.
    pub(crate) fn poll_volley(&mut self, index: usize) -> bool {
        let mut moved = false;
        for _ in 0..self.batch {
            if self.volleys[index].ended {
                break;
            }
            match self.volleys[index].readiness(&self.shared) {
                Readiness::Blocked => break,
                Readiness::Over => self.end(index),
                Readiness::Ready => self.fire_volley(index),
            }
            moved = true;
        }
        moved
    }

    /// Looks up to `times` times at the first stream that the next volley waits for, and at nothing
    /// else: a token that comes is seen as soon as its cache line is there.
    #[inline]
    pub(crate) fn spin(&self, times: u32) {
        let Some(wait) = self.volleys[self.next].waits.first() else {
            return std::hint::spin_loop();
        };
        let last = wait.head + wait.tokens - 1;
        for look in 0..times {
            if wait.ring.is_published_in(wait.slot, last) {
                return;
            }
            // A pause takes longer than a look: most looks go without.
            if look % 4 == 3 {
                std::hint::spin_loop();
            }
        }
    }

    /// Whether any volley could move: the second look before sleeping.
    pub(crate) fn could_move(&mut self) -> bool {
        let blocked = |lane: &mut Self, index: usize| {
            lane.volleys[index].ended
                || matches!(lane.volleys[index].readiness(&lane.shared), Readiness::Blocked)
        };
        if self.order == Order::Static {
            let next = self.next;
            let mut places = (0..self.volleys.len()).map(|k| (next + k) % self.volleys.len());
            let place = places.find(|&place| !self.volleys[place].ended);
            return place.is_some_and(|place| !blocked(self, place));
        }
        (0..self.volleys.len()).any(|index| !blocked(self, index))
    }

    fn fire_volley(&mut self, index: usize) {
        let volley = &mut self.volleys[index];
        let stamp = Stamp { sequence: volley.iteration, ..Stamp::default() };
        self.line = Line { stamp, clean: true };
        volley.iteration += 1;
        let mut at = Position { volley: index, step: 0, time: 0 };
        loop {
            let attempt = catch_unwind(AssertUnwindSafe(|| self.fire_steps(&mut at)));
            match attempt {
                Ok(true) => break,
                Ok(false) => return self.end(index),
                Err(panic) => {
                    // Rule 3: the step that panicked poisons its outputs, the line goes on.
                    self.fail(at, FireError::failed(panic_text(&*panic)));
                    self.finish_firing(&mut at);
                }
            }
        }
        self.finish_volley(index);
    }

    /// Returns the credits of what the volley read, and wakes who waits for tokens or credits.
    fn finish_volley(&mut self, index: usize) {
        self.meter.volleys[index].add(1);
        let volley = &mut self.volleys[index];
        let mut rings = false;
        for wait in &mut volley.waits {
            wait.count_passed(&self.shared);
            wait.head += wait.tokens;
            wait.slot = wrapped(wait.slot + wait.tokens as usize, &wait.ring);
            self.shared.count_head(wait.link, wait.head);
            wait.ring.release(wait.reader, wait.head);
            rings |= wait.writer.is_some();
        }
        let last = volley.steps.last().map_or(0..0, |step| step.publishes.clone());
        let published = &volley.grants[last];
        rings |= published.iter().any(|grant| !grant.readers.is_empty());
        if rings {
            crate::sync::fence(crate::sync::Ordering::SeqCst);
            let writers = volley.waits.iter().flat_map(|wait| &wait.writer);
            let readers = published.iter().flat_map(|grant| &grant.readers);
            writers.chain(readers).for_each(|bell| bell.ring_fenced());
        }
    }

    /// Fires from `at` to the end of the volley; false when its source has nothing more. `at` is
    /// kept true for whoever catches a panic; the line itself is followed in a copy.
    #[inline]
    fn fire_steps(&mut self, at: &mut Position) -> bool {
        let mut here = *at;
        while let Some(step) = self.volleys[here.volley].steps.get(here.step) {
            let own = &mut self.actors[step.actor];
            *at = here;
            // Nearly every firing: nothing to look at, nothing to write but the payload.
            let fired = if own.is_plain && self.line.clean && !self.watched {
                own.call(&self.crew, self.scratch.take())
            } else {
                self.fire(here)
            };
            match fired {
                Ok(()) => {}
                Err(FireError::End) => return false,
                Err(error) => self.fail(here, error),
            }
            self.finish_firing(&mut here);
        }
        true
    }

    /// Moves on by one firing; publishes what it completed.
    #[inline(always)]
    fn finish_firing(&mut self, at: &mut Position) {
        let step = &self.volleys[at.volley].steps[at.step];
        self.actors[step.actor].advance();
        at.time += 1;
        if at.time == step.times {
            (at.step, at.time) = (at.step + 1, 0);
            if !step.publishes.is_empty() {
                self.publish(*at);
            }
        }
    }

    /// Publishes what the step before `at` completed.
    fn publish(&mut self, at: Position) {
        let volley = &mut self.volleys[at.volley];
        let step = &volley.steps[at.step - 1];
        let is_last = at.step == volley.steps.len();
        let grants = &mut volley.grants[step.publishes.clone()];
        let mut rings = false;
        for grant in &mut *grants {
            for token in grant.tail..grant.tail + grant.tokens {
                grant.ring.publish_in(grant.slot, token);
                grant.slot = wrapped(grant.slot + 1, &grant.ring);
            }
            grant.tail += grant.tokens;
            rings |= !grant.readers.is_empty();
        }
        // The end of the volley makes its one fence for credits and for these.
        if rings && !is_last {
            crate::sync::fence(crate::sync::Ordering::SeqCst);
            grants.iter().flat_map(|grant| &grant.readers).for_each(|bell| bell.ring_fenced());
        }
    }

    /// One firing with everything that may belong to it: rule 3.
    fn fire(&mut self, at: Position) -> Result<(), FireError> {
        let actor = self.volleys[at.volley].steps[at.step].actor;
        if self.actors[actor].is_merge {
            self.sully(at);
        }
        let own = &mut self.actors[actor];
        if self.line.clean && own.checked.is_empty() {
            own.begin_clean(self.line.stamp);
        } else if !self.begin_checked(at, actor) {
            return Ok(());
        }
        let Self { actors, crew, scratch, tracer, meter, shared, line, .. } = self;
        let own = &mut actors[actor];
        if let Some(inject) = &shared.inject
            && let Some(cause) = inject(own.index, own.firings)
        {
            return Err(FireError::Failed(cause));
        }
        match tracer.as_mut().filter(|tracer| tracer.samples(own.firings)) {
            None => own.call(crew, scratch.take())?,
            Some(tracer) => {
                let start = tracer.now_ns();
                own.call(crew, scratch.take())?;
                tracer.fired(meter, (actor, own.index), line.stamp.sequence, start);
            }
        }
        if own.is_source {
            line.stamp = own.outputs.first().map_or(line.stamp, |port| port.stamp(0));
        }
        own.show(line.stamp, State::VALUE);
        if own.is_switch {
            self.sully(at);
        }
        Ok(())
    }

    /// Looks at the inputs and begins the outputs; false when the firing is to be skipped.
    #[inline]
    fn begin_checked(&mut self, at: Position, actor: usize) -> bool {
        let own = &self.actors[actor];
        if let Some(stamp) = own.youngest() {
            self.line.stamp = stamp;
        }
        let state = own.worst(self.line.clean);
        if !state.is_value() {
            self.sully(at);
        }
        let own = &mut self.actors[actor];
        if self.line.clean {
            own.begin_clean(self.line.stamp);
            return true;
        }
        own.begin(self.line.stamp, state);
        if state.is_value() {
            return true;
        }
        self.meter.skipped(actor, state);
        own.show(self.line.stamp, state);
        if state.cause().is_some() {
            own.hold();
        }
        false
    }

    /// Writes the states that were left out while the line was clean.
    #[cold]
    fn sully(&mut self, at: Position) {
        if !std::mem::take(&mut self.line.clean) {
            return;
        }
        for step in &self.volleys[at.volley].steps[..at.step] {
            let own = &self.actors[step.actor];
            for output in (0..own.outputs.len() as u32).filter(|o| !own.written.contains(o)) {
                own.outputs[output as usize]
                    .set_token(0, Token::new(self.line.stamp, State::VALUE));
            }
        }
    }

    /// Notes a failure and poisons the outputs of the current firing.
    #[cold]
    fn fail(&mut self, at: Position, error: FireError) {
        self.sully(at);
        let actor = self.volleys[at.volley].steps[at.step].actor;
        let own = &mut self.actors[actor];
        let stamp = self.line.stamp;
        let cause = self.shared.failed(own.index, own.firings, stamp.sequence, error.to_string());
        own.begin(stamp, State::poison(cause));
        own.show(stamp, State::poison(cause));
        own.hold();
        self.meter.failed(actor);
    }

    /// Rule 2: closes what the volley writes and leaves what it reads.
    #[cold]
    pub(crate) fn end(&mut self, index: usize) {
        let volley = &mut self.volleys[index];
        volley.ended = true;
        for grant in &volley.grants {
            grant.ring.close(grant.tail);
            grant.readers.iter().for_each(|bell| bell.ring());
        }
        for wait in &volley.waits {
            wait.ring.leave(wait.reader);
            wait.writer.iter().for_each(|bell| bell.ring());
        }
    }

    /// Ends every volley at once: the run was aborted.
    pub(crate) fn abort(&mut self) {
        for index in 0..self.volleys.len() {
            if !self.volleys[index].ended {
                self.end(index);
            }
        }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}
