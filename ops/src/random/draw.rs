//! Random numbers of a distribution, as many as another stream has elements: one row for each
//! distribution, [`uniform`], [`normal`], [`bernoulli`], [`gumbel`], [`exponential`].
//!
//! # Shape
//! `like`: any, read for its extents only -> `y`: `f64` for `f64`, else `f32`, of the same
//! dimensions; with [`Draw::per`], of extent 1 behind the first of them.
//!
//! # Gradient
//! None: the numbers do not depend on `like`.
//!
//! # Numerics
//! A number is a function of the seed, the key, the number of the firing and the place of the
//! element: Philox4x32-10 (Salmon et al., 2011), whose words are the same on every device and for
//! any number of cores. Give each node a key of its own. Uniform numbers are multiples of 2^-24 for
//! every element type; they and truth values are bit-equal everywhere, the others up to rounding.
//! PyTorch's numbers are others.
//!
//! # Example
//! ```
//! use synfire_ops::random::draw::uniform;
//! use synfire_runtime::{random::Seed, solo::fire_once, value::Value};
//!
//! let like = [Value::new(&[4], &[0.0_f32; 4])];
//! let y = fire_once(&uniform(Seed(7), 0), &like)?;
//! assert!(y[0].elements::<f32>().iter().all(|x| (0.0..1.0).contains(x)));
//! assert_eq!(fire_once(&uniform(Seed(7), 0), &like)?, y);
//! assert_ne!(fire_once(&uniform(Seed(7), 1), &like)?, y);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::operator::Tolerance;
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, ramp, reference, wide};

#[cfg(feature = "cube")]
mod cube; // the distributions on accelerators
pub(crate) mod expected; // the generator once more, one element at a time
mod family; // the operator behind all rows
pub use family::Draw;
use family::Row;

/// 2^24: a word has this many uniform numbers.
const UNITS: f64 = 16_777_216.0;

/// Uniform in 0..1; for another range, scale and shift it.
#[must_use]
pub fn uniform(seed: Seed, key: u64) -> Draw {
    const ROW: &Row = &Row {
        name: "uniform",
        tolerance: Tolerance::EXACT,
        numbers: |words, _| words.map(|word| f64::from(word >> 8) / UNITS),
    };
    Draw::new(ROW, 0.0, (seed, key))
}

/// Normal of mean 0 and variance 1. Box and Muller, "A note on the generation of random normal
/// deviates", 1958.
#[must_use]
pub fn normal(seed: Seed, key: u64) -> Draw {
    const ROW: &Row = &Row {
        name: "normal",
        tolerance: Tolerance::CLOSE,
        numbers: |[a, b, c, d], _| {
            let pair = |first: u32, second: u32| {
                let radius = (-2.0 * (f64::from((first >> 8) + 1) / UNITS).ln()).sqrt();
                let angle = std::f64::consts::TAU * f64::from(second >> 8) / UNITS;
                [radius * angle.cos(), radius * angle.sin()]
            };
            let ([w, x], [y, z]) = (pair(a, b), pair(c, d));
            [w, x, y, z]
        },
    };
    Draw::new(ROW, 0.0, (seed, key))
}

/// 1 with this probability, to 24 bits, else 0.
#[must_use]
pub fn bernoulli(probability: f64, seed: Seed, key: u64) -> Draw {
    const ROW: &Row = &Row {
        name: "bernoulli",
        tolerance: Tolerance::EXACT,
        numbers: |words, bound| words.map(|word| f64::from(f64::from(word >> 8) < bound)),
    };
    // Whole, so that every device compares the same.
    Draw::new(ROW, (probability.clamp(0.0, 1.0) * UNITS).round(), (seed, key))
}

/// `-log(-log u)` of a uniform `u`: what makes an arg max a choice by probability.
#[must_use]
pub fn gumbel(seed: Seed, key: u64) -> Draw {
    const ROW: &Row = &Row {
        name: "gumbel",
        tolerance: Tolerance::CLOSE,
        numbers: |words, _| {
            words.map(|word| -(-(f64::from((word >> 9) * 2 + 1) / UNITS).ln()).ln())
        },
    };
    Draw::new(ROW, 0.0, (seed, key))
}

