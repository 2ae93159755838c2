//! What PyTorch calls the change of element type.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;

use super::cast;
use crate::pointwise::unary::operand;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("to", named),
    ("type", named),
    ("cast", named),
    ("float", |case| to(case, Element::F32)),
    ("double", |case| to(case, Element::F64)),
    ("half", |case| to(case, Element::F16)),
    ("bfloat16", |case| to(case, Element::BF16)),
    ("int", |case| to(case, Element::I32)),
    ("long", |case| to(case, Element::I64)),
    ("bool", |case| to(case, Element::Bool)),
];

fn to(case: &mut Case<'_>, element: Element) -> Result<Vec<Wire>, String> {
    let x = operand(case)?;
    Ok(vec![case.apply(cast(element), &[x])])
}

fn named(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let name = case.text(case.spelling(&["dtype", "to"]), "float32")?;
    let element = match name.strip_prefix("torch.").unwrap_or(&name) {
        "float32" | "float" => Element::F32,
        "float64" | "double" => Element::F64,
        "float16" | "half" => Element::F16,
        "bfloat16" => Element::BF16,
        "int32" | "int" => Element::I32,
        "int64" | "long" => Element::I64,
        "uint8" | "byte" => Element::U8,
        "bool" => Element::Bool,
        other => return Err(format!("a type `{other}`")),
    };
    to(case, element)
}
