//! Memory of a run: nothing is allocated once it streams, and what it takes is what the plan says.
//!
//! A counting allocator needs a process of its own, so this is a binary of its own, and its tests
//! take turns.
#![expect(unsafe_code, reason = "a counting allocator passes every call on to the system's")]

#[expect(dead_code, reason = "the other test binary uses the rest")]
mod fixture; // operators whose numbers show order and loss

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use synfire::data::augment::Augment;
use synfire::data::batches::{Batches, batches};
use synfire::data::dataset::{Answers, Dataset, Elements};
use synfire_ops::pointwise::unary::scale;
use synfire_runtime::define::Draft;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::observe::Sampling;
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Element, Spec};

use fixture::sizes::bytes;
use fixture::{affine, number, planned};

/// The system's allocator with counters, over all threads of the process.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);

fn count(bytes: i64) {
    let live = LIVE_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK_BYTES.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        count(layout.size() as i64);
        // SAFETY: the caller keeps the rules of `alloc`, which are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        count(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        count(bytes as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(start, layout, bytes) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests of one process take turns, so that each counts only its own.
static TURN: Mutex<()> = Mutex::new(());

const LONG: Duration = Duration::from_secs(60);

/// Two lanes, each with a chain.
fn two_lanes() -> Plan {
    let mut draft = Draft::new();
    let mut y = draft.feed("in", number());
    for part in ["front", "back"] {
        for stage in 0..3 {
            y = draft.scope(part, |draft| draft.apply(affine(stage), &[y]));
        }
    }
    draft.outlet("out", y);
    let graph = draft.check().expect("the draft is right");
    // Deep enough that a lane finds work while the other sleeps.
    let streams = ["in:out", "front/affine_3:y", "back/affine_3:y"];
    let capacities = streams.map(|stream| (stream.to_owned(), 64)).into();
    let limits = Limits { capacities, batch: 16, ..Limits::default() };
    planned(&graph, 2, &[("front", "cpu:0"), ("back", "cpu:1")], &limits)
}

/// Allocations of the whole process while 100 000 tokens stream, after some to warm up.
fn allocations(sampling: Sampling) -> u64 {
    const WARM_UP: u64 = 1_000;
    const TOKENS: u64 = 100_000;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let plan = two_lanes();
    let options = Options { sampling, ..Options::default() };
    let mut run = launch(&plan, &options).expect("the plan launches");
    let mut feed = run.feed("in").expect("there is a feed");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let (mut sent, mut taken, mut before) = (0_u64, 0_u64, 0);
    while taken < WARM_UP + TOKENS {
        if taken == WARM_UP && before == 0 {
            before = CALLS.load(Ordering::Relaxed);
        }
        let number = (sent as i64).to_ne_bytes();
        if feed.try_write(&[1], 0, |bytes| bytes.copy_from_slice(&number)).is_ok() {
            sent += 1;
        } else {
            outlet.wait(LONG).expect("something comes out");
        }
        while let Ok((stamp, value)) = outlet.try_read(|bytes, _| bytes.len()) {
            assert_eq!((stamp.sequence, value), (taken, Ok(Some(8))));
            taken += 1;
            if taken == WARM_UP {
                break;
            }
        }
    }
    let after = CALLS.load(Ordering::Relaxed);
    drop(feed);
    drop(outlet);
    run.finish(LONG).expect("the run ends well");
    after - before
}

#[test]
fn streaming_allocates_nothing() {
    assert_eq!(allocations(Sampling::OFF), 0);
}

#[test]
fn streaming_allocates_nothing_while_every_firing_is_timed() {
    assert_eq!(allocations(Sampling::FULL), 0);
}

#[test]
fn streaming_allocates_nothing_while_events_are_traced() {
    assert_eq!(allocations(Sampling { every: 1, trace_events: 512 }), 0);
}

/// Images with labels in batches, with every kind of variation.
fn images() -> Batches {
    let elements = Elements::U8((0..40 * 64).map(|at| (at % 251) as u8).collect());
    let labels = (0..40).map(|index| index % 2).collect();
    let answers = Answers::Labels { labels, names: vec!["a".to_owned(), "b".to_owned()] };
    let data = Dataset::new("test", &[8, 8], elements, answers).expect("it is right");
    let source = batches(data, 4, Seed(3)).padded().mixup(0.4).normalise(&[0.5], &[0.2]);
    let source = source.augment(Augment::Crop { padding: 2, size: [10, 9] });
    let source = source.augment(Augment::Shift { most: [1, 1] });
    let source = source.augment(Augment::Flip { probability: 0.5 });
    let source = source.augment(Augment::CutOut { side: 3 });
    source.augment(Augment::Noise { deviation: 0.1 })
}

#[test]
fn a_source_of_batches_allocates_nothing_from_its_second_firing_on() {
    const BATCHES: u64 = 200;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut draft = Draft::new();
    let outputs = draft.scope("data", |draft| draft.apply_many(images(), &[]));
    let x = draft.scope("model", |draft| draft.apply(scale(2.0), &[outputs[0]]));
    draft.outlet("out", x);
    let graph = draft.check().expect("the draft is right");
    let plan = planned(&graph, 2, &[("data", "cpu:1"), ("model", "cpu:0")], &Limits::default());
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let (mut taken, mut before) = (0, 0);
    while taken < BATCHES {
        outlet.wait(LONG).expect("something comes out");
        while taken < BATCHES && outlet.try_read(|bytes, _| bytes.len()).is_ok() {
            taken += 1;
            if taken == 20 {
                before = CALLS.load(Ordering::Relaxed);
            }
        }
    }
    let after = CALLS.load(Ordering::Relaxed);
    drop(outlet);
    run.finish(LONG).expect("the run ends well");
    assert_eq!(after - before, 0);
}

/// Large registers: arenas, a link between lanes, a delay, and a parameter.
fn large() -> Graph {
    let mut draft = Draft::new();
    let large = || Spec::new(Element::U8, [1 << 20]);
    let x = draft.feed("in", large());
    let weight =
        draft.parameter("weight", large(), synfire_runtime::define::Initial::Constant(1.0));
    let a = draft.scope("front", |draft| {
        let a = draft.apply(bytes(2, large()), &[x, weight]);
        let a = draft.apply(bytes(1, large()), &[a]);
        draft.apply(bytes(1, large()), &[a])
    });
    let before = draft.delay(a, 1, synfire_runtime::define::Initial::Zeros);
    let b = draft.scope("back", |draft| {
        let b = draft.apply(bytes(2, large()), &[a, before]);
        draft.apply(bytes(1, number()), &[b])
    });
    draft.outlet("out", b);
    draft.check().expect("the draft is right")
}

/// What may be left when a run has ended: what threads keep for the process. Thread stacks are
/// outside of the allocator.
const KEPT_BYTES: i64 = 64 << 10;

#[test]
fn a_run_takes_what_the_plan_says() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let bound = [("front", "cpu:0"), ("back", "cpu:1")];
    let plan = planned(&large(), 2, &bound, &Limits::default());
    let planned: u64 = plan.memory().iter().map(|row| row.total_bytes()).sum();
    let planned = i64::try_from(planned).expect("a few megabytes");
    let options = Options { sampling: Sampling::OFF, ..Options::default() };
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    PEAK_BYTES.store(before, Ordering::Relaxed);
    let mut run = launch(&plan, &options).expect("the plan launches");
    let launched = LIVE_BYTES.load(Ordering::Relaxed) - before;
    let mut feed = run.feed("in").expect("there is a feed");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    for _ in 0..8 {
        while feed.try_write(&[1 << 20], 0, |bytes| bytes.fill(1)).is_err() {
            outlet.wait(LONG).expect("something comes out");
            outlet.try_read(|_, _| ()).expect("it is there").1.expect("nothing fails");
        }
    }
    drop(feed);
    while outlet.wait(LONG).is_ok() {
        outlet.try_read(|_, _| ()).expect("it is there").1.expect("nothing fails");
    }
    drop(outlet);
    run.finish(LONG).expect("the run ends well");
    let peak = PEAK_BYTES.load(Ordering::Relaxed) - before;
    let left = LIVE_BYTES.load(Ordering::Relaxed) - before;
    let told = format!("planned {planned}, launched {launched}, peak {peak}, left {left}");
    assert!(launched <= peak && peak <= planned, "{told}");
    assert!(10 * (planned - peak) <= peak, "{told}");
    assert!(left.abs() < KEPT_BYTES, "{told}");
}
