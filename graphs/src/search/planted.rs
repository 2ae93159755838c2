//! PlantedOps: a task whose right architecture is known, to hold searches against.
//!
//! `y = sum_k v_k . o_k(U_k x_k)` with one operation `o_k` planted on each of a few independent
//! edges. The projections `U_k` are known; a student has the readouts `v_k` and the choice of
//! operations to learn, so the answer is identifiable: nothing else can take over the scale of a
//! wrong operation. Everything is drawn from a seed.
//!
//! - `x`: standard normal, `inputs` numbers for each edge.
//! - `U_k`: `features` rows of normal numbers with deviation `2 / sqrt(inputs)`.
//! - `o_k`: one of [`CANDIDATES`] but `none`.
//! - `v_k`: magnitudes uniform in 0.5..1.5, signs by chance.
//! - `y`: standardised over all examples, then noise of deviation `noise`: the least mean squared
//!   error that a student can have is its square.

use std::sync::Arc;

use synfire_ops::arrange::concat::concat;
use synfire_ops::arrange::slice::slice;
use synfire_ops::dense::linear::linear;
use synfire_ops::loss::mse::mse;
use synfire_ops::losses::Total;
use synfire_ops::pointwise::unary::{relu, scale, sin, square, tanh};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::SearchError;
use super::bilevel::Supernet;
use super::mixed::{Candidate, mixed, softmax_gates};
use crate::data::dataset::{Answers, Dataset, Elements, Examples};

/// What an edge may become.
pub const CANDIDATES: [Candidate; 6] = [
    Candidate { name: "none", apply: None },
    Candidate { name: "identity", apply: Some(|_, x| x) },
    Candidate { name: "tanh", apply: Some(|draft, x| draft.apply(tanh(), &[x])) },
    Candidate { name: "relu", apply: Some(|draft, x| draft.apply(relu(), &[x])) },
    Candidate { name: "sin", apply: Some(|draft, x| draft.apply(sin(), &[x])) },
    Candidate {
        name: "half_square",
        apply: Some(|draft, x| {
            let squared = draft.apply(square(), &[x]);
            draft.apply(scale(0.5), &[squared])
        }),
    },
];

/// Whether an edge may end as this candidate: all but `none`.
#[must_use]
pub fn may_stay(candidate: usize) -> bool {
    CANDIDATES.get(candidate).is_some_and(|own| own.apply.is_some())
}

/// Sizes of the task.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Edges, each with an operation.
    pub edges: usize,
    /// Inputs of an edge.
    pub inputs: usize,
    /// Features of an edge.
    pub features: usize,
    /// Examples that weights are trained on.
    pub training: usize,
    /// Examples that the architecture is trained on.
    pub validation: usize,
    /// Examples that are held out.
    pub test: usize,
    /// The deviation of the noise on the target.
    pub noise: f64,
}

impl Default for Config {
    /// 6 edges of 4 inputs and 8 features, 2 000, 2 000 and 1 000 examples, noise 0.05.
    fn default() -> Self {
        Self {
            edges: 6,
            inputs: 4,
            features: 8,
            training: 2_000,
            validation: 2_000,
            test: 1_000,
            noise: 0.05,
        }
    }
}

/// One task.
#[derive(Clone, Debug)]
pub struct Planted {
    /// Its sizes.
    pub config: Config,
    /// The operation of each edge, by its place in [`CANDIDATES`].
    pub operations: Vec<usize>,
    /// What weights are trained on: `x`: `[edges * inputs]`, target: `[1]`.
    pub training: Dataset,
    /// What the architecture is trained on.
    pub validation: Dataset,
    /// What is held out.
    pub test: Dataset,
    /// `U`, of each edge `[features, inputs]`.
    projections: Vec<Value>,
}

