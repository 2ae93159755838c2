//! Discrete cosine transforms along any axis, and the way back.
//!
//! # Shape
//! `x`: `f32` or `f64` with that axis fixed -> `y`: the same. Other dimensions may be bounded.
//!
//! # Gradient
//! That of `cosine`: the transposed transform.
//!
//! # Numerics
//! As `cosine`, whose documentation has the four kinds; an axis that is not the last is moved there
//! and back. As `dct` and `idct` of SciPy.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::cosine::Kind;
//! use synfire_ops::spectral::dct::{dct, idct};
//! use synfire_ops::spectral::fft::Norm;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let image = draft.feed("image", Spec::f32([8, 8]));
//! let rows = dct(&mut draft, image, 0, (Kind::Two, Norm::Ortho));
//! let same = idct(&mut draft, rows, 0, (Kind::Two, Norm::Ortho));
//! assert_eq!(draft.spec(same), Some(&Spec::f32([8, 8])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::cosine::{Kind, cosine};
use super::dft::Direction;
use super::fft::{Norm, Numbers, at_the_end, norm};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};
use crate::torch::{Case, Torch};

/// The cosine transform of a kind along `axis`.
pub fn dct(draft: &mut Draft, x: Wire, axis: usize, (kind, norm): (Kind, Norm)) -> Wire {
    along(draft, x, axis, (kind, Direction::Forward, norm))
}

/// What undoes the cosine transform of a kind along `axis`.
pub fn idct(draft: &mut Draft, x: Wire, axis: usize, (kind, norm): (Kind, Norm)) -> Wire {
    along(draft, x, axis, (kind, Direction::Inverse, norm))
}

fn along(
    draft: &mut Draft,
    x: Wire,
    axis: usize,
    (kind, direction, norm): (Kind, Direction, Norm),
) -> Wire {
    at_the_end(draft, x, axis, [Numbers::Real; 2], |draft, x, _| {
        draft.apply(cosine(kind, (direction, norm)), &[x])
    })
}

/// The names that such functions have beside PyTorch.
pub const TORCH: &[Torch] = &[
    ("dct", |case| of_kind(case, Direction::Forward)),
    ("idct", |case| of_kind(case, Direction::Inverse)),
];

fn of_kind(case: &mut Case<'_>, direction: Direction) -> Result<Vec<Wire>, String> {
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let given = |names: [&'static str; 4]| {
        names.into_iter().find(|name| case.attribute(name).is_some()).unwrap_or(names[0])
    };
    let kind = match case.integer(given(["dct_type", "kind", "n_type", "dcttype"]), 2)? {
        1 => Kind::One,
        2 => Kind::Two,
        3 => Kind::Three,
        4 => Kind::Four,
        other => return Err(format!("no cosine transform of type {other}")),
    };
    let axis = case.axis(given(["dim", "axis", "dims", "axes"]), x, -1)?;
    let norm = norm(case)?;
    Ok(vec![along(case, x, axis, (kind, direction, norm))])
}

/// Outer, inner and last axes, there and back, `f64`, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let back = |name: &str, axis: usize, kind: (Kind, Norm), x: Value| {
        let build = move |draft: &mut Draft, x: &[Wire]| {
            let y = dct(draft, x[0], axis, kind);
            vec![idct(draft, y, axis, kind)]
        };
        let expect = reference(|inputs| vec![inputs[0].clone()]);
        Sample::composite(name, "idct", build, vec![x], expect)
    };
    let forth = |name: &str, axis: usize, x: Value| {
        let build = move |draft: &mut Draft, x: &[Wire]| {
            vec![dct(draft, x[0], axis, (Kind::Two, Norm::Ortho))]
        };
        let expect = reference(move |inputs| vec![orthonormal(&inputs[0], axis)]);
        Sample::composite(name, "dct", build, vec![x], expect)
    };
    let wide = |key, extents: &[usize]| Value::new(extents, &tensor(&noise(key, extents)).data);
    let bounded = vec![bounded_first(Element::F32, 4, &[5, 2])];
    vec![
        forth("first", 0, noise(1, &[6, 3])),
        forth("middle, f64", 1, wide(2, &[2, 5, 3])),
        forth("last", 1, noise(3, &[2, 7])),
        forth("bounded", 1, noise(4, &[3, 5, 2])).with_specs(bounded),
        back("one", 0, (Kind::One, Norm::Backward), noise(5, &[5, 2])),
        back("two, f64", 1, (Kind::Two, Norm::Forward), wide(6, &[2, 4, 2])),
        back("three", 1, (Kind::Three, Norm::Backward), noise(7, &[2, 6])),
        back("four", 0, (Kind::Four, Norm::Ortho), noise(8, &[3, 2])),
    ]
}

/// The orthonormal second kind by its definition.
fn orthonormal(x: &Tensor, axis: usize) -> Tensor {
    let length = x.extents[axis] as f64;
    Tensor::from_fn(&x.extents, |index| {
        let mut other = index.to_vec();
        let terms = (0..x.extents[axis]).map(|j| {
            other[axis] = j;
            let angle = std::f64::consts::PI * index[axis] as f64 * (j as f64 + 0.5) / length;
            x.at(&other) * angle.cos()
        });
        let share = if index[axis] == 0 { 1.0 } else { 2.0 };
        terms.sum::<f64>() * (share / length).sqrt()
    })
}
