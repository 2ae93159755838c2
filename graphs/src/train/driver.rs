//! The driver: step by step, with evaluations and checkpoints between.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use synfire_runtime::device::Devices;
use synfire_runtime::fault::Faults;
use synfire_runtime::launch::{Options, Weights, launch};
use synfire_runtime::place::place;
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::{Outlet, Run, RunError};
use synfire_runtime::snapshot::{Snapshot, SnapshotError};
use synfire_runtime::value::Value;

use super::checkpoint::{Checkpoint, CheckpointError, latest, prune};
use super::evaluate::{EvaluateError, over, scalar};
use super::{Evaluation, History, Row, Task};
use crate::report::curves;
use crate::{atomic, weights};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Steps that the sources may be ahead of what was received.
const AHEAD: u64 = 16;

/// How a task is trained.
#[derive(Clone, Debug)]
pub struct Settings {
    /// All steps, those before a resume included.
    pub steps: u64,
    /// Steps between two evaluations and checkpoints.
    pub interval: u64,
    /// Ends after so many evaluations without a better one.
    pub patience: Option<usize>,
    /// Checkpoints that are kept.
    pub keep: usize,
    /// Where files go; created when missing.
    pub folder: PathBuf,
    /// Where it runs.
    pub devices: Devices,
    /// The key of first values and of all randomness of the runtime.
    pub seed: Seed,
    /// First values of parameters, where they are given.
    pub weights: Weights,
    /// Whether to go on from the newest checkpoint in the folder, if there is one.
    pub resume: bool,
    /// What the plan may take.
    pub limits: Limits,
}

/// What looks on, and may stop it.
pub trait Watch {
    /// A notice for people, such as a damaged checkpoint that was passed over.
    fn notice(&mut self, text: &str);
    /// A step was taken; `loss` is its loss.
    fn step(&mut self, step: u64, loss: f64);
    /// An evaluation was made.
    fn evaluated(&mut self, evaluation: &Evaluation, is_best: bool);
    /// Whether to save and end now.
    fn is_stopped(&self) -> bool;
}

/// Nobody looks on.
impl Watch for () {
    fn notice(&mut self, _: &str) {}
    fn step(&mut self, _: u64, _: f64) {}
    fn evaluated(&mut self, _: &Evaluation, _: bool) {}
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Why a training ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were taken.
    Done,
    /// No evaluation was better for as long as patience lasts.
    Early,
    /// It was stopped; everything is saved.
    Stopped,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ending: Ending,
    /// All that was measured.
    pub history: History,
    /// The parameters at the end.
    pub parameters: BTreeMap<String, Value>,
}

/// Why a training failed; checkpoints from before stay.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The graph cannot run on these devices.
    #[error("{0}")]
    Plan(#[from] Faults),
    /// A node failed.
    #[error("{0}")]
    Run(#[from] RunError),
    /// State could not be taken.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// An evaluation failed.
    #[error("{0}")]
    Evaluate(#[from] EvaluateError),
    /// A checkpoint could not be written or read.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// The loss is no number any more.
    #[error(
        "the loss was {loss} in step {step}: it diverged. Lower the rate or clip the gradient; \
         the last good checkpoint is of step {good}"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// What it gave.
        loss: f64,
        /// The newest checkpoint's steps; 0 for none.
        good: u64,
    },
    /// The stream of losses ended too early.
    #[error("the training graph gave nothing for step {step}: its sources ended, or it is stuck")]
    Ended {
        /// The step that was waited for.
        step: u64,
    },
}

/// Trains a task.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    task: &Task,
    settings: &Settings,
    watch: &mut dyn Watch,
) -> Result<Outcome, TrainError> {
    let folder = &settings.folder;
    std::fs::create_dir_all(folder).map_err(|error| CheckpointError::new(folder, error))?;
    let mut driver = Driver::new(task, settings, watch)?;
    let ending = driver.steps(watch)?;
    let parameters = driver.parameters.clone();
    Ok(Outcome { ending, history: driver.history, parameters })
}

struct Driver<'a> {
    task: &'a Task,
    settings: &'a Settings,
    evaluation: Plan,
    run: Run,
    outlets: Vec<Outlet>,
    history: History,
    /// Steps that were received.
    step: u64,
    /// Steps of the newest checkpoint.
    saved: u64,
    /// Every parameter as of the newest snapshot.
    parameters: BTreeMap<String, Value>,
}

impl<'a> Driver<'a> {
    fn new(
        task: &'a Task,
        settings: &'a Settings,
        watch: &mut dyn Watch,
    ) -> Result<Self, TrainError> {
        let planned = |graph, limits: &Limits| {
            plan(&place(graph, &settings.devices, &task.placement)?, limits)
        };
        let training = planned(&task.training, &settings.limits)?;
        let evaluation = planned(&task.evaluation, &Limits::default())?;
        let (found, damaged) =
            if settings.resume { latest(&settings.folder) } else { (None, Vec::new()) };
        damaged.iter().for_each(|error| watch.notice(&format!("passed over {error}")));
        let names: Vec<String> = task.training.outlets().map(|(n, _)| n.to_owned()).collect();
        let (history, snapshot) = match found {
            Some(Checkpoint { history, snapshot }) => (history, Some(Arc::new(snapshot))),
            None => (History { names: names.clone(), ..History::default() }, None),
        };
        let step = snapshot.as_ref().map_or(0, |own| own.iteration);
        if step > 0 {
            watch.notice(&format!("goes on after step {step}"));
        }
        let mut parameters = settings.weights.first_values(&task.training, settings.seed);
        parameters.extend(snapshot.as_ref().map(|own| own.parameters()).unwrap_or_default());
        let options = Options {
            weights: settings.weights.clone(),
            seed: settings.seed,
            iterations: step,
            resume: snapshot,
            ..Options::default()
        };
        let mut run = launch(&training, &options)?;
        let outlets = names.iter().filter_map(|name| run.outlet(name)).collect();
        let saved = step;
        Ok(Self { task, settings, evaluation, run, outlets, history, step, saved, parameters })
    }

