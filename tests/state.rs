//! State: parameters that are updated, and runs that stop and go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use synfire_ops::broadcast::binary::{add, multiply as mul, subtract as sub};
use synfire_ops::differentiate::gradients;
use synfire_ops::pointwise::unary::tanh;
use synfire_ops::random::draw;
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::{Options, Weights, launch};
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::{Feed, Outlet, Run};
use synfire_runtime::snapshot::{Snapshot, SnapshotError};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use crate::fixture::{counter, planned};

const LONG: Duration = Duration::from_secs(20);
const WIDTH: usize = 5;

fn vector(draft: &mut Draft, name: &str, initial: Initial) -> Wire {
    draft.parameter(name, Spec::f32([WIDTH]), initial)
}

/// A loss that falls while `w` follows noise: `w -= 0.1 dL/dw`, `L = sum((tanh(w) - x - noise)^2)`.
fn descent(steps: usize) -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([WIDTH]));
    let w = vector(&mut draft, "w", Initial::Normal { deviation: 1.0 });
    let noise = draft.apply(draw::normal(Seed(3), 1), &[x]);
    let y = draft.apply(tanh(), &[w]);
    let target = draft.apply(add(), &[x, noise]);
    let error = draft.apply(sub(), &[y, target]);
    let square = draft.apply(mul(), &[error, error]);
    let loss = draft.apply(sum(&[0], Keep::Nothing), &[square]);
    let slope = gradients(&mut draft, loss, &[w])[0].expect("the loss depends on w");
    let rate = vector(&mut draft, "rate", Initial::Constant(0.1));
    let step = draft.apply(mul(), &[slope, rate]);
    let next = draft.apply_named("next", sub(), &[w, step]);
    draft.update_after(w, next, steps);
    draft.outlet("loss", loss);
    draft.check().expect("the draft is right")
}

fn x() -> Value {
    Value::new(&[WIDTH], &[0.1_f32, -0.2, 0.3, 0.4, -0.5])
}

fn plan(graph: &Graph, limits: &Limits) -> Plan {
    planned(graph, 1, &[], limits)
}

/// A run, its feed and its outlet.
struct Session {
    run: Run,
    feed: Feed,
    outlet: Outlet,
}

impl Session {
    fn new(plan: &Plan, options: &Options) -> Self {
        let mut run = launch(plan, options).expect("the plan launches");
        let feed = run.feed("x").expect("there is a feed");
        let outlet = run.outlet("loss").expect("there is an outlet");
        Self { run, feed, outlet }
    }

    /// Feeds `count` times, takes as many losses.
    fn losses(&mut self, count: usize) -> Vec<Vec<u8>> {
        let loss = |_| {
            self.feed.send(&x(), LONG).expect("room in time");
            let loss = self.outlet.receive(LONG).expect("a loss in time").value;
            loss.expect("nothing fails").expect("a loss is a value").bytes().to_vec()
        };
        (0..count).map(loss).collect()
    }
}

fn slots(plan: &Plan, name: &str) -> u32 {
    plan.data().registers.iter().find(|own| own.name.starts_with(name)).expect("it is there").slots
}

#[test]
fn an_update_is_written_in_place_and_equals_the_reference() {
    for steps in [1, 3] {
        let graph = descent(steps);
        let feeds = Streams::from([("x".to_owned(), vec![Some(x()); 40])]);
        let reference = interpret(&graph, &Options::default(), &feeds).unwrap();
        let reference: Vec<Vec<u8>> =
            reference["loss"].iter().map(|loss| loss.as_ref().unwrap().bytes().to_vec()).collect();
        for reuse in [true, false] {
            let plan = plan(&graph, &Limits { reuse, ..Limits::default() });
            let wanted = if reuse && steps == 1 { 1 } else { steps as u32 + 1 };
            assert_eq!(slots(&plan, "next:"), wanted, "{}", plan.explain());
            let mut run = Session::new(&plan, &Options::default());
            assert_eq!(run.losses(40), reference, "{steps} steps, reuse {reuse}");
        }
        let number = |bytes: &Vec<u8>| f32::from_le_bytes(bytes[..].try_into().unwrap());
        let mean = |losses: &[Vec<u8>]| losses.iter().map(number).sum::<f32>() / 10.0;
        assert!(mean(&reference[30..]) < mean(&reference[..10]), "the loss falls");
    }
}

