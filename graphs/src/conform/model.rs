//! One ONNX model, imported and run once.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options as Running;
use synfire_runtime::value::Value;

use super::is_plain;
use crate::onnx::{Options, import};

/// The file of the case's model, beside the case.
pub(super) fn file(about: &Json) -> Result<String, String> {
    let file = about.get("model").and_then(Json::as_str).ok_or("a case without a `model`")?;
    if is_plain(file) { Ok(file.to_owned()) } else { Err(format!("`{file}` leaves its folder")) }
}

/// Runs the model; outputs by name, or why it cannot be run. Extents that it leaves open are those
/// of the arrays.
pub(super) fn run(
    bytes: &[u8],
    arrays: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    let mut options = Options::default();
    for (name, value) in arrays {
        for (axis, &extent) in value.extents.iter().enumerate() {
            options.dimensions.insert(format!("{name}.{axis}"), extent.into());
        }
    }
    let imported = import(bytes, &options).map_err(|error| error.to_string())?;
    let graph = imported.draft.check().map_err(|faults| faults.to_string())?;
    let mut feeds = Streams::new();
    for (path, spec) in graph.feeds() {
        let value = arrays.get(path).ok_or_else(|| format!("no array `{path}`"))?;
        if !value.fits(spec) {
            return Err(format!("`{path}` is {}, wanted {spec}", value.spec()));
        }
        feeds.insert(path.to_owned(), vec![Some(value.clone())]);
    }
    let outlets =
        interpret(&graph, &Running::default(), &feeds).map_err(|error| error.to_string())?;
    let one = |(name, mut stream): (String, Vec<Option<Value>>)| {
        let value = stream.pop().flatten().ok_or_else(|| format!("{name} gave nothing"))?;
        Ok((name, value))
    };
    outlets.into_iter().map(one).collect()
}
