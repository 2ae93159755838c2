//! Numbers that come out the same, bit for bit, on every machine.
//!
//! A synthetic scan is training data and a pinned test, so it may not depend on a mathematics
//! library. Only `+ - * /`, `floor` and square roots in IEEE doubles are used; they are rounded
//! correctly everywhere. Angles are counted in turns, which makes the range reduction exact.
//! Random numbers are a function of (seed, stream, counter): no state, any order, any thread.

use std::f64::consts::TAU;

/// Sine and cosine of an angle in turns, to about one unit in the last place.
pub(super) fn sine_cosine(turns: f64) -> (f64, f64) {
    assert!(turns.is_finite(), "an angle must be finite");
    let fraction = turns - turns.floor();
    let quarter = (fraction * 4.0 + 0.5).floor();
    let angle = (fraction - quarter * 0.25) * TAU;
    let (sine, cosine) = eighth(angle);
    match quarter as u8 {
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        3 => (-cosine, sine),
        _ => (sine, cosine),
    }
}

/// Taylor series by Horner's rule on [-pi/4, pi/4]; the first term left out is below 1e-16.
fn eighth(angle: f64) -> (f64, f64) {
    let square = angle * angle;
    let mut sine = 1.0;
    let mut cosine = 1.0;
    for term in (1..=8).rev() {
        let even = f64::from(2 * term);
        sine = 1.0 - square * sine / (even * (even + 1.0));
        cosine = 1.0 - square * cosine / ((even - 1.0) * even);
    }
    (angle * sine, cosine)
}

/// The length of a plane vector.
pub(super) fn length(vector: [f64; 2]) -> f64 {
    dot(vector, vector).sqrt()
}

/// The inner product of two plane vectors.
pub(super) fn dot(left: [f64; 2], right: [f64; 2]) -> f64 {
    left[0] * right[0] + left[1] * right[1]
}

/// The signed area spanned by two plane vectors: positive when `right` lies to the left of `left`.
pub(super) fn cross(left: [f64; 2], right: [f64; 2]) -> f64 {
    left[0] * right[1] - left[1] * right[0]
}

/// A counter-based source of random numbers: the same counter always gives the same number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice {
    key: u64,
}

impl Dice {
    /// Independent dice for each (seed, stream).
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self { key: mix(mix(seed).wrapping_add(stream)) }
    }

    /// 64 random bits.
    pub(super) fn word(self, counter: u64) -> u64 {
        mix(self.key ^ mix(counter))
    }

    /// Uniform in [0, 1), 53 bits.
    pub(super) fn unit(self, counter: u64) -> f64 {
        (self.word(counter) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [-1, 1).
    pub(super) fn signed(self, counter: u64) -> f64 {
        2.0 * self.unit(counter) - 1.0
    }

    /// Bell-shaped with mean 0 and deviation 1, never beyond 2 sqrt 3: a sum of four uniforms.
    pub(super) fn bell(self, counter: u64) -> f64 {
        let word = self.word(counter);
        let sum: u64 = (0..4).map(|part| (word >> (16 * part)) & 0xffff).sum();
        ((sum as f64 + 2.0) / 65_536.0 - 2.0) * 3.0_f64.sqrt()
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood 2014, section 4).
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_agree_with_the_library() {
        for step in -4000..4000 {
            let turns = f64::from(step) / 997.0;
            let (sine, cosine) = sine_cosine(turns);
            let angle = (turns - turns.floor()) * TAU;
            assert!((sine - angle.sin()).abs() < 1e-15, "sine at {turns}");
            assert!((cosine - angle.cos()).abs() < 1e-15, "cosine at {turns}");
        }
        assert_eq!(sine_cosine(0.25), (1.0, 0.0));
    }

    #[test]
    fn bell_has_unit_deviation_and_a_bound() {
        let dice = Dice::new(1, 2);
        let draws: Vec<f64> = (0..20_000).map(|counter| dice.bell(counter)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / 2e4;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.03, "variance {variance}");
        assert!(draws.iter().all(|draw| draw.abs() <= 12.0_f64.sqrt()));
    }

    #[test]
    fn streams_differ_and_counters_repeat() {
        let (left, right) = (Dice::new(1, 0), Dice::new(1, 1));
        assert_ne!(left.word(5), right.word(5));
        assert_eq!(left.word(5), Dice::new(1, 0).word(5));
        assert!((0..1000).all(|counter| (0.0..1.0).contains(&left.unit(counter))));
    }
}
