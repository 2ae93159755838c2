//! Space to depth: square blocks of an image as channels, and back.
//!
//! | operator | PyTorch's name | extents |
//! |---|---|---|
//! | [`space_to_depth`] | `pixel_unshuffle` | `[.., c, h * b, w * b]` -> `[.., c * b * b, h, w]` |
//! | [`depth_to_space`] | `pixel_shuffle` | `[.., c * b * b, h, w]` -> `[.., c, h * b, w * b]` |
//!
//! The places of a block are the fast part of the channel, row by row. Composites of `reshape` and
//! `transpose`.
//!
//! # Shape
//! `x`: at least 3 dimensions, of which one before the channels may be bounded. Any element type.
//!
//! # Gradient
//! Each is the other's.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `pixel_unshuffle` and `pixel_shuffle`.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::space_to_depth::space_to_depth;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([3, 8, 6]));
//! let y = space_to_depth(&mut draft, x, 2);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([12, 4, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element};

use super::reshape::{Extent, extent_of, reshape};
use super::transpose::transpose;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("pixel_unshuffle", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let block = case.sizes(case.spelling(&["downscale_factor", "factor", "r"]), 1, 1)?[0];
        Ok(vec![space_to_depth(case, x, block)])
    }),
    ("pixel_shuffle", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let block = case.sizes(case.spelling(&["upscale_factor", "factor", "r"]), 1, 1)?[0];
        Ok(vec![depth_to_space(case, x, block)])
    }),
];

/// Blocks of `block` by `block` pixels as channels.
pub fn space_to_depth(draft: &mut Draft, x: Wire, block: usize) -> Wire {
    let Some((front, [channels, height, width])) = image(draft, x) else {
        return no_image(draft, x);
    };
    // A block that does not divide is for reshape to reject.
    let [rows, columns] = [height, width].map(|n| n.checked_div(block).unwrap_or(0));
    let apart = [channels, rows, block, columns, block];
    let joined = [channels * block * block, rows, columns];
    regrouped(draft, x, &front, (&apart, [0, 2, 4, 1, 3], joined))
}

/// Channels as blocks of `block` by `block` pixels.
pub fn depth_to_space(draft: &mut Draft, x: Wire, block: usize) -> Wire {
    let Some((front, [channels, height, width])) = image(draft, x) else {
        return no_image(draft, x);
    };
    let each = channels.checked_div(block * block).unwrap_or(0);
    let apart = [each, block, block, height, width];
    let joined = [each, height * block, width * block];
    regrouped(draft, x, &front, (&apart, [0, 3, 1, 4, 2], joined))
}

/// The dimensions before the channels; channels, height and width.
fn image(draft: &Draft, x: Wire) -> Option<(Vec<Dimension>, [usize; 3])> {
    let (front, image) = draft.spec(x)?.dimensions.split_last_chunk::<3>()?;
    image.iter().all(|d| !d.is_bounded()).then(|| (front.to_vec(), image.map(|d| d.bound())))
}

/// A fault for what is no image of fixed extents, unless `x` is faulty itself.
fn no_image(draft: &mut Draft, x: Wire) -> Wire {
    draft.apply(transpose(&[0, 1, 2, 3]), &[x])
}

/// The axes behind `front` divided, put in another order, and joined again.
fn regrouped(
    draft: &mut Draft,
    x: Wire,
    front: &[Dimension],
    (apart, order, joined): (&[usize; 5], [usize; 5], [usize; 3]),
) -> Wire {
    let is_bounded = front.iter().any(|d| d.is_bounded());
    let images = front.iter().map(|d| d.bound()).product();
    let images = if is_bounded { Extent::Infer } else { Extent::Is(images) };
    let divided: Vec<Extent> =
        std::iter::once(images).chain(apart.iter().copied().map(Extent::Is)).collect();
    let divided = draft.apply(reshape(&divided), &[x]);
    let order: Vec<usize> = std::iter::once(0).chain(order.map(|axis| 1 + axis)).collect();
    let turned = draft.apply(transpose(&order), &[divided]);
    let front = front.iter().copied().map(extent_of);
    let extents: Vec<Extent> = front.chain(joined.map(Extent::Is)).collect();
    draft.apply(reshape(&extents), &[turned])
}

/// Both: one image, batches, a block of one, several leading axes, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let to_depth = |name: &str, element: Element, extents: &[usize], block: usize| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![space_to_depth(draft, x[0], block)];
        let expect = reference(move |inputs| vec![by_index(&inputs[0], block, true)]);
        Sample::composite(name, "space_to_depth", build, vec![ramp(element, extents)], expect)
    };
    let to_space = |name: &str, element: Element, extents: &[usize], block: usize| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![depth_to_space(draft, x[0], block)];
        let expect = reference(move |inputs| vec![by_index(&inputs[0], block, false)]);
        Sample::composite(name, "depth_to_space", build, vec![ramp(element, extents)], expect)
    };
    let f32 = Element::F32;
    vec![
        to_depth("image", f32, &[3, 4, 10], 2),
        to_depth("batch", Element::U8, &[2, 1, 9, 3], 3),
        to_depth("blocks of one", f32, &[2, 2, 3], 1),
        to_depth("several leading axes", f32, &[2, 1, 3, 2, 4], 2),
        to_depth("bounded", f32, &[2, 1, 4, 2], 2).with_specs(vec![bounded_first(
            f32,
            5,
            &[1, 4, 2],
        )]),
        to_space("image", f32, &[8, 3, 5], 2),
        to_space("batch", Element::U8, &[2, 9, 2, 1], 3),
        to_space("blocks of one", f32, &[2, 2, 3], 1),
        to_space("empty", f32, &[0, 4, 2, 3], 2),
        to_space("bounded", f32, &[2, 4, 2, 3], 2).with_specs(vec![bounded_first(
            f32,
            5,
            &[4, 2, 3],
        )]),
    ]
}

/// The expectation: where the pixel at each place of the output lies in the input.
fn by_index(x: &Tensor, b: usize, to_depth: bool) -> Tensor {
    let lead = x.extents.len() - 3;
    let [c, h, w] = [0, 1, 2].map(|k| x.extents[lead + k]);
    let image = if to_depth { [c * b * b, h / b, w / b] } else { [c / (b * b), h * b, w * b] };
    Tensor::from_fn(&[&x.extents[..lead], &image].concat(), |place| {
        let [channel, row, column] = [0, 1, 2].map(|k| place[lead + k]);
        let from = if to_depth {
            let within = channel % (b * b);
            [channel / (b * b), row * b + within / b, column * b + within % b]
        } else {
            [channel * b * b + row % b * b + column % b, row / b, column / b]
        };
        x.at(&[&place[..lead], &from].concat())
    })
}
