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
//! The same code runs on threads and, one poll at a time, in the simulator.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::bell::Bell;
use super::register::{Block, Port};
use super::ring::Ring;
use crate::crew::Crew;
use crate::firing::Firing;
use crate::observe::{LaneMeter, Tracer};
use crate::operator::{FireError, Kernel, PieceStage};
use crate::run::Shared;
use crate::token::{Stamp, State, Token};

/// An actor of a lane.
pub(crate) struct Actor {
    /// Its index in the plan.
    pub(crate) index: usize,
    pub(crate) kernel: Box<dyn Kernel>,
    /// Stages not yet taken by the kernel, with the first input that holds their constants.
    pub(crate) stages: Vec<(Box<dyn PieceStage>, usize)>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// Inputs that carry tokens and whose null makes the firing null.
    pub(crate) strict: Vec<u32>,
    /// Inputs that carry tokens, with whether they hold the last good value (rule 4).
    pub(crate) tokens: Vec<(u32, bool)>,
    /// Inputs that come over a link of the plan, with its index.
    pub(crate) linked: Vec<(u32, u32)>,
    /// Outputs that are read behind a delay (rule 4).
    pub(crate) held: Vec<u32>,
    pub(crate) is_source: bool,
    pub(crate) firings: u64,
}

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
    /// The writer's bell, unless it is this lane.
    pub(crate) writer: Option<Arc<Bell>>,
    /// Whether a feed writes it: when the run is told to stop, what was fed is the end.
    pub(crate) is_fed: bool,
    pub(crate) link: usize,
}

/// A ring that a volley writes.
pub(crate) struct Grant {
    pub(crate) ring: Arc<Ring>,
    pub(crate) tokens: u64,
    pub(crate) tail: u64,
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
    pub(crate) starts_with_source: bool,
    pub(crate) ended: bool,
}

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

enum Readiness {
    Ready,
    Blocked,
    Over,
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
}

/// The lane's scratch memory.
pub(crate) struct Scratch {
    block: Block,
    bytes: usize,
}

