//! The main job's model on accelerators: one branch beside a CPU, both on two devices, many frames.
//!
//! Runs on the first software adapter, or the first of any kind; without one each test prints why
//! it shows nothing. Two devices over one adapter stand for two cards.
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

use std::collections::BTreeMap;
use std::time::Duration;

use synfire::models::perception::ppn::{Config, draft};
use synfire_ops::device::{open_wgpu, wgpu_adapters};
use synfire_ops::laws::close;
use synfire_ops::sample::tensor;
use synfire_runtime::device::Devices;
use synfire_runtime::fault::Code;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::Outlet;
use synfire_runtime::value::Value;

const BRANCHES: [&str; 2] = ["segmentation", "reconstruction"];

/// How far a map may be from the CPU's, relative to its largest magnitude: some ten layers of sums.
const DISTANCE: f64 = 1e-4;

/// No frame takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What came out of both branches for each frame.
type Maps = Vec<[Value; 2]>;

/// `cpu:0` and so many devices `software:0`, ... over one adapter.
fn devices(count: usize) -> Option<Devices> {
    let adapters = wgpu_adapters();
    let Some(adapter) =
        adapters.iter().position(|one| one.is_software).or(adapters.first().map(|_| 0))
    else {
        eprintln!("skipped: wgpu finds no adapter on this machine");
        return None;
    };
    let open = |own: Devices, number: usize| {
        let device = open_wgpu(&format!("software:{number}"), adapter);
        own.with_accelerator(device.expect("an adapter that was listed opens"))
    };
    Some((0..count).fold(Devices::cpu(1), open))
}

fn graph() -> Graph {
    draft(&Config::tiny()).check().expect("the tiny sizes fit")
}

fn on(first: &str, second: &str) -> Placement {
    Placement::new().on("ppn/segmentation", first).on("ppn/reconstruction", second)
}

/// Clouds of as many points as the frame says, different for each frame.
fn clouds(frames: usize) -> Vec<Value> {
    let config = Config::tiny();
    let reach = f64::from(config.resolution_m) * config.size as f64 / 2.0;
    let cloud = |frame: usize| {
        let seed = Seed(frame as u64);
        let count = 5 + seed.index(0, 40);
        let coordinate = |k: usize| {
            let number = seed.uniform(10 + k as u64) * 2.0 - 1.0;
            (if k % 4 < 2 { number * reach * 1.2 } else { number }) as f32
        };
        Value::new(&[count, 4], &(0..4 * count).map(coordinate).collect::<Vec<_>>())
    };
    (0..frames).map(cloud).collect()
}

/// The same on the CPU, node by node.
fn expected(frames: &[Value]) -> Maps {
    let feed = frames.iter().cloned().map(Some).collect();
    let feeds: Streams = BTreeMap::from([("cloud".to_owned(), feed)]);
    let outlets = interpret(&graph(), &Options::default(), &feeds).expect("the reference runs");
    let map = |branch: &str, frame: usize| outlets[branch][frame].clone().expect("no map is null");
    (0..frames.len()).map(|frame| BRANCHES.map(|branch| map(branch, frame))).collect()
}

/// Launches the model and streams the frames, never more than two at a time inside.
fn streamed(devices: &Devices, wishes: &Placement, frames: &[Value]) -> Maps {
    let placed = place(&graph(), devices, wishes).expect("every device exists");
    let plan = plan(&placed, &Limits::default()).expect("every operator has a kernel");
    let mut run = launch(&plan, &Options::default()).expect("the devices have room");
    let mut feed = run.feed("cloud").expect("the feed of the model");
    let mut outlets = BRANCHES.map(|branch| run.outlet(branch).expect("an outlet of the model"));
    let receive = |outlet: &mut Outlet| {
        let output = outlet.receive(TIMEOUT).expect("a map for each cloud");
        output.value.expect("no firing fails").expect("no map is null")
    };
    let mut maps = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        feed.send(frame, TIMEOUT).expect("two frames have room");
        if number > 0 {
            maps.push(outlets.each_mut().map(receive));
        }
    }
    maps.push(outlets.each_mut().map(receive));
    drop(feed);
    run.finish(TIMEOUT).expect("the run ends well");
    maps
}

fn assert_close(found: &Maps, expected: &Maps) {
    assert_eq!(found.len(), expected.len());
    for (frame, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (branch, (found, expected)) in BRANCHES.iter().zip(found.iter().zip(expected)) {
            let agreement = close(&tensor(found), &tensor(expected), DISTANCE);
            agreement.unwrap_or_else(|breach| panic!("{branch} of frame {frame}: {breach}"));
        }
    }
}

#[test]
fn one_branch_runs_beside_the_cpu() {
    let Some(devices) = devices(1) else { return };
    let frames = clouds(7);
    let expected = expected(&frames);
    let beside = streamed(&devices, &on("software:0", "cpu:0"), &frames);
    assert_close(&beside, &expected);
    // The other branch is the CPU's own, to the bit.
    assert!(beside.iter().zip(&expected).all(|(found, expected)| found[1] == expected[1]));
    let other_way = streamed(&devices, &on("cpu:0", "software:0"), &frames);
    assert_close(&other_way, &expected);
    assert!(other_way.iter().zip(&expected).all(|(found, expected)| found[0] == expected[0]));
}

#[test]
fn each_branch_runs_on_a_device_of_its_own() {
    let Some(devices) = devices(2) else { return };
    let frames = clouds(7);
    let maps = streamed(&devices, &on("software:0", "software:1"), &frames);
    assert_close(&maps, &expected(&frames));
    let one = streamed(&devices, &on("software:1", "software:1"), &frames);
    assert!(one == maps, "one device or two, the bits are the same");
}

#[test]
fn copies_are_denied_by_name() {
    let Some(devices) = devices(1) else { return };
    let wishes = on("software:0", "cpu:0").deny_implicit_copies();
    let faults = place(&graph(), &devices, &wishes).expect_err("the cloud crosses").0;
    let named: Vec<(Code, &str, &str)> =
        faults.iter().map(|own| (own.code, own.node.as_str(), own.found.as_str())).collect();
    let [upload, download] = named[..] else { panic!("two copies, not {named:?}") };
    let found = "a copy from host to software:0";
    assert_eq!(upload, (Code::ImplicitCopy, "cloud:out", found));
    assert_eq!((download.0, download.2), (Code::ImplicitCopy, "a copy from software:0 to host"));
    assert!(download.1.starts_with("ppn/segmentation/decoder1/"), "{}", download.1);
    assert!(place(&graph(), &devices, &on("cpu:0", "cpu:0").deny_implicit_copies()).is_ok());
}

/// CubeCL 0.10 has a fault that mixes up memory between streams; a wrong value would show here.
#[test]
fn two_hundred_frames_give_the_same_bits_again() {
    let Some(devices) = devices(2) else { return };
    let frames = clouds(200);
    let wishes = on("software:0", "software:1");
    let first = streamed(&devices, &wishes, &frames);
    assert_close(&first, &expected(&frames));
    for _ in 0..2 {
        let again = streamed(&devices, &wishes, &frames);
        let differs = first.iter().zip(&again).position(|(first, again)| first != again);
        assert_eq!(differs, None, "a frame with other bits");
    }
}
