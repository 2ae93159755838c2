//! Scatter reduce: the elements of `source` reduced onto `x` at the indices, by any reduction, with
//! or without what was there.
//!
//! A composite of the `scatter` operators.
//!
//! # Shape
//! As [`scatter_add`]; `f32` or `f64`.
//!
//! # Gradient
//! That of the parts: `dsource` as of each reduction; `dx` is zero where an element of `source`
//! took the place of what was there.
//!
//! # Numerics
//! A mean is a sum divided by a count. Without what was there ([`Own::Excluded`]), a place that an
//! index names starts from the neutral element (0, 1 or an infinity), and others stay as they are.
//! As PyTorch's `scatter_reduce`, also in its gradients where `x` is no extreme by chance.
//!
//! # Example
//! ```
//! use synfire_ops::index::scatter_reduce::{Own, Reduce, scatter_reduce};
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([5]));
//! let index = draft.feed("index", Spec::new(Element::I64, [9]));
//! let source = draft.feed("source", Spec::f32([9]));
//! let y = scatter_reduce(&mut draft, [x, index, source], 0, (Reduce::Mean, Own::Included));
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::scatter::{
    Scatter, scatter_add, scatter_max, scatter_min, scatter_prod, scatter_replace,
};
use crate::broadcast::binary::{divide, greater, maximum};
use crate::broadcast::{cast::cast, select::where_};
use crate::pointwise::unary::fill;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("scatter_add", |case| plain(case, scatter_add)),
    ("scatter", |case| match case.text("reduce", "")?.as_str() {
        "" => plain(case, scatter_replace),
        "add" => plain(case, scatter_add),
        "multiply" => plain(case, scatter_prod),
        other => Err(format!("reduction `{other}`")),
    }),
    ("scatter_reduce", |case| {
        let (inputs, axis) = operands(case)?;
        let reduce = match case.text(case.spelling(&["reduce", "reduction"]), "sum")?.as_str() {
            "sum" | "add" => Reduce::Sum,
            "prod" | "multiply" => Reduce::Product,
            "mean" => Reduce::Mean,
            "amax" | "max" => Reduce::Largest,
            "amin" | "min" => Reduce::Smallest,
            other => return Err(format!("reduction `{other}`")),
        };
        let own = if case.flag("include_self", true)? { Own::Included } else { Own::Excluded };
        Ok(vec![scatter_reduce(case, inputs, axis, (reduce, own))])
    }),
];

fn plain(case: &mut Case<'_>, new: fn(usize) -> Scatter) -> Result<Vec<Wire>, String> {
    let (inputs, axis) = operands(case)?;
    Ok(vec![case.apply(new(axis), &inputs)])
}

/// `x`, `index` and `source`, which may be one number; and the axis.
fn operands(case: &mut Case<'_>) -> Result<([Wire; 3], usize), String> {
    let x = case.operand(&["x", "input", "self"])?;
    let index = case.operand_of(Element::I64, &["index", "idx", "indices"])?;
    let axis = case.axis(case.spelling(&["dim", "axis"]), x, 0)?;
    let source = match case.either(&["src", "source", "y", "s", "other", "updates"]) {
        Some(source) => source,
        None => {
            let value = case.number(case.spelling(&["value", "src"]), 0.0)?;
            let element = case.spec_of(x)?.element;
            let like = case.apply(cast(element), &[index]);
            case.apply(fill(value), &[like])
        }
    };
    Ok(([x, index, source], axis))
}

/// What becomes of the elements that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    Sum,
    /// Their product.
    Product,
    /// Their arithmetic mean.
    Mean,
    /// The largest.
    Largest,
    /// The smallest.
    Smallest,
}

/// Whether the element of `x` is one of those that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// It is.
    Included,
    /// It is not, where an index names its place.
    Excluded,
}

