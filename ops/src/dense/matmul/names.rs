//! What PyTorch calls products of matrices and vectors.

use synfire_runtime::define::Wire;

use super::matmul;
use crate::torch::{Case, Torch};

/// The names of a first operand.
pub(crate) const FIRST: &[&str] = &["x", "a", "input", "self", "mat1", "x1", "left", "mat", "vec1"];
/// The names of a second operand.
pub(crate) const SECOND: &[&str] =
    &["y", "b", "other", "w", "weight", "mat2", "x2", "right", "vec", "vec2", "tensor"];

/// All products that a matrix product is without more ado.
pub(super) const PRODUCTS: &[Torch] = &[
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

/// An input for each list of names; or all inputs in the order of their names, if they are as many.
pub(crate) fn operands<const N: usize>(
    case: &Case<'_>,
    names: [&[&str]; N],
) -> Result<[Wire; N], String> {
    let mut found: Vec<Wire> = Vec::new();
    for list in names {
        let fresh = list.iter().filter_map(|name| case.optional(name));
        found.extend(fresh.into_iter().find(|wire| !found.contains(wire)));
    }
    if found.len() < N {
        found = case.input_names().filter_map(|name| case.optional(name)).collect();
    }
    let given: Vec<&str> = case.input_names().collect();
    <[Wire; N]>::try_from(found).map_err(|_| format!("inputs {given:?}, wanted {N} of {names:?}"))
}
