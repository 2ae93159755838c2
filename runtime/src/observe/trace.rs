//! Trace files in the Chrome trace event format, which Perfetto reads too: one row for each lane,
//! one slice for each timed firing, and a flow arrow for each token that crosses lanes.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::plan::PlanData;

use super::{LaneMeter, TraceEvent};

/// The trace as JSON text. Lanes are threads of one process; times are microseconds.
pub(crate) fn chrome<'a>(data: &PlanData, lanes: impl Iterator<Item = &'a LaneMeter>) -> String {
    let mut text = String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    let mut ends: BTreeMap<(u32, u64), (usize, u64, u64)> = BTreeMap::new();
    for (lane, meter) in lanes.enumerate() {
        let name = escape(&meter.device);
        let _ = writeln!(
            text,
            "{{\"ph\":\"M\",\"pid\":1,\"tid\":{lane},\"name\":\"thread_name\",\
             \"args\":{{\"name\":\"{name}\"}}}},"
        );
        for event in meter.trace.lock().iter() {
            slice(&mut text, data, lane, event);
            let key = (event.actor, event.sequence);
            ends.insert(key, (lane, event.start_ns, event.end_ns));
        }
    }
    let mut arrows = 0_u64;
    for link in &data.links {
        let readers = ends.range((link.to, 0)..=(link.to, u64::MAX));
        for (&(_, sequence), &(reader, start, _)) in readers {
            let Some(&(writer, _, end)) = ends.get(&(link.from, sequence)) else { continue };
            if writer != reader {
                arrows += 1;
                flow(&mut text, arrows, "s", writer, end.saturating_sub(1));
                flow(&mut text, arrows, "f", reader, start);
            }
        }
    }
    let _ = write!(
        text,
        "{{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\
         \"args\":{{\"name\":\"synfire\"}}}}\n]}}\n"
    );
    text
}

fn slice(text: &mut String, data: &PlanData, lane: usize, event: &TraceEvent) {
    let actor = &data.actors[event.actor as usize];
    let (name, operator) = (escape(&actor.path), escape(&actor.operator));
    let start = event.start_ns as f64 / 1e3;
    let duration = (event.end_ns - event.start_ns) as f64 / 1e3;
    let sequence = event.sequence;
    let _ = writeln!(
        text,
        "{{\"ph\":\"X\",\"pid\":1,\"tid\":{lane},\"ts\":{start:.3},\"dur\":{duration:.3},\
         \"name\":\"{name}\",\"cat\":\"{operator}\",\"args\":{{\"sequence\":{sequence}}}}},"
    );
}

fn flow(text: &mut String, id: u64, phase: &str, lane: usize, ns: u64) {
    let at = ns as f64 / 1e3;
    let binds = if phase == "f" { ",\"bp\":\"e\"" } else { "" };
    let _ = writeln!(
        text,
        "{{\"ph\":\"{phase}\",\"pid\":1,\"tid\":{lane},\"ts\":{at:.3},\"id\":{id},\
         \"name\":\"token\",\"cat\":\"token\"{binds}}},"
    );
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
