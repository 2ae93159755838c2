//! DARTS on [`PlantedOps`](super::planted).
//!
//! Liu, Simonyan and Yang, "DARTS: differentiable architecture search", 2019: a supernet of
//! [mixed operations](super::mixed), searched by [two levels that take turns](super::bilevel), of
//! the first or the second order, and discretised at the end. Weights: Adam at 0.01, architecture:
//! Adam at 0.02 with betas 0.5 and 0.999; batches of 128, 2 000 steps of both levels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use synfire_runtime::define::Draft;
use synfire_runtime::device::Devices;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::interpret;
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::{Outlet, Run, RunError};
use synfire_runtime::snapshot::Snapshot;
use synfire_runtime::value::Value;

use super::bilevel::{Bilevel, Order, PHASES, Rules, Supernet};
use super::planted::{CANDIDATES, Config, Planted, all, constant, may_stay};
use super::{Found, Progress, SearchError, discretise};
use crate::data::batches::batches;
use crate::optimisers::schedule::Constant;
use crate::optimisers::{Adam, Training};

/// How long one step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// How a search goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Steps of both levels.
    pub steps: u64,
    /// Examples of a batch.
    pub batch: usize,
    /// The gradient by the architecture.
    pub order: Order,
    /// The rate of the weights.
    pub weight_rate: f64,
    /// The rate of the architecture.
    pub architecture_rate: f64,
    /// Where it runs: the first device has all but the candidates, which are spread over all.
    pub devices: Devices,
    /// The key of the task, of first values and of the batches.
    pub seed: Seed,
    /// The sizes of the task.
    pub planted: Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            steps: 2_000,
            batch: 128,
            order: Order::First,
            weight_rate: 1e-2,
            architecture_rate: 2e-2,
            devices: Devices::cpu(1),
            seed: Seed(0),
            planted: Config::default(),
        }
    }
}

/// The graph of a search on a task. An iteration is a phase; two are a step. Outlet: `loss`, in
/// turns on the validation batch and on the training batch. State: `alpha`, `readout`, `bias`,
/// `phase`, and what the optimisers remember.
///
/// # Errors
/// Settings out of range.
pub fn graph(planted: &Planted, settings: &Settings) -> Result<Graph, SearchError> {
    let names: Vec<String> = settings.devices.iter().map(|(name, _)| name.to_owned()).collect();
    let mut draft = Draft::new();
    match names.first() {
        Some(home) => draft.on(home, |draft| define(draft, planted, settings, &names))?,
        None => define(&mut draft, planted, settings, &names)?,
    }
    Ok(draft.check()?)
}

fn define(
    draft: &mut Draft,
    planted: &Planted,
    settings: &Settings,
    devices: &[String],
) -> Result<(), SearchError> {
    let mut data = |name: &str, examples| {
        let source = batches(examples, settings.batch, settings.seed.named(name)).repeated(PHASES);
        draft.scope(name, |draft| draft.apply_many(source, &[]))
    };
    let training = data("training", planted.training.clone());
    let validation = data("validation", planted.validation.clone());
    let student = planted.student(draft, devices);
    let (weights, alpha) = (student.weights(draft), student.architecture(draft));
    let bilevel = Bilevel {
        supernet: &student,
        training: &training,
        validation: &validation,
        weights: &weights,
        alphas: &[alpha],
    };
    let adam = Adam { betas: [0.5, 0.999], ..Adam::default() };
    let rules = Rules {
        order: settings.order,
        weights: Training::new(Adam::default(), Constant(settings.weight_rate)),
        architecture: Training::new(adam, Constant(settings.architecture_rate)),
    };
    let loss = bilevel.alternate(draft, &rules)?;
    draft.outlet("loss", loss);
    Ok(())
}

/// A search under way.
pub struct Search {
    planted: Planted,
    settings: Settings,
    run: Run,
    outlet: Outlet,
    /// Steps taken.
    step: u64,
}

impl Search {
    /// Begins a search, or goes on from where another rested.
    ///
    /// # Errors
    /// Settings out of range, devices that cannot be had, a snapshot of another search.
    pub fn begin(settings: &Settings, from: Option<Snapshot>) -> Result<Self, SearchError> {
        let planted = Planted::new(&settings.planted, settings.seed)?;
        let plan = planned(&graph(&planted, settings)?, &settings.devices)?;
        let before = from.as_ref().map_or(0, |own| own.iteration);
        let options = Options {
            seed: settings.seed,
            iterations: before,
            resume: from.map(Arc::new),
            ..Options::default()
        };
        let mut run = launch(&plan, &options)?;
        let outlet = run.outlet("loss").expect("the graph has this outlet");
        Ok(Self { planted, settings: settings.clone(), run, outlet, step: before / PHASES })
    }

