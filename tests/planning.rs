//! Plans: orders and capacities that are refused, capacities, periods and bytes as worked out by
//! hand, and plan files.

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::{Code, Fault, Faults};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::interpret;
use synfire_runtime::launch::Options;
use synfire_runtime::place::{Placed, Placement, place};
use synfire_runtime::plan::{Limits, Plan, PlanData, Storage, plan};
use synfire_runtime::simulate::{SimulateError, Simulation, simulate};
use synfire_runtime::spec::{Element, Spec};

use crate::fixture::{
    affine, bytes, bytes_in_place, cpus, fake, fed, mix, number, plain, planned, resample, switch,
};

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
    for (graph, apart, chosen, least) in [
        (&late, joined, 1, 2),
        (&late, joined, 0, 1),
        (&rates, apart, 2, 3),
        (&rates, apart, 0, 1),
    ] {
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
    let mut limits = Limits::default();
    limits.capacities = [("in:out".to_owned(), 4), ("c:y".to_owned(), 2)].into();
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
    assert_eq!(row.total_bytes(), row.arena_bytes + row.register_bytes + row.parameter_bytes);
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

/// A plan with every kind of part: arenas, delays, rates, links, a parameter, copies.
fn rich() -> Placed {
    let graph = graph(|draft, x| {
        let weight = draft.parameter("weight", number(), Initial::Constant(2.0));
        let a = draft.apply_named("a", mix(2), &[x, weight]);
        let a = draft.apply_named("a2", affine(1), &[a]);
        let before = draft.delay(a, 2, Initial::Zeros);
        let b = draft.apply_named("b", resample(2, 1), &[before]);
        let b = draft.apply_named("b2", affine(1), &[b]);
        let c = draft.apply_named("c", affine(3), &[b]);
        draft.outlet("out", c);
    });
    let devices = cpus(2).with_accelerator(fake("x", 1 << 20));
    let wishes = Placement::new().on("a", "cpu:0").on("a2", "cpu:0");
    let wishes = wishes.on("b", "cpu:1").on("b2", "cpu:1").on("c", "x");
    place(&graph, &devices, &wishes).expect("the devices exist")
}

#[test]
fn the_same_graph_gives_the_same_text_and_bytes() {
    let plan = |placed: &Placed| plan(placed, &Limits::default()).expect("a plan");
    let (first, second) = (plan(&rich()), plan(&rich()));
    assert_eq!(first.explain(), second.explain());
    assert_eq!(first.data().encode(), second.data().encode());
    let decoded = PlanData::decode(&first.data().encode()).expect("it was just written");
    assert_eq!(decoded, *second.data());
    let bound = Plan::bind(decoded, &rich()).expect("it is for this graph");
    assert_eq!(bound.explain(), first.explain());
    agrees(&bound);
}

#[test]
fn a_plan_is_for_one_graph_and_its_devices() {
    let data = plan(&rich(), &Limits::default()).expect("a plan").data().clone();
    let (other, bound) = crossing();
    for stranger in [placed(&other, &bound), placed(&other, &[])] {
        let faults = Plan::bind(data.clone(), &stranger).expect_err("another graph");
        assert_eq!(faults.codes(), [Code::Format]);
    }
    let own = plan(&placed(&other, &bound), &Limits::default()).expect("a plan").data().clone();
    let moved = [("send_a", "cpu:1"), ("receive_a", "cpu:0"), ("send_b", "cpu:1")];
    let faults = Plan::bind(own, &placed(&other, &moved)).expect_err("another placement");
    assert_eq!(faults.codes(), [Code::Format]);
}

#[test]
fn files_that_are_no_plans_are_refused() {
    let whole = plan(&rich(), &Limits::default()).expect("a plan").data().encode();
    let said = |bytes: &[u8]| {
        let faults = PlanData::decode(bytes).expect_err("no plan");
        assert_eq!(faults.codes(), [Code::Format]);
        faults.0[0].found.clone()
    };
    for end in 0..whole.len() {
        said(&whole[..end]);
    }
    let mut version = whole.clone();
    version[8] = 99;
    assert_eq!(said(&version), "version 99");
    assert_eq!(said(b"PNG, perhaps"), "a file that starts with \"PNG, per\"");
    let mut longer = whole.clone();
    longer.push(0);
    assert_eq!(said(&longer), format!("more bytes after the plan, from byte {}", whole.len()));
    let mut oversized = whole;
    oversized.resize((64 << 20) + 13, 0);
    assert_eq!(said(&oversized), format!("{} bytes", oversized.len()));
}

/// More bytes than these tests allocate for a damaged plan.
const TRIED_BYTES: u64 = 1 << 24;

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    let placed = rich();
    let whole = plan(&placed, &Limits::default()).expect("a plan").data().encode();
    let (mut refused, mut harmless) = (0, 0);
    for bit in 8 * 12..8 * whole.len() {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let bound = PlanData::decode(&damaged).and_then(|data| Plan::bind(data, &placed));
        let Ok(plan) = bound else {
            refused += 1;
            continue;
        };
        harmless += 1;
        let total: u64 = plan.memory().iter().map(|row| row.total_bytes()).sum();
        if total < TRIED_BYTES {
            agrees(&plan);
        }
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}

#[test]
fn damaged_tables_are_refused_or_harmless() {
    let placed = rich();
    let whole = plan(&placed, &Limits::default()).expect("a plan").data().clone();
    let mut tried: Vec<PlanData> = Vec::new();
    let mut change = |change: &dyn Fn(&mut PlanData)| {
        let mut data = whole.clone();
        change(&mut data);
        tried.push(data);
    };
    for index in 0..whole.registers.len() {
        change(&|data| data.registers[index].storage = Storage::Nowhere);
        change(&|data| data.registers[index].storage = Storage::Own);
        for lane in 0..whole.lanes.len() as u32 {
            change(&|data| data.registers[index].storage = Storage::Arena { lane, offset: 0 });
        }
        for memory in [None, Some(0), Some(2)] {
            change(&|data| data.registers[index].memory = memory);
        }
    }
    for index in 0..whole.actors.len() {
        for other in 0..whole.actors.len() as u32 {
            change(&|data| data.actors[index].fused_into = Some(other));
            change(&|data| data.actors[index].stages.push(other));
        }
        for input in 0..whole.actors[index].inputs.len() {
            change(&|data| data.actors[index].inputs[input].link = None);
            for register in 0..whole.registers.len() as u32 {
                change(&|data| data.actors[index].inputs[input].register = register);
            }
        }
        for output in 0..whole.actors[index].outputs.len() {
            for register in 0..whole.registers.len() as u32 {
                change(&|data| data.actors[index].outputs[output] = register);
            }
        }
    }
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        change(&|data| data.lanes.swap(a, b));
        change(&|data| data.volleys.swap(a, b));
        change(&|data| data.links.swap(a, b));
    }
    change(&|data| data.links.truncate(whole.links.len() - 1));
    change(&|data| data.links.push(data.links[0]));
    change(&|data| data.lanes[0].volleys.clear());
    for data in tried {
        if let Ok(plan) = Plan::bind(data, &placed) {
            agrees(&plan);
        }
    }
}
