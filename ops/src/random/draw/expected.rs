//! What must come out: the first numbers as literals, and the generator once more, one element at a
//! time and written from the paper's definition.

use std::f64::consts::TAU;

use synfire_runtime::random::Seed;

use super::{Draw, bernoulli, exponential, gumbel, normal, uniform};

/// A distribution by seed and key.
type Constructor = fn(Seed, u64) -> Draw;

/// The number of an element from the words of its block and its place.
type Number = fn(&[u32; 4], u64) -> f64;

/// Each distribution with its first numbers for seed 7 and key 3 in firing 1, by a program in
/// another language.
pub(super) fn first() -> [(Constructor, [f64; 7]); 5] {
    [
        (
            uniform,
            [
                0.430_245_220_661_163_33,
                0.966_559_767_723_083_5,
                0.138_113_141_059_875_5,
                0.555_393_636_226_654,
                0.812_632_381_916_046_1,
                0.053_441_822_528_839_11,
                0.720_530_211_925_506_6,
            ],
        ),
        (
            normal,
            [
                1.270_205_640_339_984_4,
                -0.270_882_370_497_485_7,
                -1.870_505_772_485_888,
                -0.678_654_128_346_361_9,
                0.608_192_735_081_251_7,
                0.212_260_083_910_084_88,
                0.571_572_611_582_354_2,
            ],
        ),
        (|seed, key| bernoulli(0.3, seed, key), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]),
        (
            gumbel,
            [
                0.170_313_994_303_112_75,
                3.381_039_486_953_782_5,
                -0.682_936_041_582_503_5,
                0.530_895_411_048_136_8,
                1.572_737_456_784_733_6,
                -1.074_716_254_485_286_2,
                1.115_449_443_774_382_3,
            ],
        ),
        (
            exponential,
            [
                0.843_399_813_698_923_5,
                0.034_012_081_237_922_57,
                1.979_681_635_412_294_4,
                0.588_078_054_855_710_4,
                0.207_476_373_113_564_93,
                2.929_160_530_810_245_5,
                0.327_767_849_810_088_6,
            ],
        ),
    ]
}

/// Each distribution with its number.
pub(super) fn rows() -> [(Constructor, Number); 5] {
    [
        (uniform, |words, at| unit(own(words, at))),
        (normal, |words, at| {
            let pair = at as usize % 4 / 2 * 2;
            let length = -2.0 * (unit(words[pair]) + 2.0_f64.powi(-24)).log2() / TAU.log2();
            let turn = unit(words[pair + 1]) + if at % 2 == 0 { 0.25 } else { 0.0 };
            (length * TAU.ln()).sqrt() * (TAU * turn).sin()
        }),
        (
            |seed, key| bernoulli(0.3, seed, key),
            |words, at| f64::from(u8::from(own(words, at) >> 8 < 5_033_165)),
        ),
        (gumbel, |words, at| {
            let middle = (f64::from(own(words, at) >> 9) + 0.5) / 2.0_f64.powi(23);
            (-1.0 / middle.ln()).ln()
        }),
        (exponential, |words, at| (1.0 / (unit(own(words, at)) + 2.0_f64.powi(-24))).ln()),
    ]
}

fn own(words: &[u32; 4], at: u64) -> u32 {
    words[at as usize % 4]
}

/// A word as a number in 0..1.
pub(crate) fn unit(word: u32) -> f64 {
    (f64::from(word) / 256.0).floor() * 2.0_f64.powi(-24)
}

/// The words of the block that element `at` belongs to.
pub(crate) fn words(seed: Seed, key: u64, at: u64, step: u64) -> [u32; 4] {
    const WORD: u64 = 1 << 32;
    let key = seed.derive(key).0;
    let [mut left, mut right] = [key % WORD, key / WORD];
    let block = at / 4;
    let mut state = [block % WORD, block / WORD, step % WORD, step / WORD];
    for _ in 0..10 {
        let products = [0xD251_1F53 * state[0], 0xCD9E_8D57 * state[2]];
        state = [
            (products[1] / WORD) ^ state[1] ^ left,
            products[1] % WORD,
            (products[0] / WORD) ^ state[3] ^ right,
            products[0] % WORD,
        ];
        (left, right) = ((left + 0x9E37_79B9) % WORD, (right + 0xBB67_AE85) % WORD);
    }
    state.map(|word| word as u32)
}
