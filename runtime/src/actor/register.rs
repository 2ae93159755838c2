//! Registers: the preallocated memory of edges, and the ports through which a lane reaches it.
//!
//! # Who may touch what
//! 1. A [`Block`] is allocated at launch, zeroed, and lives as long as the run.
//! 2. A register inside a volley belongs to its lane's thread alone. Its bytes may overlap those of
//!    another register only where their lives, in the plan's order of steps, do not; the plan
//!    verifier proves it. An in-place pair is the one exception: output and input are one place.
//! 3. A register with a ring is handed over slot by slot by the protocol of [`super::ring`].
//! 4. A parameter's register is written before the lanes start and only read afterwards.
//!
//! 5. A payload of fixed extents that fits the words of a token that would hold bounded extents
//!    rides there, if the register has a ring: a hop between cores then moves one cache line. The
//!    fields of a token are therefore accessed one by one while a firing may hold the payload.
//!
//! A [`Port`] is one end of a register in one actor: a cursor over its slots. The lane moves the
//! cursor after each firing, so the current slot is always one that rules 2 to 4 give it.
#![expect(unsafe_code, reason = "the one place that turns planned offsets into slices")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;

use super::ring::{Ring, Slot};
use crate::device::Buffer;
use crate::spec::{Element, Extents, Scalar, Spec};
use crate::token::{Stamp, State, Token};

/// Registers start at multiples of this: a cache line, two for the spatial prefetcher.
pub(crate) const ALIGNMENT: usize = 128;

/// Zeroed host memory of fixed size.
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a block is plain memory; who may touch which bytes is ruled above.
unsafe impl Send for Block {}
// SAFETY: as for `Send`.
unsafe impl Sync for Block {}

impl Block {
    /// As many bytes, or the text of a fault when the machine has no such memory.
    pub(crate) fn new(bytes: usize) -> Result<Self, String> {
        let refused = || format!("the host has no memory of {bytes} bytes");
        let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT).map_err(|_| refused())?;
        // SAFETY: the layout has a size of at least one byte.
        let start = unsafe { alloc_zeroed(layout) };
        Ok(Self { start: NonNull::new(start).ok_or_else(refused)?, layout })
    }

    /// All of it; for a block that one thread owns.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: allocated with this size, initialised since it was zeroed, borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed only here.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Where the payloads of a register lie.
#[derive(Clone)]
pub(crate) enum Payload {
    /// In host memory: slot `k` starts at `offset + k * stride`.
    Host { block: Arc<Block>, offset: usize, stride: usize },
    /// On an accelerator: one buffer for each slot.
    Accelerator { buffers: Arc<[Buffer]> },
}

/// The publication words and tokens of a register.
#[derive(Clone)]
pub(crate) enum Headers {
    /// Readers are in other volleys.
    Ring(Arc<Ring>),
    /// Everything happens inside one volley, or nothing changes any more.
    Private(Arc<[Slot]>),
}

// SAFETY: a private header is touched by its lane's thread alone (rule 2) or only read (rule 4).
unsafe impl Sync for Slot {}

impl Headers {
    fn slots(&self) -> &[Slot] {
        match self {
            Self::Ring(ring) => ring.slots(),
            Self::Private(slots) => slots,
        }
    }
}

/// One end of a register in one actor. What a firing touches comes first, in one cache line.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct Port {
    /// Payload of the slot at the cursor; null on an accelerator.
    at: *mut u8,
    /// Header of the slot at the cursor.
    slot_at: *const Slot,
    bytes: usize,
    /// Tokens of one firing; 0 for a parameter, whose cursor never moves.
    pub(crate) rate: u32,
    capacity: u32,
    cursor: u32,
    pub(crate) element: Element,
    /// Whether tokens differ in their extents.
    varies: bool,
    /// Start of slot 0, for host memory.
    start: *mut u8,
    stride: usize,
    slots: *const Slot,
    pub(crate) spec: Arc<Spec>,
    payload: Payload,
    headers: Headers,
}

// SAFETY: the pointers lead into the block and headers that the port itself keeps alive.
unsafe impl Send for Port {}
// SAFETY: shared access only reads; which slots may be read is ruled above.
unsafe impl Sync for Port {}

