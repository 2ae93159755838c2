//! Einsum, a composite: sums of products over named axes, `y[b, i, k] = sum over j of
//! x0[b, i, j] * x1[b, j, k]` for `"bij,bjk->bik"`.
//!
//! The equation is read when the graph is built. Two operands at a time, from the left, become one
//! [`matmul`](super::matmul) where they share axes that are summed over, else a product of
//! elements; axes of one operand alone are summed before.
//!
//! # Shape
//! Each operand, `f32` or `f64`, has one axis for each letter of its term; `...` stands for any
//! axes, aligned from the right. Axes of one letter have one extent, or 1, which is repeated. A
//! letter twice in one term takes the diagonal. Without `->`, the output has the axes of `...`,
//! then the letters that occur once, in alphabetical order. Bounded dimensions may not be joined
//! with other bounded ones.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of its parts. As PyTorch's `einsum` of an equation, but letters only: no lists of axes.
//!
//! # Example
//! ```
//! use synfire_ops::dense::einsum::einsum;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let a = draft.feed("a", Spec::f32([2, 3, 5]));
//! let b = draft.feed("b", Spec::f32([2, 5, 7]));
//! let y = einsum(&mut draft, "bij,bjk->bik", &[a, b]);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 3, 7])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Spec};

use crate::reject::reject;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Attribute, Case, Torch};

mod contract; // the steps
mod parse; // the equation

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("einsum", |case| {
    let equation = match ["equation", "eq", "subscripts"].iter().find_map(|&n| case.attribute(n)) {
        Some(Attribute::Text(equation)) => equation.clone(),
        other => return Err(format!("`equation` is {other:?}, wanted a text")),
    };
    let order = fitting(case, &equation)?;
    Ok(vec![einsum(case, &equation, &order)])
})];

