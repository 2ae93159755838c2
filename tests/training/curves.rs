//! Fifty steps of small models from PyTorch's weights and batches give PyTorch's losses.

use std::collections::BTreeMap;
use std::sync::Arc;

use synfire::blocks::{Mode, Norm, Precision, normalise};
use synfire::optimisers::{Adam, LossScale, Sgd, Training, schedule::Constant};
use synfire::prelude::*;
use synfire_ops::arrange::reshape::{Extent, reshape};
use synfire_ops::arrange::slice::slice;
use synfire_ops::attention::attend::attend;
use synfire_ops::attention::multi_head_attention::{Layer, Projections, multi_head_attention};
use synfire_ops::broadcast::binary::add;
use synfire_ops::broadcast::cast::cast;
use synfire_ops::dense::conv2d::conv2d;
use synfire_ops::dense::linear::linear;
use synfire_ops::loss::cross_entropy::{CrossEntropy, cross_entropy};
use synfire_ops::loss::nll::Classes;
use synfire_ops::losses::Total;
use synfire_ops::normalize::row_norm::layer_norm;
use synfire_ops::pointwise::unary::{gelu, relu, scale, shift, tanh};
use synfire_ops::pool::max_pool2d::max_pool2d;
use synfire_ops::recurrent::cell::Weights as Cell;
use synfire_ops::recurrent::network::{Layout, Network, lstm};
use synfire_ops::reduce::reduction::{Keep, mean};
use synfire_ops::sample::tensor;

use super::{arrays, part, run};

const STEPS: usize = 50;
const BATCHES: usize = 10;

/// A model's file of arrays, and the draft that it is built in.
struct Model<'a> {
    name: &'a str,
    arrays: &'a BTreeMap<String, Value>,
    draft: Draft,
    precision: Precision,
}

impl Model<'_> {
    /// A parameter with PyTorch's name and first value.
    fn parameter(&mut self, name: &str) -> Wire {
        let value = &self.arrays[&format!("{}.parameter.{name}", self.name)];
        let first = Initial::Value(Arc::new(value.clone()));
        self.precision.parameter(&mut self.draft, name, value.extents.clone(), first)
    }

    fn layer(&mut self, name: &str) -> Layer {
        let weight = self.parameter(&format!("{name}.weight"));
        Layer { weight, bias: Some(self.parameter(&format!("{name}.bias"))) }
    }

    fn linear(&mut self, name: &str, x: Wire) -> Wire {
        let Layer { weight, bias } = self.layer(name);
        self.draft.apply(linear().bias(), &[x, weight, bias.expect("it has one")])
    }

    fn norm(&mut self, name: &str, x: Wire) -> Wire {
        let Layer { weight, bias } = self.layer(name);
        let inputs = [x, weight, bias.expect("it has one")];
        self.draft.apply(layer_norm(1, 1e-5).affine(), &inputs)
    }
}

fn mlp(model: &mut Model<'_>, x: Wire) -> Wire {
    let x = model.linear("0", x);
    let x = model.draft.apply(relu(), &[x]);
    let x = model.linear("2", x);
    let x = model.draft.apply(tanh(), &[x]);
    model.linear("4", x)
}

fn cnn(model: &mut Model<'_>, x: Wire) -> Wire {
    let Layer { weight, bias } = model.layer("0");
    let inputs = [x, weight, bias.expect("it has one")];
    let x = model.draft.apply(conv2d().padding(1).bias(), &inputs);
    let x = model.draft.apply(relu(), &[x]);
    let x = model.draft.apply(max_pool2d(2).stride(2), &[x]);
    let weight = model.parameter("3.weight");
    let x = model.draft.apply(conv2d().padding(1), &[x, weight]);
    let norm = |draft: &mut Draft| normalise(draft, x, Norm::default(), Mode::Train);
    let x = model.draft.scope("4", norm);
    let x = model.draft.apply(relu(), &[x]);
    let x = model.draft.apply(max_pool2d(2).stride(2), &[x]);
    let x = model.draft.apply(reshape(&[8.into(), Extent::Infer]), &[x]);
    model.linear("8", x)
}

fn recurrent(model: &mut Model<'_>, x: Wire) -> Wire {
    let [input, hidden, input_bias, hidden_bias] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        .map(|name| model.parameter(&format!("lstm.{name}_l0")));
    let cell = [Cell { input, hidden, biases: Some([input_bias, hidden_bias]) }];
    let network = Network::new(&cell, Layout::BatchFirst);
    let [y, ..] = lstm(&mut model.draft, x, None, &network);
    let last = model.draft.apply(slice(1, 7, 8, 1), &[y]);
    let last = model.draft.apply(reshape(&[8.into(), 16.into()]), &[last]);
    model.linear("head", last)
}

