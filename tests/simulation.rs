//! Thousands of schedules: random graphs, placements and plans, simulated move by move, always
//! give what the sequential reference gives.
//!
//! A seed decides everything, so a failing seed is a sample: its number stands in the message.

mod generator; // graphs at random

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use synfire_runtime::Order;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::fault::Code;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, PlanData, Storage, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::{FaultPolicy, Inject, OutletError};
use synfire_runtime::simulate::{Outcome, Simulation, simulate};

use crate::fixture::accelerator::fake;
use crate::fixture::{counter, cpus, number, numbers, plain, resample};
use generator::{Dice, Grower, Stream};

/// Iterations that every case runs.
const ITERATIONS: u64 = 24;

/// A random graph and its plan.
struct Case {
    seed: u64,
    graph: Graph,
    plan: Plan,
    feeds: Streams,
    options: Options,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "graph");
        let one_rate = dice.once_in(2);
        let devices = 1 + dice.below(4);
        let mut draft = Draft::new();
        let feeds = 1 + dice.below(3);
        let mut streams: Vec<Wire> =
            (0..feeds).map(|feed| draft.feed(&format!("in{feed}"), number())).collect();
        if one_rate && dice.once_in(3) {
            streams.push(draft.apply(counter(ITERATIONS), &[]));
        }
        let initial = match dice.below(8) {
            0 => Initial::Null,
            1 => Initial::Zeros,
            _ => Initial::Constant(5.0),
        };
        let streams = streams.into_iter().map(|wire| Stream { wire, rate: (1, 1) }).collect();
        let read = BTreeSet::new();
        let grower = Grower { draft, dice, streams, read, devices, initial };
        let graph = grower.grow(one_rate);
        let mut dice = Dice::new(seed, "plan");
        let plan = planned(&graph, devices, &mut dice, seed);
        let feeds = feeds_for(&plan, &mut dice);
        let order = if dice.once_in(2) { Order::Static } else { Order::Ready };
        let options =
            Options { order, seed: Seed(seed), policy: FaultPolicy::Skip, ..Options::default() };
        Self { seed, graph, plan, feeds, options }
    }

    fn simulated(&self, simulation: u64, inject: Option<Inject>, stalls: u64) -> Outcome {
        let feeds = self.feeds.clone();
        let simulation =
            Simulation { seed: Seed(simulation), feeds, inject, stalls_per_mille: stalls };
        let outcome = simulate(&self.plan, &self.options, &simulation);
        let outcome = outcome.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        self.conserves(&outcome);
        outcome
    }

    /// On every link, tokens published are tokens taken and tokens left over.
    fn conserves(&self, outcome: &Outcome) {
        let data = self.plan.data();
        let firings: BTreeMap<&str, u64> = outcome
            .report
            .actors
            .iter()
            .map(|row| (row.path.as_str(), row.fired + row.null + row.poisoned + row.failed))
            .collect();
        for (link, row) in data.links.iter().zip(&outcome.report.links) {
            let register = &data.registers[link.register as usize];
            let tokens = |actor: u32| {
                let actor = &data.actors[actor as usize];
                let rate = u64::from(register.tokens) / u64::from(actor.times);
                match (self.feeds.get(&actor.path), outcome.outlets.get(&actor.path)) {
                    (Some(fed), _) => fed.len() as u64,
                    (_, Some(taken)) => taken.len() as u64,
                    _ => firings[actor.path.as_str()] * rate,
                }
            };
            let published = tokens(link.from) + u64::from(link.delay);
            let name = (&row.stream, &row.reader);
            assert_eq!(published, tokens(link.to) + row.left_over, "seed {}: {name:?}", self.seed);
        }
    }

    fn reference(&self) -> Streams {
        let result = interpret(&self.graph, &self.options, &self.feeds);
        result.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed))
    }
}

/// Streams of whole iterations, with a null here and there.
fn feeds_for(plan: &Plan, dice: &mut Dice) -> Streams {
    let nulls = dice.once_in(4);
    let mut feeds = Streams::new();
    for (path, _) in plan.placed().graph().feeds() {
        let actor = plan.data().actors.iter().find(|actor| actor.path == path);
        let times = actor.map_or(1, |actor| u64::from(actor.times));
        let mut stream = numbers((0..ITERATIONS * times).map(|_| dice.below(1000) as i64));
        stream.iter_mut().filter(|_| nulls && dice.once_in(10)).for_each(|value| *value = None);
        feeds.insert(path.to_owned(), stream);
    }
    feeds
}

