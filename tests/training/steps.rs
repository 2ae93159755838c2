//! Optimisers, clipping, averages and schedules, step by step, against PyTorch's numbers.
//!
//! The loss is the inner product of a weight with a fed gradient, so its gradient is what is fed.

use std::collections::BTreeMap;
use std::sync::Arc;

use synfire::optimisers::schedule::{
    Constant, Cosine, CosinePower, OneCycle, Schedule, StepDecay, WarmRestarts, WarmUp,
};
use synfire::optimisers::{
    Adagrad, Adam, AdamW, Clip, Group, Lars, Lion, LossScale, Noise, Optimiser, RmsProp, Sgd,
    Training,
};
use synfire::prelude::*;
use synfire_ops::broadcast::binary::multiply;
use synfire_ops::losses::Total;
use synfire_ops::sample::tensor;
use synfire_runtime::interpret::Streams;
use synfire_runtime::random::Seed;

use super::{agree, arrays, part, run};
use crate::fixture::planned;

/// A weight of the file with the gradients to feed.
struct Fixture {
    arrays: BTreeMap<String, Value>,
    draft: Draft,
    loss: Wire,
    feeds: Streams,
}

impl Fixture {
    fn new() -> Self {
        let arrays = arrays("steps.npz");
        let mut draft = Draft::new();
        let first = Initial::Value(Arc::new(arrays["weight"].clone()));
        let weight = draft.parameter("weight", Spec::f32([11]), first);
        let gradient = draft.feed("gradient", Spec::f32([11]));
        let product = draft.apply(multiply(), &[weight, gradient]);
        let loss = Total::Sum.of(&mut draft, product);
        let stream = (0..20).map(|step| Some(part(&arrays["gradients"], step))).collect();
        let feeds = BTreeMap::from([("gradient".to_owned(), stream)]);
        Self { arrays, draft, loss, feeds }
    }

    /// The weight after each step.
    fn trained(mut self, training: &Training) -> (Vec<Vec<f64>>, BTreeMap<String, Value>) {
        let trained = training.train(&mut self.draft, self.loss).expect("it can be trained");
        let (path, next) = trained.parameters[0].clone();
        assert_eq!(path, "weight");
        self.draft.outlet("after", next);
        let graph = self.draft.check().expect("the draft is right");
        (run(&graph, &self.feeds, "after"), self.arrays)
    }
}

fn updates(name: &str, optimiser: impl Optimiser + 'static, rate: f64) {
    let (after, arrays) = Fixture::new().trained(&Training::new(optimiser, Constant(rate)));
    agree(name, &after, &arrays[&format!("optimiser.{name}")], 3e-6);
}

#[test]
fn optimisers_step_as_pytorch() {
    let sgd = Sgd::default();
    updates("sgd", sgd.clone(), 0.1);
    let decays = Sgd { momentum: 0.9, weight_decay: 0.1, ..sgd.clone() };
    updates("sgd_momentum", decays, 0.1);
    updates("sgd_nesterov", Sgd { momentum: 0.8, nesterov: true, ..sgd }, 0.1);
    updates("adam", Adam::default(), 0.1);
    let decays = Adam { betas: [0.8, 0.95], epsilon: 1e-3, weight_decay: 0.1 };
    updates("adam_decay", decays, 0.1);
    updates("adamw", AdamW { weight_decay: 0.2, ..AdamW::default() }, 0.1);
    updates("rms_prop", RmsProp { weight_decay: 0.1, ..RmsProp::default() }, 0.01);
    let centred = RmsProp { alpha: 0.9, momentum: 0.7, centred: true, ..RmsProp::default() };
    updates("rms_prop_centred", centred, 0.01);
    updates("adagrad", Adagrad::default(), 0.1);
    let decays = Adagrad { rate_decay: 0.1, weight_decay: 0.1, initial: 0.5, ..Adagrad::default() };
    updates("adagrad_decay", decays, 0.1);
}

#[test]
fn optimisers_step_as_their_papers() {
    let lars = Lars { trust: 0.02, weight_decay: 0.1, ..Lars::default() };
    updates("lars", lars, 0.5);
    updates("lion", Lion { weight_decay: 0.1, ..Lion::default() }, 0.01);
}