impl Port {
    pub(crate) fn new(spec: Arc<Spec>, payload: Payload, headers: Headers, rate: u32) -> Self {
        let capacity = headers.slots().len();
        let bytes = spec.bytes();
        let (start, stride) = match &payload {
            Payload::Host { block, offset, stride } => {
                let end = offset + stride * (capacity - 1) + bytes;
                assert!(end <= block.layout.size(), "a register lies inside its block");
                assert!(offset % ALIGNMENT == 0, "registers start on a cache line");
                assert!(capacity == 1 || stride % ALIGNMENT == 0, "so does every slot");
                // SAFETY: the offset was just shown to lie inside the block.
                (unsafe { block.start.as_ptr().add(*offset) }, *stride)
            }
            Payload::Accelerator { buffers } => {
                assert!(buffers.len() == capacity, "one buffer for each slot");
                (std::ptr::null_mut(), 0)
            }
        };
        let slots = headers.slots().as_ptr();
        let rides = matches!((&payload, &headers), (Payload::Host { .. }, Headers::Ring(_)))
            && spec.is_fixed()
            && bytes <= Slot::ROOM;
        let (start, stride) =
            if rides { (headers.slots()[0].room(), size_of::<Slot>()) } else { (start, stride) };
        let capacity = u32::try_from(capacity).expect("plans hold fewer slots than u32::MAX");
        let (element, varies) = (spec.element, !spec.is_fixed());
        Self {
            at: start,
            slot_at: slots,
            bytes,
            rate,
            capacity,
            cursor: 0,
            element,
            varies,
            start,
            stride,
            slots,
            spec,
            payload,
            headers,
        }
    }

    /// The same port starting `slots` later in the ring.
    pub(crate) fn starting_at(mut self, index: u64) -> Self {
        self.move_to((index % u64::from(self.capacity)) as u32);
        self
    }

    #[inline]
    fn move_to(&mut self, cursor: u32) {
        self.cursor = cursor;
        // SAFETY: the cursor is below the capacity, and `new` showed that every slot lies inside.
        self.slot_at = unsafe { self.slots.add(cursor as usize) };
        if !self.start.is_null() {
            // SAFETY: as above.
            self.at = unsafe { self.start.add(self.stride * cursor as usize) };
        }
    }

    pub(crate) fn ring(&self) -> Option<&Arc<Ring>> {
        match &self.headers {
            Headers::Ring(ring) => Some(ring),
            Headers::Private(_) => None,
        }
    }

    /// Whether the cursor moves from firing to firing: a register inside a volley holds the tokens
    /// of one firing, so its cursor stays.
    pub(crate) fn moves(&self) -> bool {
        self.rate > 0 && self.rate < self.capacity
    }

    /// Moves on by one firing.
    #[inline]
    pub(crate) fn advance(&mut self) {
        if self.moves() {
            let next = self.cursor + self.rate;
            self.move_to(if next >= self.capacity { next - self.capacity } else { next });
        }
    }

    #[inline]
    fn index(&self, token: u32) -> usize {
        let index = self.cursor + token;
        (if index >= self.capacity { index - self.capacity } else { index }) as usize
    }

    #[inline]
    fn slot(&self, token: u32) -> &Slot {
        if token == 0 {
            // SAFETY: `move_to` and `new` only set it to a slot of the headers.
            return unsafe { &*self.slot_at };
        }
        // SAFETY: `index` is below the capacity, which is the number of slots.
        unsafe { &*self.slots.add(self.index(token)) }
    }

    #[inline]
    pub(crate) fn state(&self, token: u32) -> State {
        self.slot(token).state()
    }

    #[inline]
    pub(crate) fn stamp(&self, token: u32) -> Stamp {
        self.slot(token).stamp()
    }

    /// The token `token` places after the cursor.
    #[inline]
    pub(crate) fn token(&self, token: u32) -> Token {
        self.slot(token).read()
    }

    #[inline]
    pub(crate) fn set_state(&self, token: u32, state: State) {
        self.slot(token).set_state(state);
    }

    #[inline]
    pub(crate) fn set_stamp(&self, token: u32, stamp: Stamp) {
        self.slot(token).set_stamp(stamp);
    }

    #[inline]
    pub(crate) fn set_token(&self, token: u32, value: Token) {
        self.slot(token).write(value);
    }

    /// Gives the tokens of this firing a stamp and a state, their extents at the bounds.
    #[inline]
    pub(crate) fn begin(&self, stamp: Stamp, state: State) {
        let mut token = Token::new(stamp, state);
        if self.varies {
            token.fill_extents(&self.spec);
        }
        for index in 0..self.rate {
            self.set_token(index, token);
        }
    }

    pub(crate) fn extents(&self, token: u32) -> Extents {
        self.token(token).extents(&self.spec)
    }

    /// Takes over the extents of the token of another port, where they may differ.
    #[inline]
    pub(crate) fn share_extents(&self, from: &Self) {
        if self.varies && from.varies {
            let mut token = self.token(0);
            token.take_extents(&from.token(0));
            self.set_token(0, token);
        }
    }

    /// Bytes of the token's payload, by its actual extents.
    #[inline]
    pub(crate) fn payload_bytes(&self, token: u32) -> usize {
        if self.varies { self.extents(token).elements() * self.element.bytes() } else { self.bytes }
    }

