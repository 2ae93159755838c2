//! PPN: exact counts before any kernel runs, and results that do not depend on how it is run.

use std::collections::BTreeMap;
use std::sync::Arc;

use synfire::models::perception::ppn::{Config, Wiring, define, draft, networks, weight_name};
use synfire_ops::perception::points_to_bev::{BevMode, points_to_bev};
use synfire_runtime::define::Draft;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::FaultPolicy;
use synfire_runtime::simulate::{Outcome, Simulation, simulate};
use synfire_runtime::solo::fire_once;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use crate::fixture::planned;

const BRANCHES: [&str; 2] = ["segmentation", "reconstruction"];

/// Trained parameters of a branch: running statistics of norms are not trained.
fn trained(graph: &Graph, branch: &str) -> usize {
    let prefix = format!("ppn/{branch}/");
    let own = graph.parameter_list().filter(|(path, _)| path.starts_with(&prefix));
    own.filter(|(path, _)| !path.contains("running_")).map(|(_, spec)| spec.elements()).sum()
}

#[test]
fn the_published_sizes_have_the_published_counts() {
    for wiring in [Wiring::Intended, Wiring::Published] {
        let config = Config { wiring, ..Config::paper() };
        let graph = draft(&config).check().expect("the published sizes fit");
        assert_eq!(trained(&graph, "segmentation"), 46_482_099);
        assert_eq!(trained(&graph, "reconstruction"), 27_607_363);
        assert_eq!(graph.macs_under("ppn/segmentation"), 131_208_201_216);
        assert_eq!(graph.macs_under("ppn/reconstruction"), 94_233_134_080);
    }
}

#[test]
fn parameters_have_the_names_of_the_reference() {
    let graph = draft(&Config::compact()).check().expect("the compact sizes fit");
    let names: Vec<String> = graph.parameter_list().map(|(path, _)| weight_name(path)).collect();
    for name in [
        "segmentation.conv1.weight",
        "segmentation.bn6_1.running_var",
        "segmentation.poolconv3.bias",
        "segmentation.tranbn2.weight",
        "segmentation.upconv1_1.weight",
        "reconstruction.upbn1.running_mean",
    ] {
        assert!(names.iter().any(|own| own == name), "{name} is missing");
    }
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "no two parameters share a name");
}

/// Clouds of a few points with a cell or two marked, different for each frame.
fn clouds(config: &Config, frames: u64) -> Vec<Option<Value>> {
    let reach = f64::from(config.resolution_m) * config.size as f64 / 2.0;
    let cloud = |frame: u64| {
        let seed = Seed(frame);
        let count = 5 + seed.index(0, 40);
        let mut points = Vec::new();
        for point in 0..count as u64 {
            let number = |k: u64| (seed.uniform(10 + 4 * point + k) * 2.0 - 1.0) as f32;
            let across = |k: u64| number(k) * reach as f32 * 1.2;
            points.extend([across(0), across(1), number(2), number(3)]);
        }
        Some(Value::new(&[count, 4], &points))
    };
    (0..frames).map(cloud).collect()
}

fn fed(config: &Config, frames: u64) -> Streams {
    Streams::from([("cloud".to_owned(), clouds(config, frames))])
}

fn tiny() -> Graph {
    draft(&Config::tiny()).check().expect("the tiny sizes fit")
}

fn run(plan: &Plan, options: &Options, simulation: &Simulation) -> Outcome {
    simulate(plan, options, simulation).expect("the simulation ends")
}

/// What came out of an outlet; none where it depended on a failure.
fn maps(outcome: &Outcome, outlet: &str) -> Vec<Option<Value>> {
    outcome.outlets[outlet].iter().map(|output| output.value.clone().ok().flatten()).collect()
}

#[test]
fn outputs_are_the_same_bits_on_any_devices_and_schedule() {
    let (graph, feeds) = (tiny(), fed(&Config::tiny(), 7));
    let options = Options { seed: Seed(3), ..Options::default() };
    let expected = interpret(&graph, &options, &feeds).expect("the reference runs");
    let placements: [(usize, [&str; 2]); 4] = [
        (1, ["cpu:0", "cpu:0"]),
        (2, ["cpu:0", "cpu:1"]),
        (2, ["cpu:1", "cpu:0"]),
        (3, ["cpu:2", "cpu:1"]),
    ];
    for (devices, [first, second]) in placements {
        for fusion in [true, false] {
            let bound = [("ppn/segmentation", first), ("ppn/reconstruction", second)];
            let limits = Limits { fusion, reuse: fusion, ..Limits::default() };
            let plan = planned(&graph, devices, &bound, &limits);
            for seed in 0..3 {
                let simulation =
                    Simulation { seed: Seed(seed), feeds: feeds.clone(), ..Simulation::default() };
                let outcome = run(&plan, &options, &simulation);
                for branch in BRANCHES {
                    assert_eq!(maps(&outcome, branch), expected[branch], "{branch} on {first}");
                }
            }
        }
    }
}