impl Scratch {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { block: Block::new(bytes), bytes }
    }

    fn take(&mut self) -> &mut [u8] {
        let bytes = self.bytes;
        &mut self.block.bytes_mut()[..bytes]
    }
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
            match self.readiness(index) {
                Readiness::Blocked => break,
                Readiness::Over => self.end(index),
                Readiness::Ready => self.fire_volley(index),
            }
            moved = true;
        }
        moved
    }

    /// Whether any volley could move: the second look before sleeping.
    pub(crate) fn could_move(&mut self) -> bool {
        let blocked = |lane: &mut Self, index: usize| {
            lane.volleys[index].ended || matches!(lane.readiness(index), Readiness::Blocked)
        };
        if self.order == Order::Static {
            let next = self.next;
            let mut places = (0..self.volleys.len()).map(|k| (next + k) % self.volleys.len());
            let place = places.find(|&place| !self.volleys[place].ended);
            return place.is_some_and(|place| !blocked(self, place));
        }
        (0..self.volleys.len()).any(|index| !blocked(self, index))
    }

    /// Rules 1 and 2.
    #[inline]
    fn readiness(&mut self, index: usize) -> Readiness {
        let volley = &mut self.volleys[index];
        if volley.starts_with_source && self.shared.is_stopping() {
            return Readiness::Over;
        }
        for wait in &volley.waits {
            let last = wait.head + wait.tokens - 1;
            if !wait.ring.is_published(last) {
                let over = wait.ring.closed_at().is_some_and(|tail| tail <= last)
                    || (wait.is_fed && self.shared.is_stopping());
                // Published and closed between the two looks: look once more.
                if over && !wait.ring.is_published(last) {
                    return Readiness::Over;
                }
                return Readiness::Blocked;
            }
        }
        let mut unread = !volley.has_effect && !volley.grants.is_empty();
        for grant in &mut volley.grants {
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

    fn fire_volley(&mut self, index: usize) {
        let mut position = (0, 0);
        loop {
            let attempt = catch_unwind(AssertUnwindSafe(|| self.fire_steps(index, &mut position)));
            match attempt {
                Ok(true) => break,
                Ok(false) => return self.end(index),
                Err(panic) => {
                    // Rule 3: the step that panicked poisons its outputs, the line goes on.
                    let step = &self.volleys[index].steps[position.0];
                    let actor = step.actor;
                    let cause = FireError::failed(panic_text(&*panic));
                    self.fail(actor, cause);
                    self.finish_firing(index, &mut position);
                }
            }
        }
        let volley = &mut self.volleys[index];
        let mut rings = false;
        for wait in &mut volley.waits {
            wait.head += wait.tokens;
            self.shared.count_head(wait.link, wait.head);
            wait.ring.release(wait.reader, wait.head);
            rings |= wait.writer.is_some();
        }
        if rings {
            crate::sync::fence(crate::sync::Ordering::SeqCst);
            volley.waits.iter().flat_map(|wait| &wait.writer).for_each(|bell| bell.ring_fenced());
        }
    }

    /// Fires from `position` to the end of the volley; false when its source has nothing more.
    fn fire_steps(&mut self, index: usize, position: &mut (usize, u32)) -> bool {
        while position.0 < self.volleys[index].steps.len() {
            let actor = self.volleys[index].steps[position.0].actor;
            match self.fire(actor) {
                Ok(()) => {}
                Err(FireError::End) => return false,
                Err(error) => self.fail(actor, error),
            }
            self.finish_firing(index, position);
        }
        true
    }

    /// Moves on after a firing; publishes what it completed.
    #[inline]
    fn finish_firing(&mut self, index: usize, position: &mut (usize, u32)) {
        let step = &self.volleys[index].steps[position.0];
        let actor = &mut self.actors[step.actor];
        actor.firings += 1;
        actor.inputs.iter_mut().chain(&mut actor.outputs).for_each(Port::advance);
        position.1 += 1;
        if position.1 < step.times {
            return;
        }
        *position = (position.0 + 1, 0);
        let publishes = step.publishes.clone();
        if publishes.is_empty() {
            return;
        }
        let grants = &mut self.volleys[index].grants[publishes];
        let mut rings = false;
        for grant in &mut *grants {
            for token in grant.tail..grant.tail + grant.tokens {
                grant.ring.publish(token);
            }
            grant.tail += grant.tokens;
            rings |= !grant.readers.is_empty();
        }
        if rings {
            crate::sync::fence(crate::sync::Ordering::SeqCst);
            grants.iter().flat_map(|grant| &grant.readers).for_each(|bell| bell.ring_fenced());
        }
    }

    /// One firing: rule 3.
    #[inline]
    fn fire(&mut self, actor: usize) -> Result<(), FireError> {
        let own = &mut self.actors[actor];
        let (stamp, state) = own.gather();
        own.begin(stamp, state);
        for &(input, link) in &own.linked {
            let port = &own.inputs[input as usize];
            let tokens = (0..port.rate).filter(|&token| port.token(token).state.is_value());
            self.shared.count_passed(link, tokens.map(|token| port.payload_bytes(token) as u64));
        }
        if !state.is_value() {
            self.meter.skipped(actor, state);
            if state.cause().is_some() {
                own.hold();
            }
            return Ok(());
        }
        if let Some(inject) = &self.shared.inject
            && let Some(cause) = inject(own.index, own.firings)
        {
            return Err(FireError::Failed(cause));
        }
        let scratch = self.scratch.take();
        let Some(tracer) = self.tracer.as_mut().filter(|tracer| tracer.samples(own.firings)) else {
            own.call(&self.crew, scratch)?;
            self.meter.fired(actor);
            return Ok(());
        };
        let start = tracer.now_ns();
        own.call(&self.crew, scratch)?;
        tracer.fired(&self.meter, actor, own.index, stamp.sequence, start);
        self.meter.fired(actor);
        Ok(())
    }

    /// Notes a failure and poisons the outputs of the current firing.
    #[cold]
    fn fail(&mut self, actor: usize, error: FireError) {
        let own = &mut self.actors[actor];
        let (stamp, _) = own.gather();
        let cause = self.shared.failed(own.index, own.firings, stamp.sequence, error.to_string());
        own.begin(stamp, State::poison(cause));
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

impl Actor {
    fn prepare(&mut self, crew: &Crew, scratch: &mut [u8]) -> Result<(), FireError> {
        let mut stages = std::mem::take(&mut self.stages);
        self.with_firing(crew, scratch, |kernel, firing| {
            stages.iter_mut().for_each(|(stage, first)| stage.prepare(firing, *first));
            if !stages.is_empty() {
                kernel.absorb(stages.into_iter().map(|(stage, _)| stage).collect());
            }
            kernel.prepare(firing)
        })
    }

    #[inline]
    fn call(&mut self, crew: &Crew, scratch: &mut [u8]) -> Result<(), FireError> {
        self.with_firing(crew, scratch, |kernel, firing| kernel.fire(firing))
    }

    #[inline]
    #[expect(unsafe_code, reason = "a firing is made of the slots that the volley holds")]
    fn with_firing<R>(
        &mut self,
        crew: &Crew,
        scratch: &mut [u8],
        call: impl FnOnce(&mut dyn Kernel, &mut Firing<'_>) -> R,
    ) -> R {
        // SAFETY: rule 1 gave the volley every slot at these cursors, and within the volley the
        // plan's order gives each register to one actor at a time (register rules 2 to 4).
        let mut firing =
            unsafe { Firing::new(&self.inputs, &self.outputs, crew, scratch, self.firings) };
        call(&mut *self.kernel, &mut firing)
    }

    /// The youngest stamp of the inputs, and whether they all have values.
    #[inline]
    fn gather(&self) -> (Stamp, State) {
        let mut stamp = Stamp { sequence: self.firings, ..Stamp::default() };
        let mut poison = State::VALUE;
        for (place, &(input, holds)) in self.tokens.iter().enumerate() {
            let port = &self.inputs[input as usize];
            for index in 0..port.rate {
                let token = port.token(index);
                if place == 0 && index == 0 || token.stamp.sequence > stamp.sequence {
                    stamp = token.stamp;
                }
                if !holds && token.state.cause().is_some() {
                    poison = poison.max(token.state);
                }
            }
        }
        if !poison.is_value() {
            return (stamp, poison);
        }
        let is_null = |&input: &u32| {
            let port = &self.inputs[input as usize];
            (0..port.rate).any(|index| port.token(index).state.is_null())
        };
        let null = self.strict.iter().any(is_null);
        (stamp, if null { State::NULL } else { State::VALUE })
    }

    /// Gives the outputs of this firing their stamp and state.
    #[inline]
    fn begin(&self, stamp: Stamp, state: State) {
        for port in &self.outputs {
            let mut token = Token::new(stamp, state);
            if port.varies() {
                token.fill_extents(&port.spec);
            }
            for index in 0..port.rate {
                port.set_token(index, token);
            }
        }
    }

    /// Rule 4: leaves the last good payload in the current slot of outputs read behind a delay.
    fn hold(&mut self) {
        for &output in &self.held {
            self.outputs[output as usize].repeat_last();
        }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}