/// The inputs in the order of their names; or in the first order that fits the equation.
fn fitting(case: &Case<'_>, equation: &str) -> Result<Vec<Wire>, String> {
    let all: Vec<Wire> = case.input_names().filter_map(|name| case.optional(name)).collect();
    let mut orders = vec![Vec::new()];
    for _ in 0..all.len().min(5) {
        let longer = |order: &Vec<Wire>| {
            let left: Vec<Wire> = all.iter().copied().filter(|w| !order.contains(w)).collect();
            left.into_iter().map(|wire| [&order[..], &[wire]].concat()).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    let fits = |order: &Vec<Wire>| {
        let specs: Result<Vec<Spec>, String> = order.iter().map(|&w| case.spec_of(w)).collect();
        specs.is_ok_and(|specs| parse::parse(equation, &specs).is_ok())
    };
    let first = orders.iter().find(|order| fits(order)).or(orders.first());
    first.cloned().ok_or_else(|| "no inputs".into())
}

/// The sum of products that `equation` says.
///
/// A wrong equation, or operands that do not fit it, are a fault of the draft.
pub fn einsum(draft: &mut Draft, equation: &str, operands: &[Wire]) -> Wire {
    let specs = operands.iter().filter_map(|&wire| draft.spec(wire).cloned());
    let specs: Vec<Spec> = specs.collect();
    if specs.len() < operands.len() {
        // What is missing is a fault already: this adds none.
        let error = synfire_runtime::operator::SpecError::new("operand0", "a fault", "a spec");
        return reject(draft, "einsum", ("operand", operands), error);
    }
    let built = parse::parse(equation, &specs)
        .and_then(|equation| contract::build(draft, &equation, operands));
    built.unwrap_or_else(|error| reject(draft, "einsum", ("operand", operands), error))
}

/// Every kind of step: products, sums, diagonals, ellipses, repeated axes, three operands, scalars,
/// none, a bounded port; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let cases: [(&'static str, &[&[usize]]); 25] = [
        ("ij,jk->ik", &[&[3, 5], &[5, 7]]),
        ("bij,bjk->bik", &[&[2, 3, 5], &[2, 5, 7]]),
        ("ij,kj->ki", &[&[3, 5], &[7, 5]]),
        ("bji,bkj->bik", &[&[2, 5, 3], &[2, 7, 5]]),
        ("abc,bcd", &[&[2, 3, 5], &[3, 5, 7]]),
        ("acbd,ecdf->beaf", &[&[2, 3, 5, 7], &[3, 3, 7, 2]]),
        ("i,i->", &[&[7], &[7]]),
        ("i,j->ij", &[&[3], &[5]]),
        ("ij,ij->ij", &[&[3, 5], &[3, 5]]),
        ("ij,j->i", &[&[3, 5], &[5]]),
        ("ij->ji", &[&[3, 5]]),
        ("ijk->j", &[&[2, 3, 5]]),
        ("ijk->", &[&[2, 3, 5]]),
        ("ii->i", &[&[5, 5]]),
        ("ii", &[&[5, 5]]),
        ("bibj,j->ib", &[&[3, 2, 3, 5], &[5]]),
        ("...ij,...jk->...ik", &[&[2, 1, 3, 5], &[4, 5, 7]]),
        ("...i,i...->...", &[&[2, 3, 5], &[5, 3]]),
        ("i...->i", &[&[3, 2, 5]]),
        ("bi,oij,bj->bo", &[&[2, 3], &[5, 3, 4], &[2, 4]]),
        ("ij,jk,kl->il", &[&[2, 3], &[3, 5], &[5, 4]]),
        ("ij,ij->i", &[&[3, 1], &[3, 5]]),
        ("ij,jk->ik", &[&[3, 0], &[0, 7]]),
        (",i->i", &[&[], &[3]]),
        ("a b , b c -> c a", &[&[1, 1], &[1, 1]]),
    ];
    let mut samples: Vec<Sample> = cases.into_iter().map(|(e, x)| sample(e, x)).collect();
    let bounded = vec![bounded_first(synfire_runtime::spec::Element::F32, 9, &[5]), Spec::f32([5])];
    samples.push(sample("bi,i->b", &[&[4, 5], &[5]]).with_specs(bounded));
    let wrong: [(&'static str, &[&[usize]]); 5] = [
        ("ij,jk->ik", &[&[3, 5], &[4, 7]]),
        ("ij->ik", &[&[3, 5]]),
        ("ij,jk", &[&[3, 5]]),
        ("i?", &[&[3, 5]]),
        ("ii->i", &[&[3, 5]]),
    ];
    samples.extend(wrong.map(|(equation, extents)| {
        let expect = Expect::Rejected { port: "operand", dimension: None };
        Sample { inputs: Vec::new(), expect, ..sample(equation, extents) }
    }));
    samples
}

fn sample(equation: &'static str, extents: &[&[usize]]) -> Sample {
    let inputs = extents.iter().enumerate().map(|(key, extents)| noise(key as u64, extents));
    let build = move |draft: &mut Draft, wires: &[Wire]| vec![einsum(draft, equation, wires)];
    let expect = reference(move |inputs| vec![by_loops(equation, inputs)]);
    let name = format!("{equation} {extents:?}");
    Sample::composite(name, "einsum", build, inputs.collect(), expect)
}

/// The definition: a loop over every label, one product for each point.
fn by_loops(equation: &str, inputs: &[Tensor]) -> Tensor {
    let specs: Vec<Spec> = inputs.iter().map(|x| Spec::f32(x.extents.clone())).collect();
    let equation = parse::parse(equation, &specs).expect("samples are right");
    let mut extents: Vec<(char, usize)> = Vec::new();
    for (labels, spec) in equation.operands.iter().zip(&specs) {
        for (&label, &dimension) in labels.iter().zip(&spec.dimensions) {
            match extents.iter_mut().find(|(own, _)| *own == label) {
                Some((_, extent)) if dimension == Dimension::Fixed(1) => *extent = (*extent).max(1),
                Some((_, extent)) => *extent = dimension.bound(),
                None => extents.push((label, dimension.bound())),
            }
        }
    }
    let all: Vec<usize> = extents.iter().map(|(_, extent)| *extent).collect();
    let place = |label: char| extents.iter().position(|(own, _)| *own == label).unwrap_or(0);
    let output: Vec<usize> = equation.output.iter().map(|&label| all[place(label)]).collect();
    let mut y = Tensor::from_fn(&output, |_| 0.0);
    let _ = Tensor::from_fn(&all, |point| {
        let at = |label: &char| point[place(*label)];
        let factor = |(labels, x): (&Vec<char>, &Tensor)| {
            let index = labels.iter().zip(&x.extents).map(|(label, &n)| at(label).min(n - 1));
            x.at(&index.collect::<Vec<_>>())
        };
        let product: f64 = equation.operands.iter().zip(inputs).map(factor).product();
        let flat = equation.output.iter().zip(&output).fold(0, |flat, (l, n)| flat * n + at(l));
        y.data[flat] += product;
        0.0
    });
    y
}
