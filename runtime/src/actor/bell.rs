//! Bells: how a thread that found nothing to do is woken, without a lost wake-up.
//!
//! # Protocol (an event count with one sleeper)
//! 1. The sleeper stores `sleeping = true`, then a sequentially consistent fence, then looks again
//!    at everything it waits for. Only if there is still nothing does it park.
//! 2. A waker changes what the sleeper waits for, then a sequentially consistent fence, then reads
//!    `sleeping`. If it is true, it clears it and unparks.
//!
//! The two fences are totally ordered, so either the sleeper sees the change in its second look or
//! the waker sees `sleeping`. An unpark without a sleeper only makes the next park return at once.

use crate::sync::{AtomicBool, Ordering, fence};

#[cfg(not(loom))]
use crossbeam::sync::{Parker, Unparker};

#[cfg(loom)]
mod parking {
    //! A parker with crossbeam's interface over loom's condition variable.
    use loom::sync::{Arc, Condvar, Mutex};

    #[derive(Clone)]
    pub(crate) struct Unparker(Arc<(Mutex<bool>, Condvar)>);
    pub(crate) struct Parker(Unparker);

    impl Parker {
        pub(crate) fn new() -> Self {
            Self(Unparker(Arc::new((Mutex::new(false), Condvar::new()))))
        }
        pub(crate) fn unparker(&self) -> &Unparker {
            &self.0
        }
        pub(crate) fn park(&self) {
            let (token, changed) = &*self.0.0;
            let mut token = token.lock().expect("loom poisons no lock");
            while !*token {
                token = changed.wait(token).expect("loom poisons no lock");
            }
            *token = false;
        }
        /// A model has no time: only an unpark ends it.
        pub(crate) fn park_timeout(&self, _time: std::time::Duration) {
            self.park();
        }
    }
    impl Unparker {
        pub(crate) fn unpark(&self) {
            *self.0.0.lock().expect("loom poisons no lock") = true;
            self.0.1.notify_one();
        }
    }
}
#[cfg(loom)]
use parking::{Parker, Unparker};

/// The waker's side: shared by everyone who may have news for one sleeper.
pub(crate) struct Bell {
    sleeping: AtomicBool,
    unparker: Unparker,
}

impl Bell {
    /// Wakes the sleeper if it sleeps; call it after the change it waits for (rule 2).
    #[inline]
    pub(crate) fn ring(&self) {
        fence(Ordering::SeqCst);
        self.ring_fenced();
    }

    /// [`Bell::ring`] for a caller that has just made the fence of rule 2 itself.
    #[inline]
    pub(crate) fn ring_fenced(&self) {
        if self.sleeping.load(Ordering::Relaxed) {
            self.sleeping.store(false, Ordering::Relaxed);
            self.unparker.unpark();
        }
    }
}

/// The sleeper's side; owned by one thread.
pub(crate) struct Sleeper {
    bell: std::sync::Arc<Bell>,
    parker: Parker,
}

impl Sleeper {
    pub(crate) fn new() -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let bell = Bell { sleeping: AtomicBool::new(false), unparker };
        Self { bell: std::sync::Arc::new(bell), parker }
    }

    pub(crate) fn bell(&self) -> std::sync::Arc<Bell> {
        self.bell.clone()
    }

    /// Parks unless `ready` after the announcement (rule 1); returns whether it parked.
    pub(crate) fn sleep_unless(&self, ready: impl FnOnce() -> bool) -> bool {
        self.announce();
        let parks = !ready();
        if parks {
            self.parker.park();
        }
        self.bell.sleeping.store(false, Ordering::Relaxed);
        parks
    }

    /// [`Sleeper::sleep_unless`] with a bound on the time parked.
    pub(crate) fn sleep_unless_for(
        &self,
        time: std::time::Duration,
        ready: impl FnOnce() -> bool,
    ) -> bool {
        self.announce();
        let parks = !ready();
        if parks {
            self.parker.park_timeout(time);
        }
        self.bell.sleeping.store(false, Ordering::Relaxed);
        parks
    }

    fn announce(&self) {
        self.bell.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use loom::thread;

    use super::*;

    #[test]
    fn a_change_is_never_slept_through() {
        loom::model(|| {
            let sleeper = Sleeper::new();
            let bell = sleeper.bell();
            let news = Arc::new(AtomicU64::new(0));
            let writer = {
                let news = news.clone();
                thread::spawn(move || {
                    news.store(1, Ordering::Release);
                    bell.ring();
                })
            };
            while news.load(Ordering::Acquire) == 0 {
                sleeper.sleep_unless(|| news.load(Ordering::Acquire) == 1);
            }
            writer.join().expect("the writer panicked");
        });
    }

    /// The whole hand-over: tokens one way, credits the other, either side parking at will, and
    /// the end of the stream.
    #[test]
    fn a_writer_and_a_reader_that_park_pass_every_token_and_the_end() {
        use crate::actor::ring::Ring;
        use crate::token::{Stamp, State, Token};
        const TOKENS: u64 = 2;
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let ring = Arc::new(Ring::new(1, 0, &[0]));
            let (writing, reading) = (Sleeper::new(), Sleeper::new());
            let (writer_bell, reader_bell) = (writing.bell(), reading.bell());
            let reader = {
                let ring = ring.clone();
                thread::spawn(move || {
                    for head in 0..TOKENS {
                        while !ring.is_published(head) {
                            reading.sleep_unless(|| ring.is_published(head));
                        }
                        assert_eq!(ring.slots()[0].read().stamp.sequence, head);
                        ring.release(0, head + 1);
                        writer_bell.ring();
                    }
                    while ring.closed_at().is_none() {
                        reading.sleep_unless(|| ring.closed_at().is_some());
                    }
                    assert_eq!(ring.closed_at(), Some(TOKENS));
                    assert!(!ring.is_published(TOKENS));
                })
            };
            for tail in 0..TOKENS {
                let has_room = || tail < ring.oldest_head() + ring.capacity();
                while !has_room() {
                    writing.sleep_unless(has_room);
                }
                let stamp = Stamp { sequence: tail, ..Stamp::default() };
                ring.slots()[0].write(Token::new(stamp, State::VALUE));
                ring.publish(tail);
                reader_bell.ring();
            }
            ring.close(TOKENS);
            reader_bell.ring();
            reader.join().expect("the reader panicked");
        });
    }

    #[test]
    fn a_credit_returned_while_parking_wakes_the_writer() {
        use crate::actor::ring::Ring;
        loom::model(|| {
            let ring = Arc::new(Ring::new(1, 1, &[1]));
            let sleeper = Sleeper::new();
            let bell = sleeper.bell();
            let reader = {
                let ring = ring.clone();
                thread::spawn(move || {
                    assert!(ring.is_published(0));
                    ring.release(0, 1);
                    bell.ring();
                })
            };
            while ring.oldest_head() == 0 {
                sleeper.sleep_unless(|| ring.oldest_head() == 1);
            }
            reader.join().expect("the reader panicked");
        });
    }
}
