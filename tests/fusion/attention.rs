//! Attention written out with plain operators becomes one operator. Unfused plans are the oracle.

use std::collections::BTreeMap;

use synfire_ops::arrange::transpose::transpose;
use synfire_ops::attention::attend::attend;
use synfire_ops::broadcast::binary::add;
use synfire_ops::broadcast::select::where_;
use synfire_ops::dense::matmul::matmul;
use synfire_ops::differentiate::{Question, differentiate};
use synfire_ops::index::masked_fill::masked_fill;
use synfire_ops::normalize::softmax::{log_softmax, softmax};
use synfire_ops::pointwise::unary::{fill, scale};
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_ops::sample::noise;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::fault::Code;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::Options;
use synfire_runtime::operator::Operator;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, PlanData, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::simulate::{Simulation, simulate};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::fixture::cpus;

use super::{absorbs, planned, steps, unfused};

/// How the scores of written-out attention are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mask {
    None,
    /// Numbers are added.
    Added,
    /// The same, from the other side.
    AddedTo,
    /// Scores are chosen.
    Kept,
    /// Scores are replaced.
    Hidden,
}

const MASKS: [Mask; 5] = [Mask::None, Mask::Added, Mask::AddedTo, Mask::Kept, Mask::Hidden];

/// Attention as one writes it down, with a product that turns the keys or without.
#[derive(Clone, Debug)]
struct Written {
    batch: Vec<usize>,
    /// Queries, keys, features, values.
    extents: [usize; 4],
    mask: Mask,
    /// Whether truth values leave the first query nothing to attend to.
    is_blind: bool,
    turns: bool,
}

impl Written {
    fn plain(extents: [usize; 4]) -> Self {
        let (mask, is_blind, turns) = (Mask::None, false, false);
        Self { batch: vec![2], extents, mask, is_blind, turns }
    }

    /// Random extents, odd ones too.
    fn random(key: u64, mask: Mask) -> Self {
        let seed = Seed(key).named("extents");
        let pick = |counter: u64| [1, 2, 3, 7, 16, 37, 64, 65, 131][seed.index(counter, 9)];
        let batch = [vec![], vec![3], vec![2, 3]][seed.index(4, 3)].clone();
        let extents = [pick(0), pick(1), pick(2), pick(3)];
        Self { batch, extents, mask, is_blind: true, turns: key.is_multiple_of(2) }
    }

    fn operands(&self) -> [Vec<usize>; 3] {
        let [queries, keys, features, values] = self.extents;
        let matrices = [[queries, features], [keys, features], [keys, values]];
        matrices.map(|matrix| [&self.batch[..], &matrix].concat())
    }

    /// Causal, where truth values tell.
    fn mask(&self) -> Option<Value> {
        let [queries, keys, ..] = self.extents;
        let is_kept = |at: usize| at % keys < at / keys + usize::from(!self.is_blind);
        let places = 0..queries * keys;
        let bytes = |hides: bool| places.clone().map(|at| u8::from(is_kept(at) != hides)).collect();
        let truths = |hides| Value::from_bytes(Element::Bool, &[queries, keys], bytes(hides));
        match self.mask {
            Mask::None => None,
            Mask::Added | Mask::AddedTo => Some(noise(9, &[queries, keys])),
            Mask::Kept => Some(truths(false)),
            Mask::Hidden => Some(truths(true)),
        }
    }

    fn masked(&self, draft: &mut Draft, scores: Wire) -> Wire {
        let Some(mask) = self.mask() else { return scores };
        let mask = draft.feed("mask", mask.spec());
        match self.mask {
            Mask::AddedTo => draft.apply(add(), &[mask, scores]),
            Mask::Hidden => masked_fill(draft, scores, mask, f64::NEG_INFINITY),
            Mask::Kept => {
                let outside = draft.apply(fill(f64::NEG_INFINITY), &[scores]);
                draft.apply(where_(), &[mask, scores, outside])
            }
            _ => draft.apply(add(), &[scores, mask]),
        }
    }

