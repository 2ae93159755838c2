//! What one message between two actors costs, in nanoseconds of wall time a hop.
//!
//! - `chain64`: 64 actors in a row, as many tokens as the credits allow;
//! - `chain64_lat`: the same with one token in flight;
//! - `pingpong`: two actors, one token;
//! - `diamond8`: a source, 8 branches, and a join that waits for all of them (16 hops a token).
//!
//! With two threads the chain is cut in the middle, and ping-pong has one actor on each. The floor
//! of the same run stands beside it: two threads that hand one atomic word to and fro. Spinning and
//! parked wake-ups are different things and are reported apart. METG is the smallest task at which
//! two lanes keep 50 % of their efficiency (Slaughter et al., "Task Bench", 2020).

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use miette::{IntoDiagnostic, Result};
use synfire_runtime::clock::{Clock, RealClock};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::observe::Sampling;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};

use super::Row;
use super::spin::{Body, number, pass};

const LONG: Duration = Duration::from_secs(600);
const CHAIN: usize = 64;
const BRANCHES: usize = 8;

/// Tokens that may run ahead, as in the peers' channels.
const AHEAD: usize = 1024;

/// Looks before an idle lane parks: long enough that an awake lane never does.
const AWAKE: u32 = 1_000_000;

/// Runs every case with `threads` threads and reports rows to `out`.
///
/// # Errors
/// When a graph cannot be planned or run, or a row cannot be written.
pub fn run(threads: usize, tokens: u64, out: &mut dyn Write) -> Result<()> {
    let bench = Bench { threads, clock: Arc::new(RealClock::new()) };
    let few = tokens / 10;
    let chain = bench.ahead(&|| chain(tokens, None, &Body::Nothing))?;
    bench.report(out, "chain64", &chain, (tokens * CHAIN as u64, AWAKE))?;
    let single = bench.plan(chain_of_one(few), &Limits::default())?;
    bench.report(out, "chain64_lat", &single, (few * CHAIN as u64, AWAKE))?;
    let diamond = bench.ahead(&|| diamond(tokens))?;
    bench.report(out, "diamond8", &diamond, (tokens * 2 * BRANCHES as u64, AWAKE))?;
    let there_and_back = bench.ahead(&|| pingpong(tokens))?;
    if threads == 1 {
        bench.report(out, "pingpong", &there_and_back, (tokens * 2, AWAKE))?;
    } else {
        bench.beside_floor(out, &there_and_back, tokens)?;
        let parked = bench.ahead(&|| pingpong(few / 10))?;
        bench.report(out, "pingpong_parked", &parked, (few / 5, 0))?;
        bench.metg(out)?;
    }
    Ok(())
}

/// A source of `tokens` tokens, or of tokens that come back, and 64 actors in two halves.
fn chain(tokens: u64, back: Option<Wire>, body: &Body) -> Draft {
    let mut draft = Draft::new();
    chain_in(&mut draft, tokens, back, body);
    draft
}

fn chain_in(draft: &mut Draft, tokens: u64, back: Option<Wire>, body: &Body) -> Wire {
    let first: Vec<Wire> = back.into_iter().collect();
    let source = pass(first.len(), Body::EndAt(tokens));
    let mut x = draft.scope("front", |draft| draft.apply(source, &first));
    for stage in 0..CHAIN {
        let half = if stage < CHAIN / 2 { "front" } else { "back" };
        x = draft.scope(half, |draft| draft.apply(pass(1, body.clone()), &[x]));
    }
    x
}

/// The chain closed by a feedback that holds its one token.
fn chain_of_one(tokens: u64) -> Draft {
    let mut draft = Draft::new();
    let (back, feedback) = draft.feedback(number(), 1, Initial::Zeros);
    let last = chain_in(&mut draft, tokens, Some(back), &Body::Nothing);
    draft.close(feedback, last);
    draft
}

/// A source, 8 branches, every other one behind, and a join of all.
fn diamond(tokens: u64) -> Draft {
    let mut draft = Draft::new();
    let x = draft.scope("front", |draft| draft.apply(pass(0, Body::EndAt(tokens)), &[]));
    let branches: Vec<Wire> = (0..BRANCHES)
        .map(|branch| {
            let side = if branch % 2 == 0 { "front" } else { "back" };
            draft.scope(side, |draft| draft.apply(pass(1, Body::Nothing), &[x]))
        })
        .collect();
    draft.scope("front", |draft| draft.apply(pass(BRANCHES, Body::Nothing), &branches));
    draft
}

fn pingpong(tokens: u64) -> Draft {
    let mut draft = Draft::new();
    let (back, feedback) = draft.feedback(number(), 1, Initial::Zeros);
    let ping = draft.scope("front", |draft| draft.apply(pass(1, Body::EndAt(tokens)), &[back]));
    let pong = draft.scope("back", |draft| draft.apply(pass(1, Body::Nothing), &[ping]));
    draft.close(feedback, pong);
    draft
}

struct Bench {
    threads: usize,
    clock: Arc<dyn Clock>,
}

