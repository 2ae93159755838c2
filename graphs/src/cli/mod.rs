//! The `synfire` command.
//!
//! Exit codes: 0 done, 1 the job failed, 2 wrong arguments, 130 stopped by Ctrl-C after draining.

mod onnx; // models in and out
mod ppn; // the main job
mod train; // training and evaluation
mod stop; // Ctrl-C

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use miette::{IntoDiagnostic, Result};
use synfire_ops::coverage::coverage;
use synfire_runtime::device::Devices;
use synfire_runtime::observe::Allocations;
use synfire_runtime::place::place;
use synfire_runtime::plan::{Limits, plan};

use crate::models::perception::ppn as model;
use crate::tasks::TASKS;
use crate::{bench, conform, machine};

/// What the process says when it was interrupted, as shells do: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// Models and search loops as dataflow graphs of actors.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Runs a model on a stream and shows what came out.
    Run {
        #[command(subcommand)]
        model: RunModel,
    },
    /// Trains a task: data, model and optimiser are one graph. Ctrl-C saves first.
    Train(Box<train::TrainArguments>),
    /// Evaluates trained weights on examples that nothing was chosen by.
    Eval(train::EvaluateArguments),
    /// Lists models and tasks.
    List,
    /// Shows what every operator has: kernels, derivatives, element types. As a Markdown table.
    Ops {
        /// Builds every kernel on this device too, such as `wgpu:0`.
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
    /// Runs a folder of cases that another framework computed, and compares.
    Conform {
        /// The folder with `index.json`.
        from: PathBuf,
        /// Where the arrays go that were computed.
        to: PathBuf,
    },
    /// Reads an ONNX model and plans it, or lists all that is missing.
    Import(onnx::ImportArguments),
    /// Writes a model as ONNX, or lists all that has no place there.
    Export(onnx::ExportArguments),
    /// Prints the plan of a model: lanes, volleys, credits, memory.
    Explain(ExplainArguments),
    /// Tells what devices this machine has, what is missing and how to get it.
    Doctor,
    /// Measures hops, pipelines and operators.
    Bench {
        #[command(subcommand)]
        suite: Suite,
    },
}

#[derive(Debug, Subcommand)]
enum RunModel {
    /// LiDAR perception: segmentation and reconstruction on two devices at once.
    Ppn(Box<PpnArguments>),
}

/// Sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Size {
    /// For CPUs.
    Compact,
    /// As published.
    Paper,
    /// For tests.
    Tiny,
}

impl Size {
    fn config(self) -> model::Config {
        match self {
            Self::Compact => model::Config::compact(),
            Self::Paper => model::Config::paper(),
            Self::Tiny => model::Config::tiny(),
        }
    }
}

