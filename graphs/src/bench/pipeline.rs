//! A chain of layers cut in two stages on two one-core devices, several tokens in flight.
//!
//! The same graph on one device stands beside it, both in one run. The expected period is the
//! maximum cycle ratio with the measured seconds of each layer, so prediction and measurement can
//! be held against each other; capacities are those that the planner computed.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use miette::{IntoDiagnostic, Result};
use synfire_ops::dense::conv2d::conv2d;
use synfire_ops::pointwise::unary::relu;
use synfire_runtime::clock::{Clock, RealClock};
use synfire_runtime::define::{Draft, Initial};
use synfire_runtime::device::Devices;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::observe::{Report, Sampling};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::Row;

const LONG: Duration = Duration::from_secs(600);
const LAYERS: usize = 8;
const CHANNELS: usize = 64;
const SIDE: usize = 56;

/// Measures one and two stages in turn, `rounds` times each, with `tokens` tokens a round.
///
/// # Errors
/// When the graph cannot be planned or run, or a row cannot be written.
pub fn run(rounds: usize, tokens: u64, out: &mut dyn Write) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    let graph = layers().check().into_diagnostic()?;
    let (one, two) = (planned(&graph, 1)?, planned(&graph, 2)?);
    let report = stream(&one, tokens.min(8), Sampling::FULL, &clock)?.1;
    let seconds = |path: &str| {
        let row = report.actors.iter().find(|row| row.path == path)?;
        Some(row.mean_ns / 1e9)
    };
    let expected_ns = two.period(&seconds).seconds * 1e9;
    let (mut serial, mut staged) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        serial.push(stream(&one, tokens, Sampling::OFF, &clock)?.0 / tokens as f64);
        staged.push(stream(&two, tokens, Sampling::OFF, &clock)?.0 / tokens as f64);
    }
    let row =
        |case, threads, samples| Row { suite: "pipeline", case, peer: "synfire", threads, samples };
    let (serial, staged) = (row("one_stage", 1, serial), row("two_stages", 2, staged));
    serial.report(out).into_diagnostic()?;
    staged.report(out).into_diagnostic()?;
    let speedup = serial.quantile(0.5) / staged.quantile(0.5);
    let period = staged.quantile(0.5) / expected_ns;
    writeln!(
        out,
        "{{\"suite\":\"pipeline\",\"case\":\"speedup\",\"ratio\":{speedup:.3},\
         \"measured_over_predicted_period\":{period:.3}}}"
    )
    .into_diagnostic()
}

/// Convolutions with activations: equal stages, so that two of them could halve the period.
fn layers() -> Draft {
    let mut draft = Draft::new();
    let mut x = draft.feed("in", Spec::f32([1, CHANNELS, SIDE, SIDE]));
    for layer in 0..LAYERS {
        let stage = if layer < LAYERS / 2 { "front" } else { "back" };
        x = draft.scope(&format!("{stage}/layer{layer}"), |draft| {
            let deviation = (2.0 / (CHANNELS * 9) as f64).sqrt();
            let weight = Spec::f32([CHANNELS, CHANNELS, 3, 3]);
            let weight = draft.parameter("weight", weight, Initial::Normal { deviation });
            let y = draft.apply(conv2d().padding(1), &[x, weight]);
            draft.apply(relu(), &[y])
        });
    }
    draft.outlet("out", x);
    draft
}

fn planned(graph: &Graph, stages: usize) -> Result<Plan> {
    let add = |own: Devices, core: usize| own.with_cores(&format!("cpu:{core}"), vec![core], true);
    let devices = (0..stages).fold(Devices::new(), add);
    let back = format!("cpu:{}", stages - 1);
    let wishes = Placement::new().on("front", "cpu:0").on("back", &back);
    let placed = place(graph, &devices, &wishes).into_diagnostic()?;
    plan(&placed, &Limits::default()).into_diagnostic()
}

/// Wall nanoseconds from the first token in to the last one out.
fn stream(
    plan: &Plan,
    tokens: u64,
    sampling: Sampling,
    clock: &Arc<dyn Clock>,
) -> Result<(f64, Report)> {
    let options = Options { sampling, ..Options::default() };
    let mut run = launch(plan, &options).into_diagnostic()?;
    let mut feed = run.feed("in").expect("the graph has this feed");
    let mut outlet = run.outlet("out").expect("the graph has this outlet");
    let value = Value::zeros(feed.spec());
    let start = clock.now_ns();
    std::thread::scope(|scope| -> Result<()> {
        let writer = scope.spawn(move || (0..tokens).try_for_each(|_| feed.send(&value, LONG)));
        for _ in 0..tokens {
            outlet.wait(LONG).into_diagnostic()?;
            outlet.try_read(|_, _| ()).into_diagnostic()?.1.into_diagnostic()?;
        }
        writer.join().expect("the writer does not panic").into_diagnostic()
    })?;
    let wall = (clock.now_ns() - start) as f64;
    drop(outlet);
    Ok((wall, run.finish(LONG).into_diagnostic()?))
}
