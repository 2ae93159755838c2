//! What PyTorch calls the choice.

use synfire_runtime::spec::Element;

use super::where_;
use crate::broadcast::cast::cast;
use crate::pointwise::unary::{fill, number};
use crate::torch::Torch;

/// The names of what is chosen where the condition holds, and of the other.
const A: [&str; 6] = ["x", "input", "self", "a", "true_value", "x1"];
const B: [&str; 6] = ["y", "other", "b", "false_value", "z", "x2"];

/// PyTorch's name; either choice may be a number.
pub const TORCH: &[Torch] = &[("where", |case| {
    let mut condition = case.operand_of(Element::Bool, &["condition", "cond", "mask", "c"])?;
    if case.spec_of(condition)?.element != Element::Bool {
        condition = case.apply(cast(Element::Bool), &[condition]);
    }
    let (a, b) = (case.either(&A), case.either(&B));
    let [a, b] = match (a, b) {
        (Some(a), Some(b)) => [a, b],
        (Some(a), None) => {
            let value = number(case, &B, 0.0)?;
            [a, case.apply(fill(value), &[a])]
        }
        (None, Some(b)) => {
            let value = number(case, &A, 0.0)?;
            [case.apply(fill(value), &[b]), b]
        }
        (None, None) => return Err("two numbers to choose from have no extents".into()),
    };
    Ok(vec![case.apply(where_(), &[condition, a, b])])
})];
