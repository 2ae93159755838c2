//! Plans: orders and capacities that are refused, capacities, periods and bytes as worked out by
//! hand, and plan files.

mod bytes; // arenas, registers, accelerators
mod files; // written, read, damaged
mod rematerialise; // values computed again

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::{Code, Fault, Faults};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::interpret;
use synfire_runtime::launch::Options;
use synfire_runtime::place::{Placed, Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::simulate::{Simulation, simulate};

use crate::fixture::{affine, cpus, fed, mix, number, plain, resample};

fn graph(build: impl FnOnce(&mut Draft, Wire)) -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    build(&mut draft, x);
    draft.check().expect("the draft is right")
}

fn placed(graph: &Graph, bound: &[(&str, &str)]) -> Placed {
    let wishes = bound.iter().fold(Placement::new(), |own, (path, name)| own.on(path, name));
    place(graph, &cpus(4), &wishes).expect("the devices exist")
}

fn refused(graph: &Graph, bound: &[(&str, &str)], limits: &Limits) -> Vec<Fault> {
    let faults = plan(&placed(graph, bound), limits).expect_err("the plan deadlocks").0;
    assert!(faults.iter().all(|fault| fault.code == Code::Deadlock), "{}", Faults(faults));
    faults
}

/// Limits with these orders of lanes.
fn orders(orders: &[(&str, &[&str])]) -> Limits {
    let owned = |nodes: &[&str]| nodes.iter().map(|&node| node.to_owned()).collect();
    let orders = orders.iter().map(|(device, nodes)| ((*device).to_owned(), owned(nodes)));
    Limits { orders: orders.collect(), ..Limits::default() }
}

fn capacity(stream: &str, tokens: usize) -> Limits {
    Limits { capacities: [(stream.to_owned(), tokens)].into(), ..Limits::default() }
}

/// Seconds of one firing for nodes by name.
fn seconds(seconds: &[(&str, f64)]) -> Limits {
    let seconds = seconds.iter().map(|(path, seconds)| ((*path).to_owned(), *seconds));
    Limits { seconds: seconds.collect(), ..Limits::default() }
}

fn slots(plan: &Plan, stream: &str) -> u32 {
    let register = plan.data().registers.iter().find(|register| register.name == stream);
    register.expect("the stream exists").slots
}

/// Two lanes that both receive before they send.
fn crossing() -> (Graph, [(&'static str, &'static str); 4]) {
    let graph = graph(|draft, x| {
        let a = draft.apply_named("send_a", affine(1), &[x]);
        let b = draft.apply_named("send_b", affine(2), &[x]);
        let from_b = draft.apply_named("receive_a", affine(3), &[b]);
        let from_a = draft.apply_named("receive_b", affine(4), &[a]);
        draft.outlet("a", from_b);
        draft.outlet("b", from_a);
    });
    let [a, b] = ["cpu:0", "cpu:1"];
    (graph, [("send_a", a), ("receive_a", a), ("send_b", b), ("receive_b", b)])
}

#[test]
fn lanes_that_both_receive_before_they_send_are_refused_with_the_cycle() {
    let (graph, bound) = crossing();
    let send_first =
        [("cpu:0", &["send_a", "receive_a"][..]), ("cpu:1", &["send_b", "receive_b"][..])];
    plan(&placed(&graph, &bound), &orders(&send_first)).expect("sending first is fine");
    let receive_first =
        [("cpu:0", &["receive_a", "send_a"][..]), ("cpu:1", &["receive_b", "send_b"][..])];
    let faults = refused(&graph, &bound, &orders(&receive_first));
    for words in [
        "receive_a -[lane order, 0 token(s)]-> send_a",
        "send_a -[data send_a:y, 0 token(s)]-> receive_b",
        "receive_b -[lane order, 0 token(s)]-> send_b",
        "send_b -[data send_b:y, 0 token(s)]-> receive_a",
    ] {
        assert!(faults[0].found.contains(words), "{words}\n{}", faults[0]);
    }
    assert!(faults[0].hint.contains("lane order"), "{}", faults[0]);
}

