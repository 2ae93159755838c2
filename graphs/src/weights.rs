//! Weights: parameters in safetensors files, under the names that other tools give them.
//!
//! A *name map* is a function from the path of a parameter to its name in the file. Paths divide
//! scopes by `/`; PyTorch's state dictionaries divide modules by `.`, so most maps begin with
//! [`dotted`] and rename what is called otherwise. The same map reads and writes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::Weights;
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

/// More bytes than any weights file of ours has.
const BYTES_MAX: u64 = 8 << 30;

/// Element types with their names in the format.
const ELEMENTS: [(Element, Dtype); 8] = [
    (Element::F32, Dtype::F32),
    (Element::F16, Dtype::F16),
    (Element::BF16, Dtype::BF16),
    (Element::F64, Dtype::F64),
    (Element::I32, Dtype::I32),
    (Element::I64, Dtype::I64),
    (Element::U8, Dtype::U8),
    (Element::Bool, Dtype::BOOL),
];

/// Why weights could not be read or written: all misfits at once.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .path.display(), .reasons.join("; "))]
pub struct WeightsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reasons: Vec<String>,
}

/// The name map of most state dictionaries: scopes are modules.
#[must_use]
pub fn dotted(path: &str) -> String {
    path.replace('/', ".")
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
    let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes)
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

/// Writes every parameter of `graph` to a safetensors file, for other tools too; `name` gives the
/// name in the file of a parameter path. What `weights` leaves out is initialised from the seed.
///
/// The file is written under another name first and put in its place when it is whole, so a reader
/// sees the old one or the new one, whatever happens on the way.
///
/// # Errors
/// When two parameters have one name, or the file cannot be written.
pub fn save(
    path: &Path,
    graph: &Graph,
    (weights, seed): (&Weights, Seed),
    name: &dyn Fn(&str) -> String,
) -> Result<(), WeightsError> {
    let fail = |reasons: Vec<String>| WeightsError { path: path.to_owned(), reasons };
    let mut tensors = BTreeMap::new();
    let mut reasons = Vec::new();
    for (parameter, value) in weights.values(graph, seed) {
        let own = name(&parameter);
        if tensors.insert(own.clone(), Tensor(value)).is_some() {
            reasons.push(format!("{own} is the name of two parameters"));
        }
    }
    if !reasons.is_empty() {
        return Err(fail(reasons));
    }
    let bytes = safetensors::serialize(tensors, None).map_err(|e| fail(vec![e.to_string()]))?;
    replace(path, &bytes).map_err(|error| fail(vec![error.to_string()]))
}

/// Puts a whole file in the place of another.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        // What is half written is of no use; that it stays is no second failure.
        let _ = std::fs::remove_file(&beside);
    }
    placed
}

/// A value as the format sees it.
struct Tensor(Value);

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        let found = ELEMENTS.iter().find(|(element, _)| *element == self.0.element);
        found.expect("every element type has a name").1
    }

    fn shape(&self) -> &[usize] {
        &self.0.extents
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.bytes().into()
    }

    fn data_len(&self) -> usize {
        self.0.bytes().len()
    }
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
        (own, element) if ELEMENTS.contains(&(element, own)) => {
            return Ok(Value::from_bytes(element, &extents, data.to_vec()));
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
