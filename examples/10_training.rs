//! Training is a graph too: data are a source, weights are feedback edges, one step is one firing.
//!
//! The driver only decides how far the source may go; a snapshot between two steps holds all state.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::sync::Arc;
use std::time::Duration;

use synfire::blocks::layer::{Start, dense};
use synfire::data::batches::batches;
use synfire::data::digits::digits;
use synfire::ops::loss::cross_entropy::{CrossEntropy, cross_entropy};
use synfire::ops::loss::nll::Classes;
use synfire::ops::losses::Total;
use synfire::ops::pointwise::unary::relu;
use synfire::optimisers::{Adam, Training, schedule::Constant};
use synfire::prelude::*;
use synfire::runtime::random::Seed;
use synfire::runtime::run::Outlet;

const PATIENCE: Duration = Duration::from_secs(30);

fn losses(outlet: &mut Outlet, count: usize) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let mut losses = Vec::new();
    for _ in 0..count {
        let loss = outlet.receive(PATIENCE)?.value?.ok_or("a loss is a value")?;
        losses.push(loss.elements::<f32>()[0]);
    }
    Ok(losses)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut draft = Draft::new();
    let source = batches(digits(), 64, Seed(1));
    let [x, label] = draft.apply_many(source, &[])[..] else { unreachable!("two outputs") };
    let x = synfire::blocks::layer::flatten(&mut draft, x);
    let hidden = dense(&mut draft, "fc1", x, 32, Start::He);
    let hidden = draft.apply(relu(), &[hidden]);
    let logits = dense(&mut draft, "fc2", hidden, 10, Start::Xavier);
    let classes = Classes { axis: 1, weight: None, ignored: None };
    let entropy = CrossEntropy { classes, smoothing: 0.0 };
    let loss = cross_entropy(&mut draft, logits, label, entropy, Total::Mean);
    draft.outlet("loss", loss);
    // Gradients and updates are nodes like any other.
    Training::new(Adam::default(), Constant(3e-3)).train(&mut draft, loss)?;

    let plan =
        plan(&place(&draft.check()?, &Devices::cpu(1), &Placement::new())?, &Limits::default())?;
    let mut run = launch(&plan, &Options { iterations: 100, ..Options::default() })?;
    let mut outlet = run.outlet("loss").ok_or("there is an outlet")?;
    let first = losses(&mut outlet, 100)?;
    println!("loss in step 1: {:.3}, in step 100: {:.3}", first[0], first[99]);

    // Between two steps all state can be taken; another run goes on from it with the same bits.
    let snapshot = run.snapshot(100, PATIENCE)?;
    run.allow(110);
    let here = losses(&mut outlet, 10)?;
    let resume = Some(Arc::new(snapshot));
    let mut other = launch(&plan, &Options { iterations: 110, resume, ..Options::default() })?;
    let mut outlet = other.outlet("loss").ok_or("there is an outlet")?;
    assert_eq!(losses(&mut outlet, 10)?, here);
    println!("a second run went on from step 100 with the same losses");
    Ok(())
}