/// Moves some nodes to accelerators, and plans with random limits.
fn planned(graph: &Graph, devices: usize, dice: &mut Dice, seed: u64) -> Plan {
    let mut all: Devices = cpus(devices);
    let mut wishes = Placement::new();
    if dice.once_in(3) {
        let names = ["accelerator:0", "accelerator:1"];
        for name in names {
            all = all.with_accelerator(fake(name, 1 << 24));
        }
        for (path, operator, _) in graph.nodes() {
            if ["affine", "mix", "resample"].contains(&operator) && dice.once_in(3) {
                wishes = wishes.on(path, names[dice.below(2)]);
            }
        }
    }
    let mut limits =
        Limits { batch: 1 + dice.below(4) as u32, reuse: !dice.once_in(4), ..Limits::default() };
    let place = |wishes: &Placement| place(graph, &all, wishes).expect("every device exists");
    let drawn = plan(&place(&wishes), &limits).unwrap_or_else(|faults| {
        // A feedback of fewer tokens than one iteration takes cannot cross lanes.
        assert!(faults.codes().iter().all(|&code| code == Code::Deadlock), "seed {seed}: {faults}");
        let one = graph.nodes().fold(Placement::new(), |own, (path, ..)| own.on(path, "cpu:0"));
        let drawn = plan(&place(&one), &limits);
        drawn.unwrap_or_else(|faults| panic!("seed {seed}: one lane is always possible: {faults}"))
    });
    for register in &drawn.data().registers {
        if register.tokens > 0 && register.storage == Storage::Own && dice.once_in(4) {
            let capacity = register.initial + register.tokens * (1 + dice.below(3) as u32);
            limits.capacities.insert(register.name.clone(), capacity as usize);
        }
    }
    plan(drawn.placed(), &limits)
        .unwrap_or_else(|faults| panic!("seed {seed}: one iteration always fits: {faults}"))
}

/// What came out, as numbers; poison is none inside none.
fn numbers_of(outcome: &Outcome) -> BTreeMap<String, Vec<Option<Option<i64>>>> {
    let streams = outcome.outlets.iter().map(|(path, stream)| {
        let number = |output: &synfire_runtime::run::Output| {
            let value = output.value.as_ref().ok()?;
            Some(value.as_ref().map(|value| value.elements::<i64>()[0]))
        };
        (path.clone(), stream.iter().map(number).collect())
    });
    streams.collect()
}

/// Every outlet of `outcome` gave what the reference gives.
fn agrees(case: &Case, reference: &Streams, outcome: &Outcome) {
    for (path, found) in numbers_of(outcome) {
        let expected: Vec<_> = plain(&reference[&path]).into_iter().map(Some).collect();
        assert_eq!(found, expected, "seed {}, outlet {path} of\n{}", case.seed, case.graph);
    }
    assert_eq!(outcome.report.failure_count, 0, "seed {}", case.seed);
}

/// Simulates these seeds under two schedules each, the second with stalls.
fn seeds_agree(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let case = Case::new(seed);
        let reference = case.reference();
        let outcome = case.simulated(seed, None, 0);
        agrees(&case, &reference, &outcome);
        agrees(&case, &reference, &case.simulated(seed + 1, None, 50));
        if seed % 8 == 0 {
            let again = case.simulated(seed, None, 0);
            let schedule = |outcome: &Outcome| (outcome.moves, outcome.elapsed_ns);
            assert_eq!(schedule(&outcome), schedule(&again), "seed {seed}");
        }
    }
}

#[test]
fn seeds_0_to_250_agree_with_the_reference() {
    seeds_agree(0..250);
}

#[test]
fn seeds_250_to_500_agree_with_the_reference() {
    seeds_agree(250..500);
}

#[test]
fn seeds_500_to_750_agree_with_the_reference() {
    seeds_agree(500..750);
}

#[test]
fn seeds_750_to_1000_agree_with_the_reference() {
    seeds_agree(750..1000);
}

/// Paths of the actors that get tokens from actor `from`, itself among them.
fn dependents(data: &PlanData, from: usize) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([from]);
    loop {
        let gives = |register: u32| {
            reached.iter().any(|&actor| data.actors[actor].outputs.contains(&register))
        };
        let more: Vec<usize> = (0..data.actors.len())
            .filter(|actor| !reached.contains(actor))
            .filter(|&actor| data.actors[actor].inputs.iter().any(|i| gives(i.register)))
            .collect();
        if more.is_empty() {
            return reached.into_iter().map(|actor| data.actors[actor].path.clone()).collect();
        }
        reached.extend(more);
    }
}

