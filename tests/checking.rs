//! Faults before anything runs: each kind by the smallest draft that provokes it.

use std::sync::Arc;

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::fault::{Code, Fault, Faults, Stage};
use synfire_runtime::graph::Graph;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};
use synfire_runtime::spec::{BYTES_MAX, Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::fixture::{
    affine, bytes, counter, cpus, fake, merge, mix, number, resample, sink, switch,
};

/// Code, node, port, and what `found` and `wanted` must contain.
type Expected<'a> = (Code, &'a str, &'a str, &'a str, &'a str);

/// Holds faults against what is expected of them, in order.
fn compare(faults: &[Fault], stages: &[Stage], expected: &[Expected<'_>]) {
    let codes: Vec<Code> = faults.iter().map(|fault| fault.code).collect();
    let wanted: Vec<Code> = expected.iter().map(|own| own.0).collect();
    assert_eq!(codes, wanted, "{}", Faults(faults.to_vec()));
    for (fault, (_, node, port, found, wanted)) in faults.iter().zip(expected) {
        assert!(stages.contains(&fault.stage), "{fault}");
        assert_eq!((fault.node.as_str(), fault.port.as_str()), (*node, *port), "{fault}");
        assert!(fault.found.contains(found), "found: {found}\n{fault}");
        assert!(fault.wanted.contains(wanted), "wanted: {wanted}\n{fault}");
        assert!(!fault.found.is_empty() && !fault.wanted.is_empty(), "{fault}");
        assert!(!fault.hint.is_empty(), "no hint: {fault}");
        let here = |line: &dyn std::fmt::Display| line.to_string().starts_with(file!());
        assert!(fault.lines.iter().all(|line| here(line)), "a foreign line: {fault}");
    }
}

/// Builds on a feed `in` of numbers and checks; every fault has lines of this file.
fn rejects(build: impl FnOnce(&mut Draft, Wire), expected: &[Expected<'_>]) {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    build(&mut draft, x);
    let faults = draft.check().expect_err("the draft is faulty").0;
    compare(&faults, &[Stage::Define, Stage::Check], expected);
    assert!(faults.iter().all(|fault| !fault.lines.is_empty()), "{}", Faults(faults));
}

fn compare_lines(fault: &Fault, expected: [u32; 2]) {
    let lines: Vec<String> = fault.lines.iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected.map(|line| format!("{}:{line}", file!())));
}

fn graph(build: impl FnOnce(&mut Draft, Wire)) -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    build(&mut draft, x);
    draft.check().expect("the draft is right")
}

fn pair() -> Initial {
    Initial::Value(Arc::new(Value::new(&[2], &[1_i64, 2])))
}

#[test]
fn handles_of_another_draft_are_faults() {
    let mut other = Draft::new();
    let foreign = other.feed("in", number());
    let (_, open) = other.feedback(number(), 1, Initial::Zeros);
    let found = "a handle of another draft";
    rejects(
        |draft, x| {
            draft.scope("a", |draft| draft.apply(mix(2), &[x, foreign]));
            draft.outlet("out", foreign);
            draft.delay(foreign, 1, Initial::Zeros);
            draft.close(open, x);
            assert_eq!(draft.spec(foreign), None);
        },
        &[
            (Code::ForeignHandle, "a/mix", "", found, "this draft"),
            (Code::ForeignHandle, "out", "", found, "this draft"),
            (Code::ForeignHandle, "delay", "", found, "this draft"),
            (Code::ForeignHandle, "close", "", found, "this draft"),
        ],
    );
}

#[test]
fn names_that_a_user_addresses_must_not_repeat() {
    rejects(
        |draft, x| {
            draft.feed("in", number());
            draft.outlet("out", x);
            draft.outlet("out", x);
            draft.parameter("weight", number(), Initial::Zeros);
            draft.parameter("weight", number(), Initial::Zeros);
        },
        &[
            (Code::DuplicateName, "in", "", "given before", "one name"),
            (Code::DuplicateName, "out", "", "given before", "one name"),
            (Code::DuplicateName, "weight", "", "given before", "one name"),
        ],
    );
}

#[test]
fn operators_of_one_name_are_numbered_and_never_collide() {
    let graph = graph(|draft, x| {
        let mut y = draft.apply_named("affine_2", affine(0), &[x]);
        for _ in 0..3 {
            y = draft.apply(affine(0), &[y]);
        }
        draft.outlet("out", y);
    });
    let mut paths: Vec<&str> = graph.nodes().map(|(path, ..)| path).collect();
    paths.sort_unstable();
    let mut unique = paths.clone();
    unique.dedup();
    assert_eq!(paths, unique);
}

#[test]
fn inputs_are_counted_and_must_exist() {
    rejects(
        |draft, x| {
            draft.apply(mix(2), &[x]);
            draft.apply(mix(2), &[x, x, x]);
            draft.apply(sink(1), &[x, x]);
            let nothing = draft.apply(sink(1), &[x]);
            draft.outlet("out", nothing);
            draft.apply(affine(1), &[nothing]);
            draft.delay(nothing, 1, Initial::Zeros);
        },
        &[
            (Code::InputCount, "mix", "", "1 inputs", "2: x0, x1"),
            (Code::InputCount, "mix_2", "", "3 inputs", "2: x0, x1"),
            (Code::InputCount, "sink", "", "2 inputs", "1: x0"),
            (Code::InputCount, "out", "", "sink_2, which has no output", "an output"),
            (Code::InputCount, "affine", "", "sink_2, which has no output", "an output"),
            (Code::InputCount, "delay", "", "sink_2, which has no output", "an output"),
        ],
    );
}

#[test]
fn a_shape_fault_names_port_dimension_and_both_lines() {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    let first = line!() + 1;
    let wide = draft.feed("wide", Spec::f32([4, 2]));
    draft.scope("a", |draft| draft.apply(mix(2), &[x, wide]));
    let faults = draft.check().expect_err("the shapes differ").0;
    let expected = [(Code::Shape, "a/mix", "x1, dimension 0", "f32[4, 2]", "i64[1]")];
    let mut told = faults.clone();
    told[0].hint = "operators may give none".into();
    compare(&told, &[Stage::Check], &expected);
    compare_lines(&faults[0], [first + 1, first]);
}

#[test]
fn sizes_beyond_every_register_are_faults() {
    let cube = |rank: usize| Spec::f32(vec![1_usize; rank]);
    let bounded = |count: usize| Spec::f32(vec![Dimension::UpTo(2); count]);
    rejects(
        |draft, _| {
            let nine = draft.feed("nine", cube(9));
            draft.apply(sink(1), &[nine]);
            draft.feed("bounded", bounded(7));
            draft.feed("huge", Spec::f32([usize::MAX, 2]));
            draft.feed("large", Spec::new(Element::U8, [BYTES_MAX + 1]));
            draft.feed("unsayable", Spec::new(Element::U8, [Dimension::UpTo(1 << 32)]));
        },
        &[
            (Code::TooLarge, "nine", "", "f32[1, 1", "at most 8 dimensions"),
            (Code::TooLarge, "bounded", "", "up to 2", "6 of them bounded"),
            (Code::TooLarge, "huge", "", "f32[18446744073709551615, 2]", "bytes"),
            (Code::TooLarge, "large", "", "u8[", "bytes"),
            (Code::TooLarge, "unsayable", "", "u8[up to", "bytes"),
        ],
    );
    graph(|draft, _| {
        let eight = draft.feed("eight", cube(8));
        let six = draft.feed("six", bounded(6));
        draft.apply(sink(2), &[eight, six]);
    });
}

#[test]
fn a_feedback_is_closed_once_with_its_own_spec() {
    rejects(
        |draft, x| {
            let (a, _open) = draft.feedback(number(), 1, Initial::Zeros);
            draft.apply(mix(2), &[x, a]);
            let (b, twice) = draft.feedback(number(), 1, Initial::Zeros);
            let y = draft.apply(mix(2), &[x, b]);
            draft.close(twice, y);
            draft.close(twice, y);
            let (_, other) = draft.feedback(Spec::f32([2]), 1, Initial::Zeros);
            draft.close(other, y);
        },
        &[
            (Code::Feedback, "feedback_2", "", "closed twice", "one source"),
            (Code::Feedback, "feedback_3", "", "i64[1]", "f32[2]"),
            (Code::Feedback, "feedback", "", "never closed", "a source"),
        ],
    );
}

#[test]
fn initial_tokens_must_be_tokens_of_their_stream() {
    rejects(
        |draft, x| {
            draft.parameter("none", number(), Initial::Null);
            draft.parameter("pair", number(), pair());
            let bounded = Spec::new(Element::I64, [Dimension::UpTo(3)]);
            draft.parameter("bounded", bounded, Initial::Zeros);
            let late = draft.delay(x, 1, pair());
            draft.outlet("out", late);
            draft.outlet("again", late);
            draft.delay(x, 1, Initial::Uniform { bound: 1.0 });
            draft.delay(x, 1, Initial::Normal { deviation: 1.0 });
        },
        &[
            (Code::Initial, "none", "", "null", "i64[1]"),
            (Code::Initial, "pair", "", "i64[2]", "i64[1]"),
            (Code::Initial, "bounded", "", "bounded dimensions", "i64[up to 3]"),
            (Code::Initial, "delay", "", "i64[2]", "i64[1]"),
            (Code::Initial, "delay_2", "", "random", "i64[1]"),
            (Code::Initial, "delay_3", "", "random", "i64[1]"),
        ],
    );
}

#[test]
fn constants_and_absurd_lengths_are_not_delayed() {
    rejects(
        |draft, x| {
            let weight = draft.parameter("weight", number(), Initial::Zeros);
            let late = draft.delay(weight, 1, Initial::Zeros);
            draft.apply(mix(2), &[x, late]);
            let never = draft.delay(x, usize::MAX, Initial::Zeros);
            let never = draft.delay(never, usize::MAX, Initial::Zeros);
            draft.outlet("out", never);
        },
        &[
            (Code::Initial, "mix", "", "the constant weight", "a stream"),
            (Code::Initial, "out", "", "18446744073709551615 initial tokens", "at most"),
        ],
    );
}

#[test]
fn delays_of_one_stream_share_its_newest_initial_tokens() {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    let first = line!() + 1;
    let two = draft.delay(x, 2, Initial::Constant(1.0));
    let one = draft.delay(x, 1, Initial::Zeros);
    draft.outlet("two", two);
    draft.outlet("one", one);
    let faults = draft.check().expect_err("one register, two beginnings").0;
    compare(
        &faults,
        &[Stage::Check],
        &[(Code::Initial, "one", "", "1 initial tokens of their own", "the longest delay")],
    );
    compare_lines(&faults[0], [first + 1, first]);

    graph(|draft, x| {
        let one = draft.delay(x, 1, Initial::Zeros);
        let two = draft.delay(one, 1, Initial::Constant(1.0));
        let joined = draft.apply(mix(3), &[two, one, x]);
        draft.outlet("out", joined);
    });
}

#[test]
fn rates_must_balance() {
    rejects(
        |draft, x| {
            let weight = draft.parameter("weight", number(), Initial::Zeros);
            draft.apply(mix(2), &[weight, weight]);
            let up = draft.apply(resample(1, 2), &[x]);
            draft.apply_named("first", mix(2), &[x, up]);
            let y = draft.feed("other", number());
            let up = draft.apply(resample(1, 3), &[y]);
            draft.apply_named("second", mix(2), &[y, up]);
        },
        &[
            (Code::Rate, "mix", "", "only constants", "at least one stream"),
            (Code::Rate, "first", "", "1/1 firings", "2/1 by the edge with resample"),
            (Code::Rate, "second", "", "1/1 firings", "3/1 by the edge with resample_2"),
        ],
    );
}

#[test]
fn rates_have_bounds() {
    rejects(
        |draft, x| {
            draft.apply(resample(0, 1), &[x]);
            draft.apply(resample(1, 0), &[x]);
        },
        &[
            (Code::Rate, "resample", "x0", "a rate of 0", "at least 1"),
            (Code::Rate, "resample_2", "y", "a rate of 0", "at least 1"),
        ],
    );
    let many = "more than 1048576 tokens";
    rejects(
        |draft, x| {
            let y = draft.apply(resample(1, u32::MAX), &[x]);
            draft.outlet("out", y);
        },
        &[(Code::Rate, "resample", "", many, "small common multiples")],
    );
    rejects(
        |draft, x| {
            let mut y = x;
            for _ in 0..3 {
                y = draft.apply(resample(1, u32::MAX), &[y]);
            }
        },
        &[(Code::Rate, "resample", "", many, "small common multiples")],
    );
    rejects(
        |draft, x| {
            let a = draft.apply(resample(1009, 1), &[x]);
            let b = draft.apply(resample(1013, 1), &[x]);
            let c = draft.apply(resample(1019, 1), &[x]);
            draft.apply(sink(1), &[a]);
            draft.apply(sink(1), &[b]);
            draft.apply(sink(1), &[c]);
        },
        &[(Code::Rate, "resample_3", "", many, "small common multiples")],
    );
}

#[test]
fn every_cycle_needs_a_token() {
    let cycle = |draft: &mut Draft, x: Wire| {
        let (before, feedback) = draft.feedback(number(), 0, Initial::Zeros);
        let sum = draft.apply(mix(2), &[x, before]);
        let next = draft.apply(affine(1), &[sum]);
        draft.close(feedback, next);
    };
    rejects(
        |draft, x| {
            draft.scope("a", |draft| cycle(draft, x));
            draft.scope("b", |draft| cycle(draft, x));
        },
        &[
            (Code::Cycle, "a/mix", "x1", "a/affine -> a/mix -> a/affine", "initial tokens"),
            (Code::Cycle, "b/mix", "x1", "b/affine -> b/mix -> b/affine", "initial tokens"),
        ],
    );
}

#[test]
fn a_cycle_of_many_rates_is_told_once_with_the_missing_tokens() {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    let (before, feedback) = draft.feedback(number(), 1, Initial::Zeros);
    let up = draft.apply(resample(3, 3), &[before]);
    let sum = draft.apply(mix(2), &[x, up]);
    draft.close(feedback, sum);
    let faults = draft.check().expect_err("one token is too few").0;
    compare(&faults, &[Stage::Check], &[(Code::Cycle, "resample", "x0", "never fire", "initial")]);
    assert_eq!(faults[0].hint, "add 1 initial token(s) to one feedback of the cycle");
}

#[test]
fn a_cycle_of_delays_alone_is_a_fault() {
    rejects(
        |draft, _| {
            let (a, first) = draft.feedback(number(), usize::MAX, Initial::Zeros);
            let (b, second) = draft.feedback(number(), usize::MAX, Initial::Zeros);
            draft.close(first, b);
            draft.close(second, a);
            draft.outlet("out", a);
        },
        &[(Code::Cycle, "feedback", "", "without an operator", "an operator in every cycle")],
    );
}

#[test]
fn branches_of_a_switch_meet_in_its_own_merge_only() {
    rejects(
        |draft, x| {
            let selector = draft.feed("selector", number());
            let other = draft.feed("other", number());
            let branches = draft.apply_many(switch(2), &[selector, x]);
            let [a, b] = [branches[0], branches[1]];
            draft.apply_named("join", mix(2), &[a, b]);
            draft.apply_named("crossed", merge(2), &[selector, b, a]);
            draft.apply_named("foreign", merge(2), &[other, a, b]);
            let late = draft.delay(selector, 1, Initial::Zeros);
            draft.apply_named("late", merge(2), &[late, a, b]);
            let right = draft.apply_named("right", merge(2), &[selector, a, b]);
            draft.outlet("out", right);
        },
        &[
            (Code::Join, "join", "x1", "two different branches of selector selector", "together"),
            (Code::Join, "crossed", "x0", "branch 1 of its selector", "branch 0"),
            (Code::Join, "crossed", "x1", "branch 0 of its selector", "branch 1"),
            (Code::Join, "foreign", "x1", "two different branches", "together"),
            (Code::Join, "late", "x1", "two different branches", "together"),
        ],
    );
}

#[test]
fn five_mistakes_give_five_faults() {
    rejects(
        |draft, x| {
            draft.outlet("in", x);
            draft.parameter("weight", number(), Initial::Null);
            let (before, feedback) = draft.feedback(number(), 0, Initial::Zeros);
            let sum = draft.apply(mix(2), &[x, before]);
            draft.close(feedback, sum);
            let branches = draft.apply_many(switch(2), &[x, x]);
            draft.apply_named("join", mix(2), &branches);
            draft.feed("large", Spec::f32(vec![Dimension::UpTo(1); 7]));
        },
        &[
            (Code::DuplicateName, "in", "", "given before", "one name"),
            (Code::Initial, "weight", "", "null", "i64[1]"),
            (Code::TooLarge, "large", "", "f32", "6 of them bounded"),
            (Code::Cycle, "mix", "x1", "mix -> mix", "initial tokens"),
            (Code::Join, "join", "x1", "two different branches", "together"),
        ],
    );
}

#[test]
fn small_graphs_without_a_fault_are_graphs() {
    assert_eq!(Draft::new().check().expect("nothing is wrong").nodes().count(), 0);
    let graph = graph(|draft, x| draft.outlet("out", x));
    let placed = place(&graph, &cpus(1), &Placement::new()).expect("nothing to place");
    plan(&placed, &Limits::default()).expect("a wire is a plan");
}

fn chain() -> Graph {
    graph(|draft, x| {
        let y = draft.scope("front", |draft| draft.apply(affine(1), &[x]));
        let z = draft.scope("back", |draft| draft.apply(affine(2), &[y]));
        draft.outlet("out", z);
    })
}

#[test]
fn placement_names_what_does_not_exist() {
    let graph = graph(|draft, x| {
        let y = draft.on("cpu:9", |draft| draft.apply(affine(1), &[x]));
        draft.outlet("out", y);
        draft.scope("back", |draft| draft.apply(mix(1), &[y]));
    });
    let wishes = Placement::new().on("bakc", "cpu:0").on("back", "gpu");
    let faults = place(&graph, &cpus(2), &wishes).expect_err("nothing exists").0;
    compare(
        &faults,
        &[Stage::Place],
        &[
            (Code::UnknownPath, "bakc", "", "no node", "back/mix?"),
            (Code::UnknownDevice, "affine", "", "cpu:9", "cpu:0 or cpu:1"),
            (Code::UnknownDevice, "back/mix", "", "gpu", "cpu:0 or cpu:1"),
        ],
    );
    assert!(faults[1..].iter().all(|fault| fault.lines.len() == 1));
    let faults = place(&chain(), &Devices::new(), &Placement::new()).expect_err("no device").0;
    compare(&faults, &[Stage::Place], &[(Code::UnknownDevice, "", "", "no devices", "one")]);
}

#[test]
fn copies_are_listed_and_denied_on_demand() {
    let devices = cpus(1).with_accelerator(fake("a", 1 << 20)).with_accelerator(fake("b", 1 << 20));
    let wishes = Placement::new().on("front", "a").on("back", "b");
    let placed = place(&chain(), &devices, &wishes).expect("copies are inserted");
    let copies: Vec<(&str, &str, &str)> = placed
        .copies()
        .iter()
        .map(|c| (c.stream.as_str(), c.from.as_str(), c.to.as_str()))
        .collect();
    let middle = "front/affine/copy of y to host:out";
    assert_eq!(
        copies,
        [
            ("in:out", "host", "a"),
            ("front/affine:y", "a", "host"),
            (middle, "host", "b"),
            ("back/affine:y", "b", "host"),
        ]
    );
    let denied = place(&chain(), &devices, &wishes.deny_implicit_copies());
    let wanted = "no implicit copies";
    compare(
        &denied.expect_err("copies are denied").0,
        &[Stage::Place],
        &[
            (Code::ImplicitCopy, "in:out", "", "from host to a", wanted),
            (Code::ImplicitCopy, "front/affine:y", "", "from a to host", wanted),
            (Code::ImplicitCopy, middle, "", "from host to b", wanted),
            (Code::ImplicitCopy, "back/affine:y", "", "from b to host", wanted),
        ],
    );
}

/// Plans [`chain`] on two CPU devices with these limits, which must fail.
fn plan_rejects(limits: &Limits, expected: &[Expected<'_>]) -> Vec<Fault> {
    let wishes = Placement::new().on("front", "cpu:0").on("back", "cpu:1");
    let placed = place(&chain(), &cpus(2), &wishes).expect("the placement is possible");
    let faults = plan(&placed, limits).expect_err("the limits cannot hold").0;
    compare(&faults, &[Stage::Plan], expected);
    faults
}

#[test]
fn planning_names_streams_and_orders_that_do_not_exist() {
    let limits = Limits {
        capacities: [("front/affine:z".to_owned(), 4)].into(),
        orders: [
            ("cpu:7".to_owned(), vec![]),
            ("cpu:0".to_owned(), vec!["back/affine".to_owned()]),
        ]
        .into(),
        probes: vec!["nowhere".to_owned()],
        ..Limits::default()
    };
    plan_rejects(
        &limits,
        &[
            (Code::UnknownDevice, "cpu:7", "", "unknown device", "cpu:0 or cpu:1"),
            (Code::UnknownPath, "front/affine", "", "leaves out", "once"),
            (Code::UnknownPath, "back/affine", "", "no such node", "once"),
            (Code::UnknownPath, "front/affine:z", "", "no such stream", "port"),
            (Code::UnknownPath, "nowhere", "", "no such stream", "port"),
        ],
    );
}

#[test]
fn planning_refuses_what_does_not_fit() {
    let memory = Limits { memory_bytes: [("host".to_owned(), 1000)].into(), ..Limits::default() };
    plan_rejects(&memory, &[(Code::Memory, "host", "", "bytes", "at most 1000")]);
    let huge = |capacity| Limits {
        capacities: [("front/affine:y".to_owned(), capacity)].into(),
        ..Limits::default()
    };
    for capacity in [usize::MAX, 1 << 32, 1 << 24] {
        let wanted = "at most 4194304";
        plan_rejects(&huge(capacity), &[(Code::Memory, "front/affine:y", "", "capacity", wanted)]);
    }
}

#[test]
fn an_operator_without_a_kernel_is_named_with_its_device() {
    let graph = graph(|draft, x| {
        let y = draft.apply(bytes(1, number()), &[x]);
        draft.outlet("out", y);
    });
    let devices = cpus(1).with_accelerator(fake("a", 1 << 20));
    let placed = place(&graph, &devices, &Placement::new().on("bytes", "a")).expect("copies");
    let faults = plan(&placed, &Limits::default()).expect_err("there is no kernel").0;
    compare(
        &faults,
        &[Stage::Plan],
        &[(Code::NoKernel, "bytes", "", "bytes on a: there is no kernel", "a kernel")],
    );
}

#[test]
fn a_source_beside_a_feed_is_fine() {
    let graph = graph(|draft, x| {
        let count = draft.apply(counter(3), &[]);
        let joined = draft.apply(mix(2), &[x, count]);
        draft.outlet("out", joined);
    });
    assert_eq!(graph.feeds().count(), 1);
}
