//! The driver: trainings that are stopped, killed, damaged or diverge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use synfire::blocks::layer::{Start, dense};
use synfire::data::batches::{Batches, batches};
use synfire::data::digits::digits;
use synfire::models::vision::mlp;
use synfire::optimisers::schedule::Constant;
use synfire::optimisers::{Adam, Sgd, Training};
use synfire::prelude::*;
use synfire::runtime::graph::Graph;
use synfire::runtime::random::Seed;
use synfire::train::{Ending, Evaluation, Goal, Settings, Task, TrainError, Watch, train};
use synfire_ops::broadcast::binary::equal;
use synfire_ops::broadcast::cast::cast;
use synfire_ops::loss::cross_entropy::{CrossEntropy, cross_entropy};
use synfire_ops::loss::nll::Classes;
use synfire_ops::losses::Total;
use synfire_ops::pointwise::unary::fill;
use synfire_ops::random::dropout::dropout;
use synfire_ops::reduce::arg::argmax;
use synfire_ops::reduce::reduction::Keep;

const STEPS: u64 = 60;

/// The folder that a child trains in; set for children only.
const CHILD: &str = "SYNFIRE_TEST_TRAINS_IN";

/// A small network on the shipped digits.
fn task(training: &Training) -> Task {
    let source = batches(digits(), 32, Seed(1));
    let steps_per_epoch = source.steps();
    let mut draft = Draft::new();
    let (logits, label) = network(&mut draft, source, true);
    let loss = entropy(&mut draft, logits, label, Total::Mean);
    draft.outlet("loss", loss);
    training.train(&mut draft, loss).expect("the settings are right");
    let held = || batches(digits(), 599, Seed(1)).in_order().epochs(1);
    let evaluation = evaluation(held());
    Task {
        name: "digits".to_owned(),
        training: draft.check().expect("the draft is right"),
        test: evaluation.clone(),
        evaluation,
        placement: Placement::new(),
        steps_per_epoch,
        goal: Goal::Highest("accuracy"),
    }
}

fn network(draft: &mut Draft, source: Batches, learns: bool) -> (Wire, Wire) {
    let given = draft.apply_many(source, &[]);
    let hidden = mlp::Config { widths: vec![24], start: Start::He };
    let mut y = mlp::define(&hidden, draft, given[0]);
    if learns {
        // Random numbers are state too: they are keyed by the number of the firing.
        y = dropout(draft, y, 0.1, Seed(2), 1);
    }
    (dense(draft, "out", y, 10, Start::Xavier), given[1])
}

fn entropy(draft: &mut Draft, logits: Wire, label: Wire, total: Total) -> Wire {
    let classes = Classes { axis: 1, weight: None, ignored: None };
    cross_entropy(draft, logits, label, CrossEntropy { classes, smoothing: 0.0 }, total)
}

fn evaluation(source: Batches) -> Graph {
    let mut draft = Draft::new();
    let (logits, label) = network(&mut draft, source, false);
    let loss = entropy(&mut draft, logits, label, Total::Sum);
    let guess = draft.apply(argmax(1, Keep::Nothing), &[logits]);
    let right = draft.apply(equal(), &[guess, label]);
    let right = draft.apply(cast(Element::F32), &[right]);
    let one = draft.apply(fill(1.0), &[right]);
    let [right, count] = [right, one].map(|own| Total::Sum.of(&mut draft, own));
    for (name, wire) in [("loss", loss), ("accuracy", right), ("examples", count)] {
        draft.outlet(name, wire);
    }
    draft.check().expect("the draft is right")
}

fn settings(folder: &Path) -> Settings {
    Settings {
        steps: STEPS,
        interval: 7,
        patience: None,
        keep: 2,
        folder: folder.to_owned(),
        devices: Devices::cpu(1),
        seed: Seed(5),
        weights: Weights::default(),
        resume: true,
        limits: Limits::default(),
    }
}

/// Stops after a step, if told to; keeps notices.
#[derive(Default)]
struct Looker {
    stop_after: Option<u64>,
    step: u64,
    notices: Vec<String>,
    /// How long it takes to look at a step.
    slow: Duration,
}

impl Watch for Looker {
    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }

    fn step(&mut self, step: u64, _: f64) {
        self.step = step;
        std::thread::sleep(self.slow);
    }

    fn evaluated(&mut self, _: &Evaluation, _: bool) {}

    fn is_stopped(&self) -> bool {
        self.stop_after.is_some_and(|step| self.step >= step)
    }
}

