//! Parametric relu: `y = x` where it is above 0, else `slope * x`, with a slope for each channel.
//! He et al., "Delving deep into rectifiers", 2015. A composite.
//!
//! # Shape
//! `x`: `[batch, channel, ..]` or `[channel]`; `slope`: `[channel]`, `[1]` or a scalar, of the
//! element type of `x` -> as `x`.
//!
//! # Gradient
//! `dx` is `dy` above 0, else `slope * dy`; `dslope` sums `x * dy` where `x` is not above 0.
//!
//! # Numerics
//! As PyTorch's `prelu`.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::prelu::prelu;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([4, 3, 8, 8]));
//! let slope = draft.feed("slope", Spec::f32([3]));
//! let y = prelu(&mut draft, x, slope);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::arrange::reshape::{Extent, reshape};
use crate::gradient::formula;
use crate::reject::reject;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("prelu", |case| {
    let x = case.operand(&["x", "input", "self"])?;
    let slope = case.operand(&["weight", "w", "slope", "a", "alpha"])?;
    Ok(vec![prelu(case, x, slope)])
})];

/// `x` where it is above 0, else `slope * x`.
pub fn prelu(draft: &mut Draft, x: Wire, slope: Wire) -> Wire {
    let (Some(spec), Some(slopes)) = (draft.spec(x), draft.spec(slope)) else { return x };
    let channels = spec.dimensions.get(1.min(spec.rank().saturating_sub(1)));
    let (count, rank) = (slopes.elements(), spec.rank());
    if count != 1 && channels != Some(&Dimension::Fixed(count)) {
        let error = SpecError::new("slope", slopes, "one slope, or one for each channel of x");
        return reject(draft, "prelu", ("input", &[x, slope]), error);
    }
    let mut extents = vec![Extent::Is(1); rank.saturating_sub(1).max(1)];
    extents[0] = Extent::Is(count);
    let extents = if rank == 0 { &[][..] } else { &extents[..] };
    let slope = draft.apply(reshape(extents), &[slope]);
    formula(draft, [x, slope], |[x, slope]| x.above(0.0).choose(x, x * slope).wire)
}

/// An image, one slope, a vector, one element, none, a bounded batch, and slopes that do not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |draft: &mut Draft, x: &[Wire]| vec![prelu(draft, x[0], x[1])];
    let case = |name: &str, x: &[usize], slopes: &[usize]| {
        let expect = reference(|inputs| {
            let (x, slope) = (&inputs[0], &inputs[1].data);
            let y = Tensor::from_fn(&x.extents, |at| {
                let channel = if at.len() > 1 { at[1] } else { at[0] };
                x.at(at).max(0.0) + slope[channel % slope.len()] * x.at(at).min(0.0)
            });
            vec![y]
        });
        Sample::composite(name, "prelu", build, vec![noise(1, x), noise(2, slopes)], expect)
    };
    let bounded = || vec![bounded_first(Element::F32, 5, &[3]), Spec::f32([3])];
    vec![
        case("image", &[2, 3, 5, 7], &[3]),
        case("one slope", &[2, 3, 5], &[1]),
        case("vector", &[7], &[1]),
        case("slopes of a vector", &[7], &[7]),
        case("one element", &[1, 1], &[1]),
        case("none", &[0, 3], &[3]),
        case("bounded", &[2, 3], &[3]).with_specs(bounded()),
        Sample::composite_rejected(
            "other channels",
            "prelu",
            build,
            vec![Spec::f32([2, 3]), Spec::f32([2])],
        ),
        Sample::composite_rejected(
            "more channels",
            "prelu",
            build,
            vec![Spec::f32([2, 1]), Spec::f32([3])],
        ),
    ]
}