#[test]
fn a_lane_that_reads_before_it_writes_is_refused_with_the_cycle() {
    let graph = graph(|draft, x| {
        let y = draft.apply_named("first", affine(1), &[x]);
        let y = draft.apply_named("second", affine(2), &[y]);
        let y = draft.apply_named("third", affine(3), &[y]);
        draft.outlet("out", y);
    });
    // The first takes tokens from outside, so it starts a volley; the others stay inside one.
    for (order, reader, writer) in [
        (["second", "third", "first"], "second", "first"),
        (["first", "third", "second"], "third", "second"),
    ] {
        let faults = refused(&graph, &[("", "cpu:0")], &orders(&[("cpu:0", &order)]));
        let cycle = [
            format!("{reader} -[lane order, 0 token(s)]-> {writer}"),
            format!("{writer} -[data {writer}:y, 0 token(s)]-> {reader}"),
        ];
        for words in cycle {
            assert!(faults[0].found.contains(&words), "{words}\n{}", faults[0]);
        }
        assert!(faults[0].hint.contains("order"), "{}", faults[0]);
    }
}

#[test]
fn a_feedback_lets_a_lane_read_before_it_writes() {
    let graph = graph(|draft, x| {
        let (before, feedback) = draft.feedback(number(), 1, Initial::Zeros);
        let sum = draft.apply(mix(2), &[x, before]);
        let next = draft.apply(affine(1), &[sum]);
        draft.close(feedback, next);
        draft.outlet("out", sum);
    });
    plan(&placed(&graph, &[("", "cpu:0")]), &Limits::default()).expect("one token is enough");
}

#[test]
fn too_small_capacities_are_refused_with_the_smallest_fix() {
    let late = graph(|draft, x| {
        let a = draft.apply_named("a", affine(1), &[x]);
        let b = draft.apply_named("b", affine(2), &[x]);
        let before = draft.delay(a, 1, Initial::Zeros);
        let joined = draft.apply_named("join", mix(2), &[before, b]);
        draft.outlet("out", joined);
    });
    let rates = graph(|draft, x| {
        let a = draft.apply_named("a", resample(1, 3), &[x]);
        let b = draft.apply_named("b", resample(3, 1), &[a]);
        draft.outlet("out", b);
    });
    let joined: &[(&str, &str)] = &[("a", "cpu:0"), ("b", "cpu:1"), ("join", "cpu:0")];
    let apart = &joined[..2];
    for (graph, apart, chosen, least) in
        [(&late, joined, 1, 2), (&late, joined, 0, 1), (&rates, apart, 2, 3), (&rates, apart, 0, 1)]
    {
        let faults = refused(graph, apart, &capacity("a:y", chosen));
        let hint = format!("raise the capacity of a:y from {chosen} to {least}");
        assert_eq!(faults[0].hint, hint, "{}", faults[0]);
        let fixed = if chosen == 0 { least + 2 } else { least };
        plan(&placed(graph, apart), &capacity("a:y", fixed)).expect("the fix is enough");
    }
}

#[test]
fn a_pipeline_over_two_devices_holds_two_iterations() {
    let graph = graph(|draft, x| {
        let a = draft.apply_named("a", affine(1), &[x]);
        let b = draft.apply_named("b", affine(2), &[a]);
        draft.outlet("out", b);
    });
    let apart: &[(&str, &str)] = &[("a", "cpu:0"), ("b", "cpu:1")];
    let plan = plan(&placed(&graph, apart), &seconds(&[("a", 1.0), ("b", 1.0)])).expect("a plan");
    assert_eq!(slots(&plan, "a:y"), 2);
    assert!((plan.data().period.seconds - 1.0).abs() < 1e-3, "{:?}", plan.data().period);
}

