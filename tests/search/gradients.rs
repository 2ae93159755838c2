//! Hypergradients of the second order: exact where the training loss is quadratic, near the exact
//! one elsewhere, and that of the first order for a step of no length.

use synfire::ops::broadcast::binary::{add, multiply, subtract};
use synfire::ops::differentiate::gradients;
use synfire::ops::losses::Total;
use synfire::ops::pointwise::unary::{scale, square, tanh};
use synfire::prelude::*;
use synfire::search::bilevel::{Bilevel, Order, Supernet};
use synfire::search::darts::{Search, Settings};
use synfire::search::planted::Config;
use synfire::search::unrolled::{Inner, Unroll, hypergradient};

use super::{numbers, outputs};

/// `L = (w - (share * alpha + 1 - share))^2 / 2`: by the batch `share`, 1 in training, where it is
/// `(w - alpha)^2 / 2`, and 0 in validation, where it is `(w - 1)^2 / 2`.
struct Quadratic;

impl Supernet for Quadratic {
    fn loss(&self, draft: &mut Draft, batch: &[Wire], weights: &[Wire], alphas: &[Wire]) -> Wire {
        // share * alpha + 1 - share = 1 + share * (alpha - 1).
        let apart = draft.apply(subtract(), &[alphas[0], batch[1]]);
        let apart = draft.apply(multiply(), &[apart, batch[0]]);
        let target = draft.apply(add(), &[apart, batch[1]]);
        let error = draft.apply(subtract(), &[weights[0], target]);
        let error = draft.apply(square(), &[error]);
        draft.apply(scale(0.5), &[error])
    }
}

/// A draft with one scalar of `f64` for each name.
fn scalars<const N: usize>(names: [&str; N]) -> (Draft, [Wire; N]) {
    let mut draft = Draft::new();
    let wires = names.map(|name| draft.feed(name, Spec::new(Element::F64, [0_usize; 0])));
    (draft, wires)
}

#[test]
fn the_hypergradient_of_the_quadratic_is_exact() {
    let names = ["w", "alpha", "rate", "velocity", "zero", "one"];
    for (momentum, weight_decay, xi) in [(0.0, 0.0, None), (0.9, 0.1, None), (0.9, 0.0, Some(0.5))]
    {
        let (mut draft, [w, alpha, rate, velocity, zero, one]) = scalars(names);
        let own = Bilevel {
            supernet: &Quadratic,
            training: &[one, one],
            validation: &[zero, one],
            weights: &[w],
            alphas: &[alpha],
        };
        let unroll = Unroll { xi, momentum, weight_decay };
        let inner = Inner { unroll, rate, velocities: vec![Some(velocity)] };
        let (loss, slopes) = hypergradient(&mut draft, &own, &inner);
        draft.outlet("loss", loss);
        draft.outlet("slope", slopes[0]);
        let values = [2.5, -0.75, 0.1, 0.4, 0.0, 1.0];
        let feeds: Vec<(&str, Value)> =
            names.into_iter().zip(values.map(|x| Value::new(&[], &[x]))).collect();
        let found = outputs(draft, &["loss", "slope"], &feeds);
        let xi = xi.unwrap_or(0.1);
        let ahead = 2.5 - xi * (momentum * 0.4 + (2.5 + 0.75) + weight_decay * 2.5);
        assert!((found[0][0] - 0.5 * (ahead - 1.0_f64).powi(2)).abs() < 1e-12, "{found:?}");
        assert!((found[1][0] - xi * (ahead - 1.0)).abs() < 1e-9, "{found:?}, {ahead}");
    }
}

/// `L = mean((tanh(x * w * alpha) - x)^2)`: no quadratic.
struct Curved;

impl Supernet for Curved {
    fn loss(&self, draft: &mut Draft, batch: &[Wire], weights: &[Wire], alphas: &[Wire]) -> Wire {
        let weighed = draft.apply(multiply(), &[weights[0], alphas[0]]);
        let y = draft.apply(multiply(), &[batch[0], weighed]);
        let y = draft.apply(tanh(), &[y]);
        let error = draft.apply(subtract(), &[y, batch[0]]);
        let error = draft.apply(square(), &[error]);
        Total::Mean.of(draft, error)
    }
}

/// The exact one: the gradient through the step itself, with second derivatives of the graph.
#[test]
fn the_hypergradient_is_near_the_gradient_through_the_step() {
    let mut draft = Draft::new();
    let mut feed = |name: &str, extents: &[usize]| {
        draft.feed(name, Spec::new(Element::F64, extents.iter().copied()))
    };
    let [train, valid] = ["train", "valid"].map(|name| feed(name, &[8, 3]));
    let (w, alpha, rate) = (feed("w", &[3]), feed("alpha", &[3]), feed("rate", &[]));
    let (training, validation, weights, alphas) = ([train], [valid], [w], [alpha]);
    let own = Bilevel {
        supernet: &Curved,
        training: &training,
        validation: &validation,
        weights: &weights,
        alphas: &alphas,
    };
    let inner = Inner { unroll: Unroll::default(), rate, velocities: Vec::new() };
    let (_, slopes) = hypergradient(&mut draft, &own, &inner);
    draft.outlet("differences", slopes[0]);
    let loss = Curved.loss(&mut draft, &training, &weights, &alphas);
    let slope = gradients(&mut draft, loss, &weights)[0].expect("it depends on w");
    let step = draft.apply(multiply(), &[slope, rate]);
    let ahead = draft.apply(subtract(), &[w, step]);
    let loss = Curved.loss(&mut draft, &validation, &[ahead], &alphas);
    let exact = gradients(&mut draft, loss, &alphas)[0].expect("it depends on alpha");
    draft.outlet("exact", exact);
    let first = Curved.loss(&mut draft, &validation, &weights, &alphas);
    let first = gradients(&mut draft, first, &alphas)[0].expect("it depends on alpha");
    draft.outlet("first", first);
    let value =
        |seed, extents: &[usize]| Value::new(extents, &numbers(seed, extents.iter().product()));
    let feeds = [
        ("train", value(1, &[8, 3])),
        ("valid", value(2, &[8, 3])),
        ("w", value(3, &[3])),
        ("alpha", value(4, &[3])),
        ("rate", Value::new(&[], &[0.5])),
    ];
    let found = outputs(draft, &["differences", "exact", "first"], &feeds);
    let apart = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()))
    };
    assert!(apart(&found[0], &found[1]) < 1e-4, "{found:?}");
    assert!(apart(&found[1], &found[2]) > 1e-2, "the second order is another: {found:?}");
}

#[test]
fn the_second_order_with_no_step_is_the_first_bit_by_bit() {
    let planted = Config { edges: 2, training: 64, validation: 64, test: 16, ..Config::default() };
    let run = |order| {
        let settings =
            Settings { batch: 16, order, planted: planted.clone(), ..Settings::default() };
        let mut search = Search::begin(&settings, None).expect("it begins");
        let losses = search.advance(20, &mut |_| true).expect("it goes");
        let mut state = search.snapshot().expect("it rests").parameters();
        (losses, ["alpha", "readout", "bias"].map(|name| state.remove(name).expect("it is state")))
    };
    let none = Unroll { xi: Some(0.0), ..Unroll::default() };
    let first = run(Order::First);
    assert_eq!(run(Order::Second(none)), first);
    assert_ne!(run(Order::Second(Unroll::default())), first, "a step of some length is another");
}
