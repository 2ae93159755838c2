//! What a kernel sees while it fires: input views, output views, cores and scratch memory.
//!
//! A [`Firing`] holds every slot that the kernel may touch. Inputs are shared; each output can be
//! taken once; an in-place pair is one [`Pair::Same`], so no two live references ever overlap.
#![expect(unsafe_code, reason = "hands out the slices that the lane holds during one firing")]

use crate::actor::register::Port;
use crate::crew::Crew;
use crate::device::Buffer;
use crate::operator::PAIR_PORTS;
use crate::spec::{Extents, Scalar, Spec};
use crate::token::{Stamp, State};

/// One firing of a kernel.
pub struct Firing<'a> {
    pub(crate) inputs: &'a [Port],
    pub(crate) outputs: &'a [Port],
    pub(crate) crew: &'a Crew,
    pub(crate) scratch: Option<&'a mut [u8]>,
    pub(crate) index: u64,
    pairs: InPlace,
    /// The first output token that has not been taken yet: outputs are taken in order.
    next: u64,
}

/// The inputs and outputs of an actor that are one place with a port of the other side, one bit
/// each: what every firing asks is answered by two words beside the actor's ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InPlace {
    inputs: u16,
    outputs: u16,
}

const _: () = assert!(PAIR_PORTS == u16::BITS as usize, "a bit for each port of a pair");

impl InPlace {
    /// Finds the pairs.
    pub(crate) fn of(inputs: &[Port], outputs: &[Port]) -> Self {
        let mut pairs = Self::default();
        for (input, from) in inputs.iter().enumerate() {
            for (output, to) in outputs.iter().enumerate() {
                if from.is_same_place(to) {
                    let is_free = !pairs.has_input(input) && !pairs.has_output(output);
                    assert!(is_free, "a port is in one in-place pair at most");
                    assert!(input.max(output) < PAIR_PORTS, "pairs are of the first ports");
                    pairs.inputs |= 1 << input;
                    pairs.outputs |= 1 << output;
                }
            }
        }
        pairs
    }

    #[inline]
    fn has_input(self, input: usize) -> bool {
        input < PAIR_PORTS && self.inputs >> input & 1 == 1
    }

    #[inline]
    fn has_output(self, output: usize) -> bool {
        output < PAIR_PORTS && self.outputs >> output & 1 == 1
    }
}

impl<'a> Firing<'a> {
    /// # Safety
    /// For `'a` the caller holds every slot of `inputs` for reading and every slot of `outputs`
    /// alone, but for in-place pairs, which it holds alone as pairs. `pairs` are those of the
    /// ports.
    #[inline]
    pub(crate) unsafe fn new(
        (inputs, outputs, pairs): (&'a [Port], &'a [Port], InPlace),
        crew: &'a Crew,
        scratch: &'a mut [u8],
        index: u64,
    ) -> Self {
        Self { inputs, outputs, crew, scratch: Some(scratch), index, pairs, next: 0 }
    }

    /// The number of this firing, from 0: the key of counter-based random numbers.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Tokens of input `input` in a firing; one for a constant.
    #[must_use]
    pub fn input_rate(&self, input: usize) -> u32 {
        self.inputs[input].rate.max(1)
    }

    /// Tokens of output `output` in a firing.
    #[must_use]
    pub fn output_rate(&self, output: usize) -> u32 {
        self.outputs[output].rate
    }

    /// Whether an input is a constant of the run (see [`crate::operator::Specs`]).
    #[must_use]
    pub fn is_constant(&self, input: usize) -> bool {
        self.inputs[input].rate == 0
    }