    /// Scores, weights and what comes out.
    fn build(&self, draft: &mut Draft) -> [Wire; 3] {
        let extents = self.operands();
        let mut names = ["q", "k", "v"].into_iter().zip(&extents);
        let mut next = || names.next().map(|(name, own)| draft.feed(name, Spec::f32(own.clone())));
        let [q, k, v] = [(); 3].map(|()| next().expect("there are three"));
        let rank = self.batch.len() + 2;
        let scores = if self.turns {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rank - 2, rank - 1);
            let turned = draft.apply(transpose(&order), &[k]);
            draft.apply_named("scores", matmul(), &[q, turned])
        } else {
            draft.apply_named("scores", matmul().transpose_b(), &[q, k])
        };
        let scaled = draft.apply(scale(1.0 / (self.extents[2] as f64).sqrt()), &[scores]);
        let masked = self.masked(draft, scaled);
        let weights = draft.apply_named("weights", softmax(rank - 1), &[masked]);
        [scores, weights, draft.apply_named("y", matmul(), &[weights, v])]
    }

    fn graph(&self) -> Graph {
        let mut draft = Draft::new();
        let [.., y] = self.build(&mut draft);
        draft.outlet("out", y);
        draft.check().expect("the draft is right")
    }

    fn feeds(&self) -> BTreeMap<String, Vec<Option<Value>>> {
        let names = ["q", "k", "v"].into_iter().zip(self.operands()).zip(1..);
        let operands = names.map(|((name, own), key)| (name, noise(key, &own)));
        let all = operands.chain(self.mask().map(|mask| ("mask", mask)));
        all.map(|(name, value)| (name.to_owned(), vec![Some(value)])).collect()
    }

    /// What a plan gives.
    fn outcome(&self, plan: &Plan, outlet: &str) -> Vec<f32> {
        let simulation = Simulation { feeds: self.feeds(), ..Simulation::default() };
        let outcome = simulate(plan, &Options::default(), &simulation).expect("it runs");
        let value = outcome.outlets[outlet][0].value.clone();
        value.expect("nothing fails").expect("nothing is null").elements()
    }
}

/// Equal within the tolerance of the form, NaN where the other is.
fn assert_close(found: &[f32], wanted: &[f32], what: &dyn std::fmt::Debug) {
    let tolerance = attend().contract().tolerance;
    let largest = wanted.iter().filter(|x| x.is_finite()).fold(0.0, |max, x| x.abs().max(max));
    let most = tolerance.absolute + tolerance.relative * f64::from(largest);
    assert_eq!(found.len(), wanted.len(), "{what:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        let same = found.is_nan() == wanted.is_nan();
        let near = wanted.is_nan() || f64::from((found - wanted).abs()) <= most;
        assert!(same && near, "{what:?}: {found} and {wanted}");
    }
}

#[test]
fn attention_written_out_is_one_operator() {
    for key in 0..40 {
        let written = Written::random(key, MASKS[key as usize % MASKS.len()]);
        let graph = written.graph();
        let [fused, plain] = [Limits::default(), unfused()].map(|limits| planned(&graph, &limits));
        assert_eq!(steps(&fused), 1, "{written:?}");
        assert!(!absorbs(&plain));
        let outcome = written.outcome(&fused, "out");
        assert_close(&outcome, &written.outcome(&plain, "out"), &written);
        if matches!(written.mask, Mask::Kept | Mask::Hidden) {
            assert!(outcome[0].is_nan(), "a softmax of nothing is no number");
        }
    }
}

#[test]
fn attention_takes_no_matrix_of_scores() {
    let written = Written::plain([512, 512, 16, 16]);
    let graph = written.graph();
    let [fused, plain] = [Limits::default(), unfused()].map(|limits| planned(&graph, &limits));
    let bytes = |plan: &Plan| plan.memory().iter().map(|row| row.total_bytes()).sum::<u64>();
    let scores = 2 * 512 * 512 * 4;
    assert!(bytes(&fused) + scores <= bytes(&plain), "{} {}", bytes(&fused), bytes(&plain));
    let largest = fused.data().registers.iter().map(|own| own.spec.elements()).max();
    assert_eq!(largest, Some(2 * 512 * 16));
    let text = fused.explain();
    assert!(text.contains("attend for matmul + scale + softmax + matmul"), "{text}");
}

