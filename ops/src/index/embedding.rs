//! Embedding: the row of a table for each index.
//!
//! A composite: [`index_select`] along the first axis of the table.
//!
//! # Shape
//! `table`: `[n, feature]`, any element type; `index`: `i64`, any -> the dimensions of `index`,
//! then `feature`. Bounded dimensions stay bounded.
//!
//! # Gradient
//! `dtable` is the sum of the rows of `dy` for each index, but zero for the row of the padding.
//! None for `index`.
//!
//! # Numerics
//! Exact: bytes are moved. An index outside `0..n`, negative ones too, fails the firing. As
//! PyTorch's `embedding` without `max_norm`.
//!
//! # Example
//! ```
//! use synfire_ops::index::embedding::embedding;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let table = draft.feed("table", Spec::f32([100, 16]));
//! let index = draft.feed("index", Spec::new(Element::I64, [2, 7]));
//! let y = embedding(&mut draft, table, index, Some(0));
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 7, 16])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::index_select::index_select;
use crate::sample::{Sample, Tensor, noise, ramp, reference};
use crate::torch::Torch;

/// PyTorch's name.
pub const TORCH: &[Torch] = &[("embedding", |case| {
    let names = ["w", "weight", "table", "x"];
    let table = case.operand_of(Element::F32, &names)?;
    let index = case.operand_of(Element::I64, &["index", "idx", "indices", "input", "x"])?;
    if case.attribute("max_norm").is_some() || case.flag("scale_grad_by_freq", false)? {
        return Err("`max_norm` and `scale_grad_by_freq`".into());
    }
    let rows = case.spec_of(table)?.bound(0);
    let padding = match case.attribute("padding_idx") {
        Some(_) => Some(crate::torch::place(case.integer("padding_idx", 0)?, rows)?),
        None => None,
    };
    Ok(vec![embedding(case, table, index, padding)])
})];

/// The rows of `table` at the indices; the row `padding` gets no gradient.
pub fn embedding(draft: &mut Draft, table: Wire, index: Wire, padding: Option<usize>) -> Wire {
    let rows = match padding {
        Some(place) => index_select(0).without_gradient_at(place),
        None => index_select(0),
    };
    draft.apply(rows, &[table, index])
}

/// Sentences, one index, repeats, no index, padding, other element types, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, table: Value, extents: &[usize], indices: &[i64]| {
        let build = |draft: &mut Draft, x: &[Wire]| vec![embedding(draft, x[0], x[1], None)];
        let inputs = vec![table, Value::new(extents, indices)];
        Sample::composite(name, "embedding", build, inputs, reference(|x| vec![by_row(x)]))
    };
    let table = || noise(1, &[11, 5]);
    let bounded = vec![
        Spec::f32([11, 5]),
        Spec::new(Element::I64, [Dimension::UpTo(4), Dimension::Fixed(2)]),
    ];
    // Differences would see the row of the padding move, so no index names it here.
    let padded = Sample::composite(
        "padded",
        "embedding",
        |draft: &mut Draft, x: &[Wire]| vec![embedding(draft, x[0], x[1], Some(7))],
        vec![table(), Value::new(&[2, 2], &[0_i64, 10, 3, 3])],
        reference(|x| vec![by_row(x)]),
    );
    vec![
        case("sentences", table(), &[2, 3], &[0, 10, 3, 3, 7, 0]),
        case("one sentence", table(), &[4], &[1, 2, 2, 10]),
        case("one index", table(), &[], &[4]),
        case("no index", table(), &[0, 3], &[]),
        case("of integers", ramp(Element::I32, &[3, 2]), &[2, 1], &[2, 0]),
        case("bounded", table(), &[2, 2], &[10, 0, 3, 3]).with_specs(bounded),
        padded,
    ]
}

/// The expectation: the element asks for its row by its index.
fn by_row(inputs: &[Tensor]) -> Tensor {
    let (table, index) = (&inputs[0], &inputs[1]);
    let extents = [&index.extents[..], &table.extents[1..]].concat();
    Tensor::from_fn(&extents, |place| {
        let (&feature, place) = place.split_last().expect("the feature axis is there");
        table.at(&[index.at(place) as usize, feature])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differentiate::vector_jacobian;
    use crate::pointwise::unary::fill;
    use synfire_runtime::interpret::{Streams, interpret};
    use synfire_runtime::launch::Options;

    #[test]
    fn the_padding_gets_no_gradient() {
        let mut draft = Draft::new();
        let table = draft.feed("table", Spec::f32([3, 2]));
        let index = draft.feed("index", Spec::new(Element::I64, [2, 2]));
        let y = embedding(&mut draft, table, index, Some(1));
        let ones = draft.apply(fill(1.0), &[y]);
        let gradients = vector_jacobian(&mut draft, &[(y, ones)], &[table]);
        draft.outlet("gradient", gradients[0].expect("the table is differentiated"));
        let graph = draft.check().expect("a sound draft");
        let index = Value::new(&[2, 2], &[1_i64, 2, 2, 1]);
        let streams: Streams = [("table", noise(1, &[3, 2])), ("index", index)]
            .map(|(name, value)| (name.to_owned(), vec![Some(value)]))
            .into();
        let outlets = interpret(&graph, &Options::default(), &streams).expect("it runs");
        let gradient = outlets["gradient"][0].as_ref().expect("a value");
        assert_eq!(gradient.elements::<f32>(), [0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    }
}
