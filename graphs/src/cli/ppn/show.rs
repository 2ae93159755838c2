//! What the job tells: a table, and pictures.

use std::path::Path;

use miette::{IntoDiagnostic, Result};
use synfire_ops::perception::points_to_bev::{BevMode, points_to_bev};
use synfire_runtime::solo::fire_once;
use synfire_runtime::value::Value;

use super::super::{PpnArguments, say};
use super::Job;
use super::measure::{OUTLETS, Streaming};
use crate::models::perception::ppn::Config;
use crate::report::picture::{
    ColourMap, Map, Orientation, Panel, Picture, Range, draw_map, write_png,
};

/// Share below which `share` of the samples lie.
fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get(((sorted.len() as f64 * share) as usize).min(last)).copied().unwrap_or(f64::NAN)
}

fn ms(nanoseconds: f64) -> f64 {
    nanoseconds / 1e6
}

/// Prints the table.
pub(super) fn table(job: &Job<'_>) -> Result<()> {
    let Job { plan, alone, apart, streaming, frames, .. } = job;
    say(&format!("source      {}", frames.name));
    let names: Vec<&str> = plan.placed().devices().iter().map(|(name, _)| name).collect();
    say(&format!("devices     {}", names.join(", ")));
    let fps = streaming.frames as f64 / (streaming.wall_ns / 1e9);
    say(&format!("frames      {} at {fps:.2} frames/s, frames in flight", streaming.frames));
    let row = |name: &str, samples: &[f64]| {
        let (p50, p99) = (ms(quantile(samples, 0.5)), ms(quantile(samples, 0.99)));
        say(&format!("  {name:<34} {p50:>9.2} {p99:>9.2}"));
    };
    say(&format!("  {:<34} {:>9} {:>9}", "latency of a frame, ms", "p50", "p99"));
    row("one device, frame by frame", &alone.latency_ns);
    row("all devices, frame by frame", &apart.latency_ns);
    row("all devices, in flight", &streaming.latency_ns);
    say(&format!("  {:<34} {:>9} {:>9}", "stage, ms a frame", "p50", "p99"));
    streaming.stage_ns.iter().for_each(|(stage, samples)| row(stage, samples));
    speedup(job);
    busy(streaming);
    let agreement = agreement(job);
    bytes(job);
    if frames.points_cut > 0 {
        say(&format!("points      {} beyond the graph's bound were left out", frames.points_cut));
    }
    if !frames.skipped.is_empty() {
        say(&format!("skipped     {}", frames.skipped));
    }
    agreement
}

/// On devices of one kind the outputs must be the same bits; between kinds they are close.
fn agreement(job: &Job<'_>) -> Result<()> {
    let (alone, apart) = (&job.alone.outputs, &job.apart.outputs);
    if alone == apart {
        say("outputs     one device and all devices: the same bits");
        return Ok(());
    }
    if job.plan.placed().devices().iter().all(|(_, device)| device.is_host()) {
        miette::bail!("the outputs depend on the placement: a bug of Synfire");
    }
    let pairs = alone.iter().flatten().zip(apart.iter().flatten());
    let (mut largest, mut difference) = (0.0_f32, 0.0_f32);
    for (a, b) in pairs {
        for (a, b) in a.elements::<f32>().into_iter().zip(b.elements::<f32>()) {
            largest = largest.max(a.abs());
            difference = difference.max((a - b).abs());
        }
    }
    let relative = difference / largest.max(f32::MIN_POSITIVE);
    say(&format!("outputs     one device and all devices differ by {relative:.1e} of the largest"));
    Ok(())
}

fn speedup(job: &Job<'_>) {
    let (one, all) = (quantile(&job.alone.latency_ns, 0.5), quantile(&job.apart.latency_ns, 0.5));
    let branches: Vec<f64> =
        job.alone.branch_ns.values().map(|samples| quantile(samples, 0.5)).collect();
    let longest = branches.iter().copied().fold(0.0, f64::max);
    let ideal = branches.iter().sum::<f64>() / longest;
    let speedup = one / all;
    say(&format!(
        "latency     {speedup:.2} x one device; ideal {ideal:.2} (sum of branches over the \
         longer), reached {:.0} %",
        100.0 * speedup / ideal
    ));
    let period = job.streaming.wall_ns / job.streaming.frames.max(1) as f64;
    let balance =
        if job.arguments.balance { "balanced" } else { "a branch each; --balance moves nodes" };
    say(&format!("throughput  {:.2} x one device ({balance})", one / period));
}

/// How much of the streaming time each lane spent inside kernels.
fn busy(streaming: &Streaming) {
    let lanes = streaming.report.lanes.iter();
    let share = |lane: &synfire_runtime::observe::LaneReport| {
        format!("{} {:.0} %", lane.device, 100.0 * lane.busy_ns as f64 / streaming.wall_ns)
    };
    say(&format!("busy        {}", lanes.map(share).collect::<Vec<_>>().join(", ")));
}

fn bytes(job: &Job<'_>) {
    let report = &job.streaming.report;
    let mut pairs: Vec<(&str, &str)> =
        report.links.iter().map(|link| (link.from.as_str(), link.to.as_str())).collect();
    pairs.sort_unstable();
    pairs.dedup();
    for (from, to) in pairs {
        let (tokens, bytes) = report.between(from, to);
        say(&format!("moved       {from} -> {to}: {tokens} tokens, {bytes} bytes"));
    }
    let planned: u64 = job.plan.memory().iter().map(|row| row.total_bytes()).sum();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    say(&format!(
        "memory      planned {:.1} MiB, measured peak {:.1} MiB (heap of a run, launch to end)",
        mib(planned),
        mib(job.measured_bytes)
    ));
}

/// Writes the pictures of the last frame.
pub(super) fn pictures(
    arguments: &PpnArguments,
    config: &Config,
    streaming: &Streaming,
) -> Result<()> {
    let Some((cloud, maps)) = &streaming.last else { return Ok(()) };
    std::fs::create_dir_all(&arguments.out).into_diagnostic()?;
    let view = points_to_bev(config.size, config.resolution_m, BevMode::Heights);
    let heights = fire_once(&view, std::slice::from_ref(cloud)).into_diagnostic()?;
    let bev = drawn(&heights[0], config.size, Range::Fixed(0.0, 3.0));
    let mut panels = vec![("bird's eye view: heights, m".to_owned(), bev)];
    for (name, map) in OUTLETS.iter().zip(maps) {
        let picture = drawn(map, config.size, Range::Percentile(1.0, 99.0));
        panels.push(((*name).to_owned(), picture));
    }
    for ((_, picture), file) in panels.iter().zip(["bev", OUTLETS[0], OUTLETS[1]]) {
        save(&arguments.out.join(format!("{file}.png")), picture)?;
    }
    let panels: Vec<Panel<'_>> =
        panels.iter().map(|(caption, picture)| Panel { caption, picture }).collect();
    save(&arguments.out.join("ppn.png"), &Picture::panels(&panels))?;
    say(&format!("pictures    {}", arguments.out.join("ppn.png").display()));
    Ok(())
}

fn drawn(map: &Value, size: usize, range: Range) -> Picture {
    let values = map.elements::<f32>();
    let colours = ColourMap::Perceptual;
    let map =
        Map { values: &values, width: size, orientation: Orientation::BirdsEye, range, colours };
    draw_map(&map).picture.enlarged((512 / size).max(1))
}

fn save(path: &Path, picture: &Picture) -> Result<()> {
    write_png(path, picture).into_diagnostic()
}
