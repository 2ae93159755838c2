//! What kind of number an element is: NaN, infinite or finite; and [`nan_to_num`], which makes all
//! of them finite. Composites.
//!
//! # Shape
//! `x`: any floats -> `bool` of the same dimensions; [`nan_to_num`]: as `x`.
//!
//! # Gradient
//! Truth values have none; that of [`nan_to_num`] is `dy` where `x` is finite, else 0.
//!
//! # Numerics
//! Exact. As PyTorch's `isnan`, `isinf`, `isfinite` and `nan_to_num`.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::finite::is_nan;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([3]));
//! let y = is_nan(&mut draft, x);
//! assert_eq!(draft.spec(y), Some(&Spec::new(Element::Bool, [3])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::unary::{abs, fill, operand};
use crate::broadcast::binary::{equal, less, not_equal};
use crate::gradient::formula;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("isnan", |case| of(case, is_nan)),
    ("isinf", |case| of(case, is_infinite)),
    ("isfinite", |case| of(case, is_finite)),
    ("nan_to_num", |case| {
        let x = operand(case)?;
        let largest = match case.spec_of(x)?.element {
            Element::F64 => f64::MAX,
            _ => f64::from(f32::MAX),
        };
        let instead = [
            case.number("nan", 0.0)?,
            case.number("posinf", largest)?,
            case.number("neginf", -largest)?,
        ];
        Ok(vec![nan_to_num(case, x, instead)])
    }),
];

fn of(case: &mut Case<'_>, judge: fn(&mut Draft, Wire) -> Wire) -> Result<Vec<Wire>, String> {
    let x = operand(case)?;
    Ok(vec![judge(case, x)])
}

/// Whether each element is no number.
pub fn is_nan(draft: &mut Draft, x: Wire) -> Wire {
    draft.apply(not_equal(), &[x, x])
}

/// Whether each element is infinite.
pub fn is_infinite(draft: &mut Draft, x: Wire) -> Wire {
    formula(draft, [x], |[x]| x.to(abs()).with(equal(), &[x.to(fill(f64::INFINITY))]).wire)
}

/// Whether each element is a finite number.
pub fn is_finite(draft: &mut Draft, x: Wire) -> Wire {
    formula(draft, [x], |[x]| x.to(abs()).with(less(), &[x.to(fill(f64::INFINITY))]).wire)
}

/// `x` with other numbers instead of NaN, infinity and minus infinity.
pub fn nan_to_num(draft: &mut Draft, x: Wire, [nan, above, below]: [f64; 3]) -> Wire {
    if draft.spec(x).is_none_or(|x| !x.element.is_float()) {
        return x;
    }
    formula(draft, [x], |[x]| {
        let same = |bound: f64| x.with(equal(), &[x.to(fill(bound))]);
        let numbers = x.with(equal(), &[x]).choose(x, x.to(fill(nan)));
        let bounded = same(f64::INFINITY).choose(x.to(fill(above)), numbers);
        same(f64::NEG_INFINITY).choose(x.to(fill(below)), bounded).wire
    })
}

/// Each kind among the others, plain numbers, one element, none.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let special = [0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.5];
    type Row = (&'static str, fn(&mut Draft, Wire) -> Wire, fn(f64) -> bool);
    let judges: [Row; 3] = [
        ("is_nan", is_nan, f64::is_nan),
        ("is_infinite", is_infinite, f64::is_infinite),
        ("is_finite", is_finite, f64::is_finite),
    ];
    let mut samples = Vec::new();
    for (name, judge, expected) in judges {
        let case = |what: &str, x: Value| {
            let build = move |draft: &mut Draft, x: &[Wire]| vec![judge(draft, x[0])];
            let expect = reference(move |inputs| {
                let y = inputs[0].data.iter().map(|&x| f64::from(u8::from(expected(x))));
                vec![Tensor::new(&inputs[0].extents, y.collect())]
            });
            Sample::composite(what, name, build, vec![x], expect)
        };
        samples.extend([
            case("special", Value::new(&[5], &special.map(|x| x as f32))),
            case("special f64", Value::new(&[5], &special)),
            case("plain", noise(1, &[3, 7])),
            case("one element", noise(2, &[])),
            case("none", noise(3, &[0, 2])),
        ]);
    }
    let numbers = |name: &str, x: Value, y: Expect| {
        let build = |draft: &mut Draft, x: &[Wire]| vec![nan_to_num(draft, x[0], [7.0, 8.0, -9.0])];
        Sample::composite(name, "nan_to_num", build, vec![x], y)
    };
    let literal = Tensor::new(&[5], vec![0.0, 7.0, 8.0, -9.0, -1.5]);
    samples.extend([
        numbers("special", Value::new(&[5], &special), Expect::Outputs(vec![literal])),
        numbers("plain", noise(4, &[3, 7]), reference(<[_]>::to_vec)),
    ]);
    samples
}
