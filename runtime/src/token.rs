//! What travels with a payload: identity, times and state.

use crate::spec::{Extents, Spec};

/// Identity and times of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Number given where the token entered the graph; joins match by it.
    pub sequence: u64,
    /// When it happened at the sensor, nanoseconds since the sensor's epoch.
    pub event_time_ns: i64,
    /// When it entered the graph, nanoseconds of the run's clock.
    pub ingest_time_ns: i64,
}

/// Whether a token has a payload.
///
/// Plain data of one word: 0 is a value, 1 is null, larger numbers are poison and name the cause
/// in the run's list of failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State(u32);

impl State {
    /// The payload is valid.
    pub const VALUE: Self = Self(0);
    /// There is deliberately no payload: a branch not taken, a prelude.
    pub const NULL: Self = Self(1);

    /// Poison with the index of its cause.
    pub(crate) const fn poison(cause: u32) -> Self {
        Self(cause.saturating_add(2))
    }

    /// True when the payload is valid.
    #[must_use]
    pub const fn is_value(self) -> bool {
        self.0 == 0
    }

    /// True when there is deliberately no payload.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 1
    }

    /// The index of the cause when poisoned.
    #[must_use]
    pub const fn cause(self) -> Option<u32> {
        if self.0 >= 2 { Some(self.0 - 2) } else { None }
    }
}

/// The largest number of bounded dimensions of a port; each needs a word in the token.
pub(crate) const BOUNDED_MAX: usize = 6;

/// Stamp, state and actual extents: all of a token but its payload.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Token {
    pub(crate) stamp: Stamp,
    /// Extents of the bounded dimensions, in order; a fixed port may keep its payload here, so the
    /// words are aligned for every element.
    bounded: [u32; BOUNDED_MAX],
    pub(crate) state: State,
}

const _: () = assert!(std::mem::offset_of!(Token, bounded).is_multiple_of(8), "aligned for f64");

impl Token {
    /// A token with every extent at zero.
    #[inline]
    pub(crate) fn new(stamp: Stamp, state: State) -> Self {
        Self { stamp, state, bounded: [0; BOUNDED_MAX] }
    }

    /// Bytes of the words for bounded extents.
    pub(crate) const ROOM: usize = 4 * BOUNDED_MAX;

    /// Where they begin.
    pub(crate) const ROOM_OFFSET: usize = std::mem::offset_of!(Self, bounded);

    /// The actual extents under `spec`.
    pub(crate) fn extents(&self, spec: &Spec) -> Extents {
        let mut extents = [0; crate::spec::RANK_MAX];
        let mut bounded = self.bounded.iter();
        for (extent, dimension) in extents.iter_mut().zip(&spec.dimensions) {
            *extent = if dimension.is_bounded() {
                bounded.next().map_or(0, |&n| n as usize)
            } else {
                dimension.bound()
            };
        }
        Extents::new(&extents[..spec.rank()])
    }

    /// Records the extents of bounded dimensions; fixed ones must match.
    pub(crate) fn set_extents(&mut self, spec: &Spec, extents: &[usize]) {
        assert_eq!(extents.len(), spec.rank(), "a token has the rank of its port");
        let mut bounded = self.bounded.iter_mut();
        for (&extent, dimension) in extents.iter().zip(&spec.dimensions) {
            assert!(extent <= dimension.bound(), "extent {extent} exceeds {dimension}");
            if dimension.is_bounded() {
                *bounded
                    .next()
                    .expect("checked specs have at most BOUNDED_MAX bounded dimensions") =
                    extent as u32;
            } else {
                assert_eq!(extent, dimension.bound(), "a fixed extent cannot vary");
            }
        }
    }

    /// Takes over the extents of another token of the same port.
    pub(crate) fn take_extents(&mut self, other: &Self) {
        self.bounded = other.bounded;
    }

    /// Every bounded extent at its bound.
    pub(crate) fn fill_extents(&mut self, spec: &Spec) {
        let bounds = spec.dimensions.iter().filter(|d| d.is_bounded());
        for (word, dimension) in self.bounded.iter_mut().zip(bounds) {
            *word = dimension.bound() as u32;
        }
    }
}
