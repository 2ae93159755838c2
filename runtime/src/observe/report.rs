//! Reports: counters and distributions of a run, as values, a table and JSON.

use std::fmt;

use serde::Serialize;

use crate::plan::PlanData;
use crate::run::{Failure, Shared};

use super::LaneMeter;

/// What a run did so far.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One row for each actor that fires.
    pub actors: Vec<ActorReport>,
    /// One row for each stream between volleys, feeds and outlets.
    pub links: Vec<LinkReport>,
    /// One row for each lane.
    pub lanes: Vec<LaneReport>,
    /// The failures, the first ones when there were too many to keep.
    pub failures: Vec<Failure>,
    /// How many failures there were.
    pub failure_count: u64,
}

/// What one actor did.
#[derive(Clone, Debug, Serialize)]
pub struct ActorReport {
    /// Node path.
    pub path: String,
    /// Operator name, followed by the stages fused into it.
    pub operator: String,
    /// Device name.
    pub device: String,
    /// Firings with a value, in whole iterations of its volley.
    pub fired: u64,
    /// Firings skipped because an input was null.
    pub null: u64,
    /// Firings skipped because an input was poisoned.
    pub poisoned: u64,
    /// Firings that failed.
    pub failed: u64,
    /// Multiply-adds done, stages included.
    pub macs: u64,
    /// Mean of the timed firings, nanoseconds; 0 when none was timed.
    pub mean_ns: f64,
    /// Median of the timed firings, nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile of the timed firings, nanoseconds.
    pub p99_ns: u64,
}

/// What passed over one link.
#[derive(Clone, Debug, Serialize)]
pub struct LinkReport {
    /// `node path:port`.
    pub stream: String,
    /// Device or `host` of the writer.
    pub from: String,
    /// Device or `host` of the reader.
    pub to: String,
    /// Path of the reader.
    pub reader: String,
    /// Tokens with a value that were taken.
    pub tokens: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Tokens published but never taken; known once the stream has ended.
    pub left_over: u64,
}

/// What one lane did.
#[derive(Clone, Debug, Serialize)]
pub struct LaneReport {
    /// Device name.
    pub device: String,
    /// Nanoseconds inside timed firings.
    pub busy_ns: u64,
    /// How often it parked.
    pub parked: u64,
    /// How often it found work while spinning.
    pub spun: u64,
}

impl Report {
    pub(crate) fn new<'a>(
        data: &PlanData,
        lanes: impl Iterator<Item = &'a LaneMeter>,
        shared: &Shared,
    ) -> Self {
        let mut actors = Vec::new();
        let mut lane_rows = Vec::new();
        for lane in lanes {
            let durations = lane.durations.lock();
            for (own, meter) in lane.actors.iter().enumerate() {
                let actor = &data.actors[meter.index];
                let stages = || actor.stages.iter().map(|&stage| &data.actors[stage as usize]);
                let skipped = meter.null.get() + meter.poisoned.get() + meter.failed.get();
                let iterations = lane.volleys[meter.volley].get();
                let fired = (iterations * u64::from(actor.times)).saturating_sub(skipped);
                let timed = durations.get(own).filter(|timed| !timed.is_empty());
                let at = |quantile| timed.map_or(0, |timed| timed.value_at_quantile(quantile));
                let names: String =
                    stages().map(|stage| format!(" + {}", stage.operator)).collect();
                actors.push(ActorReport {
                    path: actor.path.clone(),
                    operator: actor.operator.clone() + &names,
                    device: lane.device.clone(),
                    fired,
                    null: meter.null.get(),
                    poisoned: meter.poisoned.get(),
                    failed: meter.failed.get(),
                    macs: fired * (actor.macs + stages().map(|stage| stage.macs).sum::<u64>()),
                    mean_ns: timed.map_or(0.0, hdrhistogram::Histogram::mean),
                    p50_ns: at(0.5),
                    p99_ns: at(0.99),
                });
            }
            lane_rows.push(LaneReport {
                device: lane.device.clone(),
                busy_ns: lane.busy_ns.get(),
                parked: lane.parked.get(),
                spun: lane.spun.get(),
            });
        }
        let links = data.links.iter().zip(&shared.links).map(|(link, meter)| LinkReport {
            stream: data.registers[link.register as usize].name.clone(),
            from: data.place(link.from).to_owned(),
            to: data.place(link.to).to_owned(),
            reader: data.actors[link.to as usize].path.clone(),
            tokens: meter.tokens.get(),
            bytes: meter.bytes.get(),
            left_over: meter.left_over(),
        });
        let (failures, failure_count) = shared.failures();
        Self { actors, links: links.collect(), lanes: lane_rows, failures, failure_count }
    }

    /// Tokens and bytes that went from one device to another; `host` is outside.
    #[must_use]
    pub fn between(&self, from: &str, to: &str) -> (u64, u64) {
        let links = self.links.iter().filter(|link| link.from == from && link.to == to);
        links.fold((0, 0), |(tokens, bytes), l| (tokens + l.tokens, bytes + l.bytes))
    }

    /// Multiply-adds done.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.actors.iter().map(|actor| actor.macs).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |ns: u64| ns as f64 / 1e3;
        writeln!(
            f,
            "{:<44} {:<8} {:>8} {:>11} {:>11}  operator",
            "actor", "device", "fired", "p50 us", "p99 us"
        )?;
        for row in &self.actors {
            let (p50, p99) = (us(row.p50_ns), us(row.p99_ns));
            writeln!(
                f,
                "{:<44} {:<8} {:>8} {p50:>11.1} {p99:>11.1}  {}",
                row.path, row.device, row.fired, row.operator
            )?;
        }
        writeln!(
            f,
            "\n{:<44} {:>8} {:>14} {:>9}  from -> to",
            "stream", "tokens", "bytes", "left"
        )?;
        for row in &self.links {
            writeln!(
                f,
                "{:<44} {:>8} {:>14} {:>9}  {} -> {}",
                row.stream, row.tokens, row.bytes, row.left_over, row.from, row.to
            )?;
        }
        for failure in &self.failures {
            writeln!(f, "failed: {failure}")?;
        }
        Ok(())
    }
}
