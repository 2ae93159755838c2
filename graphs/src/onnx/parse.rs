//! The bytes of an ONNX file as a model: decoded, within limits, with values and attributes of
//! ours.
//!
//! All that is wrong with tensors, inputs and attributes is told at once.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;
use synfire_ops::onnx::{Attribute, element, elements};
use synfire_runtime::spec::{RANK_MAX, Spec};
use synfire_runtime::value::Value;

use super::{ImportError, Missing, Options, proto, tensor};

/// The longest file: what the format itself allows.
const BYTES_MAX: usize = 2 << 30;

/// More nodes than any model of ours has.
const NODES_MAX: usize = 1 << 20;

/// The sets of operators that are understood.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;

/// A model.
pub(super) struct Model {
    /// The version of the set of operators.
    pub(super) opset: i64,
    pub(super) nodes: Vec<Node>,
    /// Constants by name.
    pub(super) constants: BTreeMap<String, Value>,
    /// Name and spec of what is fed.
    pub(super) inputs: Vec<(String, Spec)>,
    /// Names of what comes out.
    pub(super) outputs: Vec<String>,
}

/// A node of a model.
#[derive(Clone)]
pub(super) struct Node {
    /// Its own name, or its first output's.
    pub(super) name: String,
    /// What ONNX calls the operator, with the domain where that is not ONNX's own.
    pub(super) kind: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) attributes: BTreeMap<String, Attribute>,
}

/// Decodes a file. `folder` is where its other files are, if it is in a folder.
pub(super) fn parse(
    bytes: &[u8],
    folder: Option<&Path>,
    options: &Options,
) -> Result<Model, ImportError> {
    let damaged = |reason: String| ImportError::Damaged { reason };
    if bytes.len() > BYTES_MAX {
        return Err(damaged(format!("{} bytes, wanted at most {BYTES_MAX}", bytes.len())));
    }
    let model = proto::Model::decode(bytes).map_err(|error| damaged(error.to_string()))?;
    let graph = model.graph.ok_or_else(|| damaged("there is no graph in it".into()))?;
    if graph.node.len() > NODES_MAX {
        let count = graph.node.len();
        return Err(damaged(format!("{count} nodes, wanted at most {NODES_MAX}")));
    }
    let own = model.opset_import.iter().find(|set| is_own(&set.domain));
    let opset = own.map(|set| set.version);
    let mut missing = Vec::new();
    if !opset.is_some_and(|opset| OPSETS.contains(&opset)) {
        let found = opset.map_or("none".to_owned(), |opset| opset.to_string());
        let wanted = format!("{} to {}", OPSETS.start(), OPSETS.end());
        missing.push(Missing::of("", "", format!("operator set {found}, wanted {wanted}")));
    }
    if !graph.sparse_initializer.is_empty() {
        missing.push(Missing::of("", "", "sparse initializers"));
    }
    let mut constants = BTreeMap::new();
    for own in &graph.initializer {
        match tensor::value(own, folder) {
            Ok(value) if !constants.contains_key(&own.name) => {
                constants.insert(own.name.clone(), value);
            }
            Ok(_) => missing.push(Missing::of(&own.name, "initializer", "given twice")),
            Err(reason) => missing.push(Missing::of(&own.name, "initializer", reason)),
        }
    }
    let is_fed = |info: &&proto::ValueInfo| !graph.initializer.iter().any(|c| c.name == info.name);
    let mut inputs: Vec<(String, Spec)> = Vec::new();
    for info in graph.input.iter().filter(is_fed) {
        match input(info, options) {
            Ok(_) if inputs.iter().any(|(name, _)| *name == info.name) => {
                missing.push(Missing::of(&info.name, "input", "given twice"));
            }
            Ok(spec) => inputs.push((info.name.clone(), spec)),
            Err(reason) => missing.push(Missing::of(&info.name, "input", reason)),
        }
    }
    let outputs: Vec<String> = graph.output.iter().map(|info| info.name.clone()).collect();
    if outputs.is_empty() {
        missing.push(Missing::of("", "", "no outputs"));
    }
    let nodes = graph.node.into_iter().map(|own| node(own, folder, &mut missing)).collect();
    let opset = opset.unwrap_or(*OPSETS.end());
    match missing.is_empty() {
        true => Ok(Model { opset, nodes, constants, inputs, outputs }),
        false => Err(ImportError::Missing { missing }),
    }
}