#[test]
fn gradients_are_clipped_as_by_pytorch() {
    for (name, clip) in [("clip.value", Clip::Value(0.5)), ("clip.norm", Clip::Norm(2.0))] {
        let plain = Training::new(Sgd::default(), Constant(0.1));
        let (after, arrays) = Fixture::new().trained(&Training { clip: Some(clip), ..plain });
        agree(name, &after, &arrays[name], 3e-6);
    }
}

#[test]
fn a_scaled_loss_changes_nothing_until_it_overflows() {
    let plain = || Training::new(Sgd { momentum: 0.9, ..Sgd::default() }, Constant(0.1));
    let scaled = |initial: f64| {
        let scale = LossScale { initial, ..LossScale::default() };
        Training { loss_scale: Some(scale), ..plain() }
    };
    let (expected, _) = Fixture::new().trained(&plain());
    // Powers of two, so the same bits.
    assert_eq!(Fixture::new().trained(&scaled(65_536.0)).0, expected);
    // A step that overflows moves nothing and halves the scale.
    let mut scale = 2.0_f64.powi(127);
    let (after, arrays) = Fixture::new().trained(&scaled(scale));
    let mut before = tensor(&arrays["weight"]).data;
    let mut left_out = 0;
    for (step, after) in after.iter().enumerate() {
        let slope = tensor(&part(&arrays["gradients"], step)).data;
        let overflows = slope.iter().any(|x| x.abs() * scale > f64::from(f32::MAX));
        assert_eq!(*after == before, overflows, "step {step}");
        if overflows {
            (scale, left_out) = (scale / 2.0, left_out + 1);
        }
        before.clone_from(after);
    }
    assert!((1..20).contains(&left_out), "{left_out} steps overflow");
}

#[test]
fn schedules_give_the_rates_of_pytorch() {
    let cosine = Cosine { initial: 0.5, last: 0.01, steps: 59 };
    let warm_up = |start, steps, then| WarmUp { start, steps, then };
    let falling = Cosine { initial: 0.5, last: 0.0, steps: 50 };
    let restarts = WarmRestarts { initial: 0.5, last: 0.02, period: 11, growth: 1 };
    let growing = WarmRestarts { initial: 0.5, last: 0.0, period: 5, growth: 3 };
    let schedules: Vec<(&str, Box<dyn Schedule>)> = vec![
        ("step", Box::new(StepDecay { initial: 0.5, factor: 0.3, interval: 7 })),
        ("cosine", Box::new(cosine)),
        ("warm_up", Box::new(warm_up(0.1, 12, Box::new(Constant(0.5))))),
        ("warm_up_cosine", Box::new(warm_up(0.01, 10, Box::new(falling)))),
        ("one_cycle", Box::new(OneCycle::new(0.5, 60))),
        ("warm_restarts", Box::new(restarts)),
        ("warm_restarts_growing", Box::new(growing)),
        (
            "cosine_power",
            Box::new(CosinePower { initial: 0.5, last: 0.01, steps: 59, power: 10.0 }),
        ),
    ];
    let arrays = arrays("steps.npz");
    for (name, schedule) in schedules {
        schedule.check().expect("the settings make sense");
        let mut draft = Draft::new();
        let step = draft.feed("step", Spec::f32([0_usize; 0]));
        let rate = schedule.rate(&mut draft, step);
        draft.outlet("rate", rate);
        let graph = draft.check().expect("the draft is right");
        let steps = (0..60).map(|step| Some(Value::new(&[], &[step as f32]))).collect();
        let rates = run(&graph, &BTreeMap::from([("step".to_owned(), steps)]), "rate");
        agree(name, &rates, &arrays[&format!("schedule.{name}")], 1e-6);
    }
}

#[test]
fn groups_train_in_their_own_way() {
    let slow = Group::new(|path| path == "weight").rate(0.5).weight_decay(0.0);
    let own = Sgd { weight_decay: 0.7, ..Sgd::default() };
    let training = Training::new(own, Constant(0.2));
    let (after, arrays) = Fixture::new().trained(&Training { groups: vec![slow], ..training });
    agree("a group", &after, &arrays["optimiser.sgd"], 3e-6);
}

