//! Bilinear, a composite: `y[.., o] = sum over i and j of x1[.., i] * weight[o, i, j] * x2[.., j]`,
//! plus `bias[o]`.
//!
//! `x1` meets the weight in one product of matrices, `[rows, i]` by `[i, o * j]`, and that meets
//! `x2`, so `rows * o * j` numbers lie between the two.
//!
//! # Shape
//! `x1`: `f32` or `f64` `[.., i]`; `x2`: `[.., j]`, with the same dimensions before, of which one
//! may be bounded; `weight`: `[o, i, j]`; `bias`, if any: `[o]`. `y`: `[.., o]`.
//!
//! # Gradient
//! That of its parts.
//!
//! # Numerics
//! Those of its parts. As PyTorch's `bilinear`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::bilinear::bilinear;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let inputs = [[4, 3], [4, 5]].map(Spec::f32);
//! let x = [("x1", &inputs[0]), ("x2", &inputs[1])].map(|(n, s)| draft.feed(n, s.clone()));
//! let weight = draft.feed("weight", Spec::f32([7, 3, 5]));
//! let y = bilinear(&mut draft, x, weight, None);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([4, 7])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::arrange::reshape::reshape;
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::add;
use crate::dense::matmul::{matmul, names, regroup};
use crate::reject::reject;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("bilinear", |case| {
    let x1 = names::find(case, &["x1", "input1", "x", "a"]).ok_or("no input `x1`")?;
    let x2 = names::find(case, &["x2", "input2", "y", "b"]).ok_or("no input `x2`")?;
    let weight = names::find(case, &["w", "weight"]).ok_or("no input `weight`")?;
    let bias = names::find(case, &["bias", "b", "c"]).filter(|&bias| bias != x2);
    Ok(vec![bilinear(case, [x1, x2], weight, bias)])
})];

/// Both inputs through one weight, and a bias if there is one.
///
/// Inputs that do not fit are a fault of the draft.
pub fn bilinear(draft: &mut Draft, x: [Wire; 2], weight: Wire, bias: Option<Wire>) -> Wire {
    let all = [x[0], x[1], weight];
    let specs: Vec<Spec> = all.iter().filter_map(|&wire| draft.spec(wire).cloned()).collect();
    let built = match &specs[..] {
        [x1, x2, weight] => check(x1, x2, weight).map(|extents| (x2, extents)),
        _ => Err(SpecError::new("x0", "a fault", "a spec")),
    };
    let (x2, [o, i, j]) = match built {
        Ok(built) => built,
        Err(error) => return reject(draft, "bilinear", ("x", &all), error),
    };
    let (x, weight) = ([all[0], all[1]], all[2]);
    let weight = draft.apply(transpose(&[1, 0, 2]), &[weight]);
    let weight = draft.apply(reshape(&[i.into(), (o * j).into()]), &[weight]);
    let met = draft.apply(matmul(), &[x[0], weight]);
    let before = &x2.dimensions[..x2.rank() - 1];
    let dimensions = |last: &[usize]| -> Vec<Dimension> {
        before.iter().copied().chain(last.iter().map(|&extent| extent.into())).collect()
    };
    let rows = regroup(draft, met, &dimensions(&[o, j]));
    let column = regroup(draft, x[1], &dimensions(&[j, 1]));
    let joined = rows.zip(column).and_then(|(rows, column)| {
        let y = draft.apply(matmul(), &[rows, column]);
        regroup(draft, y, &dimensions(&[o]))
    });
    match (joined, bias) {
        (Some(y), Some(bias)) => draft.apply(add(), &[y, bias]),
        (Some(y), None) => y,
        (None, _) => {
            let error = SpecError::new("x0", x2, "at most one bounded dimension");
            reject(draft, "bilinear", ("x", &all), error)
        }
    }
}

/// The extents of the weight.
fn check(x1: &Spec, x2: &Spec, weight: &Spec) -> Result<[usize; 3], SpecError> {
    require::element("x0", x1, &[Element::F32, Element::F64])?;
    require::axis("x0", x1, 0)?;
    require::element("x2", weight, &[x1.element])?;
    require::rank("x2", weight, 3)?;
    let mut extents = [0; 3];
    for (axis, extent) in extents.iter_mut().enumerate() {
        *extent = require::fixed("x2", weight, axis)?;
    }
    let last = x1.rank() - 1;
    let found = require::fixed("x0", x1, last)?;
    if found != extents[1] {
        let wanted = format!("{}, as dimension 1 of the weight", extents[1]);
        return Err(SpecError::new("x0", found, wanted).at(last));
    }
    let mut wanted = x1.clone();
    wanted.dimensions[last] = Dimension::Fixed(extents[2]);
    require::alike("x1", x2, &wanted, None)?;
    Ok(extents)
}

/// With and without bias, any rank, one element, nothing, a bounded port; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let plain = |name: &str, before: &[usize], weight: [usize; 3]| {
        sample(name, [&[before, &weight[1..2]].concat(), &[before, &weight[2..]].concat()], weight)
    };
    let rejected = |name: &str, x: [&[usize]; 2], weight| Sample {
        inputs: Vec::new(),
        expect: Expect::Rejected { port: "x", dimension: None },
        ..sample(name, x, weight)
    };
    let up_to = |extent| bounded_first(Element::F32, 9, &[extent]);
    let bounded = vec![up_to(3), up_to(5), Spec::f32([7, 3, 5]), Spec::f32([7])];
    vec![
        plain("rows", &[4], [7, 3, 5]),
        plain("vectors", &[], [5, 3, 2]),
        plain("three dimensions", &[2, 3], [3, 2, 5]),
        plain("one element", &[1], [1, 1, 1]),
        plain("no rows", &[0], [2, 3, 5]),
        plain("no features", &[2], [3, 0, 5]),
        plain("bounded rows", &[4], [7, 3, 5]).with_specs(bounded),
        rejected("features", [&[2, 3], &[2, 5]], [7, 4, 5]),
        rejected("other rows", [&[2, 3], &[3, 5]], [7, 3, 5]),
    ]
}

fn sample(name: &str, [x1, x2]: [&[usize]; 2], weight: [usize; 3]) -> Sample {
    let inputs = vec![noise(1, x1), noise(2, x2), noise(3, &weight), noise(4, &weight[..1])];
    let build = |draft: &mut Draft, wires: &[Wire]| {
        vec![bilinear(draft, [wires[0], wires[1]], wires[2], Some(wires[3]))]
    };
    Sample::composite(name, "bilinear", build, inputs, reference(by_definition))
}

/// The double sum.
fn by_definition(inputs: &[Tensor]) -> Vec<Tensor> {
    let [x1, x2, weight, bias] = [0, 1, 2, 3].map(|k: usize| &inputs[k]);
    let last = x1.extents.len() - 1;
    let [o, i, j] = [0, 1, 2].map(|axis: usize| weight.extents[axis]);
    let extents = [&x1.extents[..last], &[o]].concat();
    vec![Tensor::from_fn(&extents, |at| {
        let read = |x: &Tensor, k: usize| x.at(&[&at[..last], &[k]].concat());
        let terms = (0..i * j).map(|k| (k / j, k % j));
        let product = |(i, j)| read(x1, i) * weight.at(&[at[last], i, j]) * read(x2, j);
        bias.at(&at[last..]) + terms.map(product).sum::<f64>()
    })]
}
