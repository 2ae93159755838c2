//! `synfire train` and `synfire eval`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::{IntoDiagnostic, Result};
use synfire_runtime::device::Devices;
use synfire_runtime::launch::Weights;
use synfire_runtime::plan::Limits;
use synfire_runtime::random::Seed;

use super::stop::Interrupt;
use super::{INTERRUPTED, say, say_error};
use crate::models::perception::ppn;
use crate::tasks::{Prepared, Source, Wish, prepare};
use crate::train::{Ending, Evaluation, Settings, Watch, evaluate, train};
use crate::{machine, weights};

/// The part of the new in the loss that the bar shows.
const SMOOTHING: f64 = 0.05;

#[derive(Debug, Args)]
pub(super) struct DataArguments {
    /// The task; `synfire list` shows what there is.
    name: String,
    /// The examples: `sample`, or the folder with the files of MNIST. Default: MNIST in the data
    /// folder if it is there, else the sample that comes with Synfire.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Devices, such as `cpu:0`.
    #[arg(long, value_name = "LIST")]
    devices: Option<String>,
    /// Key of all randomness.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(super) struct TrainArguments {
    #[command(flatten)]
    data: DataArguments,
    /// How often the examples are gone through. Default: the task's own.
    #[arg(long)]
    epochs: Option<u32>,
    /// Examples of a step.
    #[arg(long)]
    batch: Option<usize>,
    /// The largest learning rate. Default: the task's own.
    #[arg(long)]
    rate: Option<f64>,
    /// Ends after so many steps, whatever the epochs; the schedule stays.
    #[arg(long)]
    steps: Option<u64>,
    /// Steps between evaluations and checkpoints. Default: an epoch.
    #[arg(long)]
    interval: Option<u64>,
    /// Ends after so many evaluations without a better one.
    #[arg(long)]
    patience: Option<usize>,
    /// Checkpoints that are kept.
    #[arg(long, default_value_t = 3)]
    keep: usize,
    /// Goes on from the newest checkpoint in the folder.
    #[arg(long)]
    resume: bool,
    /// Folder for checkpoints, weights, metrics and the report. Default: out/train/NAME.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArguments {
    #[command(flatten)]
    data: DataArguments,
    /// Weights in a safetensors file. Default: the best of out/train/NAME.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Writes the weights of PPN as f16, under the names of the published ones, to this file.
    #[arg(long, value_name = "FILE")]
    ship: Option<PathBuf>,
}

impl DataArguments {
    fn wish(&self) -> Result<Wish> {
        // One network takes all cores of one device; two networks take a device each.
        let devices = match &self.devices {
            None if !self.name.starts_with("ppn") => Devices::cpu(machine::cores()),
            list => super::devices(list.as_deref())?,
        };
        let source = match &self.data {
            None => Source::Best,
            Some(folder) if folder.as_os_str() == "sample" => Source::Sample,
            Some(folder) => Source::Folder(folder.clone()),
        };
        Ok(Wish { source, seed: Seed(self.seed), devices, ..Wish::default() })
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from("out/train").join(&self.name)
    }
}

