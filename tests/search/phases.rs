//! Optimisers that take turns: in the other's phase nothing changes, not one bit.

use std::collections::BTreeMap;

use synfire::ops::broadcast::binary::subtract;
use synfire::ops::route::switch::switch;
use synfire::optimisers::schedule::Constant;
use synfire::optimisers::{Adam, Clip, LossScale, Phase, Training};
use synfire::prelude::*;
use synfire::runtime::interpret::{Streams, interpret};

use super::numbers;
use crate::fixture::planned;

const STEPS: usize = 12;

/// A weight that follows fed gradients, in the phases that are fed too, if there are any; the
/// weight before each step.
fn weights(training: &Training, gradients: &[Vec<f32>], phases: Option<&[i64]>) -> Vec<Value> {
    let mut draft = Draft::new();
    let weight = draft.parameter("weight", Spec::f32([3]), Initial::Constant(1.0));
    let gradient = draft.feed("gradient", Spec::f32([3]));
    let selector = draft.feed("phase", Spec::new(Element::I64, [0_usize; 0]));
    let parts = draft.apply_many(switch(2), &[selector, gradient]);
    let phase = Phase { selector, own: 1, count: 2 };
    let (gradient, phase) =
        if phases.is_some() { (parts[1], Some(phase)) } else { (gradient, None) };
    training.follow(&mut draft, &[(weight, gradient)], phase).expect("it can be trained");
    draft.outlet("before", weight);
    draft.outlet("other", parts[0]);
    let graph = draft.check().expect("the draft is right");
    let fed = gradients.iter().map(|own| Some(Value::new(&[3], own))).collect();
    let turns = (0..gradients.len()).map(|step| phases.map_or(0, |phases| phases[step]));
    let turns = turns.map(|turn| Some(Value::new(&[], &[turn]))).collect();
    let feeds: Streams =
        BTreeMap::from([("gradient".to_owned(), fed), ("phase".to_owned(), turns)]);
    let streams = interpret(&graph, &Options::default(), &feeds).expect("it runs");
    let launched = launched(&graph, &feeds);
    // The reference also gives the token behind the last step.
    assert_eq!(launched, streams["before"][..launched.len()], "launched and interpreted");
    launched.into_iter().map(|value| value.expect("state is never null")).collect()
}

fn launched(graph: &synfire::runtime::graph::Graph, feeds: &Streams) -> Vec<Option<Value>> {
    let long = std::time::Duration::from_secs(20);
    let plan = planned(graph, 1, &[], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut inlets: Vec<_> =
        feeds.keys().map(|name| run.feed(name).expect("there is a feed")).collect();
    let [mut weight, mut other] =
        ["before", "other"].map(|name| run.outlet(name).expect("there is an outlet"));
    let count = feeds["gradient"].len();
    let step = |step: usize| {
        for (inlet, stream) in inlets.iter_mut().zip(feeds.values()) {
            inlet.send(stream[step].as_ref().expect("tests feed values"), long).expect("room");
        }
        other.receive(long).expect("a token in time").value.expect("nothing fails");
        weight.receive(long).expect("a token in time").value.expect("nothing fails")
    };
    (0..count).map(step).collect()
}

fn gradients(count: usize) -> Vec<Vec<f32>> {
    numbers(8, 3 * count).chunks(3).map(|own| own.iter().map(|&x| x as f32).collect()).collect()
}

#[test]
fn a_phase_moves_its_weights_and_the_other_keeps_every_bit() {
    let phases: Vec<i64> = (0..STEPS as i64).map(|step| (step * step) % 3 % 2).collect();
    let all = gradients(STEPS);
    let training = || {
        let adam = Adam { weight_decay: 0.1, ..Adam::default() };
        let clip = Some(Clip::Norm(0.5));
        Training { clip, ..Training::new(adam, Constant(0.1)) }
    };
    let found = weights(&training(), &all, Some(&phases));
    for step in 0..STEPS - 1 {
        let moves = phases[step] == 1;
        assert_eq!(found[step + 1] != found[step], moves, "step {step}");
    }
    // The same steps without those that were not taken: moments and counters waited too.
    let own: Vec<Vec<f32>> = all
        .iter()
        .zip(&phases)
        .filter(|(_, turn)| **turn == 1)
        .map(|(own, _)| own.clone())
        .collect();
    let alone = weights(&training(), &own, None);
    let taken: Vec<Value> = found
        .iter()
        .zip(&phases)
        .filter(|(_, turn)| **turn == 1)
        .map(|(own, _)| own.clone())
        .collect();
    assert_eq!(taken, alone);
}

#[test]
fn what_cannot_follow_says_why() {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([3]));
    let weight = draft.parameter("weight", Spec::f32([3]), Initial::Zeros);
    let slope = draft.apply(subtract(), &[weight, x]);
    let scaled = Training {
        loss_scale: Some(LossScale::default()),
        ..Training::new(Adam::default(), Constant(0.1))
    };
    let error = scaled.follow(&mut draft, &[(weight, slope)], None).unwrap_err();
    assert!(error.to_string().contains("loss_scale"), "{error}");
    let training = Training::new(Adam::default(), Constant(0.1));
    let error = training.follow(&mut draft, &[(x, slope)], None).unwrap_err();
    assert!(error.to_string().contains("no parameter to train"), "{error}");
}