    /// Copies the payload of the slot at the cursor, by its actual extents; the writer calls it.
    /// Gives the number of bytes: none on an accelerator. A lane that rests may call it too.
    pub(crate) fn copy_out(&self, to: &mut [u8]) -> usize {
        if self.start.is_null() {
            return 0;
        }
        let bytes = self.payload_bytes(0);
        // SAFETY: the lane that calls this has just written the slot, or rests.
        let payload = unsafe { self.payload(0) };
        to[..bytes].copy_from_slice(&payload[..bytes]);
        bytes
    }

    /// Copies the payload and extents of the slots before the cursor into the current ones, so that
    /// a reader behind a delay finds the last good value. On an accelerator nothing is copied.
    pub(crate) fn repeat_last(&self) {
        if self.start.is_null() {
            return;
        }
        for index in 0..self.rate {
            let before = (self.cursor + self.capacity - 1) % self.capacity;
            let from = self.stride * before as usize;
            let bytes = self.bytes;
            // SAFETY: both slots lie in the block. The writer holds the current slot alone, and
            // the one before it was written by itself and is at most read by others.
            unsafe {
                let source = self.start.add(from);
                std::ptr::copy(source, self.place(index), bytes);
            }
            // SAFETY: as above; headers of both slots exist.
            let last = unsafe { (*self.slots.add(before as usize)).read() };
            let mut token = self.token(index);
            token.take_extents(&last);
            self.set_token(index, token);
        }
    }

    pub(crate) fn buffer(&self, token: u32) -> Option<&Buffer> {
        match &self.payload {
            Payload::Host { .. } => None,
            Payload::Accelerator { buffers } => Some(&buffers[self.index(token)]),
        }
    }

    /// Whether two ports lead to one place: an in-place pair.
    #[inline]
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        match (&self.payload, &other.payload) {
            (Payload::Host { .. }, Payload::Host { .. }) => {
                self.bytes > 0 && other.bytes > 0 && self.at == other.at
            }
            (Payload::Accelerator { buffers: a }, Payload::Accelerator { buffers: b }) => {
                self.bytes > 0 && Arc::ptr_eq(&a[self.index(0)], &b[other.index(0)])
            }
            _ => false,
        }
    }

    #[inline]
    fn place(&self, token: u32) -> *mut u8 {
        assert!(!self.at.is_null(), "the payload of this port lies on an accelerator");
        if token == 0 {
            return self.at;
        }
        // SAFETY: `new` showed that every slot lies inside the block.
        unsafe { self.start.add(self.stride * self.index(token)) }
    }

    /// The elements of the payload by its actual extents.
    ///
    /// # Safety
    /// As [`Port::payload`].
    #[inline]
    pub(crate) unsafe fn elements<'a, T: Scalar>(&self, token: u32) -> &'a [T] {
        assert!(T::ELEMENTS.contains(&self.element), "the elements are {}", self.element);
        let count = self.payload_bytes(token) / size_of::<T>();
        // SAFETY: as for `payload`; slots are aligned for every scalar, and every scalar is plain
        // data for which any bytes are a value.
        unsafe { std::slice::from_raw_parts(self.place(token).cast(), count) }
    }

    /// The elements of the payload by its actual extents, for writing.
    ///
    /// # Safety
    /// As [`Port::payload_mut`].
    #[inline]
    pub(crate) unsafe fn elements_mut<'a, T: Scalar>(&self, token: u32) -> &'a mut [T] {
        assert!(T::ELEMENTS.contains(&self.element), "the elements are {}", self.element);
        let count = self.payload_bytes(token) / size_of::<T>();
        // SAFETY: as for `elements`, and held by the caller alone.
        unsafe { std::slice::from_raw_parts_mut(self.place(token).cast(), count) }
    }

    /// The payload, up to the bound of the port.
    ///
    /// # Safety
    /// The caller holds the slot for reading (rules 2 to 4) for the whole of `'a`.
    #[inline]
    pub(crate) unsafe fn payload<'a>(&self, token: u32) -> &'a [u8] {
        // SAFETY: inside the block, initialised since it was zeroed, and held by the caller.
        unsafe { std::slice::from_raw_parts(self.place(token), self.bytes) }
    }

    /// The payload for writing, up to the bound of the port.
    ///
    /// # Safety
    /// The caller holds the slot alone (rules 1 to 3) for the whole of `'a`, and takes it once.
    #[inline]
    pub(crate) unsafe fn payload_mut<'a>(&self, token: u32) -> &'a mut [u8] {
        // SAFETY: inside the block, initialised since it was zeroed, and held by the caller alone.
        unsafe { std::slice::from_raw_parts_mut(self.place(token), self.bytes) }
    }
}
