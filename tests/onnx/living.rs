//! An imported graph is a graph: it is placed, streamed and trained like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use synfire::onnx::import_file;
use synfire::optimisers::{Adam, Group, Training, schedule::Constant};
use synfire::prelude::*;
use synfire::runtime::interpret::{Streams, interpret};
use synfire::weights;
use synfire_ops::laws::close;
use synfire_ops::loss::mse::mse;
use synfire_ops::losses::Total;
use synfire_ops::sample::tensor;

use super::{Case, FOLDER, imported, one, options, outputs};
use crate::fixture::planned;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn an_imported_model_streams_over_two_devices() {
    let case = one("cnn_dynamo");
    let graph = imported(&case).draft.check().expect("the draft is right");
    let middle = graph.nodes().nth(4).expect("it has more nodes").0.to_owned();
    let bound = [("", "cpu:0"), (middle.as_str(), "cpu:1")];
    let plan = planned(&graph, 2, &bound, &Limits::default());
    let mut run = launch(&plan, &synfire::prelude::Options::default()).expect("it launches");
    let name = graph.outlets().next().expect("there is one").0;
    let mut feed = run.feed("x").expect("there is a feed");
    let mut outlet = run.outlet(name).expect("there is an outlet");
    for _ in 0..3 {
        feed.send(&case.arrays["x"], LONG).expect("room in time");
        let y = outlet.receive(LONG).expect("in time").value.expect("nothing fails");
        let y = tensor(&y.expect("a value"));
        close(&y, &tensor(&case.arrays[name]), 1e-4).expect("onnxruntime's numbers");
    }
}

/// A target for each output, a squared distance, and Adam.
fn trained(case: &Case, steps: usize) -> Vec<f64> {
    let mut imported = imported(case);
    let (_, y) = imported.outputs[0].clone();
    let draft = &mut imported.draft;
    let spec = draft.spec(y).cloned().expect("nothing is faulty");
    let target = draft.feed("target", spec.clone());
    let loss = mse(draft, y, target, Total::Mean);
    let mut training = Training::new(Adam::default(), Constant(1e-2));
    let settings: Vec<String> = draft
        .parameters()
        .into_iter()
        .filter(|(path, wire)| {
            let is_float = draft.spec(*wire).is_some_and(|spec| spec.element.is_float());
            is_float && !imported.weights.contains(path)
        })
        .map(|(path, _)| path)
        .collect();
    if !settings.is_empty() {
        training.groups.push(Group::new(move |path| settings.iter().any(|s| s == path)).frozen());
    }
    let trained = training.train(draft, loss).expect("it can be trained");
    assert!(!trained.parameters.is_empty());
    draft.outlet("loss", loss);
    let graph = imported.draft.check().expect("the draft is right");
    let mut feeds = Streams::new();
    for (path, _) in &imported.inputs {
        feeds.insert(path.clone(), vec![Some(case.arrays[path].clone()); steps]);
    }
    // What a logarithm of ten equal shares is, so that every model can give it.
    let target = Value::new(&spec.bounds(), &vec![-2.3_f32; spec.elements()]);
    feeds.insert("target".to_owned(), vec![Some(target); steps]);
    let outlets = interpret(&graph, &synfire::prelude::Options::default(), &feeds);
    let outlets = outlets.expect("it runs");
    outlets["loss"].iter().flatten().map(|loss| tensor(loss).data[0]).collect()
}

#[test]
fn imported_models_can_be_trained() {
    for name in ["cnn_script", "lstm_both_dynamo", "attention_script", "transformer_dynamo"] {
        let losses = trained(&one(name), 25);
        let (first, last) = (losses[0], losses[24]);
        assert!(last < 0.7 * first, "{name}: {losses:?}");
    }
}

#[test]
fn a_state_dictionary_of_pytorch_is_read_and_written() {
    use synfire_ops::{
        arrange::reshape::reshape, dense::conv2d::conv2d, dense::linear::linear,
        normalize::batch_norm::batch_norm, pointwise::unary::relu,
    };

    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([2, 1, 6, 6]));
    let parameter = |draft: &mut Draft, name: &str, extents: &[usize]| {
        draft.parameter(name, Spec::f32(extents.to_vec()), Initial::Zeros)
    };
    let y = draft.scope("features", |draft| {
        let [weight, bias] = [("0/weight", &[2, 1, 3, 3][..]), ("0/bias", &[2])]
            .map(|(n, e)| parameter(draft, n, e));
        let y = draft.apply(conv2d().bias(), &[x, weight, bias]);
        let [g, b, m, v] = ["weight", "bias", "running_mean", "running_var"]
            .map(|name| parameter(draft, &format!("1/{name}"), &[2]));
        let y = draft.apply(batch_norm(1e-5), &[y, g, b, m, v]);
        draft.apply(relu(), &[y])
    });
    let y = draft.apply(reshape(&[2.into(), 32.into()]), &[y]);
    let weight = parameter(&mut draft, "classify/weight", &[3, 32]);
    let bias = parameter(&mut draft, "classify/bias", &[3]);
    let y = draft.apply(linear().bias(), &[y, weight, bias]);
    draft.outlet("y", y);
    let graph = draft.check().expect("the draft is right");
    // What is a head there is called by what it does here.
    let name = |path: &str| weights::dotted(path).replace("classify", "head");
    let from = format!("{FOLDER}/state.safetensors");
    let read = weights::load(from.as_ref(), &graph, &name).expect("every name has its place");
    let options = synfire::prelude::Options { weights: read.clone(), ..Default::default() };
    let bytes = std::fs::read(format!("{FOLDER}/state.npz")).expect("it lies there");
    let arrays = synfire::conform::npz::read(&bytes).expect("it holds arrays");
    let feeds: Streams = BTreeMap::from([("x".into(), vec![Some(arrays["x"].clone())])]);
    let found = interpret(&graph, &options, &feeds).expect("it runs");
    let found = found["y"][0].clone().expect("a value");
    close(&tensor(&found), &tensor(&arrays["y"]), 1e-5).expect("PyTorch's numbers");
    // And back under the same names.
    let to = std::env::temp_dir().join(format!("synfire-state-{}", std::process::id()));
    let values = read.first_values(&graph, options.seed);
    weights::save(&to, &values, &name).expect("it can be written");
    let again = weights::load(&to, &graph, &name).expect("it can be read");
    assert_eq!(again.first_values(&graph, options.seed), values);
    let missing = weights::load(&to, &graph, &str::to_owned).expect_err("other names");
    assert!(missing.reasons.iter().any(|own| own.contains("classify/bias is missing")));
    std::fs::remove_file(&to).expect("it was just written");
}

#[test]
fn weights_may_lie_beside_the_model() {
    let case = one("gemm");
    let folder = std::env::temp_dir().join(format!("synfire-beside-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let path = folder.join("gemm.onnx");
    std::fs::write(&path, &case.model).expect("it can be written");
    let graph = import_file(&path, &options(&case.arrays)).expect("it is a model").draft;
    let found = outputs(&graph.check().expect("the draft is right"), &case.arrays);
    assert!(found.contains_key("o0"));
    std::fs::remove_dir_all(&folder).expect("it was just made");
}
