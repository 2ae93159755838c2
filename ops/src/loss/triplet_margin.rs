//! Triplet loss: `max(0, margin + |a - p| - |a - n|)` for an anchor `a`, what belongs to it `p` and
//! what does not `n`, along the last axis. Schroff, Kalenichenko and Philbin, "FaceNet: a unified
//! embedding for face recognition and clustering", 2015.
//!
//! # Shape
//! `anchor`, `positive`, `negative`: `f32` or `f64`, `[.., feature]`, broadcast to each other ->
//! without the last axis, or a scalar.
//!
//! # Gradient
//! That of its parts, by each input.
//!
//! # Numerics
//! `epsilon` is added to each difference before its length is taken. As PyTorch's
//! `triplet_margin_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::triplet_margin::{Distance, triplet_margin};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let inputs = ["anchor", "positive", "negative"].map(|name| draft.feed(name, Spec::f32([8, 3])));
//! let distance = Distance { p: 2.0, epsilon: 1e-6, swap: false };
//! let loss = triplet_margin(&mut draft, inputs, distance, 1.0, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use crate::broadcast::binary::{minimum, subtract};
use crate::losses::{FIRST, SECOND, Total};
use crate::pointwise::unary::{clamp, shift};
use crate::reduce::norm::norm;
use crate::reduce::reduction::Keep;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("triplet_margin_loss", |case| {
        let anchor = case.operand(&["anchor", "a", "x"])?;
        let positive = case.operand(&["positive", "pos", "p", "y"])?;
        let negative = case.operand(&["negative", "neg", "n", "z"])?;
        let distance = Distance { swap: case.flag("swap", false)?, ..distance(case)? };
        let (margin, total) = (case.number("margin", 1.0)?, Total::of_case(case)?);
        Ok(vec![triplet_margin(case, [anchor, positive, negative], distance, margin, total)])
    }),
    ("pairwise_distance", |case| {
        let (a, b) = (case.operand(FIRST)?, case.operand(SECOND)?);
        let (distance, keeps) = (distance(case)?, case.flag("keepdim", false)?);
        Ok(vec![between(case, [a, b], distance, if keeps { Keep::Axes } else { Keep::Nothing })])
    }),
];

fn distance(case: &Case<'_>) -> Result<Distance, String> {
    let p = case.number(case.spelling(&["p", "norm"]), 2.0)?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-6)?;
    Ok(Distance { p, epsilon, swap: false })
}

/// How distances are measured.
#[derive(Clone, Copy, Debug)]
pub struct Distance {
    /// The power of the length.
    pub p: f64,
    /// What is added to each difference.
    pub epsilon: f64,
    /// Whether the negative may be taken from the positive, where it is nearer to that.
    pub swap: bool,
}

/// What the negative misses of being farther from the anchor than the positive by a margin.
pub fn triplet_margin(
    draft: &mut Draft,
    [anchor, positive, negative]: [Wire; 3],
    distance: Distance,
    margin: f64,
    total: Total,
) -> Wire {
    let near = between(draft, [anchor, positive], distance, Keep::Nothing);
    let mut far = between(draft, [anchor, negative], distance, Keep::Nothing);
    if distance.swap {
        let other = between(draft, [positive, negative], distance, Keep::Nothing);
        far = draft.apply(minimum(), &[far, other]);
    }
    let missing = draft.apply(subtract(), &[near, far]);
    let missing = draft.apply(shift(margin), &[missing]);
    let losses = draft.apply(clamp(0.0, f64::INFINITY), &[missing]);
    total.of(draft, losses)
}

/// The distance of vectors along the last axis.
fn between(draft: &mut Draft, pair: [Wire; 2], distance: Distance, keep: Keep) -> Wire {
    let apart = draft.apply(subtract(), &pair);
    let apart = draft.apply(shift(distance.epsilon), &[apart]);
    let last = draft.spec(apart).map_or(0, Spec::rank).saturating_sub(1);
    norm(draft, apart, &[last], keep, distance.p)
}

/// Each total, other powers, swapped, one vector, bounded; other extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |distance: Distance, total: Total| {
        move |draft: &mut Draft, wires: &[Wire]| {
            let inputs = [wires[0], wires[1], wires[2]];
            vec![triplet_margin(draft, inputs, distance, 0.75, total)]
        }
    };
    let plain = Distance { p: 2.0, epsilon: 1e-6, swap: false };
    let case = |name: &str, x: &[usize], distance: Distance, total: Total| {
        let inputs = [1, 2, 3].map(|key| noise(key, x)).to_vec();
        let expect =
            reference(move |inputs| vec![total.of_tensor(by_definition(inputs, distance))]);
        Sample::composite(name, "triplet_margin", build(distance, total), inputs, expect)
    };
    let bounded = vec![bounded_first(Element::F32, 9, &[3]); 3];
    let specs = vec![Spec::f32([3, 2]), Spec::f32([3, 4]), Spec::f32([3, 2])];
    vec![
        case("apart", &[7, 5], plain, Total::Each),
        case("mean", &[11, 3], plain, Total::Mean),
        case("sum", &[2, 3, 5], plain, Total::Sum),
        case("absolute", &[7, 5], Distance { p: 1.0, ..plain }, Total::Each),
        case("cubes", &[7, 5], Distance { p: 3.0, ..plain }, Total::Each),
        case("swapped", &[7, 5], Distance { swap: true, ..plain }, Total::Each),
        case("one vector", &[5], plain, Total::Mean),
        case("bounded", &[4, 3], plain, Total::Mean).with_specs(bounded),
        Sample::composite_rejected("mismatch", "triplet_margin", build(plain, Total::Sum), specs),
    ]
}

/// Vector by vector.
fn by_definition(inputs: &[Tensor], distance: Distance) -> Tensor {
    let (features, outer) = inputs[0].extents.split_last().expect("there is a feature axis");
    let between = |a: usize, b: usize, row: usize| {
        let own = |input: usize| inputs[input].data[row * features..][..*features].iter();
        let pairs = own(a).zip(own(b));
        let powers = pairs.map(|(a, b)| (a - b + distance.epsilon).abs().powf(distance.p));
        powers.sum::<f64>().powf(1.0 / distance.p)
    };
    let losses = (0..outer.iter().product()).map(|row| {
        let far = between(0, 2, row);
        let far = if distance.swap { far.min(between(1, 2, row)) } else { far };
        (0.75 + between(0, 1, row) - far).max(0.0)
    });
    Tensor::new(outer, losses.collect())
}
