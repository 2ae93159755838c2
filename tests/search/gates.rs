//! Mixed operations against their formulas.

use synfire::ops::differentiate::gradients;
use synfire::ops::losses::Total;
use synfire::ops::pointwise::unary::square;
use synfire::prelude::*;
use synfire::runtime::random::Seed;
use synfire::search::bilevel::Supernet;
use synfire::search::mixed::{mixed, softmax_gates};
use synfire::search::planted::{CANDIDATES, Config, Planted};

use super::{numbers, outputs};

/// One edge of `f64`, its loss `sum(y^2)`, and the gradient by the logits.
fn edge() -> Draft {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::new(Element::F64, [3, 4]));
    let alpha = draft.feed("alpha", Spec::new(Element::F64, [1, 6]));
    let gates = softmax_gates(&mut draft, alpha).remove(0);
    let y = mixed(&mut draft, x, &gates, &CANDIDATES, &[]);
    let squares = draft.apply(square(), &[y]);
    let loss = Total::Sum.of(&mut draft, squares);
    let slope = gradients(&mut draft, loss, &[alpha])[0].expect("the loss depends on it");
    draft.outlet("loss", loss);
    draft.outlet("slope", slope);
    draft
}

#[test]
fn gates_of_an_edge_sum_to_one() {
    let mut draft = Draft::new();
    let alpha = draft.feed("alpha", Spec::new(Element::F64, [5, 6]));
    let gates = softmax_gates(&mut draft, alpha);
    for (edge, row) in gates.iter().enumerate() {
        for (candidate, &gate) in row.iter().enumerate() {
            draft.outlet(&format!("{edge}.{candidate}"), gate);
        }
    }
    let names: Vec<String> = (0..30).map(|at| format!("{}.{}", at / 6, at % 6)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let logits: Vec<f64> = numbers(1, 30).iter().map(|x| 20.0 * x).collect();
    let gates = outputs(draft, &names, &[("alpha", Value::new(&[5, 6], &logits))]).concat();
    for row in gates.chunks(6) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{row:?}");
        assert!(row.iter().all(|gate| (0.0..=1.0).contains(gate)), "{row:?}");
    }
}

/// `dL/dalpha_o = p_o (<g, o> - sum_k p_k <g, k>)`, and both against central differences.
#[test]
fn logits_have_the_gradient_of_the_identity_and_of_differences() {
    let (x, alpha) = (numbers(2, 12), numbers(3, 6));
    let run = |alpha: &[f64]| {
        let feeds = [("x", Value::new(&[3, 4], &x)), ("alpha", Value::new(&[1, 6], alpha))];
        outputs(edge(), &["loss", "slope"], &feeds)
    };
    let slope = run(&alpha).remove(1);
    let formulas: [fn(f64) -> f64; 6] =
        [|_| 0.0, |a| a, f64::tanh, |a| a.max(0.0), f64::sin, |a| 0.5 * a * a];
    let shares: Vec<f64> = alpha.iter().map(|a| a.exp()).collect();
    let total: f64 = shares.iter().sum();
    let gates: Vec<f64> = shares.iter().map(|share| share / total).collect();
    let y = |x: f64| formulas.iter().zip(&gates).map(|(o, p)| p * o(x)).sum::<f64>();
    let inner = |o: fn(f64) -> f64| x.iter().map(|&x| 2.0 * y(x) * o(x)).sum::<f64>();
    let mean: f64 = formulas.iter().zip(&gates).map(|(&o, p)| p * inner(o)).sum();
    for candidate in 0..6 {
        let identity = gates[candidate] * (inner(formulas[candidate]) - mean);
        let loss = |step: f64| {
            let mut moved = alpha.clone();
            moved[candidate] += step;
            run(&moved)[0][0]
        };
        let difference = (loss(1e-5) - loss(-1e-5)) / 2e-5;
        let found = slope[candidate];
        assert!((found - identity).abs() < 1e-12 * mean.abs().max(1.0), "{found}, {identity}");
        assert!((found - difference).abs() < 1e-6, "{candidate}: {found}, {difference}");
    }
}

#[test]
fn one_hot_logits_give_the_discrete_network() {
    let config = Config { edges: 5, training: 64, validation: 1, test: 1, ..Config::default() };
    let planted = Planted::new(&config, Seed(4)).unwrap();
    // Every candidate once, `none` included.
    let operations = [0, 1, 2, 3, 5];
    let mut logits = vec![-40.0_f32; 5 * 6];
    operations.iter().enumerate().for_each(|(edge, own)| logits[edge * 6 + own] = 40.0);
    let mut draft = Draft::new();
    let batch = [draft.feed("x", Spec::f32([64, 20])), draft.feed("target", Spec::f32([64, 1]))];
    let alpha = draft.feed("alpha", Spec::f32([5, 6]));
    let student = planted.student(&mut draft, &[]);
    let weights = student.weights(&mut draft);
    let relaxed = student.loss(&mut draft, &batch, &weights, &[alpha]);
    let features = student.discrete(&mut draft, batch[0], &operations);
    let discrete = student.error(&mut draft, features, &weights, batch[1]);
    draft.outlet("relaxed", relaxed);
    draft.outlet("discrete", discrete);
    let of = |seed, extents: [usize; 2]| {
        let own: Vec<f32> =
            numbers(seed, extents.iter().product()).iter().map(|&x| x as f32).collect();
        Value::new(&extents, &own)
    };
    let alpha = Value::new(&[5, 6], &logits);
    let feeds = [("x", of(5, [64, 20])), ("target", of(6, [64, 1])), ("alpha", alpha)];
    let found = outputs(draft, &["relaxed", "discrete"], &feeds);
    assert!((found[0][0] - found[1][0]).abs() < 1e-5, "{found:?}");
}