fn transformer(model: &mut Model<'_>, x: Wire) -> Wire {
    let normal = model.norm("norm1", x);
    let [query, key, value, output] =
        ["query", "key", "value", "output"].map(|name| model.layer(name));
    let projections = Projections { query, key, value, output, heads: 4 };
    let inputs = ([normal; 3], None);
    let seen = multi_head_attention(&mut model.draft, &projections, &attend(), inputs);
    let x = model.draft.apply(add(), &[x, seen]);
    let normal = model.norm("norm2", x);
    let up = model.linear("up", normal);
    let up = model.draft.apply(gelu(), &[up]);
    let down = model.linear("down", up);
    let x = model.draft.apply(add(), &[x, down]);
    let x = model.draft.apply(mean(&[1], Keep::Nothing), &[x]);
    model.linear("head", x)
}

/// The losses of a model in fifty steps, computed in a precision.
fn losses(
    (name, build): (&str, fn(&mut Model<'_>, Wire) -> Wire),
    arrays: &BTreeMap<String, Value>,
    training: &Training,
    precision: Precision,
) -> Vec<f64> {
    let [x, target] = ["x", "target"].map(|part| &arrays[&format!("{name}.{part}")]);
    let mut model = Model { name, arrays, draft: Draft::new(), precision };
    let bytes = model.draft.feed("x", part(x, 0).spec());
    let wanted = model.draft.feed("target", part(target, 0).spec());
    let wide = model.draft.apply(cast(Element::F32), &[bytes]);
    let centred = model.draft.apply(shift(-128.0), &[wide]);
    let scaled = model.draft.apply(scale(1.0 / 64.0), &[centred]);
    let scaled = precision.enter(&mut model.draft, scaled);
    let logits = build(&mut model, scaled);
    let mut draft = model.draft;
    let logits = precision.leave(&mut draft, logits);
    let classes = Classes { axis: 1, weight: None, ignored: None };
    let entropy = CrossEntropy { classes, smoothing: 0.0 };
    let loss = cross_entropy(&mut draft, logits, wanted, entropy, Total::Mean);
    draft.outlet("loss", loss);
    training.train(&mut draft, loss).expect("it can be trained");
    let graph = draft.check().expect("the draft is right");
    let stream = |value: &Value| (0..STEPS).map(|step| Some(part(value, step % BATCHES))).collect();
    let feeds =
        BTreeMap::from([("x".to_owned(), stream(x)), ("target".to_owned(), stream(target))]);
    run(&graph, &feeds, "loss").into_iter().flatten().collect()
}

/// The losses of a model with an optimiser are within a part of PyTorch's.
fn check(
    model: (&str, fn(&mut Model<'_>, Wire) -> Wire),
    label: &str,
    training: &Training,
    (precision, relative): (Precision, f64),
) {
    let arrays = arrays("curves.npz");
    let found = losses(model, &arrays, training, precision);
    let expected = tensor(&arrays[&format!("{}.loss.{label}", model.0)]).data;
    assert_eq!(found.len(), expected.len());
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let apart = (found - expected).abs() / expected;
        let what = format!("{} {label} {precision:?}: step {step}", model.0);
        assert!(apart <= relative, "{what} is {found:?}, expected {expected}");
    }
}

fn sgd() -> Training {
    Training::new(Sgd { momentum: 0.9, ..Sgd::default() }, Constant(0.05))
}

fn adam() -> Training {
    Training::new(Adam::default(), Constant(3e-3))
}

fn both(name: &str, build: fn(&mut Model<'_>, Wire) -> Wire) {
    let full = (Precision::FULL, 1e-4);
    check((name, build), "sgd", &sgd(), full);
    check((name, build), "adam", &adam(), full);
}

#[test]
fn sixteen_bits_learn_nearly_the_same() {
    for (precision, relative) in [(Precision(Element::BF16), 0.1), (Precision(Element::F16), 0.05)]
    {
        let scaled = || Training { loss_scale: Some(LossScale::default()), ..adam() };
        check(("mlp", mlp), "adam", &scaled(), (precision, relative));
        check(("cnn", cnn), "adam", &scaled(), (precision, relative));
    }
}

#[test]
fn a_multi_layer_perceptron_learns_as_in_pytorch() {
    both("mlp", mlp);
}

#[test]
fn a_convolutional_network_learns_as_in_pytorch() {
    both("cnn", cnn);
}

#[test]
fn a_recurrent_network_learns_as_in_pytorch() {
    both("lstm", recurrent);
}

#[test]
fn a_transformer_block_learns_as_in_pytorch() {
    both("transformer", transformer);
}
