//! Rings: how tokens and credits pass between volleys, with one writer and many readers.
//!
//! # Protocol
//! A ring owns `capacity` slots used in order. Token `n` lives in slot `n % capacity`.
//! 1. Only the writer touches slot `n % capacity` while every reader's head is `> n - capacity`.
//!    It fills payload and token, then stores `n + 1` into the slot's `published` word (Release):
//!    that store *is* the message.
//! 2. A reader whose head is `h` owns shared access to token `h` once `published` of its slot reads
//!    `h + 1` (Acquire). Tokens are published in order, so seeing token `h + k` means seeing all
//!    from `h` on.
//! 3. When a reader has finished with token `h` it stores `h + 1` into its head (Release): that
//!    store *is* the credit. The writer reads heads with Acquire before it reuses a slot.
//! 4. The writer closes the ring by storing `tail + 1` into `closed` (Release) after its last
//!    publication; 0 means open. A reader leaves by storing `u64::MAX` into its head.
//!
//! No word is ever written by two threads, so there is no read-modify-write. The published word
//! shares a cache line with the token's stamp: a hop between cores moves one line.

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, Ordering, UnsafeCell};
use crate::token::{Stamp, State, Token};

/// One slot's publication word and token; the payload lies in the register.
#[repr(C, align(64))]
pub(crate) struct Slot {
    published: AtomicU64,
    token: UnsafeCell<Token>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot>() == 64, "a slot is one cache line");

impl Slot {
    pub(crate) fn new() -> Self {
        Self { published: AtomicU64::new(0), token: UnsafeCell::new(Token::default()) }
    }
}

/// A head that says its reader has left.
const LEFT: u64 = u64::MAX;

/// The counters of one register whose readers are in other volleys.
pub(crate) struct Ring {
    slots: Box<[Slot]>,
    heads: Box<[CachePadded<AtomicU64>]>,
    closed: CachePadded<AtomicU64>,
}

// SAFETY: `published`, `heads` and `closed` are atomics; `token` cells are handed over by rules 1
// to 3, so no two threads touch one at the same time.
#[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
unsafe impl Sync for Ring {}
// SAFETY: a ring owns only plain data.
#[expect(unsafe_code, reason = "the token cells hold plain data")]
unsafe impl Send for Ring {}

impl Ring {
    /// A ring whose first `initial` tokens are already published; reader `r` starts
    /// `delays[r]` tokens before the end of them.
    pub(crate) fn new(capacity: usize, initial: usize, delays: &[usize]) -> Self {
        assert!(capacity >= 1, "a ring has at least one slot");
        assert!(initial <= capacity, "initial tokens fit their ring");
        let slots: Box<[Slot]> = (0..capacity).map(|_| Slot::new()).collect();
        for (index, slot) in slots.iter().take(initial).enumerate() {
            slot.published.store(index as u64 + 1, Ordering::Relaxed);
        }
        let heads = delays
            .iter()
            .map(|&delay| {
                assert!(delay <= initial, "a reader starts inside the initial tokens");
                CachePadded::new(AtomicU64::new((initial - delay) as u64))
            })
            .collect();
        Self { slots, heads, closed: CachePadded::new(AtomicU64::new(0)) }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    fn slot(&self, index: u64) -> &Slot {
        &self.slots[(index % self.capacity()) as usize]
    }

    /// Whether token `index` is published (rule 2).
    #[inline]
    pub(crate) fn is_published(&self, index: u64) -> bool {
        self.slot(index).published.load(Ordering::Acquire) > index
    }

    /// [`Ring::is_published`] by a reader that knows the slot of token `index`.
    #[inline]
    pub(crate) fn is_published_in(&self, slot: usize, index: u64) -> bool {
        self.slots[slot].published.load(Ordering::Acquire) > index
    }

    /// [`Ring::publish`] by a writer that knows the slot of token `index`.
    #[inline]
    pub(crate) fn publish_in(&self, slot: usize, index: u64) {
        self.slots[slot].published.store(index + 1, Ordering::Release);
    }

    /// Publishes token `index`; the caller is the writer and has filled it (rule 1).
    #[inline]
    pub(crate) fn publish(&self, index: u64) {
        self.slot(index).published.store(index + 1, Ordering::Release);
    }

    /// The smallest head of the readers that are still there; `u64::MAX` when all have left.
    #[inline]
    pub(crate) fn oldest_head(&self) -> u64 {
        self.heads.iter().map(|head| head.load(Ordering::Acquire)).min().unwrap_or(LEFT)
    }

    /// Returns the credits of all tokens before `head` (rule 3).
    #[inline]
    pub(crate) fn release(&self, reader: usize, head: u64) {
        self.heads[reader].store(head, Ordering::Release);
    }

    /// The reader will never read again; its tokens no longer hold back the writer.
    pub(crate) fn leave(&self, reader: usize) {
        self.heads[reader].store(LEFT, Ordering::Release);
    }

    /// No token from `tail` on will ever be published (rule 4).
    pub(crate) fn close(&self, tail: u64) {
        self.closed.store(tail + 1, Ordering::Release);
    }

    /// The final number of tokens, once closed.
    #[inline]
    pub(crate) fn closed_at(&self) -> Option<u64> {
        self.closed.load(Ordering::Acquire).checked_sub(1)
    }
}

impl Slot {
    /// Reads the token; the caller holds it by rule 2 or is its writer.
    #[inline]
    #[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
    pub(crate) fn read(&self) -> Token {
        // SAFETY: rule 2: a published token is not written until this reader's credit is back.
        self.token.with(|token| unsafe { *token })
    }

