//! What is exported computes the same when it is imported again.

use std::collections::{BTreeMap, BTreeSet};

use synfire::onnx::{Options, export, import};
use synfire::prelude::{Draft, Element, Initial, Spec, Value, Weights};
use synfire::runtime::graph::Graph;
use synfire_ops::CATALOG;
use synfire_ops::laws::close;
use synfire_ops::random::dropout::dropout;
use synfire_ops::sample::{Sample, tensor};
use synfire_runtime::random::Seed;

use super::{cases, imported, outputs};

fn written(graph: &Graph) -> Result<Vec<u8>, Vec<String>> {
    export(graph, &Weights::default(), Seed::default()).map_err(|error| error.reasons)
}

#[test]
fn every_model_that_was_imported_goes_back() {
    let mut refused = Vec::new();
    let mut count = 0;
    for case in cases("") {
        let graph = imported(&case).draft.check().expect("the draft is right");
        let bytes = match written(&graph) {
            Ok(bytes) => bytes,
            Err(reasons) => {
                refused.push(format!("{}: {reasons:?}", case.name));
                continue;
            }
        };
        let again = import(&bytes, &Options::default());
        let again = again.unwrap_or_else(|error| panic!("{}: {error}", case.name)).draft;
        let again = again.check().expect("the draft is right");
        let (first, second) = (outputs(&graph, &case.arrays), outputs(&again, &case.arrays));
        assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
        for (name, value) in &first {
            let same = close(&tensor(&second[name]), &tensor(value), 1e-5);
            same.unwrap_or_else(|error| panic!("{} {name}: {error}", case.name));
        }
        count += 1;
    }
    assert!(refused.len() <= REFUSED, "{count} go back, not:\n{}", refused.join("\n"));
}

/// One: a convolution of volumes, whose slices are gathered by an operator of ours.
const REFUSED: usize = 1;

/// The graph of a sample that runs once from fixed specs.
fn graph(sample: &Sample) -> Option<(Graph, BTreeMap<String, Value>)> {
    let is_fixed = sample.specs.iter().all(Spec::is_fixed);
    let values: Option<Vec<Value>> = sample.inputs.iter().cloned().collect();
    let values = values.filter(|values| is_fixed && !values.is_empty())?;
    let mut draft = Draft::new();
    let mut arrays = BTreeMap::new();
    let mut wires = Vec::new();
    for (index, (spec, value)) in sample.specs.iter().zip(values).enumerate() {
        let name = format!("in{index}");
        wires.push(draft.feed(&name, spec.clone()));
        arrays.insert(name, value);
    }
    for (index, wire) in sample.subject.apply(&mut draft, &wires).into_iter().enumerate() {
        draft.outlet(&format!("out{index}"), wire);
    }
    Some((draft.check().ok()?, arrays))
}

#[test]
fn every_operator_that_is_written_computes_the_same_again() {
    let mut names = BTreeSet::new();
    let mut differ = Vec::new();
    for sample in CATALOG.iter().flat_map(|entry| (entry.samples)()) {
        let Some((graph, arrays)) = graph(&sample) else { continue };
        let Ok(bytes) = written(&graph) else { continue };
        let what = format!("{} {}", sample.subject.name(), sample.name);
        // Samples that fail while running fail there too.
        let Some(first) = tried(&graph, &arrays) else { continue };
        let again = match import(&bytes, &Options::default()) {
            Ok(imported) => imported.draft.check().expect("the draft is right"),
            Err(error) => {
                differ.push(format!("{what}: {error}"));
                continue;
            }
        };
        let Some(second) = tried(&again, &arrays) else {
            differ.push(format!("{what}: it fails"));
            continue;
        };
        for (name, value) in &first {
            let relative = match value.element {
                Element::F16 => 5e-3,
                Element::BF16 => 4e-2,
                _ => 2e-5,
            };
            if let Err(error) = close(&tensor(&second[name]), &tensor(value), relative) {
                differ.push(format!("{what} {name}: {error}"));
            }
        }
        names.insert(sample.subject.name());
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(names.len() >= 100, "{} operators: {names:?}", names.len());
}

fn tried(graph: &Graph, arrays: &BTreeMap<String, Value>) -> Option<BTreeMap<String, Value>> {
    use synfire::runtime::interpret::{Streams, interpret};

    let token = |(path, _): (&str, &Spec)| (path.to_owned(), vec![Some(arrays[path].clone())]);
    let feeds: Streams = graph.feeds().map(token).collect();
    let outlets = interpret(graph, &synfire::prelude::Options::default(), &feeds).ok()?;
    outlets.into_iter().map(|(path, mut stream)| Some((path, stream.pop()??))).collect()
}

#[test]
fn state_and_what_onnx_lacks_are_refused_together() {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([3]));
    let before = draft.delay(x, 1, Initial::Zeros);
    let sum = draft.apply(synfire_ops::broadcast::binary::add(), &[x, before]);
    let y = dropout(&mut draft, sum, 0.5, Seed(1), 1);
    draft.outlet("y", y);
    let graph = draft.check().expect("the draft is right");
    let reasons = written(&graph).expect_err("it has state").join("\n");
    for words in ["add: an edge from x with 1 initial tokens", "bernoulli"] {
        assert!(reasons.contains(words), "{words} in {reasons}");
    }
}
