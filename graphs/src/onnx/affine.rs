//! Normalisations by fixed statistics become part of the convolution before them.
//!
//! `y = (w * x + b - mean) * g / sqrt(variance + epsilon) + beta` is a convolution with the weight
//! `w g'` and the bias `(b - mean) g' + beta`, where `g' = g / sqrt(variance + epsilon)`. Both keep
//! the names of the convolution's own; a bias that was not there has that of `beta`. Nothing is
//! changed where somebody else reads the convolution or its weights.

use std::collections::BTreeMap;

use synfire_ops::onnx::{Attribute, floats};
use synfire_runtime::value::Value;

use super::parse::{Model, Node};
use super::tensor::numbers;

/// Folds every pair that can be.
pub(super) fn fold(model: &mut Model) {
    let mut readers: BTreeMap<String, usize> = BTreeMap::new();
    let reads = model.nodes.iter().flat_map(|node| &node.inputs).chain(&model.outputs);
    reads.for_each(|name| *readers.entry(name.clone()).or_default() += 1);
    let mut gone = Vec::new();
    for second in 0..model.nodes.len() {
        let norm = &model.nodes[second];
        if norm.kind != "BatchNormalization" || !is_fixed(norm) {
            continue;
        }
        let Some(x) = norm.inputs.first() else { continue };
        let first = model.nodes[..second].iter().rposition(|node| node.outputs.contains(x));
        let Some(first) = first else { continue };
        if let Some((node, values)) = pair(model, &readers, first, second) {
            model.constants.extend(values);
            model.nodes[first] = node;
            gone.push(second);
        }
    }
    gone.into_iter().rev().for_each(|index| drop(model.nodes.remove(index)));
}

/// Whether it normalises by statistics that are given.
fn is_fixed(norm: &Node) -> bool {
    let trains = norm.attributes.get("training_mode");
    trains.is_none_or(|own| *own == Attribute::Integer(0)) && norm.outputs.len() == 1
}

/// The convolution that does both, and its constants.
fn pair(
    model: &Model,
    readers: &BTreeMap<String, usize>,
    first: usize,
    second: usize,
) -> Option<(Node, Vec<(String, Value)>)> {
    let (convolution, norm) = (&model.nodes[first], &model.nodes[second]);
    let is_transposed = match convolution.kind.as_str() {
        "Conv" => false,
        "ConvTranspose" => true,
        _ => return None,
    };
    let is_alone = |name: &String| readers.get(name) == Some(&1);
    let constant = |name: Option<&String>| model.constants.get(name?);
    let weight_name = convolution.inputs.get(1)?;
    let bias_name = convolution.inputs.get(2).filter(|name| !name.is_empty());
    let [scale, beta, mean, variance] =
        [1, 2, 3, 4].map(|index| constant(norm.inputs.get(index)).map(numbers));
    let (scale, beta, mean, variance) = (scale?, beta?, mean?, variance?);
    let weight = constant(Some(weight_name))?;
    if !is_alone(&convolution.outputs[0]) || !is_alone(weight_name) || weight.extents.len() < 3 {
        return None;
    }
    let channels = scale.len();
    let epsilon = match norm.attributes.get("epsilon") {
        None => 1e-5,
        Some(Attribute::Number(epsilon)) => *epsilon,
        Some(_) => return None,
    };
    let bias = match bias_name {
        None => vec![0.0; channels],
        Some(name) if is_alone(name) => numbers(model.constants.get(name)?),
        Some(_) => return None,
    };
    let is_even = [&beta, &mean, &variance, &bias].iter().all(|own| own.len() == channels);
    if !is_even || channels == 0 || !weight.element.is_float() {
        return None;
    }
    let factors: Vec<f64> =
        scale.iter().zip(&variance).map(|(scale, v)| scale / (v + epsilon).sqrt()).collect();
    let groups = match convolution.attributes.get("group") {
        None => 1,
        Some(Attribute::Integer(groups)) => usize::try_from(*groups).ok().filter(|&n| n > 0)?,
        Some(_) => return None,
    };
    let weights = scaled(weight, &factors, groups, is_transposed)?;
    let biases: Vec<f64> =
        (0..channels).map(|c| (bias[c] - mean[c]) * factors[c] + beta[c]).collect();
    let own_bias = bias_name.unwrap_or(&norm.inputs[2]);
    // The offset of the normalisation may be somebody else's too.
    if bias_name.is_none() && !is_alone(own_bias) {
        return None;
    }
    let mut node = convolution.clone();
    node.outputs.clone_from(&norm.outputs);
    node.inputs.truncate(2);
    node.inputs.push(own_bias.clone());
    let biases = floats(weight.element, &[channels], &biases);
    Some((node, vec![(weight_name.clone(), weights), (own_bias.clone(), biases)]))
}

/// The weight with each output channel times its factor.
fn scaled(weight: &Value, factors: &[f64], groups: usize, is_transposed: bool) -> Option<Value> {
    let [first, next] = [weight.extents[0], weight.extents[1]];
    let taps: usize = weight.extents[2..].iter().product();
    let channel = |index: usize| match is_transposed {
        false => index / taps.max(1) / next.max(1),
        // `[in, out / groups, ..]`: the group is that of the input channel.
        true => {
            let (row, column) =
                (index / taps.max(1) / next.max(1), index / taps.max(1) % next.max(1));
            row * groups / first.max(1) * next + column
        }
    };
    let count = if is_transposed { next * groups } else { first };
    if count != factors.len() {
        return None;
    }
    let each = numbers(weight);
    let each: Vec<f64> = each.iter().enumerate().map(|(k, w)| w * factors[channel(k)]).collect();
    Some(floats(weight.element, &weight.extents, &each))
}
