//! Training steps against PyTorch's: losses, optimisers, schedules, clipping, noise.

mod curves; // losses of whole models
mod steps; // one weight, step by step

use std::collections::BTreeMap;

use synfire::conform::npz;
use synfire::prelude::*;
use synfire::runtime::graph::Graph;
use synfire::runtime::interpret::{Streams, interpret};
use synfire_ops::sample::tensor;

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

/// What comes out of an outlet, token by token, as numbers.
fn run(graph: &Graph, feeds: &Streams, outlet: &str) -> Vec<Vec<f64>> {
    let outlets = interpret(graph, &Options::default(), feeds).expect("it runs");
    let values = outlets[outlet].iter().map(|value| value.as_ref().expect("no nulls here"));
    values.map(|value| tensor(value).data).collect()
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