/// Weights from scores and a mask.
type Weights = dyn Fn(&mut Draft, Wire, Wire) -> Wire;

#[test]
fn what_is_not_attention_is_none() {
    let written = Written::plain([3, 3, 5, 4]);
    let mut builders: Vec<Box<Weights>> = Vec::new();
    // Along the wrong axis; logarithms; scaled after the mask; masked twice; an offset.
    builders.push(Box::new(|draft, scores, _| draft.apply(softmax(1), &[scores])));
    builders.push(Box::new(|draft, scores, _| draft.apply(log_softmax(2), &[scores])));
    builders.push(Box::new(|draft, scores, mask| {
        let scores = draft.apply(add(), &[scores, mask]);
        let scores = draft.apply(scale(2.0), &[scores]);
        draft.apply(softmax(2), &[scores])
    }));
    builders.push(Box::new(|draft, scores, mask| {
        let once = draft.apply(add(), &[scores, mask]);
        let twice = draft.apply(add(), &[once, mask]);
        draft.apply(softmax(2), &[twice])
    }));
    builders.push(Box::new(|draft, scores, _| {
        let scores = draft.apply(fill(2.0), &[scores]);
        draft.apply(softmax(2), &[scores])
    }));
    for build in builders {
        let mut draft = Draft::new();
        let operands = ["q", "k", "v"].into_iter().zip(written.operands());
        let [q, k, v] = operands
            .map(|(name, own)| draft.feed(name, Spec::f32(own)))
            .collect::<Vec<_>>()
            .try_into()
            .expect("there are three");
        let mask = draft.feed("mask", Spec::f32([3, 3]));
        let scores = draft.apply(matmul().transpose_b(), &[q, k]);
        let weights = build(&mut draft, scores, mask);
        let y = draft.apply(matmul(), &[weights, v]);
        draft.outlet("out", y);
        draft.outlet("mask out", mask);
        let graph = draft.check().expect("the draft is right");
        assert!(!absorbs(&planned(&graph, &Limits::default())), "{graph}");
    }
}

#[test]
fn what_somebody_sees_is_not_absorbed() {
    let written = Written { mask: Mask::Kept, ..Written::plain([5, 7, 3, 2]) };
    let graph = written.graph();
    let plain = written.outcome(&planned(&graph, &unfused()), "out");
    for stream in ["scores:y", "weights:y"] {
        let probed = Limits { probes: vec![stream.to_owned()], ..Limits::default() };
        let sized = Limits { capacities: [(stream.to_owned(), 3)].into(), ..Limits::default() };
        for limits in [probed, sized] {
            let plan = planned(&graph, &limits);
            assert!(!absorbs(&plan), "{stream}");
            assert_eq!(written.outcome(&plan, "out"), plain);
        }
    }
    let ends = Limits { probes: vec!["y:y".to_owned()], ..Limits::default() };
    assert!(absorbs(&planned(&graph, &ends)), "the last one keeps its stream");
}

#[test]
fn what_is_read_twice_is_not_absorbed() {
    let written = Written { mask: Mask::Kept, ..Written::plain([5, 7, 3, 2]) };
    let plain = written.outcome(&planned(&written.graph(), &unfused()), "out");
    for read in [0, 1] {
        let mut draft = Draft::new();
        let wires = written.build(&mut draft);
        draft.outlet("out", wires[2]);
        draft.outlet("again", wires[read]);
        let graph = draft.check().expect("the draft is right");
        let plan = planned(&graph, &Limits::default());
        assert!(!absorbs(&plan));
        assert_eq!(written.outcome(&plan, "out"), plain);
    }
}