impl Planted {
    /// The task of a seed.
    ///
    /// # Errors
    /// When a size is 0.
    pub fn new(config: &Config, seed: Seed) -> Result<Self, SearchError> {
        let Config { edges, inputs, features, training, validation, test, noise } = *config;
        let sizes = [edges, inputs, features, training, validation, test];
        if sizes.contains(&0) {
            let found = format!("{config:?}");
            return Err(SearchError::Setting { name: "planted", found, wanted: "no size of 0" });
        }
        let seed = seed.named("planted");
        let planted = seed.named("operation");
        let operations: Vec<usize> =
            (0..edges).map(|edge| 1 + planted.index(edge as u64, CANDIDATES.len() - 1)).collect();
        let draw = |name: &str, count: usize, deviation: f64| -> Vec<f32> {
            let seed = seed.named(name);
            (0..count as u64).map(|at| (deviation * seed.normal(at)) as f32).collect()
        };
        let deviation = 2.0 / (inputs as f64).sqrt();
        let projections = draw("projection", edges * features * inputs, deviation);
        let readouts = readouts(seed, edges * features);
        let count = training + validation + test;
        let x = draw("x", count * edges * inputs, 1.0);
        let target = |x: &[f32]| -> f64 {
            let rows = projections.chunks_exact(inputs).zip(&readouts).enumerate();
            rows.map(|(row, (weights, readout))| {
                let edge = row / features;
                let own = x[edge * inputs..][..inputs].iter().zip(weights);
                let a: f64 = own.map(|(&x, &u)| f64::from(x) * f64::from(u)).sum();
                readout * applied(operations[edge], a)
            })
            .sum()
        };
        let mut y: Vec<f64> = x.chunks_exact(edges * inputs).map(target).collect();
        standardise(&mut y);
        let noisy = y.iter().zip(draw("noise", count, noise)).map(|(&y, noise)| y as f32 + noise);
        let y: Vec<f32> = noisy.collect();
        let answers = Answers::Numbers { extents: vec![1], values: y };
        let all = Dataset::new("planted", &[edges * inputs], Elements::F32(x), answers)?;
        let part = |first: usize, count: usize| {
            all.select(&(first..first + count).collect::<Vec<usize>>())
        };
        let projections = projections.chunks_exact(features * inputs);
        Ok(Self {
            config: config.clone(),
            operations,
            training: part(0, training)?,
            validation: part(training, validation)?,
            test: part(training + validation, test)?,
            projections: projections.map(|own| Value::new(&[features, inputs], own)).collect(),
        })
    }

    /// The student of this task, with what it knows as constants of the draft. The candidates of an
    /// edge are built for these devices in turns, or where the draft stands, if there are none.
    pub fn student(&self, draft: &mut Draft, devices: &[String]) -> Student {
        let projections = draft.scope("projection", |draft| {
            let constant = |(edge, value): (usize, &Value)| {
                constant(draft, &format!("edge{edge}"), value.clone())
            };
            self.projections.iter().enumerate().map(constant).collect()
        });
        Student { config: self.config.clone(), projections, devices: devices.to_vec() }
    }
}

/// Magnitudes uniform in 0.5..1.5 with signs by chance.
fn readouts(seed: Seed, count: usize) -> Vec<f64> {
    let (magnitude, sign) = (seed.named("magnitude"), seed.named("sign"));
    let readout = |at| {
        let magnitude = 0.5 + magnitude.uniform(at);
        if sign.uniform(at) < 0.5 { -magnitude } else { magnitude }
    };
    (0..count as u64).map(readout).collect()
}

/// A candidate as a formula, in `f64`.
fn applied(candidate: usize, a: f64) -> f64 {
    match CANDIDATES[candidate].name {
        "identity" => a,
        "tanh" => a.tanh(),
        "relu" => a.max(0.0),
        "sin" => a.sin(),
        "half_square" => 0.5 * a * a,
        _ => 0.0,
    }
}

/// Shifts and scales to mean 0 and variance 1.
fn standardise(y: &mut [f64]) {
    let count = y.len().max(1) as f64;
    let mean = y.iter().sum::<f64>() / count;
    let variance = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt().max(f64::MIN_POSITIVE);
    y.iter_mut().for_each(|y| *y = (*y - mean) / deviation);
}

/// A parameter that is this value.
pub(super) fn constant(draft: &mut Draft, name: &str, value: Value) -> Wire {
    draft.parameter(name, value.spec(), Initial::Value(Arc::new(value)))
}

