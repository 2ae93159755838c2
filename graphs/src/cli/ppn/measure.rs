//! Streaming clouds through a plan, and the times that it took.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, Result, bail};
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::observe::{Allocations, Report, Sampling};
use synfire_runtime::plan::Plan;
use synfire_runtime::run::{FeedError, Outlet, OutletError, Run, TimedFiring};
use synfire_runtime::value::Value;

use super::super::stop::Interrupt;
use super::frames::Frames;

/// Longer than any frame takes.
const LONG: Duration = Duration::from_secs(600);

/// How long draining may take after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(60);

/// The outlets of the model.
pub(super) const OUTLETS: [&str; 2] = ["segmentation", "reconstruction"];

/// A frame-by-frame measurement.
pub(super) struct Measured {
    /// Nanoseconds from a cloud going in to both maps having come out.
    pub(super) latency_ns: Vec<f64>,
    /// Nanoseconds of each branch's firings, for each frame.
    pub(super) branch_ns: BTreeMap<String, Vec<f64>>,
    /// What came out, for comparison.
    pub(super) outputs: Vec<[Value; 2]>,
    pub(super) report: Report,
}

/// A measurement with frames in flight.
pub(super) struct Streaming {
    pub(super) frames: u64,
    pub(super) wall_ns: f64,
    /// Nanoseconds from a cloud entering its register to both maps having been taken.
    pub(super) latency_ns: Vec<f64>,
    pub(super) stage_ns: BTreeMap<String, Vec<f64>>,
    pub(super) last: Option<(Value, [Value; 2])>,
    pub(super) report: Report,
    pub(super) trace: String,
}

/// Feeds one cloud at a time and waits for both maps.
pub(super) fn frame_by_frame(
    plan: &Plan,
    options: &Options,
    clouds: &[Value],
    what: &'static str,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let clock = options.clock.clone();
    let mut run = launch(plan, options).into_diagnostic()?;
    interrupt.watch(run.stopper());
    let mut feed = run.feed("cloud").expect("the model has this feed");
    let mut outlets = outlets(&mut run);
    let bar = bar(Some(clouds.len() as u64), what);
    let (mut latency_ns, mut outputs) = (Vec::new(), Vec::new());
    for cloud in clouds {
        let start = clock.now_ns();
        match feed.send(cloud, LONG) {
            Ok(()) => {}
            Err(FeedError::Closed) => break,
            Err(error) => return Err(error).into_diagnostic(),
        }
        let Some(maps) = maps(&mut outlets)? else { break };
        latency_ns.push((clock.now_ns() - start) as f64);
        outputs.push(maps.1);
        bar.inc(1);
    }
    bar.finish_and_clear();
    drop((feed, outlets));
    let timed = run.timed();
    let report = run.finish(LONG).into_diagnostic()?;
    let branch_ns = by_frame(&timed, |path| path.split('/').take(2).collect::<Vec<_>>().join("/"));
    Ok(Measured { latency_ns, branch_ns, outputs, report })
}

