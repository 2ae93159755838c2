//! Dropout: elements, channels or whole items are set to 0 at random, and what stays is scaled so
//! that the mean stays. Composites, for training; for evaluation leave them out.
//!
//! [`dropout`] takes each element for itself (Srivastava et al., "Dropout: a simple way to prevent
//! neural networks from overfitting", 2014), [`dropout_per`] all that lies behind the first axes
//! together: with 2 of them the channels of an image, with 1 the items of a batch, which is
//! [`drop_path`] (Huang et al., "Deep networks with stochastic depth", 2016).
//!
//! # Shape
//! `x`: `f32` or `f64`, any -> the same.
//!
//! # Gradient
//! `dx` is `dy / (1 - probability)` for what stays, else 0.
//!
//! # Numerics
//! What stays is a function of the seed, the key, the number of the firing and the place: see
//! [`bernoulli`]. A probability of 1 sets all to 0. As PyTorch's `dropout`, with other numbers.
//!
//! # Example
//! ```
//! use synfire_ops::random::dropout::dropout;
//! use synfire_runtime::{define::Draft, random::Seed, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 64]));
//! let y = dropout(&mut draft, x, 0.1, Seed(7), 0);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::draw::{Draw, bernoulli, expected};
use crate::broadcast::binary::multiply;
use crate::pointwise::unary::{operand, scale};
use crate::route::copy::copy;
use crate::sample::{Sample, Tensor, noise, reference, wide};
use crate::torch::{Case, Torch};

/// PyTorch's names, where its random numbers do not matter.
pub const TORCH: &[Torch] = &[
    ("dropout", evaluated),
    ("dropout1d", evaluated),
    ("dropout2d", evaluated),
    ("dropout3d", evaluated),
    ("feature_dropout", evaluated),
    ("drop_path", evaluated),
];

fn evaluated(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = operand(case)?;
    let probability = case.number("p", 0.5)?;
    match (case.flag("training", true)?, probability) {
        (false, _) | (true, 0.0) => Ok(vec![case.apply(copy(), &[x])]),
        (true, 1.0) => Ok(vec![dropout(case, x, 1.0, Seed(0), 0)]),
        _ => Err("the numbers of PyTorch's generator are others".into()),
    }
}

/// `x` with each element set to 0 with this probability, else divided by what is left of it.
pub fn dropout(draft: &mut Draft, x: Wire, probability: f64, seed: Seed, key: u64) -> Wire {
    masked(draft, x, probability, bernoulli(1.0 - probability, seed, key))
}

/// The same for each item of a batch as a whole: the first axis.
pub fn drop_path(draft: &mut Draft, x: Wire, probability: f64, seed: Seed, key: u64) -> Wire {
    dropout_per(draft, x, (1, probability), seed, key)
}

/// The same for all that lies behind the first `axes` together.
pub fn dropout_per(
    draft: &mut Draft,
    x: Wire,
    (axes, probability): (usize, f64),
    seed: Seed,
    key: u64,
) -> Wire {
    masked(draft, x, probability, bernoulli(1.0 - probability, seed, key).per(axes))
}

fn masked(draft: &mut Draft, x: Wire, probability: f64, stays: Draw) -> Wire {
    let mask = draft.apply(stays, &[x]);
    let kept = draft.apply(multiply(), &[x, mask]);
    let factor = if probability < 1.0 { 1.0 / (1.0 - probability) } else { 0.0 };
    draft.apply(scale(factor), &[kept])
}

/// Elements, channels and items; every probability's ends, one element, none, and too many axes.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let seed = Seed(7);
    let case = |name: &str, x: Value, axes: Option<usize>, probability: f64| {
        let rank = x.extents.len();
        let build = move |draft: &mut Draft, x: &[Wire]| match axes {
            None => vec![dropout(draft, x[0], probability, seed, 3)],
            Some(1) => vec![drop_path(draft, x[0], probability, seed, 3)],
            Some(axes) => vec![dropout_per(draft, x[0], (axes, probability), seed, 3)],
        };
        let own = axes.unwrap_or(rank);
        let expect = reference(move |inputs| {
            let x = &inputs[0];
            let inner: usize = x.extents[own..].iter().product();
            let stays = |at: usize| {
                let place = (at / inner) as u64;
                let word = expected::words(seed, 3, place, 0)[place as usize % 4];
                expected::unit(word) < 1.0 - probability
            };
            let y = x.data.iter().enumerate().map(|(at, x)| match stays(at) {
                true => x / (1.0 - probability),
                false => 0.0,
            });
            vec![Tensor::new(&x.extents, y.collect())]
        });
        let operator = match axes {
            None => "dropout",
            Some(1) => "drop_path",
            Some(_) => "dropout_per",
        };
        Sample::composite(name, operator, build, vec![x], expect)
    };
    let build = move |draft: &mut Draft, x: &[Wire]| vec![drop_path(draft, x[0], 0.5, seed, 3)];
    vec![
        case("elements", noise(1, &[5, 37]), None, 0.25),
        case("elements f64", wide(&noise(2, &[3, 7])), None, 0.75),
        case("nothing", noise(3, &[11]), None, 0.0),
        case("everything", noise(4, &[11]), None, 1.0),
        case("one element", noise(5, &[]), None, 0.5),
        case("none", noise(6, &[0, 3]), None, 0.5),
        case("channels", noise(7, &[3, 5, 2, 3]), Some(2), 0.5),
        case("items", noise(8, &[9, 2, 3]), Some(1), 0.5),
        Sample::composite_rejected("no items", "drop_path", build, vec![Spec::f32([0_usize; 0])]),
    ]
}
