//! Sinusoidal positional encoding, a composite: `y[p, 2k] = sin(a)`, `y[p, 2k + 1] = cos(a)` with
//! `a = position * base^(-2k / features)` (Vaswani and others 2017, section 3.5).
//!
//! # Shape
//! `positions`: `f32` or `f64` `[position]` -> `y`: `[position, features]`; an even number of
//! features.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Angles have the rounding of their type, so of `f32` about `position * 1e-7`.
//!
//! # Example
//! ```
//! use synfire_ops::attention::sinusoid::sinusoid;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let positions = draft.feed("positions", Spec::f32([7]));
//! let y = sinusoid(&mut draft, positions, 8, 10_000.0);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([7, 8])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::value::Value;

use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::stack::stack;
use crate::attention::rotary_tables::rotary_tables;
use crate::reject::reject;
use crate::sample::{Expect, Sample, Tensor, reference};

/// The encoding of these positions.
///
/// Positions that do not fit, and odd features, are a fault of the draft.
pub fn sinusoid(draft: &mut Draft, positions: Wire, features: usize, base: f64) -> Wire {
    if features == 0 || !features.is_multiple_of(2) {
        let error = SpecError::new("x0", format!("{features} features"), "an even number of them");
        return reject(draft, "sinusoid", ("x", &[positions]), error);
    }
    let [cos, sin] = rotary_tables(draft, positions, features, base);
    let pairs = draft.apply(stack(2, 2), &[sin, cos]);
    draft.apply(reshape(&[Extent::Infer, features.into()]), &[pairs])
}

/// Positions with gaps, one, none; odd features, a matrix.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let expect = || Expect::Rejected { port: "", dimension: None };
    let rejected = |sample: Sample| Sample { inputs: Vec::new(), expect: expect(), ..sample };
    vec![
        sample("positions", &[5], &[0.0, 1.0, 2.0, 7.0, 100.0], 8),
        sample("one", &[1], &[1.0], 2),
        sample("none", &[0], &[], 4),
        rejected(sample("odd features", &[1], &[1.0], 7)),
        rejected(sample("matrix", &[2, 2], &[0.0; 4], 4)),
    ]
}

fn sample(name: &str, extents: &[usize], positions: &[f32], features: usize) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![sinusoid(draft, wires[0], features, 10_000.0)]
    };
    let expect = reference(move |inputs| {
        vec![Tensor::from_fn(&[inputs[0].data.len(), features], |at| {
            let wavelength = 10_000_f64.powf((at[1] - at[1] % 2) as f64 / features as f64);
            // A cosine is a sine a quarter of a turn later.
            let quarter = (at[1] % 2) as f64 * std::f64::consts::FRAC_PI_2;
            (inputs[0].data[at[0]] / wavelength + quarter).sin()
        })]
    });
    Sample::composite(name, "sinusoid", build, vec![Value::new(extents, positions)], expect)
}
