//! ONNX models as drafts, and graphs as ONNX models. The models are those of
//! `tests/conform/onnx.zip`, which `generate_onnx.py` beside it wrote with what onnxruntime
//! computes.

mod damage; // files that are no models
mod export; // the way back
mod living; // imported graphs placed, streamed and trained

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use synfire::conform::npz;
use synfire::onnx::{ImportError, Imported, Missing, Options, import};
use synfire::prelude::*;
use synfire::runtime::graph::Graph;
use synfire::runtime::interpret::{Streams, interpret};
use synfire_ops::laws::close;
use synfire_ops::sample::tensor;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conform");

/// A model with its inputs and what comes out.
struct Case {
    name: String,
    model: Vec<u8>,
    arrays: BTreeMap<String, Value>,
}

/// The cases whose names begin so.
fn cases(prefix: &str) -> Vec<Case> {
    let file = File::open(format!("{FOLDER}/onnx.zip")).expect("it lies in the repository");
    let mut archive = zip::ZipArchive::new(file).expect("it is an archive");
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let stems = names.iter().filter_map(|name| name.strip_prefix("onnx/")?.strip_suffix(".onnx"));
    let mut read = |name: String| {
        let mut bytes = Vec::new();
        let mut file = archive.by_name(&name).expect("every case has its files");
        file.read_to_end(&mut bytes).expect("it is whole");
        bytes
    };
    let stems = stems.filter(|stem| stem.starts_with(prefix));
    let case = |stem: &str| Case {
        name: stem.to_owned(),
        model: read(format!("onnx/{stem}.onnx")),
        arrays: npz::read(&read(format!("onnx/{stem}.npz"))).expect("it holds arrays"),
    };
    stems.map(case).collect()
}

fn one(name: &str) -> Case {
    let case = cases(name).into_iter().find(|case| case.name == name);
    case.expect("the archive has it")
}

/// Options under which the open dimensions are those of the arrays.
fn options(arrays: &BTreeMap<String, Value>) -> Options {
    let each = arrays.iter().flat_map(|(name, value)| {
        let extents = value.extents.iter().enumerate();
        extents.map(move |(axis, &extent)| (format!("{name}.{axis}"), extent.into()))
    });
    Options { dimensions: each.collect() }
}

fn imported(case: &Case) -> Imported {
    let imported = import(&case.model, &options(&case.arrays));
    imported.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// What comes out of every outlet for one token on every feed.
fn outputs(graph: &Graph, arrays: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let token = |(path, _): (&str, &Spec)| (path.to_owned(), vec![Some(arrays[path].clone())]);
    let feeds: Streams = graph.feeds().map(token).collect();
    let outlets = interpret(graph, &synfire::prelude::Options::default(), &feeds);
    let outlets = outlets.expect("it runs").into_iter();
    outlets.map(|(path, mut stream)| (path, stream.pop().flatten().expect("a token"))).collect()
}

/// The names of what is missing, with the reason.
fn missing(bytes: &[u8], options: &Options) -> Vec<Missing> {
    match import(bytes, options) {
        Err(ImportError::Missing { missing }) => missing,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("nothing is missing"),
    }
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}")).expect("it lies in the repository")
}

#[test]
fn all_that_is_missing_is_listed_at_once() {
    let missing = missing(&file("missing.onnx"), &Options::default());
    let found: Vec<(&str, &str)> =
        missing.iter().map(|own| (own.node.as_str(), own.kind.as_str())).collect();
    let wanted = [
        ("places", "NonZero"),
        ("fancy", "com.example.FancyAttention"),
        ("unique", "Unique"),
        ("pool", "MaxPool"),
        ("odd", "Relu"),
        ("by_stream", "Resize"),
        ("lost", "Add"),
    ];
    assert_eq!(found, wanted, "{missing:#?}");
    for (own, words) in missing.iter().skip(3).zip([
        "2 dimensions",
        "slope",
        "input 3 is computed while running",
        "`nowhere` is given by nothing",
    ]) {
        assert!(own.reason.contains(words), "{words} in {own}");
    }
}

#[test]
fn inputs_that_cannot_be_are_listed_and_open_dimensions_named() {
    let reasons: Vec<String> =
        missing(&file("open.onnx"), &Options::default()).iter().map(ToString::to_string).collect();
    let all = reasons.join("\n");
    for words in ["operator set 9", "type string", "give an extent for `batch`"] {
        assert!(all.contains(words), "{words} in {all}");
    }
    // By its name or by its place.
    for name in ["batch", "open.0"] {
        let options = Options { dimensions: [(name.to_owned(), 2.into())].into() };
        let all = missing(&file("open.onnx"), &options);
        assert!(all.iter().all(|own| own.node != "open"), "{all:?}");
    }
}

#[test]
fn weights_keep_their_names_and_fixed_normalisations_are_gone() {
    let case = one("cnn_script");
    let imported = imported(&case);
    let weights = ["features.0.weight", "features.0.bias", "features.4.weight", "head.3.bias"];
    for name in weights {
        assert!(imported.weights.iter().any(|own| own == name), "{name}: {:?}", imported.weights);
    }
    let graph = imported.draft.check().expect("the draft is right");
    let operators: Vec<&str> = graph.nodes().map(|(_, operator, _)| operator).collect();
    assert!(!operators.contains(&"batch_norm"), "{operators:?}");
    let parameters = graph.parameter_list().count();
    assert_eq!(parameters, imported.weights.len(), "nothing but weights is left");
}

#[test]
fn chains_of_shapes_leave_nothing_behind() {
    let graph = imported(&one("shapes_script")).draft.check().expect("the draft is right");
    let wide = graph.feeds().chain(graph.outlets()).all(|(_, spec)| spec.element == Element::F32);
    assert!(wide, "{graph}");
    let integers = graph
        .members()
        .into_iter()
        .filter(|member| member.outputs.iter().any(|spec| spec.element == Element::I64));
    assert_eq!(integers.count(), 0, "{graph}");
}

#[test]
fn a_bounded_dimension_may_be_given() {
    let case = one("resnet18_script");
    let bounded = Options { dimensions: [("batch".to_owned(), Dimension::UpTo(4))].into() };
    let imported = import(&case.model, &bounded).expect("it can be imported");
    let graph = imported.draft.check().expect("the draft is right");
    let (path, spec) = graph.outlets().next().expect("there is one");
    assert_eq!(spec.dimensions[0], Dimension::UpTo(4));
    let found = outputs(&graph, &case.arrays);
    close(&tensor(&found[path]), &tensor(&case.arrays[path]), 1e-4).expect("the same numbers");
}
