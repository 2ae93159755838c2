//! Fusion changes how often memory is touched, never a bit of what comes out.

mod attention; // written out, as one operator
mod rows; // norms inside the product that reads them

use std::collections::BTreeMap;

use synfire_ops::dense::conv_transpose2d::conv_transpose2d;
use synfire_ops::dense::conv2d::conv2d;
use synfire_ops::dense::linear::linear;
use synfire_ops::dense::matmul::matmul;
use synfire_ops::normalize::batch_norm::batch_norm;
use synfire_ops::normalize::softmax::softmax;
use synfire_ops::pointwise::unary::{
    Unary, gelu, hard_swish, leaky_relu, relu, sigmoid, silu, tanh,
};
use synfire_ops::sample::noise;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::Options;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, Plan, plan};
use synfire_runtime::simulate::{Simulation, simulate};
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

/// A graph from the feed `in` to the outlet `out`.
fn graph(extents: &[usize], build: impl FnOnce(&mut Draft, Wire) -> Wire) -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("in", Spec::f32(extents.to_vec()));
    let y = build(&mut draft, x);
    draft.outlet("out", y);
    draft.check().expect("the draft is right")
}

/// A parameter of noise.
fn parameter(draft: &mut Draft, name: &str, extents: &[usize]) -> Wire {
    let initial = Initial::Value(noise(name.len() as u64, extents).into());
    draft.parameter(name, Spec::f32(extents.to_vec()), initial)
}

/// Batch norm and leaky ReLU over `channels`.
fn activate(draft: &mut Draft, channels: usize, x: Wire) -> Wire {
    let [weight, bias, mean] =
        ["weight_n", "bias_n", "mean_n"].map(|name| parameter(draft, name, &[channels]));
    let variances = Initial::Uniform { bound: 0.5 };
    let variance = draft.parameter("variance", Spec::f32([channels]), variances);
    let y = draft.apply(batch_norm(1.0), &[x, weight, bias, mean, variance]);
    draft.apply(leaky_relu(0.01), &[y])
}

/// Firings of one iteration.
fn steps(plan: &Plan) -> usize {
    plan.data().volleys.iter().map(|volley| volley.steps.len()).sum()
}

/// Firings of operators in one iteration of the fused plan.
fn operator_steps(graph: &Graph) -> usize {
    steps(&planned(graph, &Limits::default()))
}

fn planned(graph: &Graph, limits: &Limits) -> Plan {
    let placed = place(graph, &Devices::cpu(1), &Placement::new()).expect("it is placed");
    plan(&placed, limits).expect("it is planned")
}

fn unfused() -> Limits {
    Limits { fusion: false, ..Limits::default() }
}

/// Whether a plan absorbed anything.
fn absorbs(plan: &Plan) -> bool {
    !plan.data().absorbed.is_empty()
}

/// Fused and unfused plans give the same bits, and `fused` steps of the graph are gone.
fn check(graph: &Graph, extents: &[usize], fused: usize) {
    let feeds: Vec<Option<Value>> = (7..10).map(|key| Some(noise(key, extents))).collect();
    let feeds = BTreeMap::from([("in".to_owned(), feeds)]);
    let simulation = Simulation { feeds, ..Simulation::default() };
    let mut seen = Vec::new();
    for cores in [1, 3] {
        let placed = place(graph, &Devices::cpu(cores), &Placement::new()).expect("it is placed");
        let planned = |fusion| {
            let limits = Limits { fusion, ..Limits::default() };
            plan(&placed, &limits).expect("it is planned")
        };
        let plans = [planned(true), planned(false)];
        assert_eq!(steps(&plans[0]) + fused, steps(&plans[1]), "steps are fused away");
        for plan in &plans {
            let outcome = simulate(plan, &Options::default(), &simulation).expect("it runs");
            let outputs = outcome.outlets["out"].iter().map(|output| output.value.clone());
            let outputs: Vec<Value> =
                outputs.map(|v| v.expect("nothing fails").expect("nothing is null")).collect();
            assert_eq!(outputs.len(), 3);
            seen.push(outputs);
        }
    }
    // As bytes, so that a sign or a NaN counts too.
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "the same bits");
}