    /// Reads the state alone; otherwise as [`Slot::read`].
    #[inline]
    #[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
    pub(crate) fn state(&self) -> State {
        // SAFETY: rule 2, as for `read`.
        self.token.with(|token| unsafe { (*token).state })
    }

    /// Reads the stamp alone; otherwise as [`Slot::read`].
    #[inline]
    #[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
    pub(crate) fn stamp(&self) -> Stamp {
        // SAFETY: rule 2, as for `read`.
        self.token.with(|token| unsafe { (*token).stamp })
    }

    /// Writes the state alone; otherwise as [`Slot::write`].
    #[inline]
    #[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
    pub(crate) fn set_state(&self, state: State) {
        // SAFETY: rule 1, as for `write`.
        self.token.with_mut(|token| unsafe { (*token).state = state });
    }

    /// Writes the stamp alone; otherwise as [`Slot::write`].
    #[inline]
    #[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
    pub(crate) fn set_stamp(&self, stamp: Stamp) {
        // SAFETY: rule 1, as for `write`.
        self.token.with_mut(|token| unsafe { (*token).stamp = stamp });
    }

    /// Bytes of a payload that can ride in the slot.
    pub(crate) const ROOM: usize = Token::ROOM;

    /// Where a payload rides: the words for bounded extents, which a fixed port does not use.
    pub(crate) fn room(&self) -> *mut u8 {
        self.token.with_mut(|token| token.cast::<u8>().wrapping_add(Token::ROOM_OFFSET))
    }

    /// Writes the token; the caller is the writer and holds the credit by rule 1.
    #[inline]
    #[expect(unsafe_code, reason = "the token cells are handed over by the ring protocol")]
    pub(crate) fn write(&self, token: Token) {
        // SAFETY: rule 1: no reader holds this slot, and there is one writer.
        self.token.with_mut(|cell| unsafe { *cell = token });
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    fn numbered(sequence: u64) -> Token {
        let mut token = Token::default();
        token.stamp = Stamp { sequence, ..Stamp::default() };
        token.state = State::VALUE;
        token
    }

    /// Writes `count` tokens through a ring of `capacity`; the reader must see all, in order.
    fn the_reader_sees_every_token(capacity: usize, count: u64) {
        loom::model(move || {
            let ring = Arc::new(Ring::new(capacity, 0, &[0]));
            let reader = {
                let ring = ring.clone();
                thread::spawn(move || {
                    for head in 0..count {
                        while !ring.is_published(head) {
                            thread::yield_now();
                        }
                        let slot = &ring.slots()[(head % ring.capacity()) as usize];
                        assert_eq!(slot.read().stamp.sequence, head);
                        ring.release(0, head + 1);
                    }
                })
            };
            for tail in 0..count {
                while tail - ring.oldest_head() >= ring.capacity() {
                    thread::yield_now();
                }
                ring.slots()[(tail % ring.capacity()) as usize].write(numbered(tail));
                ring.publish(tail);
            }
            ring.close(count);
            reader.join().expect("the reader panicked");
        });
    }

    #[test]
    fn one_reader_sees_every_token_in_order() {
        the_reader_sees_every_token(1, 3);
        the_reader_sees_every_token(2, 3);
    }

    #[test]
    fn the_slowest_of_two_readers_holds_the_credit() {
        // Nobody waits here: spinning threads of three have too many interleavings.
        loom::model(|| {
            let ring = Arc::new(Ring::new(1, 1, &[1, 1]));
            let readers: Vec<_> = (0..2)
                .map(|reader| {
                    let ring = ring.clone();
                    thread::spawn(move || {
                        assert!(ring.is_published(0));
                        assert_eq!(ring.slots()[0].read().stamp.sequence, 0);
                        ring.release(reader, 1);
                    })
                })
                .collect();
            if ring.oldest_head() == 1 {
                ring.slots()[0].write(numbered(1));
                ring.publish(1);
            }
            for reader in readers {
                reader.join().expect("a reader panicked");
            }
        });
    }

    #[test]
    fn a_closed_ring_shows_its_last_token_first() {
        loom::model(|| {
            let ring = Arc::new(Ring::new(2, 0, &[0]));
            let writer = {
                let ring = ring.clone();
                thread::spawn(move || {
                    ring.slots()[0].write(numbered(0));
                    ring.publish(0);
                    ring.close(1);
                })
            };
            if ring.closed_at().is_some() {
                assert!(ring.is_published(0), "closing is seen after the last publication");
            }
            writer.join().expect("the writer panicked");
        });
    }
}
