//! Random search on [`PlantedOps`](super::planted): candidates are tokens.
//!
//! ```text
//!  proposals --> deal --> evaluate (first device)  --> collect --> best so far, a feedback edge
//!                    \--> evaluate (second device) --/
//! ```
//!
//! A candidate is an architecture with its number, the tag. The evaluators are replicas of one
//! sub-graph on devices of their own: replica `r` gets the tags that are `r` modulo their number,
//! and `collect` takes from each in turn, so what comes together is in the order of the tags,
//! whoever finished first. Streams between devices have credits, so a slow replica holds the
//! proposals back and nothing piles up. What is best so far is compared in that order too: of equal
//! candidates the one with the lowest tag stays. The outcome depends on the seed alone.
//!
//! An evaluation trains the readout from scratch: ridge regression, solved exactly, on the training
//! examples, then the mean squared error on the validation examples. The architecture enters as
//! gates that are 1 for its operations and 0 for all others; what does not depend on it, such as
//! every operation of every projection, is a constant and computed once at launch. Li and
//! Talwalkar, "Random search and reproducibility for neural architecture search", 2019, is why
//! every search here stands beside this one.

use synfire_ops::arrange::concat::concat;
use synfire_ops::broadcast::binary::{add, less};
use synfire_ops::broadcast::select::where_;
use synfire_ops::dense::matmul::matmul;
use synfire_ops::index::one_hot::one_hot;
use synfire_ops::linalg::solve::solve;
use synfire_ops::loss::mse::mse;
use synfire_ops::losses::Total;
use synfire_ops::route::collect::collect;
use synfire_ops::route::deal::deal;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::interpret;
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::random::Seed;
use synfire_runtime::run::{Outlet, RunError};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::darts::{PATIENCE, planned};
use super::mixed::apart;
use super::planted::{CANDIDATES, Config, Planted, Student, all, constant};
use super::proposals::proposals;
use super::{Found, Progress, SearchError};
use crate::data::dataset::Examples;

/// What is added to the diagonal of the normal equations.
const RIDGE: f32 = 1e-3;

/// A score that everything is better than.
const WORST: f64 = 1e30;

/// The most replicas of the evaluator.
pub const REPLICAS_MAX: usize = 64;

/// How a search goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Candidates to evaluate; rounded up to as many for every replica.
    pub candidates: u64,
    /// Replicas of the evaluator, dealt out to the devices in turns.
    pub replicas: usize,
    /// Where it runs.
    pub devices: Devices,
    /// The key of the task and of the candidates.
    pub seed: Seed,
    /// The sizes of the task.
    pub planted: Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            candidates: 200,
            replicas: 2,
            devices: Devices::cpu(1),
            seed: Seed(0),
            planted: Config::default(),
        }
    }
}

/// One candidate after its evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number.
    pub tag: u64,
    /// Its operations.
    pub operations: Vec<usize>,
    /// Its mean squared error on the validation examples.
    pub score: f32,
}

/// The graph of a search on a task. An iteration is a candidate for each replica. Outlets: `tag`,
/// `candidate` and `score` of each. State: `score` and `operations` of the best so far.
///
/// # Errors
/// Settings out of range.
pub fn graph(planted: &Planted, settings: &Settings) -> Result<Graph, SearchError> {
    let replicas = settings.replicas;
    if !(1..=REPLICAS_MAX).contains(&replicas) {
        let found = replicas.to_string();
        return Err(SearchError::Setting { name: "replicas", found, wanted: "1 to 64" });
    }
    let names: Vec<String> = settings.devices.iter().map(|(name, _)| name.to_owned()).collect();
    let mut draft = Draft::new();
    let edges = planted.config.edges;
    let seed = settings.seed.named("proposals");
    let on = |draft: &mut Draft, device: usize, build: &mut dyn FnMut(&mut Draft)| match names
        .get(device % names.len().max(1))
    {
        Some(name) => draft.on(name, build),
        None => build(draft),
    };
    let mut dealt = Vec::new();
    on(&mut draft, 0, &mut |draft| {
        let source = draft.apply_many(proposals(edges, CANDIDATES.len(), seed), &[]);
        dealt = source.iter().map(|&x| draft.apply_many(deal(replicas), &[x])).collect();
    });
    let data = Data::constants(&mut draft, planted);
    let student = planted.student(&mut draft, &[]);
    let mut scores = Vec::new();
    for (replica, &candidate) in dealt[0].iter().enumerate() {
        on(&mut draft, replica, &mut |draft| {
            scores.push(draft.scope(&format!("evaluate{replica}"), |draft| {
                evaluate(draft, &student, &data, candidate)
            }));
        });
    }
    on(&mut draft, 0, &mut |draft| {
        let own = [&dealt[0], &dealt[1], &scores];
        let [candidate, tag, score] = own.map(|own| draft.apply(collect(replicas), own));
        let best = Best { edges };
        draft.scope("best", |draft| best.follow(draft, candidate, score));
        let outlets = [("candidate", candidate), ("tag", tag), ("score", score)];
        outlets.into_iter().for_each(|(name, wire)| draft.outlet(name, wire));
    });
    Ok(draft.check()?)
}

