//! Evaluation: one run over held-out examples with given weights.

use std::collections::BTreeMap;
use std::time::Duration;

use synfire_runtime::device::Devices;
use synfire_runtime::fault::Faults;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::{Options, Weights, launch};
use synfire_runtime::place::place;
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::{OutletError, RunError};
use synfire_runtime::value::Value;

use super::Task;

/// How long one batch may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The graph cannot run on these devices.
    #[error("{0}")]
    Plan(#[from] Faults),
    /// A node failed.
    #[error("{0}")]
    Run(#[from] RunError),
    /// A number is none, or there were no examples.
    #[error("the evaluation gave {found} for {name}; wanted a number")]
    Number {
        /// The outlet.
        name: String,
        /// What it gave.
        found: String,
    },
}

/// The means of all outlets of one of a task's graphs, `evaluation` or `test`, over its examples,
/// with these values of its parameters; those that are not given have their first values.
///
/// # Errors
/// When the graph cannot be planned or launched, a node fails, or a mean is not finite.
pub fn evaluate(
    graph: &Graph,
    task: &Task,
    devices: &Devices,
    parameters: &BTreeMap<String, Value>,
    seed: Seed,
) -> Result<BTreeMap<String, f64>, EvaluateError> {
    let placed = place(graph, devices, &task.placement)?;
    over(&plan(&placed, &Limits::default())?, graph, parameters, seed)
}

/// [`evaluate`] with a plan that is there.
pub(super) fn over(
    plan: &Plan,
    graph: &Graph,
    parameters: &BTreeMap<String, Value>,
    seed: Seed,
) -> Result<BTreeMap<String, f64>, EvaluateError> {
    let mut values = Weights::default().first_values(graph, seed);
    for (path, value) in &mut values {
        if let Some(given) = parameters.get(path) {
            value.clone_from(given);
        }
    }
    let options = Options { weights: Weights::new(values), seed, ..Options::default() };
    let mut run = launch(plan, &options)?;
    let names: Vec<String> = graph.outlets().map(|(name, _)| name.to_owned()).collect();
    let mut outlets: Vec<_> = names.iter().filter_map(|name| run.outlet(name)).collect();
    let mut sums = vec![0.0; names.len()];
    'batches: loop {
        for (outlet, sum) in outlets.iter_mut().zip(&mut sums) {
            match outlet.receive(PATIENCE) {
                Ok(output) => *sum += output.value.ok().flatten().map_or(f64::NAN, |v| scalar(&v)),
                Err(OutletError::Ended | OutletError::Empty) => break 'batches,
            }
        }
    }
    drop(outlets);
    run.finish(PATIENCE)?;
    let place = names.iter().position(|name| name == "examples");
    let examples = place.map_or(f64::NAN, |place| sums[place]);
    let mut means = BTreeMap::new();
    for (name, sum) in names.into_iter().zip(sums).filter(|(name, _)| name != "examples") {
        let mean = sum / examples;
        if !mean.is_finite() {
            return Err(EvaluateError::Number { name, found: mean.to_string() });
        }
        means.insert(name, mean);
    }
    Ok(means)
}

/// The one number of a value of `f32`.
pub(super) fn scalar(value: &Value) -> f64 {
    value.elements::<f32>().first().map_or(f64::NAN, |&number| f64::from(number))
}
