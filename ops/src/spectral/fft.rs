//! Fast Fourier transforms of complex tensors along any axes: `y = scale * dft(x)` along each.
//!
//! | norm | forward | inverse |
//! |---|---|---|
//! | [`Norm::Backward`] | 1 | 1 / n |
//! | [`Norm::Ortho`] | 1 / sqrt n | 1 / sqrt n |
//! | [`Norm::Forward`] | 1 / n | 1 |
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., 2]`, pairs of real and imaginary part on the last axis -> `y`: the
//! same, where an axis that is given a length has that one: it is cut off or continued by zeros
//! first. Axes are counted from the first and are fixed; others may be bounded.
//!
//! # Gradient
//! That of `dft`: the transform in the other direction.
//!
//! # Numerics
//! As `dft` along each axis; an axis that is not the last is moved there and back. As PyTorch's
//! `fft`, `fft2` and `fftn`, with pairs in place of complex numbers.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::dft::Direction;
//! use synfire_ops::spectral::fft::{Norm, fft};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let image = draft.feed("image", Spec::f32([3, 30, 40, 2]));
//! // To 32 rows and as many columns as there are.
//! let axes = [(1, Some(32)), (2, None)];
//! let y = fft(&mut draft, image, &axes, (Direction::Forward, Norm::Ortho));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([3, 32, 40, 2])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element};
use synfire_runtime::value::Value;

use super::dft::{Direction, dft};
use crate::arrange::pad::{PadMode, pad};
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::slice::slice;
use crate::arrange::transpose::transpose;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, tensor};
use crate::torch::{Case, Torch};

/// Which direction divides by the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// The inverse.
    Backward,
    /// Both, by its square root.
    Ortho,
    /// The forward one.
    Forward,
}

impl Norm {
    /// The factor of a direction where the other one undoes it but for `length`.
    pub(super) fn scale(self, direction: Direction, length: usize) -> f64 {
        let length = length as f64;
        match (self, direction) {
            (Self::Ortho, _) => 1.0 / length.sqrt(),
            (Self::Backward, Direction::Inverse) | (Self::Forward, Direction::Forward) => {
                1.0 / length
            }
            _ => 1.0,
        }
    }
}

/// An axis, and its length if it is not as it comes.
pub type Along = (usize, Option<usize>);

/// The transform along each axis in a direction, with a norm.
pub fn fft(
    draft: &mut Draft,
    x: Wire,
    axes: &[Along],
    (direction, norm): (Direction, Norm),
) -> Wire {
    axes.iter().fold(x, |x, &(axis, length)| {
        let x = fit(draft, x, axis, length);
        at_the_end(draft, x, axis, [Numbers::Complex; 2], |draft, x, length| {
            draft.apply(dft(direction, norm.scale(direction, length)), &[x])
        })
    })
}

/// What a tensor holds, and so which of its axes is the last of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    Real,
    Complex,
}

/// `axis` cut off or continued by zeros to a length.
pub(super) fn fit(draft: &mut Draft, x: Wire, axis: usize, length: Option<usize>) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    match (length, spec.dimensions.get(axis)) {
        (Some(length), Some(&Dimension::Fixed(found))) if length < found => {
            draft.apply(slice(axis, 0, length, 1), &[x])
        }
        (Some(length), Some(&Dimension::Fixed(found))) if length > found => {
            let mut after = vec![0; spec.rank()];
            after[axis] = length - found;
            draft.apply(pad(&vec![0; spec.rank()], &after, PadMode::Constant(0.0)), &[x])
        }
        _ => x,
    }
}

/// Applies what works on the last axis, whose length it is told, to `axis`.
pub(super) fn at_the_end(
    draft: &mut Draft,
    x: Wire,
    axis: usize,
    [from, to]: [Numbers; 2],
    apply: impl FnOnce(&mut Draft, Wire, usize) -> Wire,
) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let rank = if from == Numbers::Complex { spec.rank().saturating_sub(1) } else { spec.rank() };
    let length = spec.dimensions.get(axis).map_or(1, |dimension| dimension.bound());
    if axis + 1 == rank {
        return apply(draft, x, length);
    }
    let with_pairs = |order: Vec<usize>, numbers| match numbers {
        Numbers::Complex => [order, vec![rank]].concat(),
        Numbers::Real => order,
    };
    // Where there is no such axis, the transposition is rejected.
    let others = (0..rank).filter(|&other| other != axis);
    let there = with_pairs(others.chain([axis]).collect(), from);
    let back = (0..rank).map(|k| match k.cmp(&axis) {
        std::cmp::Ordering::Less => k,
        std::cmp::Ordering::Equal => rank - 1,
        std::cmp::Ordering::Greater => k - 1,
    });
    let back = with_pairs(back.collect(), to);
    let x = draft.apply(transpose(&there), &[x]);
    let y = apply(draft, x, length);
    draft.apply(transpose(&back), &[y])
}

/// PyTorch's names. A tensor whose last extent is not 2 is real, as is one without such axes.
pub const TORCH: &[Torch] = &[
    ("fft", |case| complex(case, Direction::Forward, Default::LastOne)),
    ("ifft", |case| complex(case, Direction::Inverse, Default::LastOne)),
    ("fft2", |case| complex(case, Direction::Forward, Default::LastTwo)),
    ("ifft2", |case| complex(case, Direction::Inverse, Default::LastTwo)),
    ("fftn", |case| complex(case, Direction::Forward, Default::All)),
    ("ifftn", |case| complex(case, Direction::Inverse, Default::All)),
];

/// The axes where a case names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    LastOne,
    LastTwo,
    All,
}

fn complex(
    case: &mut Case<'_>,
    direction: Direction,
    default: Default,
) -> Result<Vec<Wire>, String> {
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let spec = case.spec_of(x)?;
    let mut x = x;
    let pairs = spec.dimensions.last() == Some(&Dimension::Fixed(2)) && spec.rank() > 1;
    if !pairs || axes(case, spec.rank() - 1, default).is_err() {
        let one_more = spec.bounds().into_iter().chain([1]).map(Extent::Is);
        x = case.apply(reshape(&one_more.collect::<Vec<_>>()), &[x]);
        x = fit(case, x, spec.rank(), Some(2));
    }
    let axes = axes(case, case.spec_of(x)?.rank() - 1, default)?;
    let norm = norm(case)?;
    Ok(vec![fft(case, x, &axes, (direction, norm))])
}

/// The axes of a case among `rank` and their lengths.
pub(super) fn axes(case: &Case<'_>, rank: usize, default: Default) -> Result<Vec<Along>, String> {
    let given = |names: [&str; 4]| {
        let found = names.iter().find(|name| case.attribute(name).is_some());
        found.map_or(Ok(None), |name| case.integers(name))
    };
    let lengths = given(["n", "s", "size", "lengths"])?;
    let count = match (default, &lengths) {
        (_, Some(lengths)) if default != Default::LastOne => lengths.len(),
        (Default::LastOne, _) => 1,
        (Default::LastTwo, _) => 2,
        (Default::All, _) => rank,
    };
    let last = || (1..=count as i64).rev().map(|back| -back).collect();
    let axes = given(["dim", "axis", "dims", "axes"])?.unwrap_or_else(last);
    let lengths = lengths.unwrap_or_else(|| vec![-1; axes.len()]);
    if lengths.len() != axes.len() {
        return Err(format!("{} lengths for {} axes", lengths.len(), axes.len()));
    }
    let pair = |(&axis, &length): (&i64, &i64)| {
        let place = if axis < 0 { axis + rank as i64 } else { axis };
        let place = usize::try_from(place).ok().filter(|&place| place < rank);
        let place = place.ok_or_else(|| format!("axis {axis} of {rank}"))?;
        Ok((place, usize::try_from(length).ok()))
    };
    axes.iter().zip(&lengths).map(pair).collect()
}

/// The norm of a case.
pub(super) fn norm(case: &Case<'_>) -> Result<Norm, String> {
    match case.text("norm", "backward")?.as_str() {
        "backward" => Ok(Norm::Backward),
        "ortho" => Ok(Norm::Ortho),
        "forward" => Ok(Norm::Forward),
        other => Err(format!("no norm `{other}`")),
    }
}

/// Every norm, inner and several axes, longer and shorter, there and back, `f64`, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use Direction::{Forward, Inverse};
    let case = |name: &str, axes: &[Along], way: (Direction, Norm), x: Value| {
        let (own, axes) = (axes.to_vec(), axes.to_vec());
        let expect = reference(move |inputs| {
            let along = |x: Tensor, &(axis, length): &Along| by_definition(&x, (axis, length), way);
            vec![own.iter().fold(inputs[0].clone(), along)]
        });
        let build = move |draft: &mut Draft, x: &[Wire]| vec![fft(draft, x[0], &axes, way)];
        Sample::composite(name, "fft", build, vec![x], expect)
    };
    let wide = |key, extents: &[usize]| Value::new(extents, &tensor(&noise(key, extents)).data);
    let bounded = vec![bounded_first(Element::F32, 3, &[5, 3, 2])];
    let there_and_back = |draft: &mut Draft, x: &[Wire]| {
        let y = fft(draft, x[0], &[(0, None), (1, None)], (Forward, Norm::Forward));
        vec![fft(draft, y, &[(1, None), (0, None)], (Inverse, Norm::Forward))]
    };
    let same: Expect = reference(|inputs| vec![inputs[0].clone()]);
    let back = vec![noise(6, &[5, 4, 2])];
    vec![
        case("last", &[(1, None)], (Forward, Norm::Backward), noise(1, &[2, 6, 2])),
        case("first", &[(0, None)], (Inverse, Norm::Backward), noise(2, &[7, 3, 2])),
        case("middle, longer", &[(1, Some(7))], (Forward, Norm::Ortho), noise(3, &[2, 5, 3, 2])),
        case("shorter, f64", &[(0, Some(3))], (Inverse, Norm::Forward), wide(4, &[5, 2, 2])),
        case("two", &[(2, Some(4)), (0, None)], (Forward, Norm::Forward), noise(5, &[3, 2, 5, 2])),
        Sample::composite("there and back", "fft", there_and_back, back, same),
        case("bounded", &[(1, None)], (Inverse, Norm::Ortho), noise(7, &[2, 5, 3, 2]))
            .with_specs(bounded),
    ]
}

/// One axis by the definition, the factor by the other direction's.
fn by_definition(
    x: &Tensor,
    (axis, length): Along,
    (direction, norm): (Direction, Norm),
) -> Tensor {
    let length = length.unwrap_or(x.extents[axis]);
    let mut extents = x.extents.clone();
    extents[axis] = length;
    let turn = std::f64::consts::TAU / length as f64;
    let sign = if direction == Direction::Forward { -turn } else { turn };
    let scale = 1.0 / (norm.scale(direction.reversed(), length) * length as f64);
    Tensor::from_fn(&extents, |index| {
        let (mut other, last) = (index.to_vec(), index.len() - 1);
        let terms = (0..length.min(x.extents[axis])).map(|j| {
            let (sin, cos) = (sign * (j * index[axis]) as f64).sin_cos();
            other[axis] = j;
            other[last] = 0;
            let re = x.at(&other);
            other[last] = 1;
            let im = x.at(&other);
            if index[last] == 0 { re * cos - im * sin } else { re * sin + im * cos }
        });
        scale * terms.sum::<f64>()
    })
}