/// Trains a task.
pub(super) fn run(arguments: &TrainArguments) -> Result<ExitCode> {
    let TrainArguments { epochs, batch, rate, .. } = *arguments;
    let wish = Wish { epochs, batch, rate, ..arguments.data.wish()? };
    let Prepared { task, steps, data } = prepare(&arguments.data.name, &wish).into_diagnostic()?;
    say(&format!("{}: {} parameters; {data}", task.name, task.evaluation.parameters()));
    let folder = arguments.out.clone().unwrap_or_else(|| arguments.data.folder());
    let settings = Settings {
        steps: arguments.steps.unwrap_or(steps),
        interval: arguments.interval.unwrap_or(task.steps_per_epoch),
        patience: arguments.patience,
        keep: arguments.keep,
        folder: folder.clone(),
        devices: wish.devices.clone(),
        seed: wish.seed,
        weights: Weights::default(),
        resume: arguments.resume,
        limits: Limits::default(),
    };
    let mut screen = Screen::new(settings.steps);
    let outcome = train(&task, &settings, &mut screen);
    screen.bar.finish_and_clear();
    let outcome = outcome.into_diagnostic()?;
    match outcome.ending {
        Ending::Stopped => say(&format!(
            "stopped after step {}; go on with --resume",
            outcome.history.rows.last().map_or(0, |row| row.step)
        )),
        Ending::Early => say("no better evaluation for as long as patience lasts"),
        Ending::Done => {}
    }
    if let Some((best, _)) = outcome.history.best(task.goal) {
        say(&format!("best validation, step {}: {}", best.step, numbers(best)));
        let path = folder.join("best.safetensors");
        let values = weights::load(&path, &task.test, &str::to_owned).into_diagnostic()?;
        let values = values.first_values(&task.test, wish.seed);
        let test =
            evaluate(&task.test, &task, &wish.devices, &values, wish.seed).into_diagnostic()?;
        say(&format!("its test: {}", numbers(&Evaluation { step: best.step, values: test })));
    }
    say(&format!("weights, metrics and report.html in {}", folder.display()));
    let stopped = outcome.ending == Ending::Stopped;
    Ok(if stopped { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// Evaluates trained weights on the test examples.
pub(super) fn evaluation(arguments: &EvaluateArguments) -> Result<ExitCode> {
    let wish = arguments.data.wish()?;
    let Prepared { task, data, .. } = prepare(&arguments.data.name, &wish).into_diagnostic()?;
    let best = || arguments.data.folder().join("best.safetensors");
    let path = arguments.weights.clone().unwrap_or_else(best);
    let values = weights::load(&path, &task.test, &str::to_owned).into_diagnostic()?;
    let values = values.first_values(&task.test, wish.seed);
    let test = evaluate(&task.test, &task, &wish.devices, &values, wish.seed).into_diagnostic()?;
    if let Some(path) = &arguments.ship {
        let mut own = values.clone();
        own.retain(|path, _| path.starts_with("ppn/"));
        if own.is_empty() {
            miette::bail!("--ship found the task `{}`; wanted `ppn`", task.name);
        }
        weights::save(path, &weights::halved(&own), &ppn::weight_name).into_diagnostic()?;
    }
    say(&format!("{}: {data}", task.name));
    say(&format!("test of {}: {}", path.display(), numbers(&Evaluation { step: 0, values: test })));
    Ok(ExitCode::SUCCESS)
}

fn numbers(evaluation: &Evaluation) -> String {
    let one = |(name, value): (&String, &f64)| format!("{name} {value:.4}");
    evaluation.values.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The bar, and the lines above it.
struct Screen {
    bar: ProgressBar,
    interrupt: Arc<Interrupt>,
    loss: Option<f64>,
}

impl Screen {
    fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(5));
        let form = "{wide_bar} {pos}/{len} steps, {per_sec}, {eta} left, {msg}";
        let style = ProgressStyle::with_template(form);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, interrupt: Interrupt::listen(), loss: None }
    }
}

impl Watch for Screen {
    fn notice(&mut self, text: &str) {
        self.bar.suspend(|| say_error(text));
    }

    fn step(&mut self, step: u64, loss: f64) {
        let smooth = self.loss.map_or(loss, |old| old + SMOOTHING * (loss - old));
        self.loss = Some(smooth);
        self.bar.set_position(step);
        if step.is_multiple_of(8) {
            self.bar.set_message(format!("loss {smooth:.4}"));
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation, is_best: bool) {
        let mark = if is_best { "  best so far" } else { "" };
        let loss = self.loss.unwrap_or(f64::NAN);
        let line = format!(
            "step {:>7}  training loss {loss:.4}  validation {}{mark}",
            evaluation.step,
            numbers(evaluation),
        );
        self.bar.suspend(|| say(&line));
    }

    fn is_stopped(&self) -> bool {
        self.interrupt.is_pressed()
    }
}