/// All examples of a dataset with numbers as targets: `x` and target.
pub(super) fn all(data: &Dataset, targets: usize) -> [Value; 2] {
    let (count, width) = (data.count(), data.extents().iter().product::<usize>());
    let (mut x, mut y) = (vec![0.0_f32; count * width], vec![0.0_f32; count * targets]);
    let rows = x.chunks_exact_mut(width.max(1)).zip(y.chunks_exact_mut(targets.max(1)));
    for (index, (x, y)) in rows.enumerate() {
        data.read(index, x);
        data.answer(index, y);
    }
    [Value::new(&[count, width], &x), Value::new(&[count, targets], &y)]
}

/// What learns the task: mixed operations over the known projections, read out by one linear layer.
/// The target is standardised and its terms are not, so the readout has a bias.
///
/// # Shape
/// Batch: `x`: `f32[n, edges * inputs]`, target: `f32[n, 1]`. Weights: `readout`:
/// `f32[1, edges * features]`, `bias`: `f32[1]`. Architecture: `f32[edges, candidates]`.
#[derive(Clone, Debug)]
pub struct Student {
    config: Config,
    projections: Vec<Wire>,
    devices: Vec<String>,
}

impl Student {
    /// The weights as parameters: normal numbers of deviation 0.1, and no bias.
    pub fn weights(&self, draft: &mut Draft) -> [Wire; 2] {
        let width = self.config.edges * self.config.features;
        let normal = Initial::Normal { deviation: 0.1 };
        let readout = draft.parameter("readout", Spec::f32([1, width]), normal);
        [readout, draft.parameter("bias", Spec::f32([1]), Initial::Zeros)]
    }

    /// The architecture as a parameter: normal numbers of deviation 0.001.
    pub fn architecture(&self, draft: &mut Draft) -> Wire {
        let extents = [self.config.edges, CANDIDATES.len()];
        draft.parameter("alpha", Spec::f32(extents), Initial::Normal { deviation: 1e-3 })
    }

    /// The features of all edges with gates for every candidate, `f32[n, edges * features]`.
    pub fn features(&self, draft: &mut Draft, x: Wire, gates: &[Vec<Wire>]) -> Wire {
        self.edges(draft, x, |draft, edge, own| {
            let gates = gates.get(edge).map_or(&[][..], Vec::as_slice);
            mixed(draft, own, gates, &CANDIDATES, &self.devices)
        })
    }

    /// The features of the discrete network: one operation on each edge and nothing else.
    pub fn discrete(&self, draft: &mut Draft, x: Wire, operations: &[usize]) -> Wire {
        self.edges(draft, x, |draft, edge, own| match CANDIDATES[operations[edge]].apply {
            Some(apply) => apply(draft, own),
            None => draft.apply(scale(0.0), &[own]),
        })
    }

    fn edges(
        &self,
        draft: &mut Draft,
        x: Wire,
        mut build: impl FnMut(&mut Draft, usize, Wire) -> Wire,
    ) -> Wire {
        let Config { edges, inputs, .. } = self.config;
        let mut features = Vec::with_capacity(edges);
        for edge in 0..edges {
            features.push(draft.scope(&format!("edge{edge}"), |draft| {
                let places = slice(1, edge * inputs, (edge + 1) * inputs, 1);
                let part = draft.apply(places, &[x]);
                let own = draft.apply(linear(), &[part, self.projections[edge]]);
                build(draft, edge, own)
            }));
        }
        draft.apply(concat(1, edges), &features)
    }

    /// The mean squared error of a readout of features.
    pub fn error(&self, draft: &mut Draft, features: Wire, weights: &[Wire], target: Wire) -> Wire {
        let y = draft.apply(linear().bias(), &[features, weights[0], weights[1]]);
        mse(draft, y, target, Total::Mean)
    }
}

impl Supernet for Student {
    fn loss(&self, draft: &mut Draft, batch: &[Wire], weights: &[Wire], alphas: &[Wire]) -> Wire {
        draft.scope("student", |draft| {
            let gates = draft.scope("gates", |draft| softmax_gates(draft, alphas[0]));
            let features = self.features(draft, batch[0], &gates);
            self.error(draft, features, weights, batch[1])
        })
    }
}