/// Feeds as fast as the credits allow and takes what comes out.
pub(super) fn in_flight(
    plan: &Plan,
    options: &Options,
    frames: &mut Frames,
    interrupt: &Interrupt,
) -> Result<Streaming> {
    let clock = options.clock.clone();
    let mut run = launch(plan, options).into_diagnostic()?;
    interrupt.watch(run.stopper());
    let mut feed = run.feed("cloud").expect("the model has this feed");
    let mut outlets = outlets(&mut run);
    let bar = bar(frames.expected(), "streaming");
    let start = clock.now_ns();
    let mut latency_ns = Vec::new();
    let mut last_maps = None;
    let last_cloud = std::thread::scope(|scope| -> Result<Option<Value>> {
        let writer = scope.spawn(move || -> Result<Option<Value>> {
            let mut last = None;
            while let Some(cloud) = frames.next()? {
                match feed.send(&cloud, LONG) {
                    Ok(()) => last = Some(cloud),
                    Err(FeedError::Closed) => break,
                    Err(error) => return Err(error).into_diagnostic(),
                }
            }
            Ok(last)
        });
        while let Some((stamp_ns, maps)) = maps(&mut outlets)? {
            latency_ns.push(clock.now_ns() as f64 - stamp_ns as f64);
            last_maps = Some(maps);
            bar.inc(1);
        }
        writer.join().expect("the writer does not panic")
    })?;
    let wall_ns = (clock.now_ns() - start) as f64;
    bar.finish_and_clear();
    drop(outlets);
    let (timed, trace) = (run.timed(), run.trace());
    let report = if interrupt.is_pressed() { run.drain(DRAIN) } else { run.finish(LONG) };
    let stage = |path: &str| path.split('/').skip(1).take(2).collect::<Vec<_>>().join("/");
    Ok(Streaming {
        frames: latency_ns.len() as u64,
        wall_ns,
        latency_ns,
        stage_ns: by_frame(&timed, stage),
        last: last_cloud.zip(last_maps),
        report: report.into_diagnostic()?,
        trace,
    })
}

/// The largest number of bytes that a run holds from launch to end, without observation: what the
/// plan foretells.
pub(super) fn peak_bytes(
    plan: &Plan,
    options: &Options,
    clouds: &[Value],
    allocations: &Allocations,
) -> Result<u64> {
    let options = Options { sampling: Sampling::OFF, ..options.clone() };
    let idle = allocations.live_bytes();
    allocations.reset_peak();
    let mut run = launch(plan, &options).into_diagnostic()?;
    let mut feed = run.feed("cloud").expect("the model has this feed");
    let mut outlets = outlets(&mut run);
    for cloud in clouds.iter().take(3) {
        if feed.send(cloud, LONG).is_err() {
            break;
        }
        for outlet in &mut outlets {
            outlet.wait(LONG).into_diagnostic()?;
            outlet.try_read(|_, _| ()).into_diagnostic()?.1.into_diagnostic()?;
        }
    }
    let peak = allocations.peak_bytes();
    drop((feed, outlets));
    run.finish(LONG).into_diagnostic()?;
    Ok(peak - idle)
}

fn outlets(run: &mut Run) -> [Outlet; 2] {
    OUTLETS.map(|name| run.outlet(name).expect("the model has this outlet"))
}

/// Both maps of the next frame and when its cloud went in; none at the end.
fn maps(outlets: &mut [Outlet; 2]) -> Result<Option<(i64, [Value; 2])>> {
    let mut both = Vec::new();
    let mut entered_ns = 0;
    for outlet in outlets {
        match outlet.receive(LONG) {
            Ok(output) => {
                entered_ns = output.stamp.ingest_time_ns;
                let value = output.value.into_diagnostic()?;
                both.push(value.expect("this model has no null outputs"));
            }
            Err(OutletError::Ended) => return Ok(None),
            Err(OutletError::Empty) => bail!("no map came out within {} s", LONG.as_secs()),
        }
    }
    let both: [Value; 2] = both.try_into().expect("one map for each outlet");
    Ok(Some((entered_ns, both)))
}

/// Sums of durations by group and frame.
fn by_frame(timed: &[TimedFiring], group: impl Fn(&str) -> String) -> BTreeMap<String, Vec<f64>> {
    let mut sums: BTreeMap<(String, u64), f64> = BTreeMap::new();
    for event in timed {
        let key = (group(&event.path), event.sequence);
        *sums.entry(key).or_default() += (event.end_ns - event.start_ns) as f64;
    }
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for ((group, _), sum) in sums {
        groups.entry(group).or_default().push(sum);
    }
    groups
}

/// A progress bar on standard error; invisible where that is no terminal.
fn bar(length: Option<u64>, what: &'static str) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let form = "{msg:>12} {wide_bar} {pos}/{len} frames {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    bar.with_message(what)
}