fn folder(name: &str) -> PathBuf {
    let own = format!("synfire-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(own);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn adam() -> Training {
    Training::new(Adam::default(), Constant(3e-3))
}

/// The weights of a training that nothing disturbs.
fn undisturbed(by: &str) -> BTreeMap<String, Value> {
    let own = folder(&format!("undisturbed-{by}"));
    let outcome = train(&task(&adam()), &settings(&own), &mut Looker::default()).expect("it ends");
    assert_eq!((outcome.ending, outcome.history.rows.len() as u64), (Ending::Done, STEPS));
    let accuracy = outcome.history.evaluations.last().expect("it was evaluated").values["accuracy"];
    assert!(accuracy > 0.6, "it learnt: {accuracy}");
    for file in ["last.safetensors", "best.safetensors", "metrics.csv", "report.html"] {
        assert!(own.join(file).is_file(), "{file} was written");
    }
    std::fs::remove_dir_all(own).expect("the folder can go");
    outcome.parameters
}

#[test]
fn a_training_that_is_stopped_goes_on_to_the_same_weights() {
    let own = folder("stopped");
    let mut looker = Looker { stop_after: Some(17), ..Looker::default() };
    let first = train(&task(&adam()), &settings(&own), &mut looker).expect("it is stopped");
    assert_eq!(first.ending, Ending::Stopped);
    let mut looker = Looker::default();
    let second = train(&task(&adam()), &settings(&own), &mut looker).expect("it goes on");
    assert!(looker.notices[0].starts_with("goes on after step"), "{:?}", looker.notices);
    assert!(second.parameters == undisturbed("stopped"), "the same bits");
    assert_eq!(second.history.rows.len() as u64, STEPS, "every step is told once");
    std::fs::remove_dir_all(own).expect("the folder can go");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
    let own = folder("damaged");
    let mut looker = Looker { stop_after: Some(30), ..Looker::default() };
    train(&task(&adam()), &settings(&own), &mut looker).expect("it is stopped");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&own)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|own| own == "synfire"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "two are kept");
    let newest = names.last().expect("there is one");
    let mut bytes = std::fs::read(newest).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(newest, bytes).expect("it can be written");
    let mut looker = Looker::default();
    let outcome = train(&task(&adam()), &settings(&own), &mut looker).expect("it goes on");
    assert!(looker.notices[0].contains("checksum"), "{:?}", looker.notices);
    assert!(outcome.parameters == undisturbed("damaged"), "the same bits");
    std::fs::remove_dir_all(own).expect("the folder can go");
}

/// A child of the next test: trains slowly in a folder until it is killed or ends.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let mut looker = Looker { slow: Duration::from_millis(4), ..Looker::default() };
    train(&task(&adam()), &settings(Path::new(&folder)), &mut looker).expect("it ends");
}

#[test]
fn a_process_that_is_killed_at_any_moment_goes_on_to_the_same_weights() {
    let own = folder("killed");
    let program = std::env::current_exe().expect("the test runs");
    let mut kills = 0;
    for round in 0..40 {
        let mut child = Command::new(&program);
        child.args(["--exact", "training::driver::child"]).env(CHILD, &own);
        let mut child = child.stdout(Stdio::null()).spawn().expect("a child can be started");
        // Any moment, but the same in each run of this test.
        std::thread::sleep(Duration::from_millis(150 + Seed(round).derive(3).0 % 300));
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            assert!(status.success(), "a child that was not killed ends well");
            break;
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        kills += 1;
    }
    let outcome = train(&task(&adam()), &settings(&own), &mut Looker::default()).expect("it ends");
    assert!(kills > 0, "at least one was killed");
    assert!(outcome.parameters == undisturbed("killed"), "the same bits after {kills} kills");
    std::fs::remove_dir_all(own).expect("the folder can go");
}

#[test]
fn a_training_that_diverges_says_so_and_keeps_the_last_good_checkpoint() {
    let own = folder("diverged");
    let wild = Training::new(Sgd { momentum: 0.9, ..Sgd::default() }, Constant(0.05));
    let mut looker = Looker { stop_after: Some(14), ..Looker::default() };
    train(&task(&wild), &settings(&own), &mut looker).expect("it is stopped");
    let weights = std::fs::read(own.join("last.safetensors")).expect("weights were saved");
    let wild = Training::new(Sgd { momentum: 0.9, ..Sgd::default() }, Constant(1e30));
    let other = folder("diverged-anew");
    let error = train(&task(&wild), &settings(&other), &mut Looker::default()).unwrap_err();
    let TrainError::Diverged { step, good, .. } = error else { panic!("{error}") };
    assert!(step <= 7 && good == 0, "step {step}, good {good}");
    assert_eq!(std::fs::read(own.join("last.safetensors")).expect("they stay"), weights);
    let _ = (std::fs::remove_dir_all(own), std::fs::remove_dir_all(other));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let own = folder("blocked");
    std::fs::write(&own, "a file").expect("the file can be written");
    let error = train(&task(&adam()), &settings(&own), &mut Looker::default()).unwrap_err();
    assert!(error.to_string().contains("synfire-blocked"), "{error}");
    std::fs::remove_file(own).expect("the file can go");
}