fn is_own(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn node(own: proto::Node, folder: Option<&Path>, missing: &mut Vec<Missing>) -> Node {
    let proto::Node { input, output, name, op_type, attribute, domain } = own;
    let name = match (name.is_empty(), output.first()) {
        (true, Some(output)) => output.clone(),
        _ => name,
    };
    let kind = if is_own(&domain) { op_type } else { format!("{domain}.{op_type}") };
    let mut attributes = BTreeMap::new();
    for own in attribute {
        match self::attribute(&own, folder) {
            Ok(attribute) => {
                attributes.insert(own.name, attribute);
            }
            Err(reason) => {
                let reason = format!("attribute `{}`: {reason}", own.name);
                missing.push(Missing::of(&name, &kind, reason));
            }
        }
    }
    Node { name, kind, inputs: input, outputs: output, attributes }
}

fn attribute(own: &proto::Attribute, folder: Option<&Path>) -> Result<Attribute, String> {
    let text = |bytes: &Vec<u8>| {
        String::from_utf8(bytes.clone()).map_err(|_| "a text that is no UTF-8".to_owned())
    };
    Ok(match own.kind {
        proto::kind::FLOAT => Attribute::Number(f64::from(own.f)),
        proto::kind::INT => Attribute::Integer(own.i),
        proto::kind::STRING => Attribute::Text(text(&own.s)?),
        proto::kind::TENSOR => match &own.t {
            Some(own) => Attribute::Tensor(tensor::value(own, folder)?),
            None => return Err("a tensor that is not there".into()),
        },
        proto::kind::FLOATS => Attribute::Numbers(own.floats.iter().map(|&x| x.into()).collect()),
        proto::kind::INTS => Attribute::Integers(own.ints.clone()),
        proto::kind::STRINGS => {
            Attribute::Texts(own.strings.iter().map(text).collect::<Result<_, _>>()?)
        }
        proto::kind::GRAPH | proto::kind::GRAPHS => Attribute::Other("a graph"),
        proto::kind::TENSORS => Attribute::Other("several tensors"),
        proto::kind::SPARSE_TENSOR => Attribute::Other("a sparse tensor"),
        other => return Err(format!("kind {other}")),
    })
}

/// The spec of an input; dimensions with names are looked up in the options.
fn input(info: &proto::ValueInfo, options: &Options) -> Result<Spec, String> {
    let kind = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let kind = kind.ok_or("a sequence, a map or an optional, wanted a tensor")?;
    let element = element(i64::from(kind.elem_type))?;
    let shape = kind.shape.as_ref().ok_or("of unknown shape")?;
    if shape.dim.len() > RANK_MAX {
        return Err(format!("{} dimensions, wanted at most {RANK_MAX}", shape.dim.len()));
    }
    let mut dimensions = Vec::new();
    for (axis, own) in shape.dim.iter().enumerate() {
        let place = format!("{}.{axis}", info.name);
        let name = own.dim_param.as_ref().filter(|name| !name.is_empty());
        let named = name.and_then(|name| options.dimensions.get(name));
        let given = options.dimensions.get(&place).or(named);
        dimensions.push(match (own.dim_value, given) {
            (Some(extent), _) => {
                usize::try_from(extent).map_err(|_| format!("dimension {axis} is {extent}"))?.into()
            }
            (None, Some(dimension)) => *dimension,
            (None, None) => {
                let name = name.unwrap_or(&place);
                return Err(format!("dimension {axis} is not fixed: give an extent for `{name}`"));
            }
        });
    }
    let bounds: Vec<usize> = dimensions.iter().map(|dimension| dimension.bound()).collect();
    elements(&bounds)?;
    Ok(Spec { element, dimensions })
}
