//! What PyTorch calls products of matrices and vectors.

use synfire_runtime::define::Wire;

use super::matmul;
use crate::torch::{Case, Torch};

/// The names of a first operand.
pub(crate) const FIRST: &[&str] = &["x", "a", "input", "self", "mat1", "x1", "left", "mat", "vec1"];
/// The names of a second operand.
pub(crate) const SECOND: &[&str] =
    &["y", "b", "other", "w", "weight", "mat2", "x2", "right", "vec", "v", "vec2", "tensor"];

/// All products that a matrix product is without more ado.
pub const PRODUCTS: &[Torch] = &[
    ("matmul", product),
    ("mm", product),
    ("bmm", product),
    ("mv", product),
    ("dot", product),
    ("inner", |case| {
        // Both along their last dimensions.
        let [a, b] = operands(case, [FIRST, SECOND])?;
        let (left, right) = (case.spec_of(a)?.rank(), case.spec_of(b)?.rank());
        match right {
            0 => Err("an inner product of scalars is their product".into()),
            1 | 2 if left > 0 => Ok(vec![case.apply(matmul().transpose_b(), &[a, b])]),
            _ => Err(format!("an inner product of {left} and {right} dimensions")),
        }
    }),
];

fn product(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let [a, b] = operands(case, [FIRST, SECOND])?;
    Ok(vec![case.apply(matmul(), &[a, b])])
}

/// The first input that has one of these names.
pub(crate) fn find(case: &Case<'_>, names: &[&str]) -> Option<Wire> {
    names.iter().find_map(|name| case.optional(name))
}

/// An input for each list of names; what no name of a list stands for is what is left, in the order
/// of names.
pub(crate) fn operands<const N: usize>(
    case: &Case<'_>,
    names: [&[&str]; N],
) -> Result<[Wire; N], String> {
    let mut found = [None; N];
    for (place, list) in names.iter().enumerate() {
        let mut fresh = list.iter().filter_map(|name| case.optional(name));
        found[place] = fresh.find(|wire| !found.contains(&Some(*wire)));
    }
    let all = case.input_names().filter_map(|name| case.optional(name));
    let left: Vec<Wire> = all.filter(|wire| !found.contains(&Some(*wire))).collect();
    let mut left = left.into_iter();
    let filled = found.into_iter().filter_map(|own| own.or_else(|| left.next()));
    let given: Vec<&str> = case.input_names().collect();
    <[Wire; N]>::try_from(filled.collect::<Vec<_>>())
        .map_err(|_| format!("inputs {given:?}, wanted {N} of {names:?}"))
}