#[test]
fn an_outlet_that_sees_the_parameter_keeps_its_two_slots() {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([WIDTH]));
    let w = vector(&mut draft, "w", Initial::Zeros);
    let next = draft.apply_named("next", add(), &[w, x]);
    draft.update(w, next);
    draft.outlet("seen", w);
    let graph = draft.check().unwrap();
    assert!(slots(&plan(&graph, &Limits::default()), "next:") >= 2);
    let feeds = Streams::from([("x".to_owned(), vec![Some(self::x()); 3])]);
    let seen = interpret(&graph, &Options::default(), &feeds).unwrap();
    let first = |step: usize| seen["seen"][step].as_ref().unwrap().elements::<f32>()[0];
    assert_eq!([first(0), first(1), first(2)], [0.0, 0.1, 0.2], "before each update");
}

#[test]
fn updated_parameters_take_given_weights_and_are_counted() {
    let graph = descent(1);
    assert_eq!(graph.parameters(), 2 * WIDTH as u64);
    let paths: Vec<&str> = graph.parameter_list().map(|(path, _)| path).collect();
    assert_eq!(paths, ["rate", "w"]);
    let value = |number: f32| Value::new(&[WIDTH], &[number; WIDTH]);
    let given = BTreeMap::from([("w".to_owned(), value(7.0)), ("rate".to_owned(), value(0.0))]);
    let plan = plan(&graph, &Limits::default());
    let options = Options { weights: Weights::new(given.clone()), ..Options::default() };
    let mut run = Session::new(&plan, &options);
    run.losses(2);
    let kept = run.run.snapshot(2, LONG).unwrap().parameters();
    assert_eq!(kept["w"], given["w"], "a rate of zero changes nothing");
    let missing = Weights::new(BTreeMap::from([("w".to_owned(), value(7.0))]));
    let faults = launch(&plan, &Options { weights: missing, ..Options::default() }).err().unwrap();
    assert!(faults.to_string().contains("rate"), "{faults}");
}

#[test]
fn a_run_goes_on_from_a_snapshot_with_the_same_bits() {
    for steps in [1, 2] {
        let plan = plan(&descent(steps), &Limits::default());
        let whole = Session::new(&plan, &Options::default()).losses(20);
        let mut first = Session::new(&plan, &Options::default());
        let mut parts = first.losses(7);
        let bytes = first.run.snapshot(7, LONG).expect("it rests after what was fed").encode();
        drop(first);
        let snapshot = Snapshot::decode(&bytes).expect("what was written can be read");
        let resume = Some(Arc::new(snapshot));
        let mut second = Session::new(&plan, &Options { resume, ..Options::default() });
        parts.extend(second.losses(13));
        assert_eq!(parts, whole, "noise and weights go on");
    }
}