    /// Takes `count` steps, and rests; `watch` is told of each and says whether to go on. The
    /// losses of each step: validation and training.
    ///
    /// # Errors
    /// When a node fails, the loss is no number, or nothing comes out.
    pub fn advance(
        &mut self,
        count: u64,
        watch: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Vec<[f32; 2]>, SearchError> {
        let last = self.step + count;
        let mut losses = Vec::new();
        let mut goes_on = true;
        while self.step < last && goes_on {
            // Sources may be ahead of what was received, but not far: it may be stopped.
            let next = last.min(self.step + AHEAD);
            self.run.allow(next * PHASES);
            while self.step < next {
                let own = self.receive()?;
                let validation = f64::from(own[0]);
                goes_on &= watch(Progress { done: self.step, validation });
                losses.push(own);
            }
        }
        Ok(losses)
    }

    fn receive(&mut self) -> Result<[f32; 2], SearchError> {
        let step = self.step + 1;
        let mut losses = [0.0; PHASES as usize];
        for loss in &mut losses {
            let output = self.outlet.receive(PATIENCE).map_err(|_| SearchError::Ended { step })?;
            let value = output.value.map_err(RunError::Failed)?;
            *loss = value.map_or(f32::NAN, |value| value.elements::<f32>()[0]);
            if !loss.is_finite() {
                return Err(SearchError::Diverged { step, loss: f64::from(*loss) });
            }
        }
        self.step = step;
        Ok(losses)
    }

    /// All state, as of the last step.
    ///
    /// # Errors
    /// When the run does not come to rest.
    pub fn snapshot(&self) -> Result<Snapshot, SearchError> {
        Ok(self.run.snapshot(self.step * PHASES, PATIENCE)?)
    }

    /// What was found so far.
    ///
    /// # Errors
    /// When the run does not come to rest, or an evaluation fails.
    pub fn found(&self) -> Result<Found, SearchError> {
        let state = self.snapshot()?.parameters();
        let logits = state["alpha"].elements::<f32>();
        let operations = discretise(&logits, CANDIDATES.len(), may_stay);
        let [test, discrete] = evaluate(&self.planted, &state, &operations)?;
        Ok(Found { planted: self.planted.operations.clone(), operations, test, discrete })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Steps that the sources may be ahead of what was received.
const AHEAD: u64 = 64;

pub(super) fn planned(graph: &Graph, devices: &Devices) -> Result<Plan, SearchError> {
    Ok(plan(&place(graph, devices, &Placement::new())?, &Limits::default())?)
}

/// The errors on held-out examples of the supernet and of the discrete network, with the weights of
/// a search.
fn evaluate(
    planted: &Planted,
    state: &BTreeMap<String, Value>,
    operations: &[usize],
) -> Result<[f64; 2], SearchError> {
    let [x, target] = all(&planted.test, 1);
    let mut draft = Draft::new();
    let batch =
        [("x", &x), ("target", &target)].map(|(name, value)| draft.feed(name, value.spec()));
    let student = planted.student(&mut draft, &[]);
    let weights = ["readout", "bias"].map(|name| constant(&mut draft, name, state[name].clone()));
    let alpha = draft.feed("alpha", state["alpha"].spec());
    let relaxed = student.loss(&mut draft, &batch, &weights, &[alpha]);
    let features = student.discrete(&mut draft, batch[0], operations);
    let discrete = student.error(&mut draft, features, &weights, batch[1]);
    draft.outlet("relaxed", relaxed);
    draft.outlet("discrete", discrete);
    let feeds = [("x", x), ("target", target), ("alpha", state["alpha"].clone())];
    let feeds = feeds.map(|(name, value)| (name.to_owned(), vec![Some(value)])).into();
    let outlets = interpret(&draft.check()?, &Options::default(), &feeds)?;
    let number = |name: &str| {
        let value = outlets[name].first().and_then(Option::as_ref);
        value.map_or(f64::NAN, |value| f64::from(value.elements::<f32>()[0]))
    };
    Ok(["relaxed", "discrete"].map(number))
}

/// A whole search; `watch` is told of each step and says whether to go on. What is found after it
/// said no is of the steps until then.
///
/// # Errors
/// See [`SearchError`].
pub fn search(
    settings: &Settings,
    watch: &mut dyn FnMut(Progress) -> bool,
) -> Result<Found, SearchError> {
    let mut search = Search::begin(settings, None)?;
    search.advance(settings.steps, watch)?;
    search.found()
}
