//! Simulate: the lanes of a plan on one thread, where a seed decides who moves next and how long
//! each move takes. One seed is one schedule; every schedule gives the same results.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;

use synfire::ops::broadcast::binary::{add, multiply};
use synfire::prelude::*;
use synfire::runtime::interpret::Streams;
use synfire::runtime::random::Seed;
use synfire::runtime::simulate::{Outcome, Simulation, simulate};

fn main() -> Result<(), Box<dyn Error>> {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([1]));
    let (before, next) = draft.feedback(Spec::f32([1]), 1, Initial::Constant(1.0));
    let product = draft.on("cpu:0", |draft| draft.apply(multiply(), &[x, before]));
    let state = draft.on("cpu:1", |draft| draft.apply(add(), &[product, x]));
    draft.close(next, state);
    draft.outlet("state", state);

    let devices = Devices::new();
    let devices = devices.with_cores("cpu:0", vec![0], false).with_cores("cpu:1", vec![1], false);
    let placed = place(&draft.check()?, &devices, &Placement::new())?;
    let plan = plan(&placed, &Limits::default())?;
    let stream = (1..=8).map(|k| Some(Value::new(&[1], &[1.0 / k as f32]))).collect();
    let feeds = Streams::from([("x".to_owned(), stream)]);

    let simulated = |seed| {
        // Somebody stalls for a thousand times as long as usual, in every tenth move.
        let feeds = feeds.clone();
        let simulation =
            Simulation { seed: Seed(seed), feeds, stalls_per_mille: 100, ..Default::default() };
        simulate(&plan, &Options::default(), &simulation)
    };
    let first = simulated(0)?;
    for seed in 0..4 {
        let outcome = simulated(seed)?;
        println!("seed {seed}: {} moves, {} virtual ns", outcome.moves, outcome.elapsed_ns);
        assert_eq!(states(&outcome), states(&first), "results never depend on the schedule");
    }
    assert_eq!(simulated(0)?.elapsed_ns, first.elapsed_ns, "one seed is one schedule");
    println!("{:?}", states(&first));
    Ok(())
}

fn states(outcome: &Outcome) -> Vec<f32> {
    let values = outcome.outlets["state"].iter().filter_map(|output| output.value.clone().ok()?);
    values.flat_map(|value| value.elements::<f32>()).collect()
}
