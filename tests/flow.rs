//! Tokens through launched plans: order, ends, failures, feedback, rates.

use std::time::Duration;

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::observe::Report;
use synfire_runtime::operator::FireError;
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::run::{FaultPolicy, OutletError, RunError};
use synfire_runtime::value::Value;

use crate::fixture::{affine, counter, fed, formula, mix, number, plain, planned, resample};

const LONG: Duration = Duration::from_secs(20);

fn graph(build: impl FnOnce(&mut Draft, Wire)) -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    build(&mut draft, x);
    draft.check().expect("the draft is right")
}

/// Feeds `in`, takes everything from `out`.
fn stream(plan: &Plan, options: &Options, feeds: &Streams) -> (Vec<Option<Value>>, Report) {
    let mut run = launch(plan, options).expect("the plan launches");
    let mut feed = run.feed("in").expect("there is a feed");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let values = feeds["in"].clone();
    let writer = std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for value in &values {
                feed.send(value.as_ref().expect("tests feed values"), LONG).expect("room in time");
            }
        });
        let mut taken = Vec::new();
        loop {
            match outlet.receive(LONG) {
                Ok(output) => taken.push(output.value.expect("nothing fails here")),
                Err(OutletError::Ended) => break,
                Err(OutletError::Empty) => panic!("nothing came out in time"),
            }
        }
        writer.join().expect("the writer ends");
        taken
    });
    (writer, run.finish(LONG).expect("the run ends well"))
}

/// Every placement and order of lanes gives what the sequential reference gives.
fn agrees(graph: &Graph, placements: &[&[(&str, &str)]], feeds: &Streams) {
    let expected = interpret(graph, &Options::default(), feeds).expect("the reference runs");
    for bound in placements {
        for order in [synfire_runtime::Order::Static, synfire_runtime::Order::Ready] {
            for limits in
                [Limits::default(), Limits { batch: 4, reuse: false, ..Limits::default() }]
            {
                let plan = planned(graph, 2, bound, &limits);
                let options = Options { order, ..Options::default() };
                let (found, report) = stream(&plan, &options, feeds);
                assert_eq!(plain(&found), plain(&expected["out"]), "{bound:?} {order:?}");
                // What a delay holds back at the end is left over, and nothing else.
                let delays = plan.data().links.iter().map(|link| u64::from(link.delay));
                let delayed: u64 = delays.sum();
                let left: u64 = report.links.iter().map(|link| link.left_over).sum();
                assert_eq!(left, delayed);
            }
        }
    }
}

#[test]
fn a_chain_on_one_and_two_lanes_agrees_with_the_reference() {
    let graph = graph(|draft, x| {
        let mut y = x;
        for stage in 0..6 {
            y = draft
                .scope(if stage < 3 { "front" } else { "back" }, |d| d.apply(affine(stage), &[y]));
        }
        draft.outlet("out", y);
    });
    let split: &[(&str, &str)] = &[("front", "cpu:0"), ("back", "cpu:1")];
    agrees(&graph, &[&[("front", "cpu:0"), ("back", "cpu:0")], split], &fed(0..500));
}

#[test]
fn a_diamond_joins_by_index() {
    let graph = graph(|draft, x| {
        let left = draft.scope("left", |d| d.apply(affine(1), &[x]));
        let right = draft.scope("right", |d| {
            let y = d.apply(affine(2), &[x]);
            d.apply(affine(5), &[y])
        });
        let joined = draft.scope("join", |d| d.apply(mix(2), &[left, right]));
        draft.outlet("out", joined);
    });
    let apart: &[(&str, &str)] = &[("left", "cpu:0"), ("right", "cpu:1"), ("join", "cpu:0")];
    agrees(
        &graph,
        &[&[("left", "cpu:0"), ("right", "cpu:0"), ("join", "cpu:0")], apart],
        &fed(0..300),
    );
}

#[test]
fn feedback_carries_state_within_and_across_lanes() {
    let graph = graph(|draft, x| {
        let start = Initial::Value(Value::new(&[1], &[100_i64]).into());
        let (before, feedback) = draft.feedback(number(), 1, start);
        let sum = draft.scope("sum", |d| d.apply(mix(2), &[x, before]));
        let next = draft.scope("next", |d| d.apply(affine(1), &[sum]));
        draft.close(feedback, next);
        draft.outlet("out", sum);
    });
    let apart: &[(&str, &str)] = &[("sum", "cpu:0"), ("next", "cpu:1")];
    agrees(&graph, &[&[("sum", "cpu:0"), ("next", "cpu:0")], apart], &fed(0..200));
}

