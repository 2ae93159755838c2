//! The tables of [`rotary`](super::rotary), a composite: cosine and sine of
//! `position * base^(-2 pair / features)`.
//!
//! # Shape
//! `positions`: `f32` or `f64` `[position]`, bounded too. `cos`, `sin`: `[position, features / 2]`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Angles have the rounding of their type, so of `f32` about `position * 1e-7`, as is usual.
//!
//! # Example
//! ```
//! use synfire_ops::attention::rotary_tables::rotary_tables;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let positions = draft.feed("positions", Spec::f32([7]));
//! let [cos, _] = rotary_tables(&mut draft, positions, 8, 10_000.0);
//! assert_eq!(draft.spec(cos), Some(&Spec::f32([7, 4])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::arrange::expand::expand;
use crate::broadcast::binary::multiply;
use crate::dense::matmul::regroup;
use crate::pointwise::unary::{cos, exp, fill, scale, sin};
use crate::reject::reject;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, reference};
use crate::scan::cumulative::cumsum;

/// Cosines and sines for these positions.
///
/// Positions that do not fit are a fault of the draft.
pub fn rotary_tables(draft: &mut Draft, positions: Wire, features: usize, base: f64) -> [Wire; 2] {
    let spec = match check(draft, positions) {
        Ok(spec) => spec,
        Err(error) => return [reject(draft, "rotary_tables", ("x", &[positions]), error); 2],
    };
    let (count, pairs) = (spec.dimensions[0], features / 2);
    let column = regroup(draft, positions, &[count, Dimension::Fixed(1)]);
    let Some(column) = column else {
        let error = SpecError::new("x0", spec, "positions that can be a column");
        return [reject(draft, "rotary_tables", ("x", &[positions]), error); 2];
    };
    let positions = draft.apply(expand(&[count.bound(), pairs]), &[column]);
    let ones = draft.apply(fill(1.0), &[positions]);
    // 0, 1, 2, ... along the pairs.
    let pair = draft.apply(cumsum(1).exclusive(), &[ones]);
    let slope = -2.0 * base.ln() / features.max(1) as f64;
    let exponent = draft.apply(scale(slope), &[pair]);
    let frequency = draft.apply(exp(), &[exponent]);
    let angle = draft.apply(multiply(), &[positions, frequency]);
    [draft.apply(cos(), &[angle]), draft.apply(sin(), &[angle])]
}

fn check(draft: &Draft, positions: Wire) -> Result<Spec, SpecError> {
    let spec = draft.spec(positions).ok_or_else(|| SpecError::new("x0", "a fault", "a spec"))?;
    require::element("x0", spec, &[Element::F32, Element::F64])?;
    require::rank("x0", spec, 1)?;
    Ok(spec.clone())
}

/// Positions with gaps, an odd number of features, one, none; a matrix.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let wrong = sample("matrix", &[2, 2], &[0.0; 4], 4);
    let expect = Expect::Rejected { port: "x0", dimension: None };
    vec![
        sample("positions", &[5], &[0.0, 1.0, 2.0, 7.0, 100.0], 8),
        sample("odd features", &[2], &[3.0, -1.5], 7),
        sample("one", &[1], &[1.0], 2),
        sample("none", &[0], &[], 4),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, extents: &[usize], positions: &[f32], features: usize) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        rotary_tables(draft, wires[0], features, 10_000.0).to_vec()
    };
    let expect = reference(move |inputs| {
        let table = |of: fn(f64) -> f64| {
            Tensor::from_fn(&[inputs[0].data.len(), features / 2], |at| {
                let turns = 10_000_f64.powf(-2.0 * at[1] as f64 / features as f64);
                of(inputs[0].data[at[0]] * turns)
            })
        };
        vec![table(f64::cos), table(f64::sin)]
    });
    Sample::composite(name, "rotary_tables", build, vec![Value::new(extents, positions)], expect)
}
