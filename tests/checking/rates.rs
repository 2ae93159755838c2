//! Faults of check that need the whole graph: rates and cycles.

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::{Code, Stage};

use super::{compare, rejects};
use crate::fixture::sizes::sink;
use crate::fixture::{affine, mix, number, resample};

#[test]
fn rates_must_balance() {
    rejects(
        |draft, x| {
            let weight = draft.parameter("weight", number(), Initial::Zeros);
            draft.apply_named("constant", resample(2, 1), &[weight]);
            let up = draft.apply(resample(1, 2), &[x]);
            draft.apply_named("first", mix(2), &[x, up]);
            let y = draft.feed("other", number());
            let up = draft.apply(resample(1, 3), &[y]);
            draft.apply_named("second", mix(2), &[y, up]);
        },
        &[
            (Code::Rate, "constant", "", "only constants", "at least one stream"),
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
