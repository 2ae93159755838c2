//! A slice that several tasks write at once, each its own elements.
//!
//! Protocol: the owner of the `&mut` makes one [`DisjointMut`] and shares it. A task takes pieces
//! with `piece`, and promises that no other live piece overlaps. The kernels keep this promise by
//! invariant 3 of [`super`]: an output element belongs to one tile, and a tile to one task.
#![expect(unsafe_code, reason = "tasks write to different elements of one slice")]

use std::{marker::PhantomData, ops::Range};

/// A mutable slice that can be shared by tasks which touch different elements of it.
#[derive(Debug)]
pub struct DisjointMut<'a, T> {
    first: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

impl<T> Clone for DisjointMut<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DisjointMut<'_, T> {}

// SAFETY: sharing it only allows to take pieces, which are disjoint by the promise of `piece`;
// moving a piece to another thread is sound where `T` is `Send`.
unsafe impl<T: Send> Sync for DisjointMut<'_, T> {}
// SAFETY: as above; it is no more than a `&mut [T]` in parts.
unsafe impl<T: Send> Send for DisjointMut<'_, T> {}

impl<'a, T> DisjointMut<'a, T> {
    /// Takes over the slice for `'a`.
    #[must_use]
    pub fn new(slice: &'a mut [T]) -> Self {
        DisjointMut { first: slice.as_mut_ptr(), len: slice.len(), owner: PhantomData }
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the first element.
    #[must_use]
    pub fn first(&self) -> *mut T {
        self.first
    }

    /// The elements of `range`.
    ///
    /// # Safety
    /// No other piece that overlaps `range` is alive.
    #[must_use]
    pub unsafe fn piece(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end, "a piece has a start before its end");
        assert!(range.end <= self.len, "a piece lies inside the slice");
        // SAFETY: inside the slice by the asserts, and not aliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_write_their_own_pieces() {
        let mut numbers = vec![0usize; 100];
        let shared = DisjointMut::new(&mut numbers);
        std::thread::scope(|scope| {
            for part in 0..4 {
                scope.spawn(move || {
                    // SAFETY: the four ranges do not overlap.
                    let piece = unsafe { shared.piece(part * 25..(part + 1) * 25) };
                    piece.iter_mut().for_each(|n| *n = part);
                });
            }
        });
        assert!(numbers.iter().enumerate().all(|(at, n)| *n == at / 25));
    }
}
