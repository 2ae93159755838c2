//! Weight normalisation: `w = g * v / |v|`, the length of a weight apart from its direction.
//! Salimans and Kingma, "Weight normalization: a simple reparameterization to accelerate training
//! of deep neural networks", 2016. A composite.
//!
//! # Shape
//! `v`: `f32` or `f64`, any of at least one dimension; `g`: what is broadcast to `v`, of extent one
//! everywhere but along the axis -> `w`: as `v`. The length is that of all axes but this one.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! As PyTorch's `_weight_norm`; a `v` of zeros gives NaN.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::weight_norm::weight_norm;
//! use synfire_ops::dense::linear::linear;
//! use synfire_runtime::{define::{Draft, Initial}, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([4, 7]));
//! let v = draft.parameter("v", Spec::f32([5, 7]), Initial::Normal { deviation: 1.0 });
//! let g = draft.parameter("g", Spec::f32([5, 1]), Initial::Constant(1.0));
//! let w = weight_norm(&mut draft, [v, g], 0, x);
//! let y = draft.apply(linear(), &[x, w]);
//! draft.outlet("y", y);
//! assert!(draft.check().is_ok());
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;

use crate::broadcast::binary::{divide, multiply};
use crate::reduce::norm::norm;
use crate::reduce::reduction::Keep;
use crate::route::pace::pace;
use crate::sample::{Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("weight_norm", build), ("_weight_norm", build)];

fn build(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let v = case.operand(&["v", "weight_v", "x", "input"])?;
    let g = case.operand(&["g", "weight_g"])?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), v, 0)?;
    Ok(vec![weight_norm(case, [v, g], axis, v)])
}

/// `v` of length `g` over all axes but `axis`, at the pace of `stream`: the weights are constants
/// as a rule, of which nothing alone is computed.
pub fn weight_norm(draft: &mut Draft, [v, g]: [Wire; 2], axis: usize, stream: Wire) -> Wire {
    let [v, g] = [v, g].map(|wire| draft.apply(pace(), &[wire, stream]));
    let rank = draft.spec(v).map_or(0, Spec::rank);
    let axes: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
    let length = norm(draft, v, &axes, Keep::Axes, 2.0);
    let slope = draft.apply(divide(), &[g, length]);
    draft.apply(multiply(), &[v, slope])
}

/// Weights of a convolution and of a matrix, other axes, one number.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, v: &[usize], axis: usize| {
        let mut g = vec![1; v.len()];
        g[axis] = v[axis];
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![weight_norm(draft, [wires[0], wires[1]], axis, wires[0])]
        };
        let expect = reference(move |inputs| {
            let (v, g) = (&inputs[0], &inputs[1]);
            let lengths: Vec<f64> = (0..v.extents[axis])
                .map(|k| {
                    let own = Tensor::from_fn(&v.extents, |at| {
                        if at[axis] == k { v.at(at).powi(2) } else { 0.0 }
                    });
                    own.data.iter().sum::<f64>().sqrt()
                })
                .collect();
            vec![Tensor::from_fn(&v.extents, |at| v.at(at) * g.data[at[axis]] / lengths[at[axis]])]
        });
        Sample::composite(name, "weight_norm", build, vec![noise(1, v), noise(2, &g)], expect)
    };
    vec![
        case("convolution", &[5, 3, 2, 3], 0),
        case("matrix", &[7, 11], 1),
        case("vector", &[7], 0),
        case("one number", &[1, 1], 0),
    ]
}