#[test]
fn snapshots_that_cannot_be_taken_or_used_say_why() {
    let plan = plan(&descent(1), &Limits::default());
    let mut session = Session::new(&plan, &Options::default());
    session.losses(2);
    let run = &session.run;
    let error = run.snapshot(3, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(&error, SnapshotError::Busy { wanted: 3, lanes, .. } if lanes == "cpu:0"));
    let snapshot = run.snapshot(2, LONG).expect("it still can be taken where the run rests");
    let other = planned(&descent(2), 1, &[], &Limits::default());
    let resume = Some(Arc::new(snapshot.clone()));
    let faults = launch(&other, &Options { resume, ..Options::default() }).err().unwrap();
    assert!(faults.to_string().contains("a snapshot of graph"), "{faults}");
    let bytes = snapshot.encode();
    for cut in 0..bytes.len() {
        assert!(Snapshot::decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn sources_stop_at_the_gate_and_go_on_from_there() {
    let mut draft = Draft::new();
    let number = draft.apply(counter(100), &[]);
    let spec = Spec::new(synfire_runtime::spec::Element::I64, [1]);
    let total = draft.parameter("total", spec, Initial::Zeros);
    let next = draft.apply_named("next", add(), &[total, number]);
    draft.update(total, next);
    draft.outlet("sum", next);
    let plan = plan(&draft.check().unwrap(), &Limits::default());
    let options = Options { iterations: 4, ..Options::default() };
    let mut run = launch(&plan, &options).unwrap();
    let mut outlet = run.outlet("sum").unwrap();
    let take = |outlet: &mut Outlet, count: usize| -> Vec<i64> {
        let value = |_| outlet.receive(LONG).unwrap().value.unwrap().unwrap().elements::<i64>()[0];
        (0..count).map(value).collect()
    };
    assert_eq!(take(&mut outlet, 4), [0, 1, 3, 6]);
    assert!(outlet.receive(Duration::from_millis(20)).is_err(), "nothing beyond the gate");
    let snapshot = run.snapshot(4, LONG).unwrap();
    assert_eq!(snapshot.parameters()["total"].elements::<i64>(), [6]);
    run.allow(6);
    assert_eq!(take(&mut outlet, 2), [10, 15]);
    drop((outlet, run));
    let resume = Some(Arc::new(snapshot));
    let mut run = launch(&plan, &Options { iterations: 6, resume, ..Options::default() }).unwrap();
    let mut outlet = run.outlet("sum").unwrap();
    assert_eq!(take(&mut outlet, 2), [10, 15], "the source counts on");
    run.allow(u64::MAX);
    while outlet.receive(LONG).is_ok() {}
    run.finish(LONG).expect("the source ends");
}

/// A counter on a feedback edge waits for nothing; it goes along with what does.
#[test]
fn a_schedule_ends_with_its_stream() {
    let mut draft = Draft::new();
    let one = draft.parameter("one", Spec::f32([WIDTH]), Initial::Constant(1.0));
    let step = vector(&mut draft, "step", Initial::Zeros);
    let next = draft.apply(add(), &[step, one]);
    draft.update(step, next);
    let x = draft.feed("x", Spec::f32([WIDTH]));
    let scaled = draft.apply(mul(), &[x, step]);
    let loss = draft.apply(sum(&[0], Keep::Nothing), &[scaled]);
    draft.outlet("loss", loss);
    let graph = draft.check().unwrap();
    for order in [synfire_runtime::Order::Static, synfire_runtime::Order::Ready] {
        let options = Options { order, ..Options::default() };
        let mut run = launch(&plan(&graph, &Limits::default()), &options).unwrap();
        let (mut feed, mut outlet) = (run.feed("x").unwrap(), run.outlet("loss").unwrap());
        for step in 0..5 {
            feed.send(&self::x(), LONG).unwrap();
            let loss = outlet.receive(LONG).unwrap().value.unwrap().unwrap().elements::<f32>()[0];
            assert!((loss - 0.1 * step as f32).abs() < 1e-6, "{loss} in step {step}");
        }
        drop((feed, outlet));
        run.finish(LONG).expect("it ends with its feed");
    }
}

#[test]
fn updates_that_cannot_be_are_faults() {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([WIDTH]));
    let w = vector(&mut draft, "w", Initial::Zeros);
    let loss = draft.apply(sum(&[0], Keep::Nothing), &[x]);
    draft.update(w, loss);
    draft.update(x, x);
    let other = vector(&mut draft, "other", Initial::Zeros);
    draft.update(other, x);
    draft.update(other, x);
    draft.outlet("loss", loss);
    let faults = draft.check().expect_err("three updates are wrong").to_string();
    for wanted in ["f32[] after 1 steps", "an update of what is no parameter"] {
        assert!(faults.contains(wanted), "{faults}");
    }
    assert_eq!(faults.matches("an update of what is no parameter").count(), 2, "{faults}");
}
