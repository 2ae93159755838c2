//! Benchmarks: what a hop, a pipeline and a model cost, beside the floor of the same run.
//!
//! Rows are JSON lines with the keys `suite`, `case`, `peer`, `threads`, `median_ns`, `p10_ns`,
//! `p90_ns`, `min_ns` and `n`, so that other runtimes can be put beside ours; they are printed and,
//! when `PEERS_OUT` names a file, appended to it.

pub mod hops; // messages between actors
pub mod pipeline; // layers in stages, tokens in flight
pub mod period; // predicted and measured
pub mod noise; // what noise on gradients does for deep networks
pub mod spin; // an actor that takes a given time

use std::io::Write;

/// One measured case: nanoseconds of each repetition.
pub struct Row<'a> {
    /// The suite, such as `hops`.
    pub suite: &'a str,
    /// The case, such as `chain64`.
    pub case: &'a str,
    /// Who was measured.
    pub peer: &'a str,
    /// Threads that it used.
    pub threads: usize,
    /// Nanoseconds of each repetition.
    pub samples: Vec<f64>,
}

impl Row<'_> {
    /// The sample below which a share of all samples lies.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get(((sorted.len() as f64 * share) as usize).min(last)).copied().unwrap_or(f64::NAN)
    }

    /// The row as a JSON line.
    #[must_use]
    pub fn json(&self) -> String {
        format!(
            "{{\"suite\":\"{}\",\"case\":\"{}\",\"peer\":\"{}\",\"threads\":{},\"median_ns\":{:.3},\
             \"p10_ns\":{:.3},\"p90_ns\":{:.3},\"min_ns\":{:.3},\"n\":{}}}",
            self.suite,
            self.case,
            self.peer,
            self.threads,
            self.quantile(0.5),
            self.quantile(0.1),
            self.quantile(0.9),
            self.quantile(0.0),
            self.samples.len()
        )
    }

    /// Writes the row to `out` and, when `PEERS_OUT` is set, to that file.
    ///
    /// # Errors
    /// When a line cannot be written.
    pub fn report(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let line = self.json();
        writeln!(out, "{line}")?;
        if let Some(path) = std::env::var_os("PEERS_OUT") {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}
