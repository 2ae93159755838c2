//! Local response normalisation: each number over a power of the squares around it, along the
//! channels: `y = x / (k + alpha / size * sum x^2)^beta`, with the sum over `size` channels, `size
//! / 2` of them before. Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep
//! convolutional neural networks", 2012. A composite.
//!
//! # Shape
//! `x`: `[batch, channel, ..]`, `f32` or `f64` -> `y`: the same. Only the batch may be bounded.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Channels beyond the ends count as zeros. As PyTorch's `local_response_norm`.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::local_response_norm::{Response, local_response_norm};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 6, 5, 5]));
//! let response = Response { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };
//! let y = local_response_norm(&mut draft, x, &response);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use crate::arrange::pad::{PadMode, pad};
use crate::arrange::slice::slice;
use crate::broadcast::binary::{add, divide};
use crate::pointwise::unary::{pow_scalar, scale, shift, square};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("local_response_norm", |case| {
    let x = case.operand(&["x", "input"])?;
    let size = case.integer("size", 5)?;
    let response = Response {
        size: usize::try_from(size).map_err(|_| format!("a size of {size}"))?,
        alpha: case.number("alpha", 1e-4)?,
        beta: case.number("beta", 0.75)?,
        k: case.number("k", 1.0)?,
    };
    Ok(vec![local_response_norm(case, x, &response)])
})];

/// The parameters of [`local_response_norm`].
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// Channels that count; at least 1.
    pub size: usize,
    /// The factor of their mean square.
    pub alpha: f64,
    /// The power.
    pub beta: f64,
    /// What is added.
    pub k: f64,
}

/// `x` over a power of the squares of its neighbours along axis 1.
pub fn local_response_norm(draft: &mut Draft, x: Wire, response: &Response) -> Wire {
    let Response { size, alpha, beta, k } = *response;
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let channels = if spec.rank() > 1 { spec.bound(1) } else { 0 };
    let squares = draft.apply(square(), &[x]);
    let ends = |channels: usize| {
        let axis = |axis: usize| if axis == 1 { channels } else { 0 };
        (0..spec.rank().max(2)).map(axis).collect::<Vec<_>>()
    };
    let (before, after) = (ends(size / 2), ends(size.saturating_sub(1) / 2));
    let padded = draft.apply(pad(&before, &after, PadMode::Constant(0.0)), &[squares]);
    // A slice for each place of the window: windows are a few channels.
    let place = |draft: &mut Draft, k: usize| draft.apply(slice(1, k, k + channels, 1), &[padded]);
    let mut total = place(draft, 0);
    for k in 1..size {
        let next = place(draft, k);
        total = draft.apply(add(), &[total, next]);
    }
    let total = draft.apply(scale(alpha / size.max(1) as f64), &[total]);
    let total = draft.apply(shift(k), &[total]);
    let divisor = draft.apply(pow_scalar(beta), &[total]);
    draft.apply(divide(), &[x, divisor])
}

/// Odd and even windows, one wider than the channels, vectors, a bounded batch; no channels.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |size: usize| {
        move |draft: &mut Draft, wires: &[Wire]| {
            let response = Response { size, alpha: 0.5, beta: 0.75, k: 1.25 };
            vec![local_response_norm(draft, wires[0], &response)]
        }
    };
    let case = |name: &str, x: &[usize], size: usize| {
        let expect = reference(move |inputs| vec![by_definition(&inputs[0], size)]);
        Sample::composite(name, "local_response_norm", build(size), vec![noise(1, x)], expect)
    };
    let bounded = vec![bounded_first(Element::F32, 7, &[5, 3])];
    let one_axis = vec![Spec::f32([3])];
    vec![
        case("five", &[2, 11, 3, 5], 5),
        case("four", &[2, 7, 3], 4),
        case("one", &[3, 5], 1),
        case("wide", &[2, 3, 2], 7),
        case("bounded batch", &[2, 5, 3], 3).with_specs(bounded),
        Sample::composite_rejected("one axis", "local_response_norm", build(3), one_axis),
    ]
}

/// Window by window.
fn by_definition(x: &Tensor, size: usize) -> Tensor {
    Tensor::from_fn(&x.extents, |at| {
        let mut other = at.to_vec();
        let (first, end) = (at[1] as isize - (size / 2) as isize, at[1] + size.div_ceil(2));
        let squares: f64 = (first.max(0) as usize..end.min(x.extents[1]))
            .map(|channel| {
                other[1] = channel;
                x.at(&other).powi(2)
            })
            .sum();
        x.at(at) / (1.25 + 0.5 * squares / size as f64).powf(0.75)
    })
}
