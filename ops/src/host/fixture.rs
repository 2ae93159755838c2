//! What the tests of the host kernels share: numbers, crews, and comparisons.

use std::sync::Mutex;

use synfire_runtime::crew::Crew;

use super::{Epilogue, simd::Element};

/// Reproducible numbers (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    pub(crate) fn vector(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.below(2001) as f32 / 1000.0 - 1.0).collect()
    }

    pub(crate) fn pick<const N: usize>(&mut self, choices: [usize; N]) -> usize {
        choices[self.below(N)]
    }
}

/// Runs `call(output, epilogue, crew)` with crews of 1 to 4 threads, asserts equal bits and that
/// the epilogue sees each element once, at its place, and returns the output.
pub(crate) fn same_for_all_crews<T: Element + std::fmt::Debug>(
    start: &[T],
    call: impl Fn(&mut [T], Option<&Epilogue<'_, T>>, &Crew),
) -> Vec<T> {
    let mut expect = start.to_vec();
    call(&mut expect, None, &Crew::solo());
    for size in 1..=4 {
        let mut output = start.to_vec();
        let seen = Mutex::new(vec![0u8; start.len()]);
        let finished = Mutex::new(vec![T::ZERO; start.len()]);
        let epilogue = |piece: &mut [T], first: usize| {
            let at = first..first + piece.len();
            seen.lock().expect("no panic")[at.clone()].iter_mut().for_each(|n| *n += 1);
            finished.lock().expect("no panic")[at].copy_from_slice(piece);
            piece.fill(T::ZERO);
        };
        call(&mut output, Some(&epilogue), &Crew::new(&vec![0; size], false));
        assert!(seen.lock().expect("no panic").iter().all(|n| *n == 1), "each element once");
        assert!(output.iter().all(|x| *x == T::ZERO), "the epilogue's values stay");
        let finished = finished.into_inner().expect("no panic");
        let [finished, expect] = [&finished, &expect].map(|all| bytemuck::cast_slice::<T, u8>(all));
        let same = finished == expect;
        assert!(same, "crew of {size} gives the same bits");
    }
    expect
}

/// Asserts that numbers agree up to a rounding error that grows with the length of the sums.
pub(crate) fn assert_close(output: &[f32], expect: &[f64], inner: usize) {
    assert_eq!(output.len(), expect.len());
    let tolerance = 1e-6 * (inner as f64 + 4.0).sqrt() * 4.0;
    for (at, (x, y)) in output.iter().zip(expect).enumerate() {
        assert!((f64::from(*x) - y).abs() <= tolerance, "element {at}: {x}, wanted {y}");
    }
}