    /// The cores that this firing may use.
    #[must_use]
    pub fn crew(&self) -> &'a Crew {
        self.crew
    }

    /// Memory for the length of this firing, as much as [`crate::Kernel::workspace`] asked for.
    ///
    /// # Panics
    /// When taken twice: a kernel bug.
    pub fn scratch(&mut self) -> &'a mut [u8] {
        self.scratch.take().expect("scratch memory is taken once in a firing")
    }

    /// The (first) token of input `input`.
    ///
    /// # Panics
    /// When the input shares its place with an output; use [`Firing::pair`] there.
    #[must_use]
    #[inline]
    pub fn input(&self, input: usize) -> View<'a> {
        self.input_token(input, 0)
    }

    /// Token `token` of an input whose rate is above one.
    ///
    /// # Panics
    /// As [`Firing::input`], and when `token` is not below the rate.
    #[must_use]
    #[inline]
    pub fn input_token(&self, input: usize, token: u32) -> View<'a> {
        let port = &self.inputs[input];
        assert!(token < port.rate.max(1), "a firing sees as many tokens as its rate");
        assert!(!self.pairs.has_input(input), "an input written in place is taken as a pair");
        View { port, token }
    }

    /// The (first) token of output `output`, to be written.
    ///
    /// # Panics
    /// When taken twice or out of order, or when it shares its place with an input (use
    /// [`Firing::pair`]).
    #[inline]
    pub fn output(&mut self, output: usize) -> ViewMut<'a> {
        self.output_token(output, 0)
    }

    /// Token `token` of an output whose rate is above one; take them in ascending order.
    ///
    /// # Panics
    /// As [`Firing::output`], and when `token` is not below the rate.
    #[inline]
    pub fn output_token(&mut self, output: usize, token: u32) -> ViewMut<'a> {
        let port = &self.outputs[output];
        assert!(token < port.rate, "a firing writes as many tokens as its rate");
        assert!(!self.pairs.has_output(output), "an output in place is taken as a pair");
        self.take(output, token);
        ViewMut { port, token }
    }

    /// Input and output of an operator that can work in place.
    ///
    /// # Panics
    /// When the output was taken before.
    #[inline]
    pub fn pair(&mut self, input: usize, output: usize) -> Pair<'a> {
        self.take(output, 0);
        let (from, to) = (&self.inputs[input], &self.outputs[output]);
        let to_view = ViewMut { port: to, token: 0 };
        if self.pairs.has_output(output) {
            assert!(from.is_same_place(to), "an output in place is taken with its own input");
            to.share_extents(from);
            Pair::Same(to_view)
        } else {
            assert!(!self.pairs.has_input(input), "an input in place is taken with its output");
            Pair::Distinct(View { port: from, token: 0 }, to_view)
        }
    }

    #[inline]
    fn take(&mut self, output: usize, token: u32) {
        let place = (output as u64) << 32 | u64::from(token);
        assert!(place >= self.next, "output tokens are taken once, in order of output and token");
        self.next = place + 1;
    }

    /// Publishes null instead of a value on `output`: a branch not taken.
    pub fn nullify(&mut self, output: usize) {
        let port = &self.outputs[output];
        for index in 0..port.rate {
            port.set_state(index, State::NULL);
        }
    }

    /// Gives every output token of this firing a stamp of its own; for sources.
    pub fn set_stamp(&mut self, stamp: Stamp) {
        for port in self.outputs {
            for index in 0..port.rate {
                port.set_stamp(index, stamp);
            }
        }
    }
}

/// Input and output of an operator that can work in place.
pub enum Pair<'a> {
    /// They lie apart.
    Distinct(View<'a>, ViewMut<'a>),
    /// They are one: holds the input now, shall hold the output.
    Same(ViewMut<'a>),
}

/// A token that may be read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    port: &'a Port,
    token: u32,
}

impl<'a> View<'a> {
    /// The port's spec.
    #[must_use]
    pub fn spec(&self) -> &'a Spec {
        &self.port.spec
    }

    /// The actual extents.
    #[must_use]
    pub fn extents(&self) -> Extents {
        self.port.extents(self.token)
    }

    /// Identity and times.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.port.stamp(self.token)
    }

    /// Whether there is a payload; only inputs that admit null ever see another state.
    #[must_use]
    pub fn state(&self) -> State {
        self.port.state(self.token)
    }

    /// The payload bytes by the actual extents.
    ///
    /// # Panics
    /// When the payload lies on an accelerator.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        // SAFETY: the firing holds this slot for reading for `'a`.
        let payload = unsafe { self.port.payload(self.token) };
        &payload[..self.port.payload_bytes(self.token)]
    }

    /// The elements, row-major.
    ///
    /// # Panics
    /// When `T` is not the port's element type: a kernel bug.
    #[must_use]
    #[inline]
    pub fn elements<T: Scalar>(&self) -> &'a [T] {
        // SAFETY: the firing holds this slot for reading for `'a`.
        unsafe { self.port.elements(self.token) }
    }

    /// The accelerator's buffer of this token.
    #[must_use]
    pub fn buffer(&self) -> Option<&'a Buffer> {
        self.port.buffer(self.token)
    }
}

/// A token that shall be written.
pub struct ViewMut<'a> {
    port: &'a Port,
    token: u32,
}

impl<'a> ViewMut<'a> {
    /// The port's spec.
    #[must_use]
    pub fn spec(&self) -> &'a Spec {
        &self.port.spec
    }

    /// The extents as they are now: the bounds, until [`ViewMut::set_extents`].
    #[must_use]
    pub fn extents(&self) -> Extents {
        self.port.extents(self.token)
    }

    /// Sets the actual extents of this token.
    ///
    /// # Panics
    /// When an extent exceeds its bound or a fixed one differs: a kernel bug.
    pub fn set_extents(&mut self, extents: &[usize]) {
        let mut token = self.port.token(self.token);
        token.set_extents(&self.port.spec, extents);
        self.port.set_token(self.token, token);
    }

    /// The payload bytes by the extents set so far.
    ///
    /// # Panics
    /// When the payload lies on an accelerator.
    #[must_use]
    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the firing holds this slot alone for `'a` and gave it out once; the borrow of
        // `self` keeps a second slice away.
        let payload = unsafe { self.port.payload_mut(self.token) };
        let bytes = self.port.payload_bytes(self.token);
        &mut payload[..bytes]
    }

    /// The elements, row-major; for an in-place pair they hold the input until overwritten.
    ///
    /// # Panics
    /// When `T` is not the port's element type: a kernel bug.
    #[must_use]
    #[inline]
    pub fn elements<T: Scalar>(&mut self) -> &mut [T] {
        // SAFETY: as for `bytes`.
        unsafe { self.port.elements_mut(self.token) }
    }

    /// The accelerator's buffer of this token.
    #[must_use]
    pub fn buffer(&self) -> Option<&'a Buffer> {
        self.port.buffer(self.token)
    }
}
