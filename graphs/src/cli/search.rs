//! `synfire search`: loops that find an architecture, held against tasks whose answer is known.
//!
//! A table of seeds: the part of the planted operations that was found, the errors on held-out
//! examples, seconds. A last line with the means.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, Result};
use synfire_runtime::clock::{Clock, RealClock};
use synfire_runtime::device::Devices;
use synfire_runtime::random::Seed;

use super::stop::Interrupt;
use super::{INTERRUPTED, say};
use crate::machine;
use crate::search::bilevel::Order;
use crate::search::planted::CANDIDATES;
use crate::search::unrolled::Unroll;
use crate::search::{Found, Progress, SearchError, darts, random};

/// Searches, and the tasks that they are held against.
#[derive(Debug, Subcommand)]
pub(super) enum SearchJob {
    /// DARTS on planted operations: gradients by the architecture, in turns with the weights.
    DartsPlanted(DartsArguments),
    /// Random search on planted operations: candidates as tokens, two evaluators.
    RandomPlanted(RandomArguments),
}

#[derive(Debug, Args)]
pub(super) struct DartsArguments {
    #[command(flatten)]
    common: Common,
    /// What the gradient by the architecture takes into account.
    #[arg(long, value_enum, default_value = "first")]
    order: OrderName,
    /// Steps of both levels.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
}

#[derive(Debug, Args)]
pub(super) struct RandomArguments {
    #[command(flatten)]
    common: Common,
    /// Candidates to evaluate.
    #[arg(long, value_name = "COUNT", default_value_t = 200,
        value_parser = clap::value_parser!(u64).range(1..))]
    candidates: u64,
}

#[derive(Debug, Args)]
struct Common {
    /// Tasks to search, each with a seed of its own.
    #[arg(long, value_name = "COUNT", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first_seed: u64,
    /// Devices, such as `cpu:0,cpu:1`; the result has the same bits on any number of them.
    #[arg(long, value_name = "LIST", default_value = "cpu:0")]
    devices: String,
}

/// What the gradient by the architecture takes into account.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OrderName {
    /// The weights as they are.
    First,
    /// That the weights follow: one step ahead, by central differences.
    Second,
}

/// One search of a seed.
type Job<'a> =
    &'a dyn Fn(&Devices, Seed, &mut dyn FnMut(Progress) -> bool) -> Result<Found, SearchError>;

/// Runs the job.
pub(super) fn run(job: &SearchJob) -> Result<ExitCode> {
    match job {
        SearchJob::DartsPlanted(own) => {
            let order = match own.order {
                OrderName::First => Order::First,
                OrderName::Second => Order::Second(Unroll::default()),
            };
            over_seeds(&own.common, own.steps, &|devices, seed, watch| {
                let (steps, devices) = (own.steps, devices.clone());
                let settings =
                    darts::Settings { steps, order, devices, seed, ..darts::Settings::default() };
                darts::search(&settings, watch)
            })
        }
        SearchJob::RandomPlanted(own) => {
            over_seeds(&own.common, own.candidates, &|devices, seed, watch| {
                let (candidates, devices) = (own.candidates, devices.clone());
                let settings =
                    random::Settings { candidates, devices, seed, ..random::Settings::default() };
                random::search(&settings, watch).map(|(found, _)| found)
            })
        }
    }
}

/// Searches the task of each seed; the table.
fn over_seeds(common: &Common, steps: u64, job: Job<'_>) -> Result<ExitCode> {
    let interrupt = Interrupt::listen();
    let devices = machine::open(&common.devices).into_diagnostic()?;
    let clock = RealClock::new();
    let bar = ProgressBar::new(common.seeds * steps);
    let style = "seed {prefix} {bar:30} {percent}% {msg} {eta}";
    bar.set_style(ProgressStyle::with_template(style).into_diagnostic()?);
    let mut table = Table::default();
    say("seed  recovered  test error  discrete  seconds  found");
    for index in 0..common.seeds {
        let seed = common.first_seed.wrapping_add(index);
        bar.set_prefix(seed.to_string());
        let start = clock.now_ns();
        let mut watch = |progress: Progress| {
            if progress.done.is_multiple_of(STEPS_SHOWN) {
                bar.set_position(index * steps + progress.done);
                bar.set_message(format!("validation {:.4}", progress.validation));
            }
            !interrupt.is_pressed()
        };
        let found = job(&devices, Seed(seed), &mut watch).into_diagnostic()?;
        if interrupt.is_pressed() {
            bar.finish_and_clear();
            table.means();
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let seconds = Duration::from_nanos(clock.now_ns() - start).as_secs_f64();
        bar.suspend(|| table.add(seed, &found, seconds));
    }
    bar.finish_and_clear();
    table.means();
    Ok(ExitCode::SUCCESS)
}

/// Steps between two looks at the bar.
const STEPS_SHOWN: u64 = 50;

/// The sums of what was told: recovered, test, discrete, seconds.
#[derive(Default)]
struct Table {
    rows: u32,
    sums: [f64; 4],
}

impl Table {
    fn add(&mut self, seed: u64, found: &Found, seconds: f64) {
        let own = [found.recovered(), found.test, found.discrete, seconds];
        self.sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        self.rows += 1;
        let names: Vec<&str> =
            found.operations.iter().map(|&operation| CANDIDATES[operation].name).collect();
        say(&format!("{seed:>4}  {}  {}", line(own), names.join(" ")));
    }

    fn means(&self) {
        if self.rows > 0 {
            say(&format!("mean  {}", line(self.sums.map(|sum| sum / f64::from(self.rows)))));
        }
    }
}

fn line([recovered, test, discrete, seconds]: [f64; 4]) -> String {
    format!("{recovered:>9.3}  {test:>10.5}  {discrete:>8.5}  {seconds:>7.2}")
}