#[test]
fn a_convolution_takes_norm_and_activation() {
    let extents = [2, 6, 19, 23];
    for (groups, stride) in [(1, 1), (2, 2), (6, 1)] {
        let graph = graph(&extents, |draft, x| {
            let weight = parameter(draft, "weight", &[12, 6 / groups, 3, 3]);
            let bias = parameter(draft, "bias", &[12]);
            let operator = conv2d().groups(groups).stride(stride).padding(1).bias();
            let y = draft.apply(operator, &[x, weight, bias]);
            activate(draft, 12, y)
        });
        check(&graph, &extents, 2);
    }
}

#[test]
fn a_transposed_convolution_takes_norm_and_activation() {
    let extents = [2, 6, 7, 11];
    for stride in [1, 2, 3] {
        let graph = graph(&extents, |draft, x| {
            let weight = parameter(draft, "weight", &[6, 5, 3, 2]);
            let bias = parameter(draft, "bias", &[5]);
            let operator = conv_transpose2d().stride(stride).bias();
            let y = draft.apply(operator, &[x, weight, bias]);
            activate(draft, 5, y)
        });
        check(&graph, &extents, 2);
    }
}

#[test]
fn products_take_activations() {
    let extents = [4, 37, 29];
    let graph = graph(&extents, |draft, x| {
        let weight = parameter(draft, "weight", &[31, 29]);
        let bias = parameter(draft, "bias", &[31]);
        let y = draft.apply(linear().bias(), &[x, weight, bias]);
        let y = draft.apply(gelu(), &[y]);
        let b = parameter(draft, "b", &[4, 31, 17]);
        let y = draft.apply(matmul(), &[y, b]);
        activate(draft, 37, y)
    });
    check(&graph, &extents, 3);
}

/// The activations that models use.
fn activations() -> [Unary; 6] {
    [relu(), leaky_relu(0.1), gelu(), silu(), hard_swish(), tanh()]
}

#[test]
fn a_block_of_convolution_norm_and_activation_is_one_step() {
    let extents = [1, 3, 9, 11];
    for activation in activations() {
        let graph = graph(&extents, |draft, x| {
            let weight = parameter(draft, "weight", &[5, 3, 3, 3]);
            let y = draft.apply(conv2d().padding(1), &[x, weight]);
            let [scale, bias, mean] =
                ["scale", "bias", "mean"].map(|name| parameter(draft, name, &[5]));
            let ones = Initial::Constant(1.0);
            let variance = draft.parameter("variance", Spec::f32([5]), ones);
            let y = draft.apply(batch_norm(1e-5), &[y, scale, bias, mean, variance]);
            draft.apply(activation.clone(), &[y])
        });
        check(&graph, &extents, 2);
        assert_eq!(operator_steps(&graph), 1, "{activation:?}");
    }
}

#[test]
fn a_block_of_linear_map_bias_and_activation_is_one_step() {
    let extents = [7, 13];
    for activation in activations() {
        let graph = graph(&extents, |draft, x| {
            let (weight, bias) =
                (parameter(draft, "weight", &[17, 13]), parameter(draft, "bias", &[17]));
            let y = draft.apply(linear().bias(), &[x, weight, bias]);
            draft.apply(activation.clone(), &[y])
        });
        check(&graph, &extents, 1);
        assert_eq!(operator_steps(&graph), 1, "{activation:?}");
    }
}

#[test]
fn what_needs_a_whole_row_is_no_stage_of_elements() {
    let extents = [7, 13];
    let graph = graph(&extents, |draft, x| {
        let weight = parameter(draft, "weight", &[17, 13]);
        let y = draft.apply(linear(), &[x, weight]);
        let y = draft.apply(softmax(1), &[y]);
        // Softmax hands out no pieces either.
        draft.apply(sigmoid(), &[y])
    });
    check(&graph, &extents, 0);
    assert_eq!(operator_steps(&graph), 3);
}

#[test]
fn a_norm_whose_numbers_flow_is_no_stage() {
    let extents = [1, 3, 5, 5];
    let graph = graph(&extents, |draft, x| {
        let weight = parameter(draft, "weight", &[3, 3, 1, 1]);
        let y = draft.apply(conv2d(), &[x, weight]);
        let flowing = draft.feed("mean", Spec::f32([3]));
        let [scale, bias, variance] =
            ["weight_n", "bias_n", "variance"].map(|name| parameter(draft, name, &[3]));
        draft.apply(batch_norm(9.0), &[y, scale, bias, flowing, variance])
    });
    let plan = planned(&graph, &Limits::default());
    assert!(plan.data().actors.iter().all(|actor| actor.fused_into.is_none()));
}
