//! Counter-based random numbers: a pure function of key and counter, the same on every device.
//!
//! The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
//! number generators", 2014).

use serde::{Deserialize, Serialize};

/// A key from which all randomness of a run descends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(pub u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Seed {
    /// The seed of one part, such as a node, an epoch or a step.
    #[must_use]
    pub fn derive(self, part: u64) -> Self {
        Self(mix(mix(self.0.wrapping_add(GOLDEN)) ^ part.wrapping_mul(GOLDEN)))
    }

    /// The seed of a named part.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        name.bytes().fold(self.derive(name.len() as u64), |seed, byte| seed.derive(byte.into()))
    }

    /// 64 random bits at `counter`.
    #[must_use]
    pub fn bits(self, counter: u64) -> u64 {
        mix(self.0.wrapping_add(counter.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// A uniform number in 0..1 at `counter`.
    #[must_use]
    pub fn uniform(self, counter: u64) -> f64 {
        (self.bits(counter) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A uniform index below `bound` at `counter`; 0 for a bound of 0.
    #[must_use]
    pub fn index(self, counter: u64, bound: usize) -> usize {
        ((u128::from(self.bits(counter)) * bound as u128) >> 64) as usize
    }

    /// A standard normal number at `counter` (Box and Muller, 1958).
    #[must_use]
    pub fn normal(self, counter: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(2 * counter)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * counter + 1)).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_key_and_counter_alone() {
        let seed = Seed(7).named("conv1/weight");
        assert_eq!(seed.bits(3), Seed(7).named("conv1/weight").bits(3));
        assert_ne!(seed.bits(3), seed.bits(4));
        assert_ne!(seed.bits(3), Seed(8).named("conv1/weight").bits(3));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let seed = Seed(1);
        let mean = |f: &dyn Fn(u64) -> f64| (0..20_000).map(f).sum::<f64>() / 20_000.0;
        assert!((mean(&|n| seed.uniform(n)) - 0.5).abs() < 0.01);
        assert!(mean(&|n| seed.normal(n)).abs() < 0.03);
        assert!((mean(&|n| seed.normal(n).powi(2)) - 1.0).abs() < 0.05);
        assert!((0..1000).all(|n| seed.index(n, 7) < 7));
    }
}
