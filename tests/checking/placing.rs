//! Faults of place and plan: devices, copies, kernels, limits.

use synfire_runtime::device::Devices;
use synfire_runtime::fault::{Code, Fault, Stage};
use synfire_runtime::graph::Graph;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};

use super::{Expected, compare, graph};
use crate::fixture::accelerator::fake;
use crate::fixture::sizes::bytes;
use crate::fixture::{affine, cpus, mix, number};

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