impl Bench {
    /// Plans with `front` on the first core and `back` on the last.
    fn plan(&self, draft: Draft, limits: &Limits) -> Result<Plan> {
        let graph = draft.check().into_diagnostic()?;
        let add =
            |own: Devices, core: usize| own.with_cores(&format!("cpu:{core}"), vec![core], true);
        let devices = (0..self.threads).fold(Devices::new(), add);
        let back = format!("cpu:{}", self.threads - 1);
        let wishes = Placement::new().on("front", "cpu:0").on("back", &back);
        let placed = place(&graph, &devices, &wishes).into_diagnostic()?;
        plan(&placed, limits).into_diagnostic()
    }

    /// The same with room for [`AHEAD`] tokens between the lanes, and batches.
    fn ahead(&self, build: &dyn Fn() -> Draft) -> Result<Plan> {
        let plain = self.plan(build(), &Limits::default())?;
        let streams = plain.data().links.iter();
        let registers = streams.map(|link| &plain.data().registers[link.register as usize]);
        let capacities = registers.map(|register| (register.name.clone(), AHEAD)).collect();
        self.plan(build(), &Limits { capacities, batch: 16, ..Limits::default() })
    }

    /// Wall nanoseconds of one run, from the moment its threads have been started.
    fn time(&self, plan: &Plan, spins: u32) -> Result<f64> {
        let options = Options { sampling: Sampling::OFF, spins: Some(spins), ..Options::default() };
        let run = launch(plan, &options).into_diagnostic()?;
        let start = self.clock.now_ns();
        run.finish(LONG).into_diagnostic()?;
        Ok((self.clock.now_ns() - start) as f64)
    }

    fn report(
        &self,
        out: &mut dyn Write,
        case: &str,
        plan: &Plan,
        (hops, spins): (u64, u32),
    ) -> Result<f64> {
        let sample = |_| Ok(self.time(plan, spins)? / hops as f64);
        let samples = (0..7).map(sample).collect::<Result<_>>()?;
        let row = Row { suite: "hops", case, peer: "synfire", threads: self.threads, samples };
        row.report(out).into_diagnostic()?;
        Ok(row.quantile(0.5))
    }

    /// Ping-pong beside two threads that hand one atomic word to and fro, in turn, since the
    /// machine decides from moment to moment how long a line takes from core to core.
    fn beside_floor(&self, out: &mut dyn Write, plan: &Plan, tokens: u64) -> Result<()> {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..15 {
            ours.push(self.time(plan, AWAKE)? / (tokens * 2) as f64);
            let start = self.clock.now_ns();
            hand_over(tokens);
            floor.push((self.clock.now_ns() - start) as f64 / (tokens * 2) as f64);
        }
        let row = |peer, samples| Row {
            suite: "hops",
            case: "pingpong",
            peer,
            threads: self.threads,
            samples,
        };
        let (ours, floor) = (row("synfire", ours), row("floor_spin_atomics", floor));
        ours.report(out).into_diagnostic()?;
        floor.report(out).into_diagnostic()?;
        let ratio = ours.quantile(0.5) / floor.quantile(0.5);
        writeln!(
            out,
            "{{\"suite\":\"hops\",\"case\":\"pingpong_over_floor\",\
             \"ratio\":{ratio:.3}}}"
        )
        .into_diagnostic()
    }

    /// The smallest task at which two lanes keep half of their efficiency, one token at a time
    /// through the credits that the planner computed.
    fn metg(&self, out: &mut dyn Write) -> Result<()> {
        let mut smallest = None;
        for task_ns in [50_u64, 100, 200, 400, 800, 1600, 3200, 6400] {
            let tokens = (50_000_000 / (task_ns * CHAIN as u64)).max(50);
            let body = Body::Spin(task_ns, self.clock.clone());
            let plan = self.plan(chain(tokens, None, &body), &Limits::default())?;
            let ideal = (tokens * task_ns * CHAIN as u64) as f64 / self.threads as f64;
            let efficiency = ideal / self.time(&plan, AWAKE)?;
            writeln!(
                out,
                "{{\"suite\":\"hops\",\"case\":\"metg\",\"task_ns\":{task_ns},\
                 \"efficiency\":{efficiency:.3}}}"
            )
            .into_diagnostic()?;
            if efficiency >= 0.5 && smallest.is_none() {
                smallest = Some(task_ns);
            }
        }
        let smallest = smallest.map_or("null".to_owned(), |task_ns| task_ns.to_string());
        writeln!(out, "{{\"suite\":\"hops\",\"case\":\"metg_50\",\"task_ns\":{smallest}}}")
            .into_diagnostic()
    }
}

/// A word that shares its pair of cache lines with nothing.
#[repr(align(128))]
struct Apart(AtomicU64);

fn hand_over(rounds: u64) {
    let (there, back) = (Apart(AtomicU64::new(0)), Apart(AtomicU64::new(0)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=rounds {
                while there.0.load(Ordering::Acquire) != round {
                    std::hint::spin_loop();
                }
                back.0.store(round, Ordering::Release);
            }
        });
        for round in 1..=rounds {
            there.0.store(round, Ordering::Release);
            while back.0.load(Ordering::Acquire) != round {
                std::hint::spin_loop();
            }
        }
    });
}
