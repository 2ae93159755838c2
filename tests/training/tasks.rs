//! Tasks: networks of two devices, sizes of published networks, batch norm that learns.

use std::collections::BTreeMap;

use synfire::blocks::Mode;
use synfire::models::vision::{cnn, mlp, resnet, simplenet};
use synfire::prelude::*;
use synfire::runtime::random::Seed;
use synfire::tasks::ppn::PpnTask;
use synfire::tasks::{Prepared, Source, Wish, prepare};
use synfire::train::{Outcome, Settings, train};

fn trained(prepared: &Prepared, devices: &Devices, steps: u64, name: &str) -> Outcome {
    let own = format!("synfire-task-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(own);
    let settings = Settings {
        steps,
        interval: steps,
        patience: None,
        keep: 1,
        folder: folder.clone(),
        devices: devices.clone(),
        seed: Seed(2),
        weights: Weights::default(),
        resume: false,
        limits: Limits::default(),
    };
    let outcome = train(&prepared.task, &settings, &mut ()).expect("it trains");
    std::fs::remove_dir_all(folder).expect("the folder can go");
    outcome
}

#[test]
fn both_networks_of_ppn_train_to_the_same_bits_on_one_and_on_two_devices() {
    let one = Devices::new().with_cores("cpu:0", vec![0], false);
    let two = one.clone().with_cores("cpu:1", vec![1], false);
    let mut all: Vec<BTreeMap<String, Value>> = Vec::new();
    for (name, devices) in [("one", one), ("two", two)] {
        let wish = Wish { devices: devices.clone(), ..Wish::default() };
        let prepared = PpnTask::tiny().prepare(&wish).expect("the task is right");
        let outcome = trained(&prepared, &devices, 12, name);
        let losses = outcome.history.series("loss");
        assert!(losses[11].1 < losses[0].1, "the loss falls: {losses:?}");
        all.push(outcome.parameters);
    }
    assert!(all[0].keys().any(|path| path.ends_with("running_mean")));
    assert!(all[0] == all[1], "the same bits");
}

#[test]
fn a_residual_network_learns_its_statistics() {
    let wish = Wish { source: Source::Sample, batch: Some(16), ..Wish::default() };
    let prepared = prepare("resnet", &wish).expect("the task is right");
    let outcome = trained(&prepared, &Devices::cpu(1), 2, "resnet");
    let mean = &outcome.parameters["resnet/stem/bn/running_mean"];
    assert!(mean.elements::<f32>().iter().any(|&mean| mean != 0.0), "it follows the batches");
}

/// Elements of all parameters but running statistics.
fn size(define: impl FnOnce(&mut Draft, Wire), channels: usize) -> usize {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::f32([1, channels, 28, 28]));
    define(&mut draft, x);
    let learnt = draft.parameters().into_iter().filter(|(path, _)| !path.contains("running_"));
    learnt.map(|(_, wire)| draft.spec(wire).expect("it has a spec").elements()).sum()
}

#[test]
fn networks_are_as_large_as_published() {
    let simple = |config: simplenet::Config| {
        let build = |draft: &mut Draft, x| {
            simplenet::define(&config, draft, x, Mode::Evaluate);
        };
        size(build, 3) as f64
    };
    let full = simple(simplenet::Config::full());
    assert!((full / 5.48e6 - 1.0).abs() < 0.01, "full: {full}");
    let slim = simple(simplenet::Config::slim());
    assert!((slim / 310e3 - 1.0).abs() < 0.02, "slim: {slim}");
    let own = size(
        |draft, x| {
            mlp::define(&mlp::Config::mnist(), draft, x);
        },
        1,
    );
    assert_eq!(own, 535_818);
    let cnn = |draft: &mut Draft, x| {
        cnn::define(&cnn::Config::mnist(), draft, x, Mode::Evaluate);
    };
    assert_eq!(size(cnn, 1), 421_642);
    let resnet = |draft: &mut Draft, x| {
        resnet::define(&resnet::Config::mnist(), draft, x, Mode::Evaluate);
    };
    assert_eq!(size(resnet, 1), 174_970);
}
