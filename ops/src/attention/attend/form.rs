//! Attention as it is written out with plain operators, found by what its parts say of themselves.
//!
//! `softmax(scale * q * k^T + mask) * v`, where `k` may be transposed by the product or before it,
//! the scale may be missing, and a mask is added, or chooses between scores and `-inf`. So the
//! matrix of all scores, which its parts pass on, never exists.

use synfire_runtime::mark::{Form, Part, Stream};

use super::{Written, attend};
use crate::marks::{Affine, Choice, Order, Product, Shares, Sum};

/// Scores on their way to the softmax.
struct Scores {
    q: Stream,
    k: Stream,
    scale: f64,
    mask: Option<Stream>,
    hides: bool,
}

/// The form of which the product of weights and values is the last part.
pub(crate) fn attention(last: &Part<'_>) -> Option<Form> {
    let product: &Product = last.mark()?;
    let weights = last.reads(0)?;
    let shares: &Shares = weights.mark()?;
    if product.is_transposed != [false; 2] || shares.axis + 1 != weights.input(0).rank() {
        return None;
    }
    let Scores { q, k, scale, mask, hides } = masked(weights.reads(0)?)?;
    let mut operator = attend().scale(scale);
    operator.written = Some(Written { hides });
    operator.is_masked = mask.is_some();
    let inputs = [q, k, last.stream(1)].into_iter().chain(mask).collect();
    Some(Form { operator: std::sync::Arc::new(operator), inputs })
}

/// Scores with a mask, or without.
fn masked(part: Part<'_>) -> Option<Scores> {
    let with = |scores: usize, mask: usize, hides: bool| {
        let scores = scaled(part.reads(scores)?)?;
        Some(Scores { mask: Some(part.stream(mask)), hides, ..scores })
    };
    if part.mark::<Choice>().is_some() {
        let is_outside = |input: usize| {
            let affine = part.reads(input).and_then(|other| other.mark::<Affine>());
            affine == Some(&Affine { slope: 0.0, offset: f64::NEG_INFINITY })
        };
        return match [1, 2].map(is_outside) {
            [false, true] => with(1, 0, false),
            [true, false] => with(2, 0, true),
            _ => None,
        };
    }
    if part.mark::<Sum>().is_some() {
        return with(0, 1, false).or_else(|| with(1, 0, false));
    }
    scaled(part)
}

/// Scores without a mask.
fn scaled(part: Part<'_>) -> Option<Scores> {
    if let Some(affine) = part.mark::<Affine>() {
        let scores = scaled(part.reads(0)?)?;
        let is_scale = affine.offset == 0.0 && affine.slope != 0.0 && affine.slope.is_finite();
        return is_scale.then_some(Scores { scale: scores.scale * affine.slope, ..scores });
    }
    let product: &Product = part.mark()?;
    let k = match product.is_transposed {
        [false, true] => part.stream(1),
        [false, false] => turned(part.reads(1)?)?,
        _ => return None,
    };
    Some(Scores { q: part.stream(0), k, scale: 1.0, mask: None, hides: false })
}

/// What a part reads whose rows and columns it exchanges.
fn turned(part: Part<'_>) -> Option<Stream> {
    let Order(order) = part.mark()?;
    let rows = order.len().checked_sub(2)?;
    let wanted = (0..rows).chain([rows + 1, rows]);
    order.iter().copied().eq(wanted).then(|| part.stream(0))
}