#[test]
fn slack_adds_room_between_threads_only_and_has_a_bound() {
    let graph = graph(|draft, x| {
        let a = draft.apply_named("a", affine(1), &[x]);
        let before = draft.delay(a, 1, Initial::Zeros);
        let inner = draft.apply_named("inner", mix(2), &[a, before]);
        let b = draft.apply_named("b", affine(2), &[inner]);
        draft.outlet("out", b);
    });
    let bound: &[(&str, &str)] = &[("a", "cpu:0"), ("inner", "cpu:0"), ("b", "cpu:1")];
    let exact = plan(&placed(&graph, bound), &Limits::default()).expect("a plan");
    let limits = Limits { slack: 2, ..Limits::default() };
    let loose = plan(&placed(&graph, bound), &limits).expect("a plan");
    for stream in ["in:out", "inner:y", "b:y"] {
        assert_eq!(slots(&loose, stream), slots(&exact, stream) + 2, "{stream}");
    }
    assert_eq!(slots(&loose, "a:y"), slots(&exact, "a:y"), "it stays on its lane");
    let endless = Limits { slack: u32::MAX, ..Limits::default() };
    let faults = plan(&placed(&graph, bound), &endless).expect_err("no ring is that large");
    assert_eq!(faults.codes(), [Code::Format]);
}

#[test]
fn a_skip_over_s_hops_holds_s_and_one_iterations() {
    for hops in 1..=3_usize {
        let names: Vec<String> = (0..=hops).map(|stage| format!("stage{stage}")).collect();
        let graph = graph(|draft, x| {
            let first = draft.apply_named(&names[0], affine(0), &[x]);
            let mut y = first;
            for name in &names[1..hops] {
                y = draft.apply_named(name, affine(1), &[y]);
            }
            let last = draft.apply_named(&names[hops], mix(2), &[first, y]);
            draft.outlet("out", last);
        });
        let devices: Vec<String> = (0..=hops).map(|lane| format!("cpu:{lane}")).collect();
        let bound: Vec<(&str, &str)> =
            names.iter().zip(&devices).map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let alike: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
        let plan = plan(&placed(&graph, &bound), &seconds(&alike)).expect("a plan");
        assert_eq!(slots(&plan, "stage0:y") as usize, hops + 1, "{hops} hops");
        assert!(plan.data().period.seconds < 1.01, "{:?}", plan.data().period);
    }
}

#[test]
fn the_period_is_the_largest_ratio_of_seconds_to_tokens() {
    let delayed = |steps: usize| {
        graph(move |draft, x| {
            let (before, feedback) = draft.feedback(number(), steps, Initial::Zeros);
            let sum = draft.apply_named("sum", mix(2), &[x, before]);
            let next = draft.apply_named("next", affine(1), &[sum]);
            draft.close(feedback, next);
            draft.outlet("out", sum);
        })
    };
    let apart: &[(&str, &str)] = &[("sum", "cpu:0"), ("next", "cpu:1")];
    let limits = seconds(&[("sum", 2.0), ("next", 3.0)]);
    // The cycle of both takes 5 s; a lane alone takes 2 or 3 s.
    for (steps, expected) in [(1, 5.0), (2, 3.0), (3, 3.0)] {
        let plan = plan(&placed(&delayed(steps), apart), &limits).expect("a plan");
        let period = &plan.data().period;
        assert!((period.seconds - expected).abs() < 1e-3, "{steps} steps: {period:?}");
        let halved = plan.period(&|path| (path == "next").then_some(1.0));
        let expected = [3.0, 2.0, 2.0][steps - 1];
        assert!((halved.seconds - expected).abs() < 1e-3, "{steps} steps: {halved:?}");
    }
    let together = plan(&placed(&delayed(3), &[("", "cpu:0")]), &limits).expect("a plan");
    assert!((together.data().period.seconds - 5.0).abs() < 1e-3);
}

/// A simulation of the plan gives what the reference gives for the same graph.
fn agrees(plan: &Plan) {
    let feeds = fed(1..13);
    let options = Options::default();
    let expected = interpret(plan.placed().graph(), &options, &feeds).expect("the reference runs");
    let simulation = Simulation { feeds, ..Simulation::default() };
    let outcome = simulate(plan, &options, &simulation).expect("no deadlock");
    for (path, stream) in &outcome.outlets {
        let found: Vec<_> =
            stream.iter().map(|output| output.value.clone().expect("nothing fails")).collect();
        assert_eq!(plain(&found), plain(&expected[path]), "outlet {path}");
    }
}
