//! Element types of ONNX.

use half::{bf16, f16};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

/// Numbers of element types in the format, with ours.
const ELEMENTS: [(i64, Element); 8] = [
    (1, Element::F32),
    (2, Element::U8),
    (6, Element::I32),
    (7, Element::I64),
    (9, Element::Bool),
    (10, Element::F16),
    (11, Element::F64),
    (16, Element::BF16),
];

/// Names of element types of the format, by number.
const NAMES: [&str; 17] = [
    "undefined",
    "float",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "double",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
];

/// Our element type of a number of the format.
///
/// # Errors
/// When we have none.
pub fn element(number: i64) -> Result<Element, String> {
    let found = ELEMENTS.iter().find(|(own, _)| *own == number);
    found.map(|(_, element)| *element).ok_or_else(|| {
        let name = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
        let name = name.map_or_else(|| number.to_string(), |name| (*name).into());
        let ours = ELEMENTS.map(|(_, element)| element.to_string()).join(", ");
        format!("elements of type {name}, wanted one of {ours}")
    })
}

/// The number of an element type in the format.
#[must_use]
pub fn element_number(element: Element) -> i64 {
    let found = ELEMENTS.iter().find(|(_, own)| *own == element);
    found.expect("every element type has a number").0
}

/// Numbers as elements of a float type.
///
/// # Panics
/// When the number of elements is not the product of the extents.
#[must_use]
pub fn floats(element: Element, extents: &[usize], numbers: &[f64]) -> Value {
    match element {
        Element::F64 => Value::new(extents, numbers),
        Element::F16 => Value::new(extents, &each(numbers, f16::from_f64)),
        Element::BF16 => {
            let bytes = numbers.iter().flat_map(|&x| bf16::from_f64(x).to_le_bytes()).collect();
            Value::from_bytes(Element::BF16, extents, bytes)
        }
        _ => Value::new(extents, &each(numbers, |x| x as f32)),
    }
}

fn each<T>(numbers: &[f64], of: impl Fn(f64) -> T) -> Vec<T> {
    numbers.iter().map(|&x| of(x)).collect()
}
