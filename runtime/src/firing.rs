//! What a kernel sees while it fires: input views, output views, cores and scratch memory.
//!
//! A [`Firing`] holds every slot that the kernel may touch. Inputs are shared; each output can be
//! taken once; an in-place pair is one [`Pair::Same`], so no two live references ever overlap.
#![expect(unsafe_code, reason = "hands out the slices that the lane holds during one firing")]

use crate::actor::register::Port;
use crate::crew::Crew;
use crate::device::Buffer;
use crate::spec::{Extents, Scalar, Spec};
use crate::token::{Stamp, State};

/// The largest number of outputs of an operator.
pub const OUTPUTS_MAX: usize = 16;

/// One firing of a kernel.
pub struct Firing<'a> {
    pub(crate) inputs: &'a [Port],
    pub(crate) outputs: &'a [Port],
    pub(crate) crew: &'a Crew,
    pub(crate) scratch: Option<&'a mut [u8]>,
    pub(crate) index: u64,
    /// Next token of each output that has not been taken yet.
    next: [u32; OUTPUTS_MAX],
}

impl<'a> Firing<'a> {
    /// # Safety
    /// For `'a` the caller holds every slot of `inputs` for reading and every slot of `outputs`
    /// alone, but for in-place pairs, which it holds alone as a pair.
    pub(crate) unsafe fn new(
        inputs: &'a [Port],
        outputs: &'a [Port],
        crew: &'a Crew,
        scratch: &'a mut [u8],
        index: u64,
    ) -> Self {
        let scratch = Some(scratch);
        Self { inputs, outputs, crew, scratch, index, next: [0; OUTPUTS_MAX] }
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
        assert!(
            !self.outputs.iter().any(|output| output.is_same_place(port)),
            "input {input} is written in place: take it as a pair"
        );
        View { port, token }
    }

    /// The (first) token of output `output`, to be written.
    ///
    /// # Panics
    /// When taken twice, or when it shares its place with an input (use [`Firing::pair`]).
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
        assert!(
            !self.inputs.iter().any(|input| input.is_same_place(port)),
            "output {output} is written in place: take it as a pair"
        );
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
        if from.is_same_place(to) {
            Pair::Same(to_view)
        } else {
            Pair::Distinct(View { port: from, token: 0 }, to_view)
        }
    }

    fn take(&mut self, output: usize, token: u32) {
        assert!(token >= self.next[output], "each output token is taken once, in order");
        self.next[output] = token + 1;
    }

    /// Publishes null instead of a value on `output`: a branch not taken.
    pub fn nullify(&mut self, output: usize) {
        let port = &self.outputs[output];
        for index in 0..port.rate {
            let mut token = port.token(index);
            token.state = State::NULL;
            port.set_token(index, token);
        }
    }

    /// Gives every output token of this firing a stamp of its own; for sources.
    pub fn set_stamp(&mut self, stamp: Stamp) {
        for port in self.outputs {
            for index in 0..port.rate {
                let mut token = port.token(index);
                token.stamp = stamp;
                port.set_token(index, token);
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
        self.port.token(self.token).stamp
    }

    /// Whether there is a payload; only inputs that admit null ever see another state.
    #[must_use]
    pub fn state(&self) -> State {
        self.port.token(self.token).state
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
        assert!(T::ELEMENTS.contains(&self.port.spec.element), "{} elements", self.port.spec);
        bytemuck::cast_slice(self.bytes())
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
        assert!(T::ELEMENTS.contains(&self.port.spec.element), "{} elements", self.port.spec);
        bytemuck::cast_slice_mut(self.bytes())
    }

    /// The accelerator's buffer of this token.
    #[must_use]
    pub fn buffer(&self) -> Option<&'a Buffer> {
        self.port.buffer(self.token)
    }
}
