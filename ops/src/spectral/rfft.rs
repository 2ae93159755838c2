//! Fast Fourier transforms of real tensors along any axes, and the way back: `rdft` along the last
//! of the axes, `dft` along the others.
//!
//! # Shape
//! [`rfft`]: `x`: `f32` or `f64` -> `y`: `[.., 2]`, pairs of real and imaginary part on a new last
//! axis; the last of the axes has `n / 2 + 1` places, for the other half of the spectrum mirrors
//! this one. [`irfft`]: the other way round. An axis that is given a length is cut off or continued
//! by zeros first; on the way back the last one is given the length of the result, else it is
//! `2 (extent - 1)`. Axes are fixed; others may be bounded.
//!
//! # Gradient
//! Those of `rdft`, `irdft` and `dft`. Imaginary parts that the way back does not look at (of the
//! first place, and of the last one for an even length) have gradient 0.
//!
//! # Numerics
//! As `rdft` and `dft`; norms as in `fft`. As PyTorch's `rfft`, `rfft2`, `rfftn`, `hfft` and
//! their inverses, with pairs in place of complex numbers.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::fft::Norm;
//! use synfire_ops::spectral::rfft::{irfft, rfft};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let sound = draft.feed("sound", Spec::f32([2, 441]));
//! let spectrum = rfft(&mut draft, sound, &[(1, None)], Norm::Backward);
//! assert_eq!(draft.spec(spectrum), Some(&Spec::f32([2, 221, 2])));
//! let back = irfft(&mut draft, spectrum, &[(1, Some(441))], Norm::Backward);
//! assert_eq!(draft.spec(back), Some(&Spec::f32([2, 441])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::dft::Direction;
use super::fft::{Along, Default, Norm, Numbers, at_the_end, axes, fft, fit, norm};
use super::rdft::{irdft, rdft};
use crate::arrange::concat::concat;
use crate::arrange::split::split;
use crate::pointwise::unary::neg;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};
use crate::torch::{Case, Torch};

/// The half spectrum of a real tensor along axes.
pub fn rfft(draft: &mut Draft, x: Wire, along: &[Along], norm: Norm) -> Wire {
    let Some((&(axis, length), others)) = along.split_last() else { return x };
    let x = fit(draft, x, axis, length);
    let numbers = [Numbers::Real, Numbers::Complex];
    let y = at_the_end(draft, x, axis, numbers, |draft, x, length| {
        draft.apply(rdft(norm.scale(Direction::Forward, length)), &[x])
    });
    fft(draft, y, others, (Direction::Forward, norm))
}

/// The real tensor of a half spectrum along axes.
pub fn irfft(draft: &mut Draft, x: Wire, along: &[Along], norm: Norm) -> Wire {
    let Some((&(axis, length), others)) = along.split_last() else { return x };
    let x = fft(draft, x, others, (Direction::Inverse, norm));
    let Some(found) = draft.spec(x).and_then(|spec| spec.dimensions.get(axis).copied()) else {
        // The missing axis is rejected on the way.
        return at_the_end(draft, x, axis, [Numbers::Complex, Numbers::Real], |_, x, _| x);
    };
    let length = length.unwrap_or_else(|| 2 * found.bound().saturating_sub(1));
    let x = fit(draft, x, axis, Some(length / 2 + 1));
    at_the_end(draft, x, axis, [Numbers::Complex, Numbers::Real], |draft, x, _| {
        draft.apply(irdft(length, norm.scale(Direction::Inverse, length)), &[x])
    })
}

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("rfft", |case| forth(case, Default::LastOne)),
    ("irfft", |case| back(case, Default::LastOne)),
    ("rfft2", |case| forth(case, Default::LastTwo)),
    ("irfft2", |case| back(case, Default::LastTwo)),
    ("rfftn", |case| forth(case, Default::All)),
    ("irfftn", |case| back(case, Default::All)),
    // The names of a real spectrum: the other direction of the conjugate, so with the other norm.
    ("hfft", |case| {
        let x = case.input("x").or_else(|_| case.input("input"))?;
        let along = axes(case, case.spec_of(x)?.rank().saturating_sub(1), Default::LastOne)?;
        let (x, norm) = (conjugate(case, x)?, reversed(norm(case)?));
        Ok(vec![irfft(case, x, &along, norm)])
    }),
    ("ihfft", |case| {
        let x = case.input("x").or_else(|_| case.input("input"))?;
        let along = axes(case, case.spec_of(x)?.rank(), Default::LastOne)?;
        let norm = reversed(norm(case)?);
        let y = rfft(case, x, &along, norm);
        Ok(vec![conjugate(case, y)?])
    }),
];

