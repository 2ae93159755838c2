//! Permutation: the numbers 0 to n - 1 in a random order, n the first extent of another stream.
//!
//! A composite: where uniform numbers are when they are sorted.
//!
//! # Shape
//! `like`: any of at least one dimension, read for its first extent -> `i64` `[n]`.
//!
//! # Gradient
//! None: the output is an index.
//!
//! # Numerics
//! The same on every device: see [`uniform`]. Of the rare two equal numbers the first comes first.
//! PyTorch's `randperm` gives other orders.
//!
//! # Example
//! ```
//! use synfire_ops::index::index_select::index_select;
//! use synfire_ops::random::permutation::permutation;
//! use synfire_runtime::{define::Draft, random::Seed, spec::Spec};
//!
//! // The items of a batch in another order.
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([32, 5]));
//! let order = permutation(&mut draft, x, Seed(7), 0);
//! let y = draft.apply(index_select(0), &[x, order]);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Element, Spec};

use super::draw::{expected, uniform};
use crate::arrange::reshape::{extent_of, reshape};
use crate::index::sort::argsort;
use crate::index::top_k::Order;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};

/// The numbers below the first extent of `like`, in an order of its own for each firing.
pub fn permutation(draft: &mut Draft, like: Wire, seed: Seed, key: u64) -> Wire {
    let numbers = draft.apply(uniform(seed, key).per(1), &[like]);
    let first = draft.spec(numbers).and_then(|spec| spec.dimensions.first().copied());
    let extents: Vec<_> = first.into_iter().map(extent_of).collect();
    let numbers = draft.apply(reshape(&extents), &[numbers]);
    argsort(draft, numbers, 0, Order::Ascending)
}

/// Vectors and images, one element, none, bounded, and a scalar, which has no extent.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let seed = Seed(7);
    let build = move |draft: &mut Draft, x: &[Wire]| vec![permutation(draft, x[0], seed, 3)];
    let case = |name: &str, element: Element, extents: &[usize]| {
        let expect = reference(move |inputs| {
            let count = inputs[0].extents[0];
            let number = |at: usize| {
                let words = expected::words(seed, 3, at as u64, 0);
                (expected::unit(words[at % 4]), at)
            };
            let mut y = vec![0.0; count];
            for at in 0..count {
                let rank = (0..count).filter(|&other| number(other) < number(at)).count();
                y[rank] = at as f64;
            }
            vec![Tensor::new(&[count], y)]
        });
        Sample::composite(name, "permutation", build, vec![ramp(element, extents)], expect)
    };
    vec![
        case("vector", Element::F32, &[37]),
        case("image", Element::I64, &[11, 2, 3]),
        case("one element", Element::F64, &[1]),
        case("none", Element::F32, &[0, 3]),
        case("bounded", Element::F32, &[5, 2]).with_specs(vec![bounded_first(
            Element::F32,
            9,
            &[2],
        )]),
        Sample::composite_rejected("scalar", "permutation", build, vec![Spec::f32([0_usize; 0])]),
    ]
}
