//! Values computed again instead of kept, under a memory limit.

use synfire_ops::differentiate::{Question, differentiate};
use synfire_ops::pointwise::unary::{sin, square};
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_runtime::define::Draft;
use synfire_runtime::fault::Code;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, PlanData, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::Output;
use synfire_runtime::simulate::{Simulation, simulate};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use crate::fixture::cpus;

const ELEMENTS: usize = 32_768;

/// A deep chain and its gradient: every stage's input is read again by the backward half.
fn deep(stages: usize) -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([ELEMENTS]));
    let stage = |x, stage| match stage % 2 {
        0 => draft.apply(sin(), &[x]),
        _ => draft.apply(square(), &[x]),
    };
    let y = (0..stages).fold(x, stage);
    let loss = draft.apply(sum(&[0], Keep::Nothing), &[y]);
    draft.outlet("loss", loss);
    let graph = draft.check().expect("the draft is sound");
    differentiate(&graph, &Question::new("loss", &["x"])).expect("it has a gradient")
}

fn limited(graph: &Graph, bytes: Option<u64>) -> Result<Plan, synfire_runtime::fault::Faults> {
    let placed = place(graph, &cpus(1), &Placement::new()).expect("it is placed");
    let memory_bytes = bytes.map(|bytes| ("host".to_owned(), bytes)).into_iter().collect();
    plan(&placed, &Limits { memory_bytes, ..Limits::default() })
}

fn host_bytes(plan: &Plan) -> u64 {
    plan.memory()[0].total_bytes()
}

fn outcome(plan: &Plan, feeds: &Streams) -> Streams {
    let feeds = feeds.clone();
    let simulation = Simulation { seed: Seed(3), feeds, inject: None, stalls_per_mille: 0 };
    let outcome = simulate(plan, &Options::default(), &simulation).expect("it ends");
    let value = |output: Output| output.value.expect("nothing fails here");
    let outlets = outcome.outlets.into_iter();
    outlets.map(|(name, stream)| (name, stream.into_iter().map(value).collect())).collect()
}

#[test]
fn a_deep_chain_fits_in_half_with_the_same_bits() {
    let graph = deep(24);
    let free = limited(&graph, None).expect("there is no limit");
    assert!(free.data().recomputed.is_empty(), "nothing is computed twice without need");
    let all = host_bytes(&free);
    let half = limited(&graph, Some(all / 2)).expect("half is enough");
    assert!(host_bytes(&half) <= all / 2, "{} of {all} bytes", host_bytes(&half));
    assert!(!half.data().recomputed.is_empty());
    let x: Vec<f32> = (0..ELEMENTS).map(|n| n as f32 / 8000.0 - 2.0).collect();
    let tokens = (0..3).map(|_| Some(Value::new(&[ELEMENTS], &x))).collect();
    let feeds = Streams::from([("x".to_owned(), tokens)]);
    let expected = interpret(&graph, &Options::default(), &feeds).expect("it runs");
    assert_eq!(outcome(&free, &feeds), expected);
    assert_eq!(outcome(&half, &feeds), expected);
}

#[test]
fn a_plan_with_twins_is_saved_and_bound_again() {
    let graph = deep(16);
    let all = host_bytes(&limited(&graph, None).expect("there is no limit"));
    let less = limited(&graph, Some(all * 2 / 3)).expect("two thirds are enough");
    let data = PlanData::decode(&less.data().encode()).expect("it was just encoded");
    let placed = place(&graph, &cpus(1), &Placement::new()).expect("it is placed");
    let bound = Plan::bind(data.clone(), &placed).expect("it is the same graph");
    assert_eq!(bound.data(), less.data());
    let mut damaged = data;
    damaged.recomputed[0].nodes[0] = u32::MAX;
    assert_eq!(Plan::bind(damaged, &placed).expect_err("no such node").codes(), [Code::Format]);
}

#[test]
fn a_limit_that_nothing_can_meet_is_a_fault_with_what_was_saved() {
    let faults = limited(&deep(16), Some(200_000)).expect_err("the feed alone is larger");
    assert_eq!(faults.codes(), [Code::Memory]);
    assert!(faults.to_string().contains("computing values again saved"), "{faults}");
}
