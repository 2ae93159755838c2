//! Gumbel-softmax: a draw from logits that is soft, so that it has a gradient. Jang, Gu and Poole,
//! "Categorical reparameterization with Gumbel-softmax", 2017; Maddison, Mnih and Teh, "The
//! concrete distribution", 2017.
//!
//! A composite: `softmax((logits + noise) / temperature)`. The lower the temperature, the nearer is
//! it to a one-hot draw of [`categorical`](super::categorical) with the same seed and key.
//!
//! # Shape
//! `logits`: as [`softmax`] -> the same.
//!
//! # Gradient
//! That of its parts; the noise counts as a constant.
//!
//! # Numerics
//! As PyTorch's `gumbel_softmax`, with other numbers.
//!
//! # Example
//! ```
//! use synfire_ops::random::gumbel_softmax::gumbel_softmax;
//! use synfire_runtime::{define::Draft, random::Seed, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let logits = draft.feed("logits", Spec::f32([4, 10]));
//! let y = gumbel_softmax(&mut draft, logits, (1, 0.5), Seed(7), 0);
//! assert_eq!(draft.spec(y), draft.spec(logits));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Spec;

use super::draw::{expected, gumbel};
use crate::broadcast::binary::add;
use crate::normalize::softmax::softmax;
use crate::pointwise::unary::scale;
use crate::sample::{Sample, Tensor, noise, reference};

/// A soft draw along `axis` at `temperature`.
pub fn gumbel_softmax(
    draft: &mut Draft,
    logits: Wire,
    (axis, temperature): (usize, f64),
    seed: Seed,
    key: u64,
) -> Wire {
    let noise = draft.apply(gumbel(seed, key), &[logits]);
    let noisy = draft.apply(add(), &[logits, noise]);
    let sharp = draft.apply(scale(1.0 / temperature), &[noisy]);
    draft.apply(softmax(axis), &[sharp])
}

/// Each axis, high and low temperatures, one class, none, and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let seed = Seed(7);
    let case = |name: &str, extents: &[usize], axis: usize, temperature: f64| {
        let build = move |draft: &mut Draft, x: &[Wire]| {
            vec![gumbel_softmax(draft, x[0], (axis, temperature), seed, 3)]
        };
        let expect = reference(move |inputs| {
            let logits = &inputs[0];
            let flat = |at: &[usize]| at.iter().zip(&logits.extents).fold(0, |f, (i, n)| f * n + i);
            // A power of rates over exponential clocks.
            let weight = |at: &[usize]| {
                let place = flat(at) as u64;
                let word = expected::words(seed, 3, place, 0)[place as usize % 4];
                let middle = (f64::from(word >> 9) + 0.5) / 2.0_f64.powi(23);
                (logits.at(at).exp() / -middle.ln()).powf(1.0 / temperature)
            };
            let y = Tensor::from_fn(&logits.extents, |at| {
                let mut other = at.to_vec();
                let all = (0..logits.extents[axis]).map(|class| {
                    other[axis] = class;
                    weight(&other)
                });
                let sum: f64 = all.sum();
                weight(at) / sum
            });
            vec![y]
        });
        Sample::composite(name, "gumbel_softmax", build, vec![noise(1, extents)], expect)
    };
    let missing =
        move |draft: &mut Draft, x: &[Wire]| vec![gumbel_softmax(draft, x[0], (1, 1.0), seed, 3)];
    vec![
        case("last axis", &[5, 7], 1, 1.0),
        case("first axis", &[4, 3], 0, 2.0),
        case("sharp", &[3, 5], 1, 0.25),
        case("one class", &[4, 1], 1, 1.0),
        case("none", &[0, 3], 1, 1.0),
        Sample::composite_rejected("missing axis", "gumbel_softmax", missing, vec![Spec::f32([3])]),
    ]
}
