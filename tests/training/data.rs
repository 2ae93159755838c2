//! Sources of batches through launched plans: the same bits anywhere, and ahead of their readers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use synfire::data::augment::Augment;
use synfire::data::batches::{Batches, batches};
use synfire::data::dataset::{Answers, Dataset, Elements, Examples, Target};
use synfire_ops::pointwise::unary::scale;
use synfire_runtime::define::Draft;
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::{Options, launch};
use synfire_runtime::operator::FireError;
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::random::Seed;
use synfire_runtime::run::OutletError;
use synfire_runtime::simulate::{Simulation, simulate};

use crate::fixture::{formula, planned};

const LONG: Duration = Duration::from_secs(20);

/// 23 images of 6 x 6 in three classes.
fn data() -> Dataset {
    let elements = (0..23 * 36).map(|at| (at % 251) as f32 / 251.0).collect();
    let labels = (0..23).map(|index| index % 3).collect();
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let answers = Answers::Labels { labels, names };
    Dataset::new("test", &[6, 6], Elements::F32(elements), answers).expect("it is right")
}

/// Three epochs of six batches, the last one padded, with every kind of variation.
fn source(examples: impl Examples + 'static) -> Batches {
    let source = batches(examples, 4, Seed(11)).padded().epochs(3);
    let source = source.augment(Augment::Crop { padding: 2, size: [6, 6] });
    let source = source.augment(Augment::Flip { probability: 0.5 });
    let source = source.augment(Augment::Noise { deviation: 0.1 });
    source.augment(Augment::CutOut { side: 2 }).mixup(0.3).normalise(&[0.5], &[0.25])
}

fn graph(source: Batches) -> Graph {
    let mut draft = Draft::new();
    let outputs = draft.scope("data", |draft| draft.apply_many(source, &[]));
    let x = draft.scope("model", |draft| draft.apply(scale(2.0), &[outputs[0]]));
    draft.outlet("x", x);
    draft.outlet("label", outputs[1]);
    draft.outlet("weight", outputs[2]);
    draft.check().expect("the draft is right")
}

/// All that comes out of a launched plan.
fn streamed(plan: &Plan) -> Streams {
    let mut run = launch(plan, &Options::default()).expect("the plan launches");
    let names = ["x", "label", "weight"];
    let mut outlets = names.map(|name| (name, run.outlet(name).expect("it is there"), Vec::new()));
    let mut open = true;
    while open {
        for (_, outlet, values) in &mut outlets {
            match outlet.receive(LONG) {
                Ok(output) => values.push(output.value.expect("nothing fails")),
                Err(OutletError::Ended) => open = false,
                Err(OutletError::Empty) => panic!("nothing came out in time"),
            }
        }
    }
    let streams = outlets.into_iter().map(|(name, _, values)| (name.to_owned(), values)).collect();
    run.finish(LONG).expect("the run ends well");
    streams
}

const TOGETHER: &[(&str, &str)] = &[("data", "cpu:0"), ("model", "cpu:0")];
const APART: &[(&str, &str)] = &[("data", "cpu:1"), ("model", "cpu:0")];

#[test]
fn batches_are_the_same_bits_on_one_device_and_on_two() {
    let graph = graph(source(data()));
    let expected =
        interpret(&graph, &Options::default(), &Streams::new()).expect("the reference runs");
    assert_eq!(expected["x"].len(), 18);
    for (devices, bound) in [(1, TOGETHER), (2, APART)] {
        let plan = planned(&graph, devices, bound, &Limits::default());
        assert_eq!(streamed(&plan), expected, "{bound:?}");
        for seed in 0..5 {
            let simulation = Simulation { seed: Seed(seed), ..Simulation::default() };
            let outcome = simulate(&plan, &Options::default(), &simulation).expect("it ends");
            for (name, stream) in &expected {
                let found = outcome.outlets[name].iter();
                let found = found.map(|output| output.value.clone().expect("nothing fails"));
                assert!(found.eq(stream.iter().cloned()), "{name}, schedule {seed}");
            }
        }
    }
}

#[test]
fn a_run_that_starts_at_a_step_gives_the_rest_of_the_stream() {
    let reference =
        |source| interpret(&graph(source), &Options::default(), &Streams::new()).expect("it runs");
    let whole = reference(source(data()));
    let rest = reference(source(data()).starting_at(8));
    for (name, stream) in &whole {
        assert_eq!(rest[name], stream[8..], "{name}");
    }
}

/// Examples that count how many were read.
#[derive(Debug)]
struct Counted {
    data: Dataset,
    count: Arc<Count>,
}

#[derive(Debug, Default)]
struct Count {
    read: AtomicUsize,
    gate: Mutex<()>,
    bell: Condvar,
}

impl Examples for Counted {
    fn count(&self) -> usize {
        self.data.count()
    }

    fn extents(&self) -> &[usize] {
        self.data.extents()
    }

    fn target(&self) -> &Target {
        self.data.target()
    }

    fn read(&self, index: usize, x: &mut [f32]) {
        self.data.read(index, x);
        let _gate = self.count.gate.lock().expect("nobody panics");
        self.count.read.fetch_add(1, Ordering::Relaxed);
        self.count.bell.notify_all();
    }

    fn answer(&self, index: usize, y: &mut [f32]) {
        self.data.answer(index, y);
    }
}

#[test]
fn a_source_on_a_lane_of_its_own_runs_ahead_by_the_credits_of_its_stream() {
    const SLOTS: usize = 4;
    let count = Arc::new(Count::default());
    let counted = Counted { data: data(), count: count.clone() };
    let mut draft = Draft::new();
    let outputs = draft.scope("data", |draft| {
        draft.apply_many(batches(counted, 1, Seed(1)).in_order().epochs(1), &[])
    });
    // Holds its first label until the source has filled every slot, and looks how many it made.
    let model = formula("model", 1, move |label, firing| {
        if firing > 0 {
            return Ok(label[0]);
        }
        let gate = count.gate.lock().expect("nobody panics");
        let waits = |_: &mut ()| count.read.load(Ordering::Relaxed) < SLOTS;
        let (_gate, waited) = count.bell.wait_timeout_while(gate, LONG, waits).expect("no panic");
        if waited.timed_out() {
            return Err(FireError::failed("the source did not run ahead"));
        }
        Ok(100 * count.read.load(Ordering::Relaxed) as i64 + label[0])
    });
    let label = draft.apply(model, &[outputs[1]]);
    draft.outlet("out", label);
    let graph = draft.check().expect("the draft is right");
    let capacities = [("data/batches:label".to_owned(), SLOTS)].into();
    let plan = planned(&graph, 2, APART, &Limits { capacities, ..Limits::default() });
    let mut run = launch(&plan, &Options::default()).expect("the plan launches");
    let mut outlet = run.outlet("out").expect("there is an outlet");
    let mut taken = Vec::new();
    while let Ok(output) = outlet.receive(LONG) {
        taken.extend(output.value.expect("nothing fails").expect("no nulls").elements::<i64>());
    }
    run.finish(LONG).expect("the run ends well");
    // It made as many as there are slots while the first was held, and not one more.
    assert_eq!(taken[0], 100 * SLOTS as i64);
    assert!(taken[1..].iter().copied().eq((1..23).map(|index| index % 3)));
}
