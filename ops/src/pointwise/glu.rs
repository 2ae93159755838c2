//! Gated linear unit: `y = a * sigmoid(b)`, where `a` and `b` are the halves of `x` along an axis.
//! Dauphin et al., "Language modeling with gated convolutional networks", 2017. A composite.
//!
//! # Shape
//! `x`: floats of at least one dimension, of an even extent along `axis` -> half of it.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's `glu`.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::glu::glu;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([4, 6]));
//! let y = glu(&mut draft, x, 1);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([4, 3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;

use super::unary::sigmoid;
use crate::arrange::split::split;
use crate::broadcast::binary::multiply;
use crate::sample::{Sample, Tensor, noise, reference};
use crate::torch::Torch;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("glu", |case| {
    let x = super::unary::operand(case)?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, -1)?;
    Ok(vec![glu(case, x, axis)])
})];

/// The first half of `x` along `axis`, gated by the second.
pub fn glu(draft: &mut Draft, x: Wire, axis: usize) -> Wire {
    let extent = draft.spec(x).filter(|x| axis < x.rank()).map_or(0, |x| x.bound(axis));
    // What is odd is no sum of two halves, and `split` says so.
    let halves = draft.apply_many(split(axis, &[extent / 2; 2]), &[x]);
    let gate = draft.apply(sigmoid(), &[halves[1]]);
    draft.apply(multiply(), &[halves[0], gate])
}

/// The last axis, an inner one, the smallest, none, and an odd extent.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, extents: &[usize], axis: usize| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![glu(draft, x[0], axis)];
        let expect = reference(move |inputs| {
            let x = &inputs[0];
            let mut half = x.extents.clone();
            half[axis] /= 2;
            let y = Tensor::from_fn(&half, |at| {
                let mut gate = at.to_vec();
                gate[axis] += half[axis];
                x.at(at) * (0.5 + 0.5 * (0.5 * x.at(&gate)).tanh())
            });
            vec![y]
        });
        Sample::composite(name, "glu", build, vec![noise(1, extents)], expect)
    };
    let odd = |draft: &mut Draft, x: &[Wire]| vec![glu(draft, x[0], 0)];
    vec![
        case("last axis", &[3, 14], 1),
        case("inner axis", &[2, 6, 5], 1),
        case("smallest", &[2], 0),
        case("none", &[0, 4], 1),
        Sample::composite_rejected("odd", "glu", odd, vec![Spec::f32([3])]),
    ]
}