#[test]
fn delays_share_one_register_and_start_with_their_initial_tokens() {
    let graph = graph(|draft, x| {
        let y = draft.apply(affine(0), &[x]);
        let older: Vec<Wire> = (0..4).rev().map(|k| draft.delay(y, k, Initial::Zeros)).collect();
        let window = draft.apply(mix(4), &older);
        draft.outlet("out", window);
    });
    agrees(
        &graph,
        &[&[("affine", "cpu:0"), ("mix", "cpu:0")], &[("affine", "cpu:0"), ("mix", "cpu:1")]],
        &fed(1..60),
    );
}

#[test]
fn rates_balance_across_lanes() {
    let graph = graph(|draft, x| {
        let three = draft.scope("up", |d| d.apply(resample(2, 3), &[x]));
        let down = draft.scope("down", |d| d.apply(resample(2, 1), &[three]));
        draft.outlet("out", down);
    });
    let apart: &[(&str, &str)] = &[("up", "cpu:0"), ("down", "cpu:1")];
    agrees(&graph, &[&[("up", "cpu:0"), ("down", "cpu:0")], apart], &fed(0..400));
}

#[test]
fn a_source_ends_the_run_by_itself() {
    let mut draft = Draft::new();
    let x = draft.apply(counter(1000), &[]);
    let y = draft.apply(affine(1), &[x]);
    draft.outlet("out", y);
    let graph = draft.check().expect("the draft is right");
    let plan = planned(&graph, 1, &[], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let mut count = 0;
    while let Ok(output) = outlet.receive(LONG) {
        let value = output.value.expect("nothing fails").expect("nothing is null");
        assert_eq!(value.elements::<i64>()[0], 3 * count + 1);
        count += 1;
    }
    assert_eq!(count, 1000);
    run.finish(LONG).expect("the run ends well");
}

#[test]
fn an_endless_source_stops_when_nobody_reads_any_more() {
    let mut draft = Draft::new();
    let x = draft.apply(counter(u64::MAX), &[]);
    draft.outlet("out", x);
    let graph = draft.check().expect("the draft is right");
    let plan = planned(&graph, 1, &[], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    drop(run.outlet("out"));
    run.finish(LONG).expect("the run ends well");
}

#[test]
fn draining_lets_everything_out_that_was_fed() {
    let graph = graph(|draft, x| {
        let y = draft.apply(affine(0), &[x]);
        draft.outlet("out", y);
    });
    let plan = planned(&graph, 1, &[], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut feed = run.feed("in").expect("there is a feed");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let mut sent = 0_i64;
    while feed.try_send(&Value::new(&[1], &[sent])).is_ok() {
        sent += 1;
    }
    assert!(sent > 0, "at least one register is free at the start");
    let taker = std::thread::scope(|scope| {
        let taker = scope.spawn(move || {
            let mut taken = 0;
            while outlet.receive(LONG).is_ok() {
                taken += 1;
            }
            taken
        });
        run.drain(LONG).expect("everything comes out");
        taker.join().expect("the taker ends")
    });
    assert_eq!(taker, sent);
}

#[test]
fn a_run_that_nobody_reads_is_reported_as_stuck() {
    let graph = graph(|draft, x| {
        let y = draft.apply(affine(0), &[x]);
        draft.outlet("out", y);
    });
    let plan = planned(&graph, 1, &[], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut feed = run.feed("in").expect("there is a feed");
    let outlet = run.outlet("out").expect("there is an outlet");
    for value in 0..100_i64 {
        if feed.send(&Value::new(&[1], &[value]), Duration::from_millis(20)).is_err() {
            break;
        }
    }
    let error = run.drain(Duration::from_millis(50)).expect_err("nobody reads the outlet");
    assert!(matches!(&error, RunError::Stuck { lanes, .. } if lanes == "cpu:0"), "{error}");
    drop(outlet);
}

/// A graph with one branch that fails at firing 5, by error or by panic, and one that does not.
fn failing(panics: bool) -> Graph {
    graph(|draft, x| {
        let bad = draft.apply_named(
            "bad",
            formula("bad", 1, move |x, firing| {
                if firing != 5 {
                    return Ok(x[0]);
                }
                assert!(!panics, "told to panic");
                Err(FireError::failed("told to fail"))
            }),
            &[x],
        );
        let after = draft.apply(affine(0), &[bad]);
        let good = draft.apply_named("good", affine(9), &[x]);
        draft.outlet("out", after);
        draft.outlet("good_out", good);
    })
}

#[test]
fn a_failed_firing_costs_only_what_depends_on_it() {
    for panics in [false, true] {
        let plan = planned(&failing(panics), 1, &[], &Limits::default());
        let options = Options { policy: FaultPolicy::Skip, ..Options::default() };
        let mut run = launch(&plan, &options).expect("the plan launches");
        let mut feed = run.feed("in").expect("there is a feed");
        let mut bad = run.outlet("out").expect("there is an outlet");
        let mut good = run.outlet("good_out").expect("there is an outlet");
        for value in 0..20_i64 {
            feed.send(&Value::new(&[1], &[value]), LONG).expect("room in time");
            let expected = 3 * value + 9;
            let output = good.receive(LONG).expect("the good branch goes on");
            let found = output.value.expect("a value").expect("a value").elements::<i64>()[0];
            assert_eq!(found, expected);
            let output = bad.receive(LONG).expect("the bad branch goes on");
            match output.value {
                Ok(found) => assert_eq!(found.expect("a value").elements::<i64>()[0], 3 * value),
                Err(failure) => {
                    assert_eq!((value, failure.firing, failure.node.as_str()), (5, 5, "bad"));
                }
            }
        }
        let report = run.drain(LONG).expect("skipping is not an error");
        assert_eq!(report.failure_count, 1);
        let row = report.actors.iter().find(|row| row.path == "affine").expect("a row");
        assert_eq!((row.fired, row.poisoned), (19, 1));
    }
}

#[test]
fn a_failed_firing_stops_the_run_by_default() {
    let plan = planned(&failing(false), 1, &[], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut feed = run.feed("in").expect("there is a feed");
    let mut outlets = [run.outlet("out"), run.outlet("good_out")].map(|own| own.expect("there is"));
    let mut fed = 0_i64;
    while feed.send(&Value::new(&[1], &[fed]), LONG).is_ok() {
        fed += 1;
        for outlet in &mut outlets {
            outlet.receive(LONG).expect("what was fed comes out");
        }
    }
    assert_eq!(fed, 6, "the sixth firing fails and the feed closes");
    let error = run.finish(LONG).expect_err("the failure is told");
    assert!(matches!(&error, RunError::Failed(failure) if failure.node == "bad"), "{error}");
}

#[test]
fn a_probe_shows_the_latest_token_and_changes_nothing() {
    let graph = graph(|draft, x| {
        let y = draft.apply_named("inner", affine(4), &[x]);
        let z = draft.apply(affine(1), &[y]);
        draft.outlet("out", z);
    });
    let limits = Limits { probes: vec!["inner:y".to_owned()], ..Limits::default() };
    let plan = planned(&graph, 1, &[], &limits);
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let probe = run.probe("inner:y").expect("the stream was named");
    assert!(run.probe("affine:y").is_none(), "only named streams can be probed");
    assert!(probe.latest().is_none(), "nothing has been fed");
    let mut feed = run.feed("in").expect("there is a feed");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    for value in 0..5_i64 {
        feed.send(&Value::new(&[1], &[value]), LONG).expect("room in time");
        let output = outlet.receive(LONG).expect("a token comes out");
        let found = output.value.expect("no failure").expect("a value").elements::<i64>()[0];
        assert_eq!(found, 3 * (3 * value + 4) + 1);
        let seen = probe.latest().expect("the inner stream was written");
        assert_eq!(seen.value.expect("a value").elements::<i64>(), [3 * value + 4]);
        assert_eq!(seen.stamp.sequence, value as u64);
    }
    assert_eq!(probe.counts(), (5, 0));
    run.drain(LONG).expect("the run ends well");
}

/// An output may take the place of an input of fewer axes; its extents are still the input's.
#[test]
fn an_output_in_the_place_of_an_input_of_another_rank_keeps_its_numbers() {
    use synfire_ops::arrange::reshape::{Extent, reshape};
    use synfire_ops::broadcast::binary::{add, multiply};
    use synfire_runtime::spec::Spec;

    let mut draft = Draft::new();
    let x = draft.feed("in", Spec::f32([1, 3, 1, 1]));
    let y = draft.feed("wide", Spec::f32([2, 3, 4, 5]));
    let column = draft.apply(reshape(&[3, 1, 1].map(Extent::Is)), &[x]);
    let twice = draft.apply(add(), &[column, column]);
    let square = draft.apply(multiply(), &[twice, x]);
    let product = draft.apply(multiply(), &[square, y]);
    draft.outlet("out", product);
    let graph = draft.check().expect("the draft is right");
    let value = |extents: &[usize]| {
        let count: usize = extents.iter().product();
        Value::new(extents, &(0..count).map(|k| k as f32 - 2.0).collect::<Vec<_>>())
    };
    let feeds = Streams::from([
        ("in".to_owned(), vec![Some(value(&[1, 3, 1, 1]))]),
        ("wide".to_owned(), vec![Some(value(&[2, 3, 4, 5]))]),
    ]);
    let expected = interpret(&graph, &Options::default(), &feeds).expect("the reference runs");
    let plan = planned(&graph, 1, &[], &Limits { fusion: false, ..Limits::default() });
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    for name in ["in", "wide"] {
        let mut feed = run.feed(name).expect("there is a feed");
        feed.send(feeds[name][0].as_ref().expect("a value"), LONG).expect("room in time");
    }
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let given = outlet.receive(LONG).expect("it comes out").value.expect("nothing fails");
    assert_eq!(given, expected["out"][0]);
}
