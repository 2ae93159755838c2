//! Actors: a node at run time, its kernel and its ports, and what one firing does to them.

use std::sync::Arc;

use super::register::{Block, Port};
use crate::crew::Crew;
use crate::firing::{Firing, InPlace};
use crate::observe::Mailbox;
use crate::operator::{FireError, Kernel, PieceStage};
use crate::token::{Stamp, State};

/// An actor of a lane. What every firing touches comes first, in one cache line: a chain of actors
/// stays in cache.
#[repr(C, align(64))]
pub(crate) struct Actor {
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) inputs: Box<[Port]>,
    pub(crate) outputs: Box<[Port]>,
    pub(crate) firings: u64,
    /// The inputs and outputs that are one place.
    pub(crate) pairs: InPlace,
    /// Whether a firing on a clean line is nothing but the kernel's.
    pub(crate) is_plain: bool,
    /// Whether any port moves from firing to firing.
    pub(crate) moves: bool,
    /// Its index in the plan.
    pub(crate) index: usize,
    /// Stages not yet taken by the kernel, with the first input that holds their constants.
    pub(crate) stages: Vec<(Box<dyn PieceStage>, usize)>,
    /// Inputs that carry tokens and whose null makes the firing null.
    pub(crate) strict: Vec<u32>,
    /// Inputs that carry tokens, with whether they hold the last good value (rule 4).
    pub(crate) tokens: Vec<(u32, bool)>,
    /// Those of `tokens` that are looked at even while the line is clean: they come from other
    /// volleys or from earlier iterations.
    pub(crate) checked: Vec<(u32, bool)>,
    /// Inputs that come over a link.
    pub(crate) linked: Vec<u32>,
    /// Outputs whose tokens are written even while the line is clean.
    pub(crate) written: Vec<u32>,
    /// Outputs that are read behind a delay (rule 4).
    pub(crate) held: Vec<u32>,
    /// Outputs that somebody looks at.
    pub(crate) probed: Vec<(u32, Arc<Mailbox>)>,
    pub(crate) is_source: bool,
    pub(crate) is_switch: bool,
    /// Whether its kernel looks at the states of its inputs: a clean line has none to show.
    pub(crate) is_merge: bool,
}

const _: () = assert!(
    std::mem::offset_of!(Actor, index) <= 64,
    "what every firing touches lies in one cache line"
);

impl Actor {
    pub(super) fn prepare(&mut self, crew: &Crew, scratch: &mut [u8]) -> Result<(), FireError> {
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
    pub(super) fn call(&mut self, crew: &Crew, scratch: &mut [u8]) -> Result<(), FireError> {
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
        let mut firing = unsafe {
            Firing::new((&self.inputs, &self.outputs, self.pairs), crew, scratch, self.firings)
        };
        call(&mut *self.kernel, &mut firing)
    }

    /// Moves every port on by one firing.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.firings += 1;
        if self.moves {
            self.inputs.iter_mut().chain(&mut self.outputs).for_each(Port::advance);
        }
    }

    /// The youngest stamp of the tokens that came over links, if any did.
    #[inline]
    pub(super) fn youngest(&self) -> Option<Stamp> {
        let stamps = self.linked.iter().map(|&input| {
            let port = &self.inputs[input as usize];
            port.stamp(port.rate - 1)
        });
        stamps.reduce(|a, b| if b.sequence > a.sequence { b } else { a })
    }

    /// Poison before null before value, of the inputs that are looked at.
    #[inline]
    pub(super) fn worst(&self, clean: bool) -> State {
        let looked_at = if clean { &self.checked } else { &self.tokens };
        let states = looked_at.iter().map(|&(input, _)| self.state(input));
        let worst = states.max().unwrap_or_default();
        if worst.is_value() { worst } else { self.worst_that_counts(looked_at) }
    }

    /// The worst state of the tokens of an input.
    #[inline]
    fn state(&self, input: u32) -> State {
        let port = &self.inputs[input as usize];
        (0..port.rate).map(|token| port.state(token)).max().unwrap_or_default()
    }

    /// Rule 4 lets a held input pass, a merge lets the nulls of its branches pass.
    #[cold]
    fn worst_that_counts(&self, looked_at: &[(u32, bool)]) -> State {
        let counts = |&(input, holds): &(u32, bool)| {
            let state = self.state(input);
            let passes = match state.cause() {
                Some(_) => holds,
                None => !self.strict.contains(&input),
            };
            if passes { State::VALUE } else { state }
        };
        looked_at.iter().map(counts).max().unwrap_or_default()
    }

    /// Gives the outputs of this firing a stamp and a value, where a clean line has them written.
    #[inline]
    pub(super) fn begin_clean(&self, stamp: Stamp) {
        for &output in &self.written {
            self.outputs[output as usize].begin(stamp, State::VALUE);
        }
    }

    /// Lets those who look at the outputs see them; a null of a switch shows in the token.
    #[inline]
    pub(super) fn show(&self, stamp: Stamp, state: State) {
        for (output, mailbox) in &self.probed {
            let port = &self.outputs[*output as usize];
            let state = if self.is_switch { port.state(0) } else { state };
            mailbox.leave(port, stamp, state);
        }
    }

    /// Gives the outputs of this firing their stamp and state.
    pub(super) fn begin(&self, stamp: Stamp, state: State) {
        self.outputs.iter().for_each(|port| port.begin(stamp, state));
    }

    /// Rule 4: leaves the last good payload in the current slot of outputs read behind a delay.
    pub(super) fn hold(&mut self) {
        for &output in &self.held {
            self.outputs[output as usize].repeat_last();
        }
    }
}

/// The lane's scratch memory.
pub(crate) struct Scratch {
    block: Block,
    bytes: usize,
}

impl Scratch {
    pub(crate) fn new(bytes: usize) -> Result<Self, String> {
        Ok(Self { block: Block::new(bytes)?, bytes })
    }

    pub(super) fn take(&mut self) -> &mut [u8] {
        let bytes = self.bytes;
        &mut self.block.bytes_mut()[..bytes]
    }
}