#[derive(Debug, Args)]
struct PpnArguments {
    /// A recording: Velodyne PCAP, PCD, PLY, raw float32 (x y z intensity), or `synthetic`.
    /// Default: the recording that comes with Synfire.
    #[arg(long, value_name = "FILE")]
    source: Option<String>,
    /// Devices, such as `cpu:0,cpu:1` or `cpu:0,wgpu:0`.
    #[arg(long, value_name = "LIST")]
    devices: Option<String>,
    /// The size of the networks.
    #[arg(long, value_enum, default_value = "compact")]
    config: Size,
    /// Lets the planner move nodes between the devices by measured cost.
    #[arg(long)]
    balance: bool,
    /// Weights in a safetensors file; default: the shipped ones for `compact`, else from the seed.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Streams the source this many times; default: once, and 48 times for the shipped recording.
    #[arg(long, value_name = "TIMES")]
    repeat: Option<u32>,
    /// Stops after this many frames.
    #[arg(long, value_name = "COUNT")]
    frames: Option<u64>,
    /// Writes a Chrome/Perfetto trace.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Prints the plan and stops.
    #[arg(long)]
    plan: bool,
    /// Folder for pictures.
    #[arg(long, value_name = "FOLDER", default_value = "out/ppn")]
    out: PathBuf,
    /// Key of all randomness.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Args)]
struct ExplainArguments {
    /// The model: `ppn`.
    model: String,
    /// The size of the networks.
    #[arg(long, value_enum, default_value = "compact")]
    config: Size,
    /// Devices, such as `cpu:0,cpu:1`.
    #[arg(long, value_name = "LIST")]
    devices: Option<String>,
    /// The form.
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A table.
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// What one message between two actors costs.
    Hops {
        /// Threads: 1 or 2.
        #[arg(default_value_t = 1)]
        threads: usize,
        /// Tokens of the bulk cases.
        #[arg(default_value_t = 1_000_000)]
        tokens: u64,
    },
    /// A chain of layers in one stage and in two.
    Pipeline {
        /// How often each is measured.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Tokens of a round.
        #[arg(long, default_value_t = 60)]
        tokens: u64,
    },
    /// The predicted period of an iteration against the measured one.
    Period {
        /// How often each is measured.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
}

/// Runs the command of this process. `allocations` is the binary's global allocator, so that jobs
/// can tell what they really took.
#[must_use]
pub fn main(allocations: &'static Allocations) -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .init();
    match run(Command::parse(), allocations) {
        Ok(code) => code,
        Err(report) => {
            tracing::debug!("the job failed");
            say_error(&format!("{report:?}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, allocations: &'static Allocations) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    match command.job {
        Job::Run { model: RunModel::Ppn(arguments) } => return ppn::run(&arguments, allocations),
        Job::Train(arguments) => return train::run(&arguments),
        Job::Eval(arguments) => return train::evaluation(&arguments),
        Job::List => list(),
        Job::Ops { device } => ops(device.as_deref())?,
        Job::Conform { from, to } => {
            let outcome = conform::run(&from, &to, &mut out)?;
            return Ok(if outcome.differ.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Job::Import(arguments) => onnx::import(&arguments)?,
        Job::Export(arguments) => onnx::write(&arguments)?,
        Job::Explain(arguments) => explain(&arguments)?,
        Job::Doctor => machine::diagnosis().iter().for_each(|line| say(line)),
        Job::Bench { suite: Suite::Hops { threads, tokens } } => {
            bench::hops::run(threads.clamp(1, 2), tokens, &mut out)?;
        }
        Job::Bench { suite: Suite::Pipeline { rounds, tokens } } => {
            bench::pipeline::run(rounds.max(1), tokens.max(8), &mut out)?;
        }
        Job::Bench { suite: Suite::Period { rounds } } => {
            bench::period::run(rounds.max(1), 500, &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list() {
    say("models");
    say("  ppn        parallel perception network: LiDAR, two networks on two devices");
    say("tasks for `synfire train`");
    for (name, about) in TASKS {
        say(&format!("  {name:<10} {about}"));
    }
}

fn ops(device: Option<&str>) -> Result<()> {
    let devices = device.map(machine::open).transpose().into_diagnostic()?;
    let device = devices.as_ref().and_then(|devices| devices.iter().next());
    say(&coverage(device.map(|(_, device)| device)));
    Ok(())
}

fn explain(arguments: &ExplainArguments) -> Result<()> {
    if arguments.model != "ppn" {
        miette::bail!("no model `{}`; `synfire list` shows what there is", arguments.model);
    }
    let devices = devices(arguments.devices.as_deref())?;
    let graph = model::draft(&arguments.config.config()).check().into_diagnostic()?;
    let placed = place(&graph, &devices, &ppn::branches(&devices)).into_diagnostic()?;
    let plan = plan(&placed, &Limits::default()).into_diagnostic()?;
    say(&match arguments.format {
        Form::Text => plan.explain(),
        Form::Dot => plan.dot(),
        Form::Mermaid => plan.mermaid(),
    });
    Ok(())
}

/// The devices of a list, or the default ones with a notice when there is no GPU.
fn devices(list: Option<&str>) -> Result<Devices> {
    let names = list.map_or_else(
        || {
            let (names, notice) = machine::default_names();
            notice.iter().for_each(|notice| say_error(notice));
            names
        },
        str::to_owned,
    );
    machine::open(&names).into_diagnostic()
}

/// Prints a line. A reader that went away, such as `head`, is no failure of the job.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line of the command's own notices and errors.
fn say_error(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