    fn steps(&mut self, watch: &mut dyn Watch) -> Result<Ending, TrainError> {
        let interval = self.settings.interval.max(1);
        while self.step < self.settings.steps {
            // Checkpoints lie at multiples, wherever a training was stopped in between.
            let next = ((self.step / interval + 1) * interval).min(self.settings.steps);
            let stopped = self.advance(next, watch)?;
            let snapshot = self.run.snapshot(self.step, PATIENCE)?;
            self.parameters.extend(snapshot.parameters());
            if stopped {
                self.save(snapshot)?;
                return Ok(Ending::Stopped);
            }
            let is_best = self.evaluate(watch)?;
            self.save(snapshot)?;
            if is_best {
                self.save_weights("best")?;
            }
            let since = self.history.best(self.task.goal).map_or(0, |(_, since)| since);
            if self.settings.patience.is_some_and(|patience| since >= patience) {
                return Ok(Ending::Early);
            }
        }
        Ok(Ending::Done)
    }

    /// Takes steps up to `next`, or until it is stopped and what was begun has come out; whether it
    /// was.
    fn advance(&mut self, next: u64, watch: &mut dyn Watch) -> Result<bool, TrainError> {
        let mut allowed = self.step;
        let mut stopped = false;
        loop {
            stopped |= watch.is_stopped();
            if !stopped && allowed < next && allowed < self.step + AHEAD / 2 + 1 {
                allowed = next.min(self.step + AHEAD);
                self.run.allow(allowed);
            }
            if self.step == allowed {
                return Ok(stopped);
            }
            let row = self.receive()?;
            let loss = self.history.names.iter().position(|name| name == "loss");
            let loss = loss.map_or(f64::NAN, |at| f64::from(row.values[at]));
            if !loss.is_finite() {
                return Err(TrainError::Diverged { step: row.step, loss, good: self.saved });
            }
            watch.step(row.step, loss);
            self.history.rows.push(row);
        }
    }

    fn receive(&mut self) -> Result<Row, TrainError> {
        let step = self.step + 1;
        let mut values = Vec::with_capacity(self.outlets.len());
        for outlet in &mut self.outlets {
            let Ok(output) = outlet.receive(PATIENCE) else {
                return Err(TrainError::Ended { step });
            };
            let value = output.value.map_err(RunError::Failed)?;
            values.push(value.map_or(f32::NAN, |value| scalar(&value) as f32));
        }
        self.step = step;
        Ok(Row { step, values })
    }

    /// Evaluates; whether it is the best so far.
    fn evaluate(&mut self, watch: &mut dyn Watch) -> Result<bool, TrainError> {
        let values =
            over(&self.evaluation, &self.task.evaluation, &self.parameters, self.settings.seed)?;
        self.history.evaluations.push(Evaluation { step: self.step, values });
        let is_best = self.history.best(self.task.goal).is_some_and(|(_, since)| since == 0);
        if let Some(last) = self.history.evaluations.last() {
            watch.evaluated(last, is_best);
        }
        Ok(is_best)
    }

    /// Saves everything that is needed to go on, and what people look at.
    fn save(&mut self, snapshot: Snapshot) -> Result<(), TrainError> {
        let folder = &self.settings.folder;
        Checkpoint { history: self.history.clone(), snapshot }.save(folder)?;
        self.saved = self.step;
        prune(folder, self.settings.keep);
        self.save_weights("last")?;
        let json = serde_json::to_vec_pretty(&self.history)
            .map_err(|error| CheckpointError::new(folder, error))?;
        let page = curves::page(&self.task.name, &self.history, self.task.goal);
        let files = [
            ("metrics.csv", self.history.csv().into_bytes()),
            ("metrics.json", json),
            ("report.html", page.into_bytes()),
        ];
        for (name, bytes) in files {
            let path = folder.join(name);
            atomic::write(&path, &bytes).map_err(|error| CheckpointError::new(&path, error))?;
        }
        Ok(())
    }

    fn save_weights(&self, name: &str) -> Result<(), TrainError> {
        let path = self.settings.folder.join(format!("{name}.safetensors"));
        // What the optimiser remembers is in the checkpoint; these are the model's alone.
        let own = self.task.evaluation.parameter_list().map(|(path, _)| path);
        let own =
            own.filter_map(|path| Some((path.to_owned(), self.parameters.get(path)?.clone())));
        weights::save(&path, &own.collect(), &str::to_owned)
            .map_err(|error| CheckpointError::new(&path, error))?;
        Ok(())
    }
}
