//! Bytes of plans, as worked out by hand.

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::Code;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::Options;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};
use synfire_runtime::simulate::{SimulateError, Simulation, simulate};
use synfire_runtime::spec::{Element, Spec};

use super::{agrees, graph};
use crate::fixture::accelerator::fake;
use crate::fixture::sizes::{bytes, bytes_in_place};
use crate::fixture::{affine, cpus, mix, number, planned, resample, switch};

fn u8s(count: usize) -> Spec {
    Spec::new(Element::U8, [count])
}

/// Bytes of the arena of one lane that runs the whole graph.
fn arena_bytes(limits: &Limits, build: impl FnOnce(&mut Draft, Wire)) -> (u64, u64) {
    let plan = planned(&graph(build), 1, &[("", "cpu:0")], limits);
    let lane = &plan.data().lanes[0];
    (lane.arena_bytes, lane.arena_bound_bytes)
}

#[test]
fn registers_share_bytes_as_worked_out_by_hand() {
    let reuse = Limits::default();
    let apart = Limits { reuse: false, ..Limits::default() };
    let chain = |draft: &mut Draft, x: Wire| {
        let a = draft.apply(bytes(1, u8s(1024)), &[x]);
        let b = draft.apply(bytes(1, u8s(512)), &[a]);
        let c = draft.apply(bytes(1, u8s(200)), &[b]);
        let d = draft.apply(bytes(1, u8s(4096)), &[c]);
        draft.outlet("out", d);
    };
    // The outlet's register has memory of its own. c takes a's place, 200 bytes are 256.
    assert_eq!(arena_bytes(&reuse, chain), (1024 + 512, 1024 + 512));
    assert_eq!(arena_bytes(&apart, chain), (1024 + 512 + 256, 1024 + 512 + 256));
    let diamond = |draft: &mut Draft, x: Wire| {
        let a = draft.apply(bytes(1, u8s(1024)), &[x]);
        let left = draft.apply(bytes(1, u8s(512)), &[a]);
        let right = draft.apply(bytes(1, u8s(256)), &[a]);
        let joined = draft.apply(bytes(2, u8s(1)), &[left, right]);
        draft.outlet("out", joined);
    };
    // The right branch reads a while the left one waits.
    assert_eq!(arena_bytes(&reuse, diamond), (1024 + 512 + 256, 1024 + 512 + 256));
    let skip = |draft: &mut Draft, x: Wire| {
        let a = draft.apply(bytes(1, u8s(1024)), &[x]);
        let b = draft.apply(bytes(1, u8s(2048)), &[a]);
        let c = draft.apply(bytes(1, u8s(256)), &[b]);
        let d = draft.apply(bytes(1, u8s(2048)), &[c]);
        let joined = draft.apply(bytes(2, u8s(1)), &[a, d]);
        draft.outlet("out", joined);
    };
    // a lives throughout; d takes b's place beside c.
    assert_eq!(arena_bytes(&reuse, skip), (1024 + 2048 + 256, 1024 + 2048 + 256));
}

#[test]
fn in_place_chains_use_one_place() {
    let reuse = Limits::default();
    let chain = |draft: &mut Draft, x: Wire| {
        let mut y = draft.apply(bytes(1, u8s(1024)), &[x]);
        for _ in 0..3 {
            y = draft.apply(bytes_in_place(1, u8s(1024)), &[y]);
        }
        let out = draft.apply(bytes(1, u8s(1)), &[y]);
        draft.outlet("out", out);
    };
    assert_eq!(arena_bytes(&reuse, chain), (1024, 1024));
    assert_eq!(arena_bytes(&Limits { reuse: false, ..reuse.clone() }, chain), (4096, 4096));
    // Not where another reader comes later, and not under another input of the same node.
    let read_later = |draft: &mut Draft, x: Wire| {
        let a = draft.apply(bytes(1, u8s(1024)), &[x]);
        let b = draft.apply(bytes_in_place(1, u8s(1024)), &[a]);
        let out = draft.apply(bytes(2, u8s(1)), &[a, b]);
        draft.outlet("out", out);
    };
    assert_eq!(arena_bytes(&reuse, read_later), (2048, 2048));
    let read_twice = |draft: &mut Draft, x: Wire| {
        let a = draft.apply(bytes(1, u8s(1024)), &[x]);
        let b = draft.apply(bytes_in_place(2, u8s(1024)), &[a, a]);
        let out = draft.apply(bytes(1, number()), &[b]);
        draft.outlet("out", out);
    };
    assert_eq!(arena_bytes(&reuse, read_twice), (2048, 2048));
    agrees(&planned(&graph(read_twice), 1, &[], &reuse));
}