fn forth(case: &mut Case<'_>, default: Default) -> Result<Vec<Wire>, String> {
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let along = axes(case, case.spec_of(x)?.rank(), default)?;
    let norm = norm(case)?;
    Ok(vec![rfft(case, x, &along, norm)])
}

fn back(case: &mut Case<'_>, default: Default) -> Result<Vec<Wire>, String> {
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let along = axes(case, case.spec_of(x)?.rank().saturating_sub(1), default)?;
    let norm = norm(case)?;
    Ok(vec![irfft(case, x, &along, norm)])
}

fn reversed(norm: Norm) -> Norm {
    match norm {
        Norm::Backward => Norm::Forward,
        Norm::Ortho => Norm::Ortho,
        Norm::Forward => Norm::Backward,
    }
}

/// Pairs with the imaginary part negated.
fn conjugate(case: &mut Case<'_>, x: Wire) -> Result<Wire, String> {
    let axis = case.spec_of(x)?.rank() - 1;
    let parts = case.apply_many(split(axis, &[1, 1]), &[x]);
    let imaginary = case.apply(neg(), &[parts[1]]);
    Ok(case.apply(concat(axis, 2), &[parts[0], imaginary]))
}

/// Both ways, every norm, inner and several axes, longer and shorter, `f64`, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let forth = |name: &str, along: &[Along], norm: Norm, x: Value| {
        let (own, along) = (along.to_vec(), along.to_vec());
        let expect = reference(move |inputs| vec![by_definition(&inputs[0], &own, norm)]);
        let build = move |draft: &mut Draft, x: &[Wire]| vec![rfft(draft, x[0], &along, norm)];
        Sample::composite(name, "rfft", build, vec![x], expect)
    };
    // Back from the spectrum is where it came from.
    let back = |name: &str, along: &[Along], norm: Norm, x: Value| {
        let along = along.to_vec();
        let build = move |draft: &mut Draft, x: &[Wire]| {
            let plain: Vec<Along> = along.iter().map(|&(axis, _)| (axis, None)).collect();
            let y = rfft(draft, x[0], &plain, norm);
            vec![irfft(draft, y, &along, norm)]
        };
        let expect = reference(|inputs| vec![inputs[0].clone()]);
        Sample::composite(name, "irfft", build, vec![x], expect)
    };
    let wide = |key, extents: &[usize]| Value::new(extents, &tensor(&noise(key, extents)).data);
    let bounded = vec![bounded_first(Element::F32, 3, &[6])];
    vec![
        forth("last", &[(1, None)], Norm::Backward, noise(1, &[2, 7])),
        forth("first, shorter", &[(0, Some(4))], Norm::Ortho, noise(2, &[5, 3])),
        forth("two, longer, f64", &[(2, None), (0, Some(6))], Norm::Forward, wide(3, &[5, 2, 3])),
        forth("bounded", &[(1, None)], Norm::Ortho, noise(4, &[2, 6])).with_specs(bounded),
        back("even", &[(1, None)], Norm::Backward, noise(5, &[2, 8])),
        back("odd, first", &[(0, Some(7))], Norm::Forward, noise(6, &[7, 2])),
        back("two, f64", &[(0, None), (2, Some(5))], Norm::Ortho, wide(7, &[4, 2, 5])),
    ]
}

/// All axes at once by the definition.
fn by_definition(x: &Tensor, along: &[Along], norm: Norm) -> Tensor {
    let lengths: Vec<usize> =
        along.iter().map(|&(axis, length)| length.unwrap_or(x.extents[axis])).collect();
    let mut extents = x.extents.clone();
    along.iter().zip(&lengths).for_each(|(&(axis, _), &length)| extents[axis] = length);
    let (last, scale) = (along[along.len() - 1].0, {
        let factors = lengths.iter().map(|&length| match norm {
            Norm::Backward => 1.0,
            Norm::Ortho => (length as f64).powf(-0.5),
            Norm::Forward => (length as f64).recip(),
        });
        factors.product::<f64>()
    });
    extents[last] = extents[last] / 2 + 1;
    extents.push(2);
    Tensor::from_fn(&extents, |index| {
        let mut sum = 0.0;
        let _ = Tensor::from_fn(&x.extents, |place| {
            let mut turns = 0.0;
            for (&(axis, _), &length) in along.iter().zip(&lengths) {
                if place[axis] >= length {
                    return 0.0;
                }
                turns += (place[axis] * index[axis]) as f64 / length as f64;
            }
            let others = |axis: usize| along.iter().all(|&(own, _)| own != axis);
            if (0..place.len()).any(|axis| others(axis) && place[axis] != index[axis]) {
                return 0.0;
            }
            let angle = std::f64::consts::TAU * turns;
            let wave = if index[place.len()] == 0 { angle.cos() } else { -angle.sin() };
            sum += wave * x.at(place);
            0.0
        });
        scale * sum
    })
}