#[test]
fn the_delay_line_is_bit_equal_to_rebuilding_every_map() {
    let config = Config::tiny();
    let options = Options::default();
    let frames = clouds(&config, 9);
    let streamed = interpret(&tiny(), &options, &fed(&config, 9)).expect("the reference runs");
    let view = points_to_bev(config.size, config.resolution_m, BevMode::Plain);
    let cells = config.size * config.size;
    let stacks = (0..frames.len()).map(|frame| {
        let mut stack = Vec::new();
        for age in (0..config.maps).rev() {
            match frame.checked_sub(age).and_then(|frame| frames[frame].clone()) {
                Some(cloud) => {
                    let map = fire_once(&view, &[cloud]).expect("the view fires");
                    stack.extend(map[0].elements::<f32>());
                }
                None => stack.extend(vec![0.0; cells]),
            }
        }
        Some(Value::new(&[1, config.maps, config.size, config.size], &stack))
    });
    let mut draft = Draft::new();
    let maps = draft.feed("maps", Spec::f32([1, config.maps, config.size, config.size]));
    let outputs = networks(&config, &mut draft, [maps, maps]);
    draft.outlet("segmentation", outputs.segmentation);
    draft.outlet("reconstruction", outputs.reconstruction);
    let graph = draft.check().expect("the networks fit");
    let feeds = Streams::from([("maps".to_owned(), stacks.collect())]);
    let rebuilt = interpret(&graph, &options, &feeds).expect("the reference runs");
    assert_eq!(streamed, rebuilt);
}

#[test]
fn killing_one_branch_leaves_the_other_bit_identical() {
    let graph = tiny();
    let bound = [("ppn/segmentation", "cpu:0"), ("ppn/reconstruction", "cpu:1")];
    let plan = planned(&graph, 2, &bound, &Limits::default());
    let options = Options { policy: FaultPolicy::Skip, ..Options::default() };
    let simulation = Simulation { feeds: fed(&Config::tiny(), 6), ..Simulation::default() };
    let whole = run(&plan, &options, &simulation);
    for (killed, other) in [(BRANCHES[0], BRANCHES[1]), (BRANCHES[1], BRANCHES[0])] {
        let victim = format!("ppn/{killed}/window/points_to_bev");
        let victim = plan.data().actors.iter().position(|actor| actor.path == victim);
        let victim = victim.expect("each branch has a view of its own");
        let inject = Arc::new(move |node: usize, _| (node == victim).then(|| "killed".to_owned()));
        let simulation = Simulation { inject: Some(inject), ..simulation.clone() };
        let outcome = run(&plan, &options, &simulation);
        assert_eq!(maps(&outcome, other), maps(&whole, other));
        assert_ne!(maps(&outcome, killed), maps(&whole, killed));
    }
}

#[test]
fn nothing_moves_between_the_branches_and_the_cloud_moves_twice() {
    let config = Config::tiny();
    let bound = [("ppn/segmentation", "cpu:0"), ("ppn/reconstruction", "cpu:1")];
    let plan = planned(&tiny(), 2, &bound, &Limits::default());
    let feeds = fed(&config, 5);
    let sizes = feeds["cloud"].iter().flatten().map(|cloud| cloud.bytes().len() as u64);
    let cloud_bytes: u64 = sizes.sum();
    let simulation = Simulation { feeds: feeds.clone(), ..Simulation::default() };
    let outcome = run(&plan, &Options::default(), &simulation);
    let report = &outcome.report;
    assert_eq!(report.between("cpu:0", "cpu:1"), (0, 0));
    assert_eq!(report.between("cpu:1", "cpu:0"), (0, 0));
    assert_eq!(report.between("host", "cpu:0"), (5, cloud_bytes));
    assert_eq!(report.between("host", "cpu:1"), (5, cloud_bytes));
    // The meter of multiply-adds agrees with the graph's exact count.
    assert_eq!(report.macs(), 5 * tiny().macs());
}

#[test]
fn the_order_of_points_does_not_matter() {
    let config = Config::tiny();
    let forward = clouds(&config, 4);
    let backward = forward.iter().flatten().map(|cloud| {
        let points = cloud.elements::<f32>();
        let reversed: Vec<f32> = points.chunks(4).rev().flatten().copied().collect();
        Some(Value::new(&cloud.extents, &reversed))
    });
    let stream = |clouds: Vec<Option<Value>>| {
        let feeds = BTreeMap::from([("cloud".to_owned(), clouds)]);
        interpret(&tiny(), &Options::default(), &feeds).expect("the reference runs")
    };
    assert_eq!(stream(forward.clone()), stream(backward.collect()));
}

#[test]
fn an_own_graph_can_hold_the_model() {
    let config = Config::tiny();
    let mut draft = Draft::new();
    let cloud = draft.feed(
        "cloud",
        synfire_ops::sample::bounded_first(
            synfire_runtime::spec::Element::F32,
            config.points,
            &[4],
        ),
    );
    let outputs = define(&config, &mut draft, cloud);
    let side = config.size;
    assert_eq!(draft.spec(outputs.segmentation), Some(&Spec::f32([1, 1, side, side])));
    draft.outlet("segmentation", outputs.segmentation);
    assert!(draft.check().is_ok());
}
