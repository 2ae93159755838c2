//! What the samples of products expect.

use synfire_runtime::operator::Operator;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::Matmul;
use crate::sample::{Expect, Tensor, reference};

/// The same numbers as `f64`.
pub(crate) fn doubled(value: &Value) -> Value {
    let elements: Vec<f64> = value.elements::<f32>().into_iter().map(f64::from).collect();
    Value::new(&value.extents, &elements)
}

/// The definition, element by element.
pub(super) fn by_definition(operator: Matmul) -> Expect {
    reference(move |inputs| {
        let specs = [0, 1].map(|input: usize| Spec::f32(inputs[input].extents.clone()));
        let extents = operator.shape(&specs).expect("samples are right")[0].bounds();
        let own = [0, 1].map(|input| {
            let x = &inputs[input];
            let matrix = operator.promoted(input, &x.extents, 1);
            Tensor::new(matrix.as_ref().map_or(&x.extents[..], |pair| pair), x.data.clone())
        });
        let read = |input: usize, leading: &[usize], matrix: [usize; 2]| {
            let before = &own[input].extents[..own[input].extents.len() - 2];
            let aligned = leading[leading.len().saturating_sub(before.len())..].iter();
            let before = before.iter().zip(aligned).map(|(&n, &i)| if n == 1 { 0 } else { i });
            own[input].at(&before.chain(matrix).collect::<Vec<_>>())
        };
        let inner = own[0].extents[own[0].extents.len() - 2 + operator.a_axes()[1]];
        let kept = specs.each_ref().map(|spec| spec.rank() > 1);
        let matrix = usize::from(kept[0]) + usize::from(kept[1]);
        vec![Tensor::from_fn(&extents, |at| {
            let (leading, place) = at.split_at(at.len() - matrix);
            let row = if kept[0] { place[0] } else { 0 };
            let column = if kept[1] { place[matrix - 1] } else { 0 };
            let term = |k: usize| {
                let a = operator.a_axes().map(|axis| [row, k][axis]);
                let b = operator.b_axes().map(|axis| [k, column][axis]);
                read(0, leading, a) * read(1, leading, b)
            };
            (0..inner).map(term).sum()
        })]
    })
}