/// The best so far.
struct Best {
    edges: usize,
}

impl Best {
    fn follow(&self, draft: &mut Draft, candidate: Wire, score: Wire) {
        let scalar = Spec::f32([0_usize; 0]);
        let lowest = draft.parameter("score", scalar, Initial::Constant(WORST));
        let spec = Spec::new(Element::I64, [self.edges]);
        let operations = draft.parameter("operations", spec, Initial::Zeros);
        let is_better = draft.apply(less(), &[score, lowest]);
        for (cell, new) in [(lowest, score), (operations, candidate)] {
            let next = draft.apply(where_(), &[is_better, new, cell]);
            draft.update(cell, next);
        }
    }
}

/// What every evaluation reads.
struct Data {
    training: [Wire; 2],
    held_out: [Wire; 2],
    /// A column of ones beside the features of each, for the bias.
    ones: [Wire; 2],
    /// `RIDGE` on the diagonal.
    ridge: Wire,
}

impl Data {
    fn new(draft: &mut Draft, counts: [usize; 2], width: usize, batches: [[Wire; 2]; 2]) -> Self {
        let mut diagonal = vec![0.0; width * width];
        diagonal.iter_mut().step_by(width + 1).for_each(|own| *own = RIDGE);
        let ridge = constant(draft, "ridge", Value::new(&[width, width], &diagonal));
        let ones = ["ones", "held_out_ones"].into_iter().zip(counts);
        let ones: Vec<Wire> = ones
            .map(|(name, count)| {
                draft.parameter(name, Spec::f32([count, 1]), Initial::Constant(1.0))
            })
            .collect();
        let [training, held_out] = batches;
        Self { training, held_out, ones: [ones[0], ones[1]], ridge }
    }

    /// All examples as constants of the graph: training and validation.
    fn constants(draft: &mut Draft, planted: &Planted) -> Self {
        draft.scope("data", |draft| {
            let mut given = |names: [&str; 2], values: [Value; 2]| {
                let mut pairs = names.into_iter().zip(values);
                std::array::from_fn(|_| {
                    let (name, value) = pairs.next().expect("two of each");
                    constant(draft, name, value)
                })
            };
            let training = given(["x", "target"], all(&planted.training, 1));
            let names = ["held_out_x", "held_out_target"];
            let held_out = given(names, all(&planted.validation, 1));
            let counts = [planted.training.count(), planted.validation.count()];
            Self::new(draft, counts, width(planted), [training, held_out])
        })
    }
}

/// Features of all edges, and the bias.
fn width(planted: &Planted) -> usize {
    planted.config.edges * planted.config.features + 1
}

/// Trains the readout of an architecture, `i64[edges]`; its error on what is held out.
fn evaluate(draft: &mut Draft, student: &Student, data: &Data, candidate: Wire) -> Wire {
    let gates = draft.apply(one_hot(CANDIDATES.len()), &[candidate]);
    let gates = draft.scope("gates", |draft| apart(draft, gates));
    let mut features = |name: &str, x: Wire, ones: Wire| {
        draft.scope(name, |draft| {
            let features = student.features(draft, x, &gates);
            draft.apply(concat(1, 2), &[features, ones])
        })
    };
    let own = features("training", data.training[0], data.ones[0]);
    let held_out = features("held_out", data.held_out[0], data.ones[1]);
    let products = draft.apply(matmul().transpose_a(), &[own, own]);
    let products = draft.apply(add(), &[products, data.ridge]);
    let sums = draft.apply(matmul().transpose_a(), &[own, data.training[1]]);
    let readout = draft.apply(solve(), &[products, sums]);
    let y = draft.apply(matmul(), &[held_out, readout]);
    mse(draft, y, data.held_out[1], Total::Mean)
}

