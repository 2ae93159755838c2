//! Weights: parameters in safetensors files, under the names that other tools give them.
//!
//! A *name map* is a function from the path of a parameter to its name in the file. Paths divide
//! scopes by `/`; PyTorch's state dictionaries divide modules by `.`, so most maps begin with
//! [`dotted`] and rename what is called otherwise. The same map reads and writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::Weights;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::atomic;

/// More bytes than any weights file of ours has.
const BYTES_MAX: u64 = 8 << 30;

/// Element types with their names in the format.
const FORMS: [(Element, Dtype); 8] = [
    (Element::F32, Dtype::F32),
    (Element::F16, Dtype::F16),
    (Element::BF16, Dtype::BF16),
    (Element::F64, Dtype::F64),
    (Element::I32, Dtype::I32),
    (Element::I64, Dtype::I64),
    (Element::U8, Dtype::U8),
    (Element::Bool, Dtype::BOOL),
];

/// The name map of most state dictionaries: scopes are modules.
#[must_use]
pub fn dotted(path: &str) -> String {
    path.replace('/', ".")
}

/// Why weights could not be read: all misfits at once.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .path.display(), .reasons.join("; "))]
pub struct WeightsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reasons: Vec<String>,
}

/// Reads the parameters of `graph` from a safetensors file; `name` gives the name in the file of a
/// parameter path. 16-bit floats are widened to the element type of the parameter.
///
/// # Errors
/// When the file cannot be read, is damaged, or lacks a parameter, has another shape, or holds
/// tensors that are no parameter of the graph (except `num_batches_tracked`, which PyTorch adds).
pub fn load(
    path: &Path,
    graph: &Graph,
    name: &dyn Fn(&str) -> String,
) -> Result<Weights, WeightsError> {
    let fail = |reason: String| WeightsError { path: path.to_owned(), reasons: vec![reason] };
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(fail(format!("{size} bytes; wanted at most {BYTES_MAX}")));
    }
    parse(&std::fs::read(path).map_err(|error| fail(error.to_string()))?, path, graph, name)
}

/// [`load`] from the bytes of a file, called `path` in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(
    bytes: &[u8],
    path: &Path,
    graph: &Graph,
    name: &dyn Fn(&str) -> String,
) -> Result<Weights, WeightsError> {
    let fail = |reason: String| WeightsError { path: path.to_owned(), reasons: vec![reason] };
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| fail(format!("no whole safetensors file: {error}")))?;
    let mut reasons = Vec::new();
    let mut values = BTreeMap::new();
    let mut used = Vec::new();
    for (parameter, spec) in graph.parameter_list() {
        let own = name(parameter);
        match file.tensor(&own) {
            Ok(tensor) => match widened(&tensor, spec) {
                Ok(value) => {
                    values.insert(parameter.to_owned(), value);
                }
                Err(reason) => reasons.push(format!("{own}: {reason}")),
            },
            Err(_) => reasons.push(format!("{own} is missing; wanted {spec}")),
        }
        used.push(own);
    }
    for other in file.names() {
        if !used.iter().any(|own| own == other) && !other.ends_with("num_batches_tracked") {
            reasons.push(format!("{other} is no parameter of this graph"));
        }
    }
    if reasons.is_empty() {
        return Ok(Weights::new(values));
    }
    Err(WeightsError { path: path.to_owned(), reasons })
}

/// Writes values to a safetensors file, whole or not at all; `name` gives the name in the file of a
/// path.
///
/// # Errors
/// When an element type has no form there, two values get one name, or the file cannot be written.
pub fn save(
    path: &Path,
    values: &BTreeMap<String, Value>,
    name: &dyn Fn(&str) -> String,
) -> Result<(), WeightsError> {
    let fail = |reason: String| WeightsError { path: path.to_owned(), reasons: vec![reason] };
    let mut tensors = BTreeMap::new();
    for (own, value) in values {
        let tensor = TensorView::new(form(value.element), value.extents.clone(), value.bytes());
        let tensor = tensor.map_err(|error| fail(format!("{own}: {error}")))?;
        if tensors.insert(name(own), tensor).is_some() {
            return Err(fail(format!("{own}: another value is called {} too", name(own))));
        }
    }
    let bytes = safetensors::serialize(tensors, None).map_err(|error| fail(error.to_string()))?;
    atomic::write(path, &bytes).map_err(|error| fail(error.to_string()))
}

/// Values of `f32` as `f16`, rounded to nearest; others as they are. [`load`] widens them again.
#[must_use]
pub fn halved(values: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let halved = |(path, value): (&String, &Value)| {
        if value.element != Element::F32 {
            return (path.clone(), value.clone());
        }
        let elements: Vec<half::f16> =
            value.elements::<f32>().into_iter().map(half::f16::from_f32).collect();
        (path.clone(), Value::new(&value.extents, &elements))
    };
    values.iter().map(halved).collect()
}

/// The name of an element type in the file.
fn form(element: Element) -> Dtype {
    let found = FORMS.iter().find(|(own, _)| *own == element);
    found.expect("every element type has a name").1
}

/// The tensor as a value of `spec`.
fn widened(tensor: &TensorView<'_>, spec: &Spec) -> Result<Value, String> {
    let extents = spec.bounds();
    if tensor.shape() != extents {
        return Err(format!("extents {:?}, wanted {spec}", tensor.shape()));
    }
    let data = tensor.data();
    let pairs = || data.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
    let elements: Vec<f32> = match (tensor.dtype(), spec.element) {
        (Dtype::BOOL, Element::Bool) => {
            let truths = data.iter().map(|&byte| u8::from(byte != 0)).collect();
            return Ok(Value::from_bytes(Element::Bool, &extents, truths));
        }
        (found, wanted) if found == form(wanted) => {
            return Ok(Value::from_bytes(wanted, &extents, data.to_vec()));
        }
        (Dtype::F16, Element::F32) => {
            pairs().map(|pair| half::f16::from_le_bytes(pair).to_f32()).collect()
        }
        (Dtype::BF16, Element::F32) => {
            pairs().map(|pair| half::bf16::from_le_bytes(pair).to_f32()).collect()
        }
        (found, wanted) => return Err(format!("elements {found:?}, wanted {wanted}")),
    };
    Ok(Value::new(&extents, &elements))
}
