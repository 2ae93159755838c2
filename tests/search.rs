//! Searches: gates, hypergradients, phases, and that nothing but the seed decides what is found.

mod gates; // what mixed operations compute
mod gradients; // of both orders
mod phases; // optimisers that take turns
mod whole; // searches from begin to end

use synfire::prelude::*;
use synfire::runtime::interpret::interpret;
use synfire_ops::sample::tensor;

/// What comes out of each outlet of a draft for one token of each feed.
fn outputs(draft: Draft, outlets: &[&str], feeds: &[(&str, Value)]) -> Vec<Vec<f64>> {
    let graph = draft.check().expect("the draft is right");
    let feeds = feeds.iter().map(|(name, value)| ((*name).to_owned(), vec![Some(value.clone())]));
    let streams = interpret(&graph, &Options::default(), &feeds.collect()).expect("it runs");
    let data = |name: &&str| tensor(streams[*name][0].as_ref().expect("a value")).data;
    outlets.iter().map(data).collect()
}

/// Numbers of any size and both signs, other for every seed.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let seed = synfire::runtime::random::Seed(seed);
    (0..count as u64).map(|at| seed.normal(at)).collect()
}