/// A whole search: what it found, and every candidate in the order of the tags. `watch` is told of
/// each candidate, with the lowest score so far, and says whether to go on.
///
/// # Errors
/// See [`SearchError`].
pub fn search(
    settings: &Settings,
    watch: &mut dyn FnMut(Progress) -> bool,
) -> Result<(Found, Vec<Record>), SearchError> {
    let planted = Planted::new(&settings.planted, settings.seed)?;
    let plan = planned(&graph(&planted, settings)?, &settings.devices)?;
    let iterations = settings.candidates.div_ceil(settings.replicas as u64);
    let options = Options { seed: settings.seed, iterations, ..Options::default() };
    let mut run = launch(&plan, &options)?;
    let mut outlet = |name| run.outlet(name).expect("the graph has this outlet");
    let mut outlets = ["tag", "candidate", "score"].map(&mut outlet);
    let mut records = Vec::new();
    let mut best: Option<Record> = None;
    for step in 1..=iterations * settings.replicas as u64 {
        let record = receive(&mut outlets, step)?;
        if best.as_ref().is_none_or(|best| record.score < best.score) {
            best = Some(record.clone());
        }
        records.push(record);
        let lowest = best.as_ref().map_or(f64::NAN, |best| f64::from(best.score));
        if !watch(Progress { done: step, validation: lowest }) {
            let found = found(&planted, &best.map_or_else(Vec::new, |best| best.operations))?;
            return Ok((found, records));
        }
    }
    let state = run.snapshot(iterations, PATIENCE)?.parameters();
    let operations = state["best/operations"].elements::<i64>();
    let operations: Vec<usize> = operations.into_iter().map(|own| own as usize).collect();
    Ok((found(&planted, &operations)?, records))
}

fn receive(outlets: &mut [Outlet; 3], step: u64) -> Result<Record, SearchError> {
    let mut values = Vec::with_capacity(outlets.len());
    for outlet in outlets {
        let output = outlet.receive(PATIENCE).map_err(|_| SearchError::Ended { step })?;
        values.push(output.value.map_err(RunError::Failed)?.ok_or(SearchError::Ended { step })?);
    }
    let tag = values[0].elements::<i64>()[0] as u64;
    let operations = values[1].elements::<i64>().into_iter().map(|own| own as usize).collect();
    let score = values[2].elements::<f32>()[0];
    if !score.is_finite() {
        return Err(SearchError::Diverged { step, loss: f64::from(score) });
    }
    assert_eq!(tag + 1, step, "candidates come together in the order of their tags");
    Ok(Record { tag, operations, score })
}

/// The error on the test examples of a readout that is trained for these operations.
fn found(planted: &Planted, operations: &[usize]) -> Result<Found, SearchError> {
    let [(x, target), (held_out_x, held_out)] =
        [&planted.training, &planted.test].map(|data| all(data, 1).into());
    let mut draft = Draft::new();
    let names = ["x", "target", "held_out_x", "held_out_target"];
    let values = [x, target, held_out_x, held_out];
    let mut inlets = names.into_iter().zip(&values);
    let wires: Vec<Wire> =
        inlets.by_ref().map(|(name, value)| draft.feed(name, value.spec())).collect();
    let batches = [[wires[0], wires[1]], [wires[2], wires[3]]];
    let counts = [planted.training.count(), planted.test.count()];
    let data = Data::new(&mut draft, counts, width(planted), batches);
    let student = planted.student(&mut draft, &[]);
    let own: Vec<i64> = operations.iter().map(|&own| own as i64).collect();
    let own = Value::new(&[own.len()], &own);
    let candidate = draft.feed("candidate", own.spec());
    let error = evaluate(&mut draft, &student, &data, candidate);
    draft.outlet("error", error);
    let feeds = names.into_iter().zip(values).chain([("candidate", own)]);
    let feeds = feeds.map(|(name, value)| (name.to_owned(), vec![Some(value)]));
    let outlets = interpret(&draft.check()?, &Options::default(), &feeds.collect())?;
    let value = outlets["error"].first().and_then(Option::as_ref);
    let test = value.map_or(f64::NAN, |value| f64::from(value.elements::<f32>()[0]));
    let (planted, operations) = (planted.operations.clone(), operations.to_vec());
    Ok(Found { planted, operations, test, discrete: test })
}
