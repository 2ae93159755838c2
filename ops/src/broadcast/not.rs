//! Logical not: whether an element is false. A composite.
//!
//! # Shape
//! `x`: any -> `bool` of the same dimensions; what is not `bool` counts as true where it differs
//! from 0.
//!
//! # Gradient
//! Truth values have none.
//!
//! # Numerics
//! Exact. As PyTorch's `logical_not`, so NaN is true.
//!
//! # Example
//! ```
//! use synfire_ops::broadcast::not::logical_not;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::new(Element::Bool, [3]));
//! let y = logical_not(&mut draft, x);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;

use super::binary::{equal, logical_xor};
use super::cast::cast;
use crate::pointwise::unary::operand;
use crate::sample::{Sample, Tensor, noise, ramp, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("logical_not", build),
    ("bitwise_not", |case| {
        let x = operand(case)?;
        match case.spec_of(x)?.element {
            Element::Bool => build(case),
            other => Err(format!("bits of {other} are not turned over")),
        }
    }),
];

fn build(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = operand(case)?;
    Ok(vec![logical_not(case, x)])
}

/// Whether each element is false, or 0.
pub fn logical_not(draft: &mut Draft, x: Wire) -> Wire {
    let is_truth = draft.spec(x).is_some_and(|x| x.element == Element::Bool);
    let truth = if is_truth { x } else { draft.apply(cast(Element::Bool), &[x]) };
    // What equals itself is true, and a truth value always does.
    let all = draft.apply(equal(), &[truth, truth]);
    draft.apply(logical_xor(), &[truth, all])
}

/// Truth values, numbers with zeros, one element, none.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build = |draft: &mut Draft, x: &[Wire]| vec![logical_not(draft, x[0])];
    let case = |name: &str, x| {
        let expect = reference(|inputs| {
            let y = inputs[0].data.iter().map(|&x| f64::from(u8::from(x == 0.0)));
            vec![Tensor::new(&inputs[0].extents, y.collect())]
        });
        Sample::composite(name, "logical_not", build, vec![x], expect)
    };
    vec![
        case("truths", ramp(Element::Bool, &[3, 7])),
        case("integers", ramp(Element::I64, &[5])),
        case("floats", noise(1, &[2, 5])),
        case("one element", ramp(Element::F32, &[])),
        case("none", ramp(Element::Bool, &[0, 2])),
    ]
}