/// An actor that must fire twice in an iteration, apart, with an output that nobody reads.
fn interleaved() -> Graph {
    graph(|draft, x| {
        let (before, feedback) = draft.feedback(number(), 1, Initial::Constant(3.0));
        let sum = draft.apply(mix(2), &[x, before]);
        let unread = draft.apply_many(switch(2), &[sum, sum]);
        let next = draft.apply(affine(1), &[unread[0]]);
        let next = draft.apply(mix(2), &[sum, next]);
        draft.close(feedback, sum);
        let pair = draft.apply(resample(2, 1), &[next]);
        draft.outlet("out", pair);
    })
}

#[test]
fn an_output_that_nobody_reads_keeps_its_place_until_it_is_last_written() {
    let plan = planned(&interleaved(), 1, &[], &Limits::default());
    let data = plan.data();
    let steps = |name: &str| {
        let of =
            |step: &&synfire_runtime::plan::Step| data.actors[step.actor as usize].path == name;
        data.volleys.iter().flat_map(|volley| &volley.steps).filter(of).count()
    };
    assert_eq!(steps("switch"), 2, "the feedback forces single firings");
    agrees(&plan);
}

#[test]
fn memory_is_the_sum_of_arenas_registers_and_parameters() {
    let graph = graph(|draft, x| {
        let weight = draft.parameter("weight", u8s(700), Initial::Zeros);
        let a = draft.apply_named("a", bytes(2, u8s(1024)), &[x, weight]);
        let b = draft.apply_named("b", bytes(1, u8s(512)), &[a]);
        let before = draft.delay(b, 2, Initial::Zeros);
        let c = draft.apply_named("c", bytes(2, number()), &[b, before]);
        draft.outlet("out", c);
    });
    let capacities = [("in:out".to_owned(), 4), ("c:y".to_owned(), 2)].into();
    let limits = Limits { capacities, ..Limits::default() };
    let plan = planned(&graph, 1, &[], &limits);
    let rows = plan.memory();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.memory, "host");
    assert_eq!(row.arena_bytes, 1024);
    // The feed holds 4 tokens of 8 bytes, b its two delayed ones and the next, c two.
    assert_eq!(row.register_bytes, 4 * 256 + 3 * 512 + 2 * 256);
    assert_eq!(row.parameter_bytes, 768);
    assert_eq!((row.kept_bytes, row.scratch_bytes), (0, 0));
    let payloads = row.arena_bytes + row.register_bytes + row.parameter_bytes;
    assert_eq!(row.total_bytes(), payloads + row.control_bytes);
    assert!(row.control_bytes > 0, "tables take memory too");
}

#[test]
fn accelerators_have_arenas_of_their_own() {
    let graph = graph(|draft, x| {
        let mut y = x;
        for _ in 0..3 {
            y = draft.scope("a", |draft| draft.apply(mix(2), &[y, y]));
        }
        for _ in 0..2 {
            y = draft.scope("b", |draft| draft.apply(affine(2), &[y]));
        }
        draft.outlet("out", y);
    });
    let devices = cpus(1).with_accelerator(fake("x", 1 << 16)).with_accelerator(fake("y", 1 << 16));
    let wishes = Placement::new().on("a", "x").on("b", "y");
    let placed = place(&graph, &devices, &wishes).expect("the devices exist");
    let plan = plan(&placed, &Limits::default()).expect("there are kernels");
    let arena = |memory: &str| {
        let rows = plan.memory();
        rows.iter().find(|row| row.memory == memory).map(|row| row.arena_bytes)
    };
    // Two numbers live at a time on the one, which never works in place; one on the other.
    assert_eq!((arena("x"), arena("y")), (Some(512), Some(256)));
    agrees(&plan);
}

#[test]
fn an_accelerator_without_memory_is_a_fault_at_launch() {
    let graph = graph(|draft, x| {
        let y = draft.apply(affine(2), &[x]);
        draft.outlet("out", y);
    });
    let devices = cpus(1).with_accelerator(fake("x", 100));
    let placed = place(&graph, &devices, &Placement::new().on("affine", "x")).expect("a device");
    let plan = plan(&placed, &Limits::default()).expect("there are kernels");
    let error = simulate(&plan, &Options::default(), &Simulation::default());
    let Err(SimulateError::Launch(faults)) = error else { panic!("the memory is not there") };
    assert_eq!(faults.codes(), [Code::Device]);
    assert_eq!(faults.0[0].found, "no 256 bytes left");
}
