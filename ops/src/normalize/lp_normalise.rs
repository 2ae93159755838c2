//! Vectors of length one along an axis: `y = x / max(|x|, epsilon)`, with the length of any power
//! `p`: `|x| = (sum |x|^p)^(1/p)`. `p = 2` is the L2 normalisation.
//!
//! # Shape
//! `x`: `f32` or `f64`, any of at least one dimension -> `y`: the same.
//!
//! # Gradient
//! That of its parts; a vector of length zero is taken to have a length that does not change, so
//! `dx = dy / epsilon` there.
//!
//! # Numerics
//! As PyTorch's `normalize`; lengths are [norms](mod@crate::reduce::norm), of any `p` that they
//! take.
//!
//! # Example
//! ```
//! use synfire_ops::normalize::lp_normalise::lp_normalise;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 6]));
//! let y = lp_normalise(&mut draft, x, 2.0, 1, 1e-12);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::divide;
use crate::pointwise::unary::{abs, clamp};
use crate::reduce::norm::norm;
use crate::reduce::reduction::Keep;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("normalize", |case| {
    let x = case.operand(&["x", "input"])?;
    let p = case.number(case.spelling(&["p", "ord"]), 2.0)?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, 1)?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-12)?;
    Ok(vec![lp_normalise(case, x, p, axis, epsilon)])
})];

/// `x` over its length along `axis`, which is at least `epsilon`.
pub fn lp_normalise(draft: &mut Draft, x: Wire, p: f64, axis: usize, epsilon: f64) -> Wire {
    let extent = draft.spec(x).and_then(|spec| spec.dimensions.get(axis));
    let length = match extent {
        // So the gradient, which is zero, is so exactly.
        Some(Dimension::Fixed(1)) if p != 0.0 => draft.apply(abs(), &[x]),
        _ => norm(draft, x, &[axis], Keep::Axes, p),
    };
    let length = draft.apply(clamp(epsilon, f64::INFINITY), &[length]);
    draft.apply(divide(), &[x, length])
}

/// Several powers and axes, `f64`, zero and tiny vectors, none, bounded; a missing axis.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |p: f64, axis: usize| {
        move |draft: &mut Draft, wires: &[Wire]| vec![lp_normalise(draft, wires[0], p, axis, 1e-3)]
    };
    let case = |name: &str, x: Value, p: f64, axis: usize| {
        let expect = reference(move |inputs| vec![by_definition(&inputs[0], p, axis)]);
        Sample::composite(name, "lp_normalise", build(p, axis), vec![x], expect)
    };
    let small = Value::new(&[3, 2], &[0.0_f32, 0.0, 1e-5, -2e-5, 0.0, 3.0]);
    let literal = vec![Tensor::new(&[1, 2], vec![f64::NAN, f64::NAN])];
    let nan = vec![Value::new(&[1, 2], &[f32::NAN, 1.0])];
    let bounded = vec![bounded_first(Element::F32, 9, &[3])];
    vec![
        case("rows", noise(1, &[5, 37]), 2.0, 1),
        case("inner axis", noise(2, &[3, 7, 5]), 2.0, 1),
        case("f64", wide(&noise(3, &[3, 5])), 2.0, 0),
        case("absolute", noise(4, &[3, 5]), 1.0, 1),
        case("cubes", noise(5, &[3, 5]), 3.0, 1),
        case("roots", noise(6, &[3, 5]), 0.5, 1),
        case("largest", noise(7, &[3, 5]), f64::INFINITY, 1),
        case("count", noise(8, &[3, 5]), 0.0, 1),
        case("short", small.clone(), 2.0, 1),
        case("short cubes", small, 3.0, 1),
        case("one element", noise(9, &[1]), 2.0, 0),
        case("vectors of one", noise(12, &[5, 1]), 3.0, 1),
        case("empty", noise(10, &[0, 3]), 2.0, 1),
        case("bounded", noise(11, &[4, 3]), 2.0, 1).with_specs(bounded),
        Sample::composite("NaN", "lp_normalise", build(2.0, 1), nan, Expect::Outputs(literal)),
        Sample::composite_rejected(
            "missing axis",
            "lp_normalise",
            build(2.0, 2),
            vec![Spec::f32([2, 2])],
        ),
    ]
}

/// The definition, vector by vector.
fn by_definition(x: &Tensor, p: f64, axis: usize) -> Tensor {
    Tensor::from_fn(&x.extents, |at| {
        let mut other = at.to_vec();
        let vector = (0..x.extents[axis]).map(|k| {
            other[axis] = k;
            x.at(&other).abs()
        });
        let length = if p == f64::INFINITY {
            vector.fold(0.0, f64::max)
        } else if p == 0.0 {
            vector.filter(|x| *x > 0.0).count() as f64
        } else {
            vector.map(|x| x.powf(p)).sum::<f64>().powf(p.recip())
        };
        x.at(at) / length.max(1e-3)
    })
}
