//! Products summed over any pairs of axes, a composite: an [`einsum`](super::einsum) whose
//! equation is made from the axes.
//!
//! # Shape
//! `a`, `b`: `f32` or `f64`; the axes of a pair have one extent, or one of them 1. `y`: the other
//! axes of `a`, then those of `b`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of its parts. As PyTorch's `tensordot`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::tensordot::tensordot;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let a = draft.feed("a", Spec::f32([2, 3, 5]));
//! let b = draft.feed("b", Spec::f32([5, 7, 3]));
//! let y = tensordot(&mut draft, [a, b], &[(1, 2), (2, 0)]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 7])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::Spec;

use crate::dense::einsum::einsum;
use crate::dense::matmul::names;
use crate::reject::reject;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Attribute, Case, Torch};

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("tensordot", |case| {
    let [a, b] = names::operands(case, [names::FIRST, names::SECOND])?;
    let pairs = pairs(case, [a, b])?;
    Ok(vec![tensordot(case, [a, b], &pairs)])
})];

/// The pairs of axes: two lists, or a number of the last of `a` and the first of `b`.
fn pairs(case: &Case<'_>, wires: [Wire; 2]) -> Result<Vec<(usize, usize)>, String> {
    let ranks = [case.spec_of(wires[0])?.rank(), case.spec_of(wires[1])?.rank()];
    let place = |axis: &Attribute, rank: usize| match axis {
        Attribute::Number(axis) if axis.fract() == 0.0 => {
            let axis = if *axis < 0.0 { axis + rank as f64 } else { *axis };
            Ok(axis as usize)
        }
        other => Err(format!("an axis is {other:?}")),
    };
    match case.attribute("dims").or_else(|| case.attribute("axes")) {
        Some(Attribute::List(lists)) => match &lists[..] {
            [Attribute::List(left), Attribute::List(right)] if left.len() == right.len() => {
                let both = left.iter().zip(right);
                both.map(|(a, b)| Ok((place(a, ranks[0])?, place(b, ranks[1])?))).collect()
            }
            other => Err(format!("`dims` is {other:?}, wanted two lists")),
        },
        _ => {
            let count = usize::try_from(case.integer("dims", 2)?).map_err(|e| e.to_string())?;
            let first = ranks[0].checked_sub(count).ok_or("more axes than `a` has")?;
            Ok((0..count).map(|axis| (first + axis, axis)).collect())
        }
    }
}

/// The product of both, summed over each pair of an axis of `a` and one of `b`.
///
/// Axes that do not exist, or operands that do not fit, are a fault of the draft.
pub fn tensordot(draft: &mut Draft, operands: [Wire; 2], pairs: &[(usize, usize)]) -> Wire {
    let ranks = operands.map(|wire| draft.spec(wire).map_or(0, Spec::rank));
    let (mut a, mut b): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
    let exists = pairs.iter().all(|&(a, b)| a < ranks[0] && b < ranks[1]);
    a.sort_unstable();
    b.sort_unstable();
    a.dedup();
    b.dedup();
    if !exists || a.len() < pairs.len() || b.len() < pairs.len() {
        let error = SpecError::new("operand0", format!("{pairs:?}"), "axes of both, each once");
        return reject(draft, "tensordot", ("operand", &operands), error);
    }
    // Letters for `a`, further ones for the axes of `b` that are no partner.
    let letter = |place: usize| char::from(b'a' + place as u8);
    let left: String = (0..ranks[0]).map(letter).collect();
    let partner = |axis: usize| pairs.iter().find(|pair| pair.1 == axis).map(|pair| pair.0);
    let right = (0..ranks[1]).map(|axis| letter(partner(axis).unwrap_or(ranks[0] + axis)));
    let right: String = right.collect();
    let kept = |label: &char| !(left.contains(*label) && right.contains(*label));
    let output: String = left.chars().chain(right.chars()).filter(kept).collect();
    einsum(draft, &format!("{left},{right}->{output}"), &operands)
}

/// Several pairs, one, none, all; axes that do not exist.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let wrong = sample("no such axis", [&[2, 3], &[3, 2]], &[(2, 0)]);
    let expect = Expect::Rejected { port: "operand0", dimension: None };
    vec![
        sample("two pairs", [&[2, 3, 5], &[5, 7, 3]], &[(1, 2), (2, 0)]),
        sample("one pair", [&[2, 3], &[3, 4]], &[(1, 0)]),
        sample("no pair", [&[2, 3], &[4]], &[]),
        sample("all", [&[2, 3], &[3, 2]], &[(0, 1), (1, 0)]),
        sample("empty", [&[2, 0], &[0, 3]], &[(1, 0)]),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, extents: [&[usize]; 2], pairs: &'static [(usize, usize)]) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![tensordot(draft, [wires[0], wires[1]], pairs)]
    };
    let expect = reference(move |inputs| {
        let (a, b) = (&inputs[0], &inputs[1]);
        let free = |x: &Tensor, side: fn(&(usize, usize)) -> usize| -> Vec<usize> {
            let bound: Vec<usize> = pairs.iter().map(side).collect();
            (0..x.extents.len()).filter(|axis| !bound.contains(axis)).collect()
        };
        let (of_a, of_b) = (free(a, |pair| pair.0), free(b, |pair| pair.1));
        let extents: Vec<usize> = of_a
            .iter()
            .map(|&axis| a.extents[axis])
            .chain(of_b.iter().map(|&axis| b.extents[axis]))
            .collect();
        let inner: Vec<usize> = pairs.iter().map(|pair| a.extents[pair.0]).collect();
        vec![Tensor::from_fn(&extents, |at| {
            let mut sum = 0.0;
            let _ = Tensor::from_fn(&inner, |k| {
                let (mut left, mut right) = (vec![0; a.extents.len()], vec![0; b.extents.len()]);
                of_a.iter().zip(at).for_each(|(&axis, &i)| left[axis] = i);
                of_b.iter().zip(&at[of_a.len()..]).for_each(|(&axis, &i)| right[axis] = i);
                for (pair, &k) in pairs.iter().zip(k) {
                    (left[pair.0], right[pair.1]) = (k, k);
                }
                sum += a.at(&left) * b.at(&right);
                0.0
            });
            sum
        })]
    });
    let inputs = vec![noise(1, extents[0]), noise(2, extents[1])];
    Sample::composite(name, "tensordot", build, inputs, expect)
}
