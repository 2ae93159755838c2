//! Categorical: an index along an axis, drawn with the probabilities that logits stand for.
//!
//! A composite: the largest of the logits with Gumbel noise (Gumbel, "Statistical theory of extreme
//! values and some practical applications", 1954).
//!
//! # Shape
//! `logits`: `f32` or `f64` -> `i64` without the axis. The axis has an extent of at least 1.
//!
//! # Gradient
//! None: the output is an index. See [`gumbel_softmax`](super::gumbel_softmax) for a draw with one.
//!
//! # Numerics
//! Logits need not be normalised; one of `-inf` is never drawn. Numbers as of [`gumbel`]: a device
//! may draw another index where two noisy logits agree to the last bits. PyTorch's `multinomial`
//! draws others.
//!
//! # Example
//! ```
//! use synfire_ops::random::categorical::categorical;
//! use synfire_runtime::{define::Draft, random::Seed, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let logits = draft.feed("logits", Spec::f32([4, 10]));
//! let class = categorical(&mut draft, logits, 1, Seed(7), 0);
//! assert_eq!(draft.spec(class), Some(&Spec::new(Element::I64, [4])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::draw::{expected, gumbel};
use crate::broadcast::binary::add;
use crate::reduce::arg::argmax;
use crate::reduce::reduction::Keep;
use crate::sample::{Sample, Tensor, noise, reference};

/// An index along `axis` for each of the other places, drawn by `logits`.
pub fn categorical(draft: &mut Draft, logits: Wire, axis: usize, seed: Seed, key: u64) -> Wire {
    let noise = draft.apply(gumbel(seed, key), &[logits]);
    let noisy = draft.apply(add(), &[logits, noise]);
    draft.apply(argmax(axis, Keep::Nothing), &[noisy])
}

/// Each axis, one class, what cannot be drawn, none, and a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let seed = Seed(7);
    let case = |name: &str, logits: Value, axis: usize| {
        let build =
            move |draft: &mut Draft, x: &[Wire]| vec![categorical(draft, x[0], axis, seed, 3)];
        let expect = reference(move |inputs| {
            let logits = &inputs[0];
            let flat = |at: &[usize]| at.iter().zip(&logits.extents).fold(0, |f, (i, n)| f * n + i);
            // By exponential clocks: the one that rings first, at a rate of e^logit.
            let rings = |at: &[usize]| {
                let place = flat(at) as u64;
                let word = expected::words(seed, 3, place, 0)[place as usize % 4];
                let middle = (f64::from(word >> 9) + 0.5) / 2.0_f64.powi(23);
                -middle.ln() / logits.at(at).exp()
            };
            let mut rest = logits.extents.clone();
            let classes = rest.remove(axis);
            let y = Tensor::from_fn(&rest, |at| {
                let mut at = at.to_vec();
                at.insert(axis, 0);
                let mut best = (f64::INFINITY, 0);
                for class in 0..classes {
                    at[axis] = class;
                    if rings(&at) < best.0 {
                        best = (rings(&at), class);
                    }
                }
                best.1 as f64
            });
            vec![y]
        });
        Sample::composite(name, "categorical", build, vec![logits], expect)
    };
    let never = Value::new(&[2, 3], &[f32::NEG_INFINITY, 0.0, 1.0, 0.0, 2.0, f32::NEG_INFINITY]);
    let missing = move |draft: &mut Draft, x: &[Wire]| vec![categorical(draft, x[0], 1, seed, 3)];
    vec![
        case("last axis", noise(1, &[31, 7]), 1),
        case("first axis", noise(2, &[5, 3, 2]), 0),
        case("one class", noise(3, &[4, 1]), 1),
        case("never drawn", never, 1),
        case("none", noise(4, &[0, 3]), 1),
        Sample::composite_rejected("missing axis", "categorical", missing, vec![Spec::f32([3])]),
    ]
}