/// Some firings of one node fail, some of them by panic; only what depends on it may differ.
fn seeds_contain_failures(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let case = Case::new(seed);
        let mut dice = Dice::new(seed, "failures");
        let lanes = case.plan.data().actors.iter().enumerate().filter(|(_, a)| a.lane.is_some());
        let nodes: Vec<usize> = lanes.map(|(index, _)| index).collect();
        if nodes.is_empty() {
            continue;
        }
        let failing = nodes[dice.below(nodes.len())];
        let own = Seed(seed);
        let inject: Inject = Arc::new(move |node, firing| {
            let fails = node == failing && own.index(firing, 5) == 0;
            assert!(!(fails && firing % 2 == 1), "injected");
            fails.then(|| "injected".to_owned())
        });
        let calm = numbers_of(&case.simulated(seed, None, 0));
        let outcome = case.simulated(seed, Some(inject), 20);
        let dependents = dependents(case.plan.data(), failing);
        for (path, found) in numbers_of(&outcome) {
            let same = if dependents.contains(&path) {
                found.len() == calm[&path].len()
            } else {
                found == calm[&path]
            };
            assert!(same, "seed {seed}: outlet {path}, node {failing} fails");
        }
    }
}

#[test]
fn failures_of_seeds_0_to_150_reach_dependents_only() {
    seeds_contain_failures(0..150);
}

#[test]
fn failures_of_seeds_150_to_300_reach_dependents_only() {
    seeds_contain_failures(150..300);
}

/// How long a thread waits before it calls the run stuck.
const LONG: Duration = Duration::from_secs(20);

/// Streams a case through real threads, one for each feed and outlet.
fn launched(case: &Case) -> BTreeMap<String, Vec<Option<i64>>> {
    let mut run = launch(&case.plan, &case.options).expect("the plan launches");
    let graph = case.plan.placed().graph().clone();
    let found = std::thread::scope(|scope| {
        for (path, _) in graph.feeds() {
            let mut feed = run.feed(path).expect("there is a feed");
            let stream = &case.feeds[path];
            scope.spawn(move || {
                for value in stream {
                    match value {
                        Some(value) => feed.send(value, LONG).expect("room in time"),
                        None => {
                            while feed.try_send_null().is_err() {
                                std::thread::yield_now();
                            }
                        }
                    }
                }
            });
        }
        let readers: Vec<_> = graph
            .outlets()
            .map(|(path, _)| {
                let mut outlet = run.outlet(path).expect("there is an outlet");
                let read = move || {
                    let mut stream = Vec::new();
                    loop {
                        match outlet.receive(LONG) {
                            Ok(output) => stream.push(output.value.expect("nothing fails")),
                            Err(OutletError::Ended) => return plain(&stream),
                            Err(OutletError::Empty) => panic!("nothing came out in time"),
                        }
                    }
                };
                (path.to_owned(), scope.spawn(read))
            })
            .collect();
        readers.into_iter().map(|(path, own)| (path, own.join().expect("a reader"))).collect()
    });
    run.finish(LONG).expect("the run ends well");
    found
}

#[test]
fn threads_agree_with_the_reference() {
    for seed in 0..20 {
        let case = Case::new(seed);
        let expected: BTreeMap<String, Vec<Option<i64>>> =
            case.reference().iter().map(|(path, stream)| (path.clone(), plain(stream))).collect();
        assert_eq!(launched(&case), expected, "seed {seed}");
    }
}

#[test]
fn a_part_of_an_iteration_stays_inside_and_is_counted() {
    let mut draft = Draft::new();
    let x = draft.feed("in", number());
    let pair = draft.apply(resample(2, 3), &[x]);
    draft.outlet("out", pair);
    let graph = draft.check().expect("the draft is right");
    let placed = place(&graph, &cpus(1), &Placement::new()).expect("a device");
    let plan = plan(&placed, &Limits::default()).expect("a plan");
    let feeds = Streams::from([("in".to_owned(), numbers(0..7))]);
    let simulation = Simulation { feeds: feeds.clone(), ..Simulation::default() };
    let outcome = simulate(&plan, &Options::default(), &simulation).expect("no deadlock");
    let expected = interpret(&graph, &Options::default(), &feeds).expect("the reference runs");
    let found = numbers_of(&outcome).remove("out").expect("an outlet");
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), plain(&expected["out"]));
    let left: Vec<u64> = outcome.report.links.iter().map(|link| link.left_over).collect();
    assert_eq!(left, [1, 0]);
}

#[test]
fn streams_that_fit_no_feed_are_faults() {
    let case = Case::new(3);
    let stream = vec![Some(synfire_runtime::value::Value::new(&[1], &[1.0_f32]))];
    for path in ["in0", "nowhere"] {
        let feeds = Streams::from([(path.to_owned(), stream.clone())]);
        let simulation = Simulation { feeds, ..Simulation::default() };
        let error = simulate(&case.plan, &case.options, &simulation).expect_err("a misfit");
        assert!(error.to_string().contains(path), "{error}");
    }
}