#[test]
fn what_makes_no_sense_is_an_error_that_names_it() {
    let error = |change: &dyn Fn(&mut Training)| {
        let mut fixture = Fixture::new();
        let mut training = Training::new(Sgd::default(), Constant(0.1));
        change(&mut training);
        let error = training.train(&mut fixture.draft, fixture.loss).expect_err("it is refused");
        error.to_string()
    };
    let idle = error(&|training| training.groups = vec![Group::new(|path| path == "wieght")]);
    assert!(idle.contains("groups[0]"), "{idle}");
    let frozen = error(&|training| training.groups = vec![Group::new(|_| true).frozen()]);
    assert!(frozen.contains("no parameter to train"), "{frozen}");
    let clip = error(&|training| training.clip = Some(Clip::Norm(0.0)));
    assert!(clip.contains("clip") && clip.contains("more than 0"), "{clip}");
    let average = error(&|training| training.average = Some(1.0));
    assert!(average.contains("average"), "{average}");
}

#[test]
fn averages_follow_as_in_pytorch() {
    let mut fixture = Fixture::new();
    let plain = Training::new(Sgd::default(), Constant(0.1));
    let training = Training { average: Some(0.8), ..plain };
    let trained = training.train(&mut fixture.draft, fixture.loss).expect("it can be trained");
    fixture.draft.outlet("average", trained.averages[0].1);
    let graph = fixture.draft.check().expect("the draft is right");
    let averages = run(&graph, &fixture.feeds, "average");
    agree("average", &averages, &fixture.arrays["average"], 3e-6);
}

#[test]
fn noise_is_reproduced_and_none_is_none() {
    let with = |eta: f64, seed: u64| {
        let noise = Some(Noise::new(eta, Seed(seed)));
        let plain = Training::new(Sgd::default(), Constant(0.1));
        Fixture::new().trained(&Training { noise, ..plain }).0
    };
    let (plain, _) = Fixture::new().trained(&Training::new(Sgd::default(), Constant(0.1)));
    assert_eq!(with(0.0, 1), plain);
    assert_eq!(with(0.3, 1), with(0.3, 1));
    assert_ne!(with(0.3, 1), plain);
    assert_ne!(with(0.3, 1), with(0.3, 2));
}

#[test]
fn weights_and_moments_are_updated_in_their_registers() {
    let mut fixture = Fixture::new();
    let training = Training::new(AdamW::default(), Constant(0.1));
    training.train(&mut fixture.draft, fixture.loss).expect("it can be trained");
    fixture.draft.outlet("loss", fixture.loss);
    let graph = fixture.draft.check().expect("the draft is right");
    let plan = planned(&graph, 1, &[], &Limits::default());
    let registers = plan.data().registers.iter();
    let own: Vec<(&str, u32)> = registers
        .filter(|own| own.name.starts_with("training/optimiser/weight/adam:"))
        .map(|own| (own.name.as_str(), own.slots))
        .collect();
    assert_eq!(own.len(), 3, "{own:?}");
    assert!(own.iter().all(|&(_, slots)| slots == 1), "{own:?}");
}

#[test]
fn batches_of_one_step_are_averaged() {
    for loss_scale in [None, Some(LossScale::default())] {
        let plain = || Training::new(Adam::default(), Constant(0.1));
        let training = Training { accumulate: 5, loss_scale, ..plain() };
        let (after, arrays) = Fixture::new().trained(&training);
        // The same by hand: the mean of each five gradients, fed at once.
        let mut fixture = Fixture::new();
        let mean = |round: usize| {
            let rows: Vec<_> =
                (0..5).map(|row| part(&arrays["gradients"], 5 * round + row)).collect();
            let rows: Vec<Vec<f32>> = rows.iter().map(Value::elements::<f32>).collect();
            let mean = |at: usize| rows.iter().map(|row| row[at]).sum::<f32>() / 5.0;
            Some(Value::new(&[11], &(0..11).map(mean).collect::<Vec<_>>()))
        };
        fixture.feeds.insert("gradient".to_owned(), (0..4).map(mean).collect());
        let (expected, _) = fixture.trained(&plain());
        let first = tensor(&arrays["weight"]).data;
        for (step, after) in after.iter().enumerate() {
            let expected = if step < 4 { &first } else { &expected[(step + 1) / 5 - 1] };
            let near = after.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(near, "batch {step}: {after:?}, expected {expected:?}");
        }
    }
}