/// Reduces the third of `x`, `index`, `source` onto the first at the indices along `axis`.
pub fn scatter_reduce(
    draft: &mut Draft,
    [x, index, source]: [Wire; 3],
    axis: usize,
    (reduce, own): (Reduce, Own),
) -> Wire {
    let (scatter, neutral) = match reduce {
        Reduce::Sum | Reduce::Mean => (scatter_add(axis), 0.0),
        Reduce::Product => (scatter_prod(axis), 1.0),
        Reduce::Largest => (scatter_max(axis), f64::NEG_INFINITY),
        Reduce::Smallest => (scatter_min(axis), f64::INFINITY),
    };
    if own == Own::Included && reduce != Reduce::Mean {
        return draft.apply(scatter, &[x, index, source]);
    }
    // How many meet at each place.
    let one = draft.apply(fill(1.0), &[source]);
    let start = if own == Own::Included { 1.0 } else { 0.0 };
    let start = draft.apply(fill(start), &[x]);
    let count = draft.apply(scatter_add(axis), &[start, index, one]);
    let mut base = x;
    if own == Own::Excluded {
        let zero = draft.apply(fill(0.0), &[x]);
        let is_named = draft.apply(greater(), &[count, zero]);
        let neutral = draft.apply(fill(neutral), &[x]);
        base = draft.apply(where_(), &[is_named, neutral, x]);
    }
    let y = draft.apply(scatter, &[base, index, source]);
    if reduce != Reduce::Mean {
        return y;
    }
    let one = draft.apply(fill(1.0), &[x]);
    let count = draft.apply(maximum(), &[count, one]);
    draft.apply(divide(), &[y, count])
}

/// Every reduction with and without what was there: repeats, places not named, an inner axis,
/// shorter indices, none, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use Reduce::{Largest, Mean, Product, Smallest, Sum};
    let case = |name: &str, how: (Reduce, Own), axis: usize, shapes: [&[usize]; 3]| {
        let [extents, places, sources] = shapes;
        let bound = extents[axis].max(1) as u64;
        let count = places.iter().product::<usize>() as u64;
        let indices: Vec<i64> = (0..count).map(|k| (k * k % 7 % bound) as i64).collect();
        let inputs = vec![noise(1, extents), Value::new(places, &indices), noise(2, sources)];
        let build = move |draft: &mut Draft, x: &[Wire]| {
            vec![scatter_reduce(draft, [x[0], x[1], x[2]], axis, how)]
        };
        let expect = reference(move |inputs| vec![by_list(inputs, axis, how)]);
        let name = format!("{name}, {how:?}");
        Sample::composite(name, "scatter_reduce", build, inputs, expect)
    };
    let reductions = [Sum, Product, Mean, Largest, Smallest];
    let ways = reductions
        .into_iter()
        .flat_map(|reduce| [Own::Included, Own::Excluded].map(|own| (reduce, own)));
    let every = ways.flat_map(|how| {
        let bounded = vec![
            bounded_first(Element::F32, 9, &[3]),
            bounded_first(Element::I64, 8, &[3]),
            bounded_first(Element::F32, 8, &[3]),
        ];
        [
            case("vector", how, 0, [&[7], &[11], &[11]]),
            case("inner axis", how, 1, [&[3, 5], &[2, 7], &[3, 9]]),
            case("none", how, 0, [&[2, 3], &[0, 3], &[0, 3]]),
            case("bounded", how, 0, [&[5, 3], &[4, 3], &[6, 3]]).with_specs(bounded),
        ]
    });
    every.collect()
}

/// The expectation: each place lists the elements that meet there.
fn by_list(inputs: &[Tensor], axis: usize, (reduce, own): (Reduce, Own)) -> Tensor {
    let (x, index, source) = (&inputs[0], &inputs[1], &inputs[2]);
    Tensor::from_fn(&x.extents, |place| {
        let mut list = Vec::new();
        let _ = Tensor::from_fn(&index.extents, |at| {
            let mut target = at.to_vec();
            target[axis] = index.at(at) as usize;
            if target == place {
                list.push(source.at(at));
            }
            0.0
        });
        if own == Own::Included || list.is_empty() {
            list.push(x.at(place));
        }
        list.sort_by(f64::total_cmp);
        match reduce {
            Reduce::Sum => list.iter().sum(),
            Reduce::Product => list.iter().product(),
            Reduce::Mean => list.iter().sum::<f64>() / list.len() as f64,
            Reduce::Largest => list[list.len() - 1],
            Reduce::Smallest => list[0],
        }
    })
}
