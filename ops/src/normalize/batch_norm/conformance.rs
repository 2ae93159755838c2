//! Cases of PyTorch's `batch_norm`.

use synfire_runtime::define::Wire;
use synfire_runtime::value::Value;

use super::{batch_norm, batch_norm_train};
use crate::torch::Case;

/// The channel is axis 1. Gives `y`, and the running numbers where there are some.
pub(super) fn build(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input"])?;
    let spec = case.spec_of(x)?;
    let epsilon = case.number(case.spelling(&["eps", "epsilon"]), 1e-5)?;
    let running = [running(case, &MEANS)?, running(case, &VARIANCES)?];
    let flag = case.spelling(&["training", "train", "use_input_stats"]);
    let training = case.flag(flag, running[0].is_none())?;
    let axis = case.axis(case.spelling(&["axis", "channel_dim"]), x, 1)?;
    let channels = spec.bound(axis);
    let vector = |case: &mut Case<'_>, given: Option<Wire>, name: &str, value: f32| {
        given
            .unwrap_or_else(|| case.constant(name, Value::new(&[channels], &vec![value; channels])))
    };
    let weight = case.weight();
    let bias = case.bias();
    let weight = vector(case, weight, "ones_of_weight", 1.0);
    let bias = vector(case, bias, "zeros_of_bias", 0.0);
    let mean = vector(case, running[0], "zeros_of_mean", 0.0);
    let variance = vector(case, running[1], "ones_of_variance", 1.0);
    let inputs = [x, weight, bias, mean, variance];
    if !training {
        let y = case.apply(batch_norm(epsilon).axis(axis), &inputs);
        return Ok(outputs(vec![y, mean, variance], running));
    }
    // PyTorch's module without momentum: the average of all batches so far.
    let batches = case.number("num_batches_tracked", 0.0)?;
    let momentum = case.number("momentum", if batches > 0.0 { 1.0 / (batches + 1.0) } else { 0.1 });
    let operator = batch_norm_train(epsilon, momentum?).axis(axis);
    Ok(outputs(case.apply_many(operator, &inputs), running))
}

const MEANS: [&str; 3] = ["running_mean", "rm", "mean"];
const VARIANCES: [&str; 4] = ["running_var", "rv", "running_variance", "var"];

/// Running numbers, as an input or as an attribute.
fn running(case: &mut Case<'_>, names: &[&'static str]) -> Result<Option<Wire>, String> {
    match case.either(names) {
        Some(wire) => Ok(Some(wire)),
        None => case.vector(case.spelling(names)),
    }
}

fn outputs(mut all: Vec<Wire>, running: [Option<Wire>; 2]) -> Vec<Wire> {
    if running.iter().any(Option::is_none) {
        all.truncate(1);
    }
    all
}
