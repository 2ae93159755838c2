//! The predicted period of an iteration against the measured one, where something other than the
//! busiest device sets it: a skip edge over a stage, and a feedback.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use miette::{IntoDiagnostic, Result};
use synfire_runtime::clock::{Clock, RealClock};
use synfire_runtime::define::{Draft, Initial};
use synfire_runtime::device::Devices;
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::observe::Sampling;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};

use super::Row;
use super::spin::{Body, number, pass};

const LONG: Duration = Duration::from_secs(600);

/// Nanoseconds of the stages: far above a hop, and unequal.
const FRONT_NS: u64 = 200_000;
const BACK_NS: u64 = 150_000;

/// Measures both examples with `tokens` iterations each, `rounds` times.
///
/// # Errors
/// When a graph cannot be planned or run, or a row cannot be written.
pub fn run(rounds: usize, tokens: u64, out: &mut dyn Write) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    let bench = Bench { rounds, tokens, clock: clock.clone() };
    bench.compare("skip", skip(tokens, &clock), out)?;
    bench.compare("feedback_1", feedback(tokens, 1, &clock), out)?;
    bench.compare("feedback_2", feedback(tokens, 2, &clock), out)
}

struct Bench {
    rounds: usize,
    tokens: u64,
    clock: Arc<dyn Clock>,
}

/// A source and a stage in front, a stage and a join behind; the join also takes what skips.
fn skip(tokens: u64, clock: &Arc<dyn Clock>) -> Draft {
    let spin = |nanoseconds| Body::Spin(nanoseconds, clock.clone());
    let mut draft = Draft::new();
    let x = draft.scope("front", |draft| draft.apply(pass(0, Body::EndAt(tokens)), &[]));
    let y = draft.scope("front", |draft| draft.apply(pass(1, spin(FRONT_NS)), &[x]));
    let z = draft.scope("back", |draft| draft.apply(pass(1, spin(BACK_NS)), &[y]));
    draft.scope("back", |draft| draft.apply(pass(2, spin(BACK_NS / 3)), &[z, x]));
    draft
}

/// Two stages in a circle that holds `staleness` tokens.
fn feedback(tokens: u64, staleness: usize, clock: &Arc<dyn Clock>) -> Draft {
    let spin = |nanoseconds| Body::Spin(nanoseconds, clock.clone());
    let mut draft = Draft::new();
    let x = draft.scope("front", |draft| draft.apply(pass(0, Body::EndAt(tokens)), &[]));
    let (back, open) = draft.feedback(number(), staleness, Initial::Zeros);
    let y = draft.scope("front", |draft| draft.apply(pass(2, spin(FRONT_NS)), &[x, back]));
    let z = draft.scope("back", |draft| draft.apply(pass(1, spin(BACK_NS)), &[y]));
    draft.close(open, z);
    draft
}

impl Bench {
    fn compare(&self, case: &str, draft: Draft, out: &mut dyn Write) -> Result<()> {
        let graph = draft.check().into_diagnostic()?;
        let devices = Devices::new().with_cores("cpu:0", vec![0], true).with_cores(
            "cpu:1",
            vec![1.min(crate::machine::cores() - 1)],
            true,
        );
        let wishes = Placement::new().on("front", "cpu:0").on("back", "cpu:1");
        let placed = place(&graph, &devices, &wishes).into_diagnostic()?;
        let seconds =
            [("front/pass_2", FRONT_NS), ("back/pass", BACK_NS), ("back/pass_2", BACK_NS / 3)]
                .map(|(path, nanoseconds)| (path.to_owned(), nanoseconds as f64 / 1e9));
        let limits = Limits { seconds: seconds.into(), ..Limits::default() };
        let plan = plan(&placed, &limits).into_diagnostic()?;
        let predicted_ns = plan.data().period.seconds * 1e9;
        let options = Options { sampling: Sampling::OFF, ..Options::default() };
        let mut samples = Vec::new();
        for _ in 0..self.rounds {
            let run = launch(&plan, &options).into_diagnostic()?;
            let start = self.clock.now_ns();
            run.finish(LONG).into_diagnostic()?;
            samples.push((self.clock.now_ns() - start) as f64 / self.tokens as f64);
        }
        let row = Row { suite: "period", case, peer: "synfire", threads: 2, samples };
        row.report(out).into_diagnostic()?;
        let ratio = row.quantile(0.5) / predicted_ns;
        writeln!(
            out,
            "{{\"suite\":\"period\",\"case\":\"{case}\",\"predicted_ns\":{predicted_ns:.0},\
         \"measured_over_predicted\":{ratio:.3}}}"
        )
        .into_diagnostic()
    }
}
