//! A counting global allocator: what a program really took, beside what its plan said.
//!
//! ```
//! use synfire_runtime::observe::Allocations;
//!
//! #[global_allocator]
//! static ALLOCATIONS: Allocations = Allocations::new();
//!
//! let before = ALLOCATIONS.live_bytes();
//! let kept = vec![0_u8; 1 << 20];
//! assert!(ALLOCATIONS.live_bytes() >= before + (1 << 20));
//! drop(kept);
//! ```
#![expect(unsafe_code, reason = "implements GlobalAlloc by passing everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator with counters; set it as the global allocator of a binary.
#[derive(Debug)]
pub struct Allocations {
    count: AtomicU64,
    live: AtomicU64,
    peak: AtomicU64,
}

impl Allocations {
    /// All counters at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: AtomicU64::new(0), live: AtomicU64::new(0), peak: AtomicU64::new(0) }
    }

    /// Allocations so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Bytes allocated and not yet freed.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// The largest number of live bytes since the last [`Allocations::reset_peak`].
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Lets the peak start again from what is live now.
    pub fn reset_peak(&self) {
        self.peak.store(self.live_bytes(), Ordering::Relaxed);
    }

    fn took(&self, bytes: usize) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let live = self.live.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.peak.fetch_max(live, Ordering::Relaxed);
    }

    fn gave(&self, bytes: usize) {
        self.live.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}

impl Default for Allocations {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches no memory
// but three atomics.
unsafe impl GlobalAlloc for Allocations {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.took(layout.size());
        // SAFETY: the caller's promises are those that `System` wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.took(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        self.gave(layout.size());
        self.took(bytes);
        // SAFETY: as above.
        unsafe { System.realloc(start, layout, bytes) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        self.gave(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}