#[test]
fn a_gradient_keeps_what_it_reads() {
    for mask in MASKS {
        let written = Written { mask, ..Written::plain([5, 7, 3, 2]) };
        let mut draft = Draft::new();
        let [.., y] = written.build(&mut draft);
        let loss = draft.apply(sum(&[0, 1, 2], Keep::Nothing), &[y]);
        draft.outlet("loss", loss);
        let graph = draft.check().expect("the draft is right");
        let question = Question::new("loss", &["q", "k", "v"]);
        let graph = differentiate(&graph, &question).expect("it has a gradient");
        let [fused, plain] = [Limits::default(), unfused()].map(|limits| planned(&graph, &limits));
        assert!(fused.data().absorbed.iter().all(|own| own.into != "y"), "weights are read");
        for outlet in ["loss", "gradient/q", "gradient/k", "gradient/v"] {
            let outcomes = [&fused, &plain].map(|plan| written.outcome(plan, outlet));
            assert_close(&outcomes[0], &outcomes[1], &(mask, outlet));
        }
    }
}

#[test]
fn parts_on_two_devices_stay_apart() {
    let written = Written { mask: Mask::Added, ..Written::plain([5, 7, 3, 2]) };
    let graph = written.graph();
    let plain = written.outcome(&planned(&graph, &unfused()), "out");
    for path in ["scores", "weights", "y"] {
        let wishes = Placement::new().on("", "cpu:0").on(path, "cpu:1");
        let placed = place(&graph, &cpus(2), &wishes).expect("it is placed");
        let plan = plan(&placed, &Limits::default()).expect("it is planned");
        assert!(!absorbs(&plan), "{path}");
        assert_eq!(written.outcome(&plan, "out"), plain);
    }
}

#[test]
fn an_order_may_name_what_was_absorbed() {
    let written = Written::plain([3, 3, 5, 4]);
    let graph = written.graph();
    let plain = planned(&graph, &unfused());
    let volleys = plain.data().volleys.iter().flat_map(|volley| &volley.steps);
    let order: Vec<String> =
        volleys.map(|step| plain.data().actors[step.actor as usize].path.clone()).collect();
    let orders = |order: &[String]| [("cpu:0".to_owned(), order.to_vec())].into();
    let limits = Limits { orders: orders(&order), ..Limits::default() };
    assert!(absorbs(&planned(&graph, &limits)));
    let limits = Limits { orders: orders(&order[1..]), ..Limits::default() };
    let placed = place(&graph, &Devices::cpu(1), &Placement::new()).expect("it is placed");
    let faults = plan(&placed, &limits).expect_err("a node is missing");
    assert_eq!(faults.codes(), [Code::UnknownPath]);
}

#[test]
fn a_saved_plan_says_what_it_absorbed() {
    let written = Written { mask: Mask::Hidden, ..Written::plain([5, 7, 3, 2]) };
    let placed = place(&written.graph(), &Devices::cpu(1), &Placement::new());
    let placed = placed.expect("it is placed");
    let plan = plan(&placed, &Limits::default()).expect("it is planned");
    let data = PlanData::decode(&plan.data().encode()).expect("it was just written");
    let bound = Plan::bind(data.clone(), &placed).expect("it is for this graph");
    assert_eq!(bound.explain(), plan.explain());
    assert_eq!(written.outcome(&bound, "out"), written.outcome(&plan, "out"));
    let refused = |damage: fn(&mut PlanData)| {
        let mut damaged = data.clone();
        damage(&mut damaged);
        let faults = Plan::bind(damaged, &placed).expect_err("another plan");
        assert_eq!(faults.codes(), [Code::Format]);
    };
    refused(|data| data.absorbed.clear());
    refused(|data| data.absorbed.push(data.absorbed[0].clone()));
    refused(|data| data.absorbed[0].into = "scores".to_owned());
    refused(|data| data.absorbed[0].nodes.truncate(1));
    refused(|data| data.absorbed[0].operators[0] = "linear".to_owned());
    refused(|data| data.probes.push("weights:y".to_owned()));
}
