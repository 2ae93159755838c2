//! Training steps against PyTorch's: losses, optimisers, schedules, clipping, noise.

mod curves; // losses of whole models
mod data; // batches through launched plans
mod driver; // trainings that are stopped, killed or diverge
mod steps; // one weight, step by step
mod tasks; // networks under names

use std::collections::BTreeMap;
use std::time::Duration;

use synfire::conform::npz;
use synfire::prelude::*;
use synfire::runtime::graph::Graph;
use synfire::runtime::interpret::{Streams, interpret};
use synfire::runtime::plan::Plan;
use synfire_ops::sample::tensor;

use crate::fixture::planned;

const LONG: Duration = Duration::from_secs(20);

/// Arrays of a file beside the generator.
fn arrays(name: &str) -> BTreeMap<String, Value> {
    let path = format!("{}/tests/conform/train/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect("the file lies in the repository");
    npz::read(&bytes).expect("it holds arrays")
}

/// Part `index` of a value along its first axis.
fn part(value: &Value, index: usize) -> Value {
    let count = value.extents[0];
    let bytes = value.bytes().len() / count;
    let own = value.bytes()[index * bytes..(index + 1) * bytes].to_vec();
    Value::from_bytes(value.element, &value.extents[1..], own)
}

/// What comes out of an outlet, token by token, as numbers: the same bits from the sequential
/// reference and from a launched plan.
fn run(graph: &Graph, feeds: &Streams, outlet: &str) -> Vec<Vec<f64>> {
    let outlets = interpret(graph, &Options::default(), feeds).expect("it runs");
    let plan = planned(graph, 2, &[], &Limits::default());
    let launched = launched(&plan, feeds, outlet);
    assert_eq!(launched, outlets[outlet], "launched and interpreted");
    let values = launched.iter().map(|value| value.as_ref().expect("no nulls here"));
    values.map(|value| tensor(value).data).collect()
}

/// The same from a launched plan, step by step.
fn launched(plan: &Plan, feeds: &Streams, outlet: &str) -> Vec<Option<Value>> {
    let mut run = launch(plan, &Options::default()).expect("the plan launches");
    let mut inlets: Vec<_> =
        feeds.keys().map(|name| run.feed(name).expect("there is a feed")).collect();
    let mut outlet = run.outlet(outlet).expect("there is an outlet");
    let steps = feeds.values().map(Vec::len).min().unwrap_or(0);
    let step = |step: usize| {
        for (inlet, stream) in inlets.iter_mut().zip(feeds.values()) {
            let value = stream[step].as_ref().expect("tests feed values");
            inlet.send(value, LONG).expect("room in time");
        }
        outlet.receive(LONG).expect("a token in time").value.expect("nothing fails")
    };
    (0..steps).map(step).collect()
}

/// Every number is within a part of the largest of what is expected.
fn agree(what: &str, found: &[Vec<f64>], expected: &Value, relative: f64) {
    let expected = tensor(expected).data;
    let found: Vec<f64> = found.iter().flatten().copied().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let apart = (found - expected).abs();
        assert!(apart <= relative * largest, "{what}: {index} is {found}, expected {expected}");
    }
}
