//! Plan files: the same bytes for the same graph, and damage that is refused or harmless.

use synfire_runtime::fault::Code;
use synfire_runtime::place::Placed;
use synfire_runtime::plan::{Limits, Plan, PlanData, Storage, plan};

use super::{agrees, crossing, placed};
use crate::fixture::rich;

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

#[test]
fn seeds_of_the_fuzzer_are_refused_or_harmless() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/plan");
    let mut accepted = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is in the repository") {
        let file = entry.expect("the corpus can be listed").path();
        let whole = std::fs::read(file).expect("the corpus can be read");
        if let Ok(plan) = PlanData::decode(&whole).and_then(|data| Plan::bind(data, &rich())) {
            accepted += 1;
            agrees(&plan);
        }
    }
    assert!(accepted > 0, "write corpus/plan anew: no seed is a plan of this version");
}
