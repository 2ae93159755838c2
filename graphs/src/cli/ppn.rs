//! `synfire run ppn`: LiDAR through both networks, on two devices at once.
//!
//! One run measures three things with the same clouds: the graph on one device, frame by frame;
//! on all devices, frame by frame; and on all devices with frames in flight. So the speed-up stands
//! beside its ideal, and outputs of the first two must be the same bits.

mod frames; // clouds from a recording or the synthetic track
mod measure; // streaming and timing
mod show; // table and pictures

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use miette::{IntoDiagnostic, Result};
use synfire_runtime::balance::balance;
use synfire_runtime::device::Devices;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::{Options, Weights};
use synfire_runtime::observe::{Allocations, Sampling};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::random::Seed;

use super::stop::Interrupt;
use super::{INTERRUPTED, PpnArguments, Size, say};
use crate::models::perception::ppn as model;
use crate::weights;
use frames::Frames;
use measure::{Measured, Streaming, frame_by_frame, in_flight, peak_bytes};

/// Frames of each of the frame-by-frame measurements.
const TIMED_FRAMES: usize = 12;

/// Weights of the compact networks; graphs/assets/README.md says how they were made.
const SHIPPED: &[u8] = include_bytes!("../../assets/ppn-compact.safetensors");

/// The two networks on the first and the last device.
pub(super) fn branches(devices: &Devices) -> Placement {
    let names: Vec<&str> = devices.iter().map(|(name, _)| name).collect();
    let last = names[names.len() - 1];
    Placement::new().on("ppn/segmentation", names[0]).on("ppn/reconstruction", last)
}

/// Runs the job.
pub(super) fn run(arguments: &PpnArguments, allocations: &'static Allocations) -> Result<ExitCode> {
    let interrupt = Interrupt::listen();
    let devices = super::devices(arguments.devices.as_deref())?;
    let config = arguments.config.config();
    let graph = model::draft(&config).check().into_diagnostic()?;
    let options = Options {
        weights: weights(arguments, &graph)?,
        seed: Seed(arguments.seed),
        ..Options::default()
    };
    let first = devices.iter().next().map(|(name, _)| name.to_owned()).unwrap_or_default();
    let one = planned(&graph, &devices, &Placement::new().on("ppn", &first), &BTreeMap::new())?;
    let two = planned(&graph, &devices, &branches(&devices), &BTreeMap::new())?;
    if arguments.plan && !arguments.balance {
        say(&two.explain());
        return Ok(ExitCode::SUCCESS);
    }
    let mut frames = Frames::open(arguments, config.points)?;
    let clouds = frames.first(TIMED_FRAMES)?;
    let full =
        Options { sampling: Sampling { every: 1, trace_events: 1 << 16 }, ..options.clone() };
    let alone = frame_by_frame(&one, &full, &clouds, "one device", &interrupt)?;
    let apart = frame_by_frame(&two, &full, &clouds, "all devices", &interrupt)?;
    let streamed = if arguments.balance { balanced(&graph, &two, &apart)? } else { two.clone() };
    if arguments.plan {
        say(&streamed.explain());
        return Ok(ExitCode::SUCCESS);
    }
    let measured_bytes = peak_bytes(&streamed, &options, &clouds, allocations)?;
    let streaming = in_flight(&streamed, &full, &mut frames, &interrupt)?;
    if let Some(path) = &arguments.trace {
        std::fs::write(path, &streaming.trace).into_diagnostic()?;
    }
    show::table(&Job {
        arguments,
        plan: &streamed,
        alone,
        apart,
        streaming: &streaming,
        measured_bytes,
        frames: &frames,
    })?;
    show::pictures(arguments, &config, &streaming)?;
    Ok(if interrupt.is_pressed() { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// All that the table tells about.
struct Job<'a> {
    arguments: &'a PpnArguments,
    plan: &'a Plan,
    alone: Measured,
    apart: Measured,
    streaming: &'a Streaming,
    measured_bytes: u64,
    frames: &'a Frames,
}

fn weights(arguments: &PpnArguments, graph: &Graph) -> Result<Weights> {
    match &arguments.weights {
        Some(path) => weights::load(path, graph, &model::weight_name).into_diagnostic(),
        None if arguments.config == Size::Compact => {
            weights::parse(SHIPPED, Path::new("shipped"), graph, &model::weight_name)
                .into_diagnostic()
        }
        None => Ok(Weights::default()),
    }
}

fn planned(
    graph: &Graph,
    devices: &Devices,
    wishes: &Placement,
    seconds: &BTreeMap<String, f64>,
) -> Result<Plan> {
    let placed = place(graph, devices, wishes).into_diagnostic()?;
    // The program's own threads take time on the same cores: a frame of room evens that out.
    let limits = Limits { seconds: seconds.clone(), slack: 1, ..Limits::default() };
    plan(&placed, &limits).into_diagnostic()
}

/// The plan after nodes have moved between the devices by the seconds that were measured.
fn balanced(graph: &Graph, plan: &Plan, measured: &Measured) -> Result<Plan> {
    // A node that was fused has no row: its time is its producer's.
    let mut seconds: BTreeMap<String, f64> =
        graph.nodes().map(|(path, ..)| (path.to_owned(), 0.0)).collect();
    let rows = measured.report.actors.iter();
    seconds.extend(rows.map(|row| (row.path.clone(), row.mean_ns / 1e9)));
    let wishes = balance(plan.placed(), &seconds);
    planned(graph, plan.placed().devices(), &wishes, &seconds)
}
