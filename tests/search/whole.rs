//! Searches from begin to end: what is found depends on the seed alone.

use synfire::machine;
use synfire::prelude::*;
use synfire::runtime::random::Seed;
use synfire::runtime::snapshot::Snapshot;
use synfire::search::bilevel::Order;
use synfire::search::darts::{Search, Settings};
use synfire::search::planted::{CANDIDATES, Config, Planted, may_stay};
use synfire::search::unrolled::Unroll;
use synfire::search::{SearchError, darts, random};

/// A task that takes little time.
fn small() -> Config {
    Config { edges: 3, training: 512, validation: 512, test: 256, ..Config::default() }
}

fn settings(seed: u64, order: Order) -> Settings {
    let (seed, planted) = (Seed(seed), small());
    Settings { batch: 64, order, seed, planted, ..Settings::default() }
}

fn cpus(list: &str) -> Devices {
    machine::open(list).expect("there is a CPU")
}

#[test]
fn darts_finds_what_was_planted() {
    for seed in 0..3 {
        let rates = (3e-2, 5e-2);
        let settings = Settings {
            steps: 400,
            weight_rate: rates.0,
            architecture_rate: rates.1,
            ..settings(seed, Order::First)
        };
        let mut steps = 0;
        let found = darts::search(&settings, &mut |_| {
            steps += 1;
            true
        });
        let found = found.expect("it goes");
        assert_eq!(steps, 400);
        assert!(found.recovered() >= 0.99, "seed {seed}: {found:?}");
        assert!(found.test < 0.1, "seed {seed}: {found:?}");
    }
}

#[test]
fn one_and_two_devices_search_bit_by_bit_alike() {
    for order in [Order::First, Order::Second(Unroll::default())] {
        let run = |list: &str| {
            let settings = Settings { devices: cpus(list), ..settings(5, order) };
            let mut search = Search::begin(&settings, None).expect("it begins");
            let losses = search.advance(25, &mut |_| true).expect("it goes");
            (losses, search.snapshot().expect("it rests").parameters())
        };
        let one = run("cpu:0");
        assert!(one.1.len() > 8, "weights, architecture, moments, counters, phase");
        assert!(run("cpu:0,cpu:1") == one, "{order:?}");
    }
}

#[test]
fn a_search_goes_on_from_a_snapshot_with_the_same_bits() {
    for order in [Order::First, Order::Second(Unroll::default())] {
        let settings = settings(6, order);
        let begin = |from| Search::begin(&settings, from).expect("it begins");
        let mut whole = begin(None);
        let losses = whole.advance(30, &mut |_| true).expect("it goes");
        let mut first = begin(None);
        let mut parts = first.advance(13, &mut |_| true).expect("it goes");
        let bytes = first.snapshot().expect("it rests").encode();
        drop(first);
        let mut second = begin(Some(Snapshot::decode(&bytes).expect("it can be read")));
        parts.extend(second.advance(17, &mut |_| true).expect("it goes"));
        assert_eq!(parts, losses, "{order:?}");
        assert_eq!(second.snapshot().unwrap(), whole.snapshot().unwrap(), "{order:?}");
    }
}

#[test]
fn random_search_keeps_the_order_of_the_tags_on_any_devices() {
    let run = |list: &str, replicas: usize| {
        let devices = cpus(list);
        let planted = Config { training: 128, validation: 128, ..small() };
        let seed = Seed(7);
        let settings = random::Settings { candidates: 40, replicas, devices, planted, seed };
        random::search(&settings, &mut |_| true).expect("it goes")
    };
    let (found, records) = run("cpu:0", 2);
    assert_eq!(records.len(), 40);
    assert!(records.iter().zip(0..).all(|(own, tag)| own.tag == tag));
    assert!(records.iter().all(|own| own.operations.iter().all(|&own| may_stay(own))));
    let mut best = &records[0];
    for record in &records {
        if record.score < best.score {
            best = record;
        }
    }
    assert_eq!(found.operations, best.operations, "the state holds the best that came out");
    for (list, replicas) in [("cpu:0,cpu:1", 2), ("cpu:0,cpu:1", 4), ("cpu:0", 1)] {
        assert_eq!(run(list, replicas), (found.clone(), records.clone()), "{list}, {replicas}");
    }
}

/// The right architecture has the least error, so both searches have something to find.
#[test]
fn the_planted_operations_are_the_best_candidate() {
    let config = Config { edges: 1, training: 256, validation: 256, test: 64, ..Config::default() };
    for seed in 0..5 {
        let own = random::Settings::default();
        let settings = random::Settings { planted: config.clone(), seed: Seed(seed), ..own };
        let (found, _) = random::search(&settings, &mut |_| true).expect("it goes");
        assert_eq!(found.operations, found.planted, "200 draws see all five");
        assert!(found.test < 0.005, "{found:?}");
    }
}

#[test]
fn tasks_are_functions_of_their_seed() {
    let [own, same, other] = [1, 1, 2].map(|seed| Planted::new(&small(), Seed(seed)).unwrap());
    let text = |planted: &Planted| format!("{:?} {:?}", planted.operations, planted.training);
    assert_eq!(text(&own), text(&same));
    assert_ne!(text(&own), text(&other));
    assert!(own.operations.iter().all(|&own| may_stay(own) && own < CANDIDATES.len()));
}

#[test]
fn settings_that_cannot_be_say_why() {
    let error = |settings: &Settings| Search::begin(settings, None).err().unwrap().to_string();
    let none = Settings { planted: Config { edges: 0, ..small() }, ..settings(0, Order::First) };
    assert!(error(&none).contains("no size of 0"), "{}", error(&none));
    let large = Settings { batch: 1_000, ..settings(0, Order::First) };
    assert!(error(&large).contains("512 examples"), "{}", error(&large));
    let rate = Settings { weight_rate: f64::INFINITY, ..settings(0, Order::First) };
    let diverged = Search::begin(&rate, None).unwrap().advance(5, &mut |_| true).unwrap_err();
    assert!(matches!(diverged, SearchError::Diverged { .. }), "{diverged}");
    let many = random::Settings { replicas: 65, ..random::Settings::default() };
    let error = random::search(&many, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("replicas"), "{error}");
}
