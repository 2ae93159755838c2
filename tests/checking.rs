//! Faults before anything runs: each kind by the smallest draft that provokes it.

mod placing; // devices, copies, kernels, limits
mod rates; // balance and cycles

use std::sync::Arc;

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::{Code, Fault, Faults, Stage};
use synfire_runtime::graph::Graph;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};
use synfire_runtime::spec::{BYTES_MAX, Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::fixture::sizes::sink;
use crate::fixture::{affine, counter, cpus, merge, mix, number, switch};

/// Code, node, port, and what `found` and `wanted` must contain.
type Expected<'a> = (Code, &'a str, &'a str, &'a str, &'a str);

/// Where these tests lie: this file and those below it.
const HERE: &str = "tests/checking";

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
        let here = |line: &dyn std::fmt::Display| line.to_string().starts_with(HERE);
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

#[test]
fn a_source_beside_a_feed_is_fine() {
    let graph = graph(|draft, x| {
        let count = draft.apply(counter(3), &[]);
        let joined = draft.apply(mix(2), &[x, count]);
        draft.outlet("out", joined);
    });
    assert_eq!(graph.feeds().count(), 1);
}
