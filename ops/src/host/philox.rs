//! Philox4x32-10: four random words from a key and a counter, with no state in between. Salmon,
//! Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
//!
//! The counter is the number of a block of four elements and the number of a firing; the key comes
//! from a seed and the key of a node. So every element has its number, whoever computes it.

use synfire_runtime::random::Seed;

/// What the words are multiplied by.
pub(crate) const FACTORS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];

/// What the key moves by from round to round: the golden ratio and the square root of 3 less 1.
pub(crate) const STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Rounds.
pub(crate) const ROUNDS: u32 = 10;

/// The key of the numbers of one node.
pub(crate) fn key_of(seed: Seed, key: u64) -> [u32; 2] {
    halves(seed.derive(key).0)
}

/// The low and the high half.
pub(crate) fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// The four words of block `block` in firing `step`.
#[inline]
pub(crate) fn words(key: [u32; 2], block: u64, step: u64) -> [u32; 4] {
    let ([low, high], [first, last]) = (halves(block), halves(step));
    philox(key, [low, high, first, last])
}

#[inline]
fn philox(mut key: [u32; 2], mut words: [u32; 4]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let [low_0, high_0] = halves(u64::from(FACTORS[0]) * u64::from(words[0]));
        let [low_1, high_1] = halves(u64::from(FACTORS[1]) * u64::from(words[2]));
        words = [high_1 ^ words[1] ^ key[0], low_1, high_0 ^ words[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(STEPS[0]), key[1].wrapping_add(STEPS[1])];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors_are_met() {
        // The known answers that come with the paper's library.
        let ones = u32::MAX;
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let known = [
            ([0; 2], [0; 4], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([ones; 2], [ones; 4], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            ([0xa409_3822, 0x299f_31d0], pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for (key, counter, words) in known {
            assert_eq!(philox(key, counter), words);
        }
    }
}