/// `-log u` of a uniform `u` above 0: exponential of mean 1.
#[must_use]
pub fn exponential(seed: Seed, key: u64) -> Draw {
    const ROW: &Row = &Row {
        name: "exponential",
        tolerance: Tolerance::CLOSE,
        numbers: |words, _| words.map(|word| -(f64::from((word >> 8) + 1) / UNITS).ln()),
    };
    Draw::new(ROW, 0.0, (seed, key))
}

/// The first elements of each distribution in firing 1, worked out outside of Rust; then every
/// distribution over several pieces, an element type, one element, none, bounded, per axes.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let seed = Seed(7);
    let first = |operator: Draw, numbers: [f64; 7]| {
        let literal = Expect::Outputs(vec![Tensor::new(&[7], numbers.to_vec())]);
        Sample::new("first", operator, vec![noise(1, &[7])], literal)
    };
    let rows = expected::first().into_iter();
    let mut samples: Vec<_> = rows.map(|(row, numbers)| first(row(seed, 3), numbers)).collect();
    for (row, number) in expected::rows() {
        let case = |name: &str, like: Value| {
            let expect = reference(move |inputs| {
                let count = inputs[0].data.len() as u64;
                let numbers = (0..count).map(|at| number(&expected::words(seed, 5, at, 1), at));
                vec![Tensor::new(&inputs[0].extents, numbers.collect())]
            });
            Sample::new(name, row(seed, 5), vec![like], expect)
        };
        samples.extend([
            case("plain", noise(1, &[5, 37])),
            case("like f64", wide(&noise(2, &[3, 7]))),
            case("like integers", ramp(Element::I64, &[11])),
            case("one element", noise(3, &[])),
            case("empty", noise(4, &[0, 3])),
            case("many", noise(5, &[2, 16_411])),
            case("bounded", noise(6, &[5, 2])).with_specs(vec![bounded_first(
                Element::F32,
                9,
                &[2],
            )]),
        ]);
    }
    let per = reference(move |inputs| {
        let number = |at: u64| expected::unit(expected::words(seed, 5, at, 1)[at as usize % 4]);
        let numbers = (0..inputs[0].extents[0] as u64).map(number).collect();
        vec![Tensor::new(&[inputs[0].extents[0], 1, 1], numbers)]
    });
    samples.extend([
        Sample::new("per batch", uniform(seed, 5).per(1), vec![noise(7, &[9, 2, 3])], per),
        Sample::rejected(
            "per more than there are",
            uniform(seed, 5).per(2),
            vec![Spec::new(Element::F32, [Dimension::Fixed(3)])],
            "like",
            None,
        ),
    ]);
    samples
}

#[cfg(test)]
mod tests {
    use synfire_runtime::solo::fire_once;

    use super::*;

    /// Mean and mean square of many.
    fn moments(operator: &Draw) -> [f64; 2] {
        let like = Value::new(&[100_000], &vec![0.0_f64; 100_000]);
        let y = fire_once(operator, &[like]).expect("it fires").remove(0).elements::<f64>();
        let mean = |power: i32| y.iter().map(|x| x.powi(power)).sum::<f64>() / y.len() as f64;
        [mean(1), mean(2)]
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let (seed, euler) = (Seed(1), 0.577_215_664_901_532_9);
        let variance = std::f64::consts::PI.powi(2) / 6.0;
        for (operator, [mean, square]) in [
            (uniform(seed, 0), [0.5, 1.0 / 3.0]),
            (normal(seed, 0), [0.0, 1.0]),
            (bernoulli(0.3, seed, 0), [0.3, 0.3]),
            (gumbel(seed, 0), [euler, euler * euler + variance]),
            (exponential(seed, 0), [1.0, 2.0]),
        ] {
            let [a, b] = moments(&operator);
            assert!((a - mean).abs() < 0.02, "{operator:?} has mean {a}");
            assert!((b - square).abs() < 0.06, "{operator:?} has mean square {b}");
        }
    }

    #[test]
    fn the_ends_of_a_probability_are_certain() {
        for p in [0.0, 1.0] {
            assert_eq!(moments(&bernoulli(p, Seed(1), 0)), [p; 2]);
        }
    }
}
