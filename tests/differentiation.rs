//! Differentiation: branches, delays, windows, faults, second order, placement.

use synfire_ops::broadcast::binary::{add, multiply};
use synfire_ops::differentiate::{Question, Through, differentiate, gradients};
use synfire_ops::pointwise::unary::{scale, sin, square};
use synfire_ops::reduce::arg::argmax;
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_ops::route::{merge::merge, switch::switch};
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::fault::{Code, Faults};
use synfire_runtime::graph::Graph;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::plan::Limits;
use synfire_runtime::random::Seed;
use synfire_runtime::run::Output;
use synfire_runtime::simulate::{Simulation, simulate};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::fixture::planned;

fn scalar() -> Spec {
    Spec::new(Element::F64, [] as [usize; 0])
}

fn numbers(values: &[f64]) -> Vec<Option<Value>> {
    values.iter().map(|&x| Some(Value::new(&[], &[x]))).collect()
}

fn constant(x: f64) -> Initial {
    Initial::Constant(x)
}

fn feeds(streams: &[(&str, Vec<Option<Value>>)]) -> Streams {
    streams.iter().map(|(name, stream)| ((*name).to_owned(), stream.clone())).collect()
}

/// What comes out of `outlet` as numbers.
fn stream(graph: &Graph, fed: &Streams, outlet: &str) -> Vec<Option<f64>> {
    let mut outlets = interpret(graph, &Options::default(), fed).expect("the graph runs");
    let stream = outlets.remove(outlet).expect("the outlet exists");
    stream.into_iter().map(|value| Some(value?.elements::<f64>()[0])).collect()
}

#[test]
fn a_parameter_read_twice_gets_the_sum() {
    let mut draft = Draft::new();
    let x = draft.feed("x", scalar());
    let w = draft.parameter("w", scalar(), constant(3.0));
    let wx = draft.apply(multiply(), &[w, x]);
    let y = draft.apply(multiply(), &[wx, w]);
    draft.outlet("loss", y);
    let graph = draft.check().expect("the draft is sound");
    let graph = differentiate(&graph, &Question::new("loss", &["w", "x"])).expect("it has one");
    let fed = feeds(&[("x", numbers(&[2.0, -1.0]))]);
    // y = w^2 x: 2 w x, and w^2.
    assert_eq!(stream(&graph, &fed, "gradient/w"), [Some(12.0), Some(-6.0)]);
    assert_eq!(stream(&graph, &fed, "gradient/x"), [Some(9.0), Some(9.0)]);
}

#[test]
fn a_gradient_is_differentiated_again() {
    let mut draft = Draft::new();
    let x = draft.feed("x", scalar());
    let square_of = draft.apply(square(), &[x]);
    let cube = draft.apply(multiply(), &[square_of, x]);
    draft.outlet("loss", cube);
    let graph = draft.check().expect("the draft is sound");
    let once = differentiate(&graph, &Question::new("loss", &["x"])).expect("it has one");
    let mut twice = Draft::new();
    let x = twice.feed("x", scalar());
    let square_of = twice.apply(square(), &[x]);
    let cube = twice.apply(multiply(), &[square_of, x]);
    let first = gradients(&mut twice, cube, &[x])[0].expect("it depends on x");
    let second = gradients(&mut twice, first, &[x])[0].expect("it depends on x");
    let third = gradients(&mut twice, second, &[x])[0].expect("it depends on x");
    for (name, wire) in [("first", first), ("second", second), ("third", third)] {
        twice.outlet(name, wire);
    }
    let graph = twice.check().expect("the draft is sound");
    let fed = feeds(&[("x", numbers(&[2.0]))]);
    assert_eq!(stream(&once, &fed, "gradient/x"), [Some(12.0)]);
    assert_eq!(stream(&graph, &fed, "first"), [Some(12.0)]);
    assert_eq!(stream(&graph, &fed, "second"), [Some(12.0)]);
    assert_eq!(stream(&graph, &fed, "third"), [Some(6.0)]);
}

/// `y = w x` in branch 0 and `y = 5 x` in branch 1.
fn branches() -> Draft {
    let mut draft = Draft::new();
    let which = draft.feed("which", Spec::new(Element::I64, [] as [usize; 0]));
    let x = draft.feed("x", scalar());
    let w = draft.parameter("w", scalar(), constant(3.0));
    let sides = draft.apply_many(switch(2), &[which, x]);
    let left = draft.apply(multiply(), &[sides[0], w]);
    let right = draft.apply(scale(5.0), &[sides[1]]);
    let y = draft.apply(merge(2), &[which, left, right]);
    draft.outlet("loss", y);
    draft
}

#[test]
fn only_the_branch_taken_gives_a_gradient() {
    let graph = branches().check().expect("the draft is sound");
    let graph = differentiate(&graph, &Question::new("loss", &["w", "x"])).expect("it has one");
    let which = [0_i64, 1, 0].map(|branch| Some(Value::new(&[], &[branch])));
    let fed = feeds(&[("which", which.to_vec()), ("x", numbers(&[2.0, 4.0, 7.0]))]);
    assert_eq!(stream(&graph, &fed, "gradient/x"), [Some(3.0), Some(5.0), Some(3.0)]);
    // The parameter is always there: zero, not null, where its branch was not taken.
    assert_eq!(stream(&graph, &fed, "gradient/w"), [Some(2.0), Some(0.0), Some(7.0)]);
}

/// `h_t = w h_{t-1} + x_t`, loss `h_t`, from `h = 10`.
fn recurrence() -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("x", scalar());
    let w = draft.parameter("w", scalar(), constant(0.5));
    let (before, feedback) = draft.feedback(scalar(), 1, constant(10.0));
    let decayed = draft.apply(multiply(), &[w, before]);
    let h = draft.apply(add(), &[decayed, x]);
    draft.close(feedback, h);
    draft.outlet("loss", h);
    draft.check().expect("the draft is sound")
}

/// The gradient by `w` of the sum of losses of each window, by hand: the derivative of the state
/// starts from zero at the start of each window, the state itself too if `restarts`.
fn by_hand(xs: &[f64], steps: usize, restarts: bool) -> Vec<Option<f64>> {
    let (w, mut h, mut gradients) = (0.5, 10.0, Vec::new());
    for window in xs.chunks_exact(steps) {
        let (mut slope, mut total) = (0.0, 0.0);
        if restarts {
            h = 10.0;
        }
        for x in window {
            slope = h + w * slope;
            h = w * h + x;
            total += slope;
        }
        gradients.push(Some(total));
    }
    gradients
}

#[test]
fn gradients_go_back_in_time_as_far_as_asked() {
    let xs = [1.0, -2.0, 3.0, 0.5, 4.0, -1.0];
    let fed = feeds(&[("x", numbers(&xs))]);
    for (through, steps, restarts) in [
        (Through::Cut, 1, false),
        (Through::Truncated(1), 1, false),
        (Through::Truncated(2), 2, false),
        (Through::Truncated(3), 3, false),
        (Through::Full(3), 3, true),
        (Through::Full(6), 6, true),
    ] {
        let question = Question::new("loss", &["w"]).through(through);
        let graph = differentiate(&recurrence(), &question).expect("it has one");
        let found = stream(&graph, &fed, "gradient/w");
        assert_eq!(found, by_hand(&xs, steps, restarts), "{through:?}");
        let lost = stream(&graph, &fed, "loss").len();
        assert_eq!(lost, xs.len(), "{through:?}: every step still gives its loss");
    }
}

#[test]
fn a_long_delay_reaches_over_windows() {
    // y_t = w x_{t-3}, with initial tokens 1, 2, 3.
    let mut draft = Draft::new();
    let x = draft.feed("x", scalar());
    let w = draft.parameter("w", scalar(), constant(2.0));
    let late = [1.0, 2.0, 3.0].into_iter().rev().fold(x, |x, n| draft.delay(x, 1, constant(n)));
    let y = draft.apply(multiply(), &[w, late]);
    draft.outlet("loss", y);
    let graph = draft.check().expect("the draft is sound");
    let xs = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0];
    let fed = feeds(&[("x", numbers(&xs))]);
    let question = Question::new("loss", &["w"]).through(Through::Truncated(2));
    let unrolled = differentiate(&graph, &question).expect("it has one");
    let (windows, steps) = (stream(&unrolled, &fed, "loss"), stream(&graph, &fed, "loss"));
    assert_eq!(windows[..xs.len()], steps[..xs.len()]);
    let pairs = [3.0, 13.0, 50.0, 90.0];
    assert_eq!(stream(&unrolled, &fed, "gradient/w")[..4], pairs.map(Some));
}

fn faults(question: &Question, build: impl FnOnce(&mut Draft, Wire) -> Wire) -> Faults {
    let mut draft = Draft::new();
    let x = draft.feed("x", Spec::new(Element::F64, [3]));
    let loss = build(&mut draft, x);
    draft.outlet("loss", loss);
    let graph = draft.check().expect("the draft is sound");
    differentiate(&graph, question).expect_err("there is no such gradient")
}

#[test]
fn what_has_no_derivative_names_the_way_to_it() {
    let found = faults(&Question::new("loss", &["x"]), |draft, x| {
        draft.scope("head", |draft| {
            let best = draft.apply(argmax(0, Keep::Nothing), &[x]);
            let number = draft.apply(synfire_ops::broadcast::cast::cast(Element::F64), &[best]);
            draft.apply(square(), &[number])
        })
    });
    assert_eq!(found.codes(), [Code::NotDifferentiable]);
    let text = found.to_string();
    assert!(text.contains("head/square <- head/cast"), "{text}");
    assert!(text.contains("stop_gradient"), "{text}");
    assert!(text.contains("differentiation.rs:"), "{text}");
}

#[test]
fn wrong_questions_are_faults_all_at_once() {
    let found = faults(&Question::new("lost", &["y", "z"]), |_, x| x);
    assert_eq!(found.codes(), [Code::UnknownPath; 3]);
    let found = faults(&Question::new("loss", &["x"]), |_, x| x);
    assert_eq!(found.codes(), [Code::Shape]);
    let none = Question::new("loss", &["x"]).through(Through::Full(0));
    let found = faults(&none, |draft, x| draft.apply(sum(&[0], Keep::Nothing), &[x]));
    assert_eq!(found.codes(), [Code::Option]);
}

#[test]
fn what_the_loss_does_not_depend_on_is_a_fault() {
    let mut draft = Draft::new();
    let x = draft.feed("x", scalar());
    let _unused = draft.parameter("w", scalar(), constant(1.0));
    let loss = draft.apply(square(), &[x]);
    draft.outlet("loss", loss);
    let graph = draft.check().expect("the draft is sound");
    let found = differentiate(&graph, &Question::new("loss", &["w"])).expect_err("it does not");
    assert_eq!(found.codes(), [Code::NotDifferentiable]);
}

/// What comes out of the lanes of two devices.
fn simulated(graph: &Graph, bound: &[(&str, &str)], fed: &Streams) -> Streams {
    let plan = planned(graph, 2, bound, &Limits::default());
    let feeds = fed.clone();
    let simulation = Simulation { seed: Seed(7), feeds, inject: None, stalls_per_mille: 10 };
    let outcome = simulate(&plan, &Options::default(), &simulation).expect("it ends");
    let value = |output: Output| output.value.expect("nothing fails here");
    let outlets = outcome.outlets.into_iter();
    outlets.map(|(name, stream)| (name, stream.into_iter().map(value).collect())).collect()
}

/// `y = x sin(w)`: the sine of a parameter is a constant too.
fn derived() -> Graph {
    let mut draft = Draft::new();
    let x = draft.feed("x", scalar());
    let w = draft.parameter("w", scalar(), constant(0.5));
    let turned = draft.apply(sin(), &[w]);
    let y = draft.apply(multiply(), &[x, turned]);
    draft.outlet("loss", y);
    draft.check().expect("the draft is sound")
}

#[test]
fn what_is_computed_from_constants_alone_is_one_and_has_a_gradient() {
    let graph = differentiate(&derived(), &Question::new("loss", &["w"])).expect("it has one");
    let fed = feeds(&[("x", numbers(&[2.0, 3.0]))]);
    let slope = 0.5_f64.cos();
    assert_eq!(stream(&graph, &fed, "gradient/w"), [Some(2.0 * slope), Some(3.0 * slope)]);
    assert_eq!(graph.parameter_list().count(), 1, "only what has a first value is a parameter");
    let fires = |name: &str| graph.nodes().any(|(path, ..)| path.ends_with(name));
    assert!(!fires("sin") && !fires("cos"), "what is constant is computed once, at launch");
    let expected = interpret(&graph, &Options::default(), &fed).expect("it runs");
    assert_eq!(simulated(&graph, &[], &fed), expected);
}

#[test]
fn gradients_on_lanes_are_those_of_the_interpreter() {
    let graph = branches().check().expect("the draft is sound");
    let graph = differentiate(&graph, &Question::new("loss", &["w", "x"])).expect("it has one");
    let which: Vec<_> = (0..20_i64).map(|n| Some(Value::new(&[], &[n % 3 % 2]))).collect();
    let xs: Vec<f64> = (0..20).map(f64::from).collect();
    let fed = feeds(&[("which", which), ("x", numbers(&xs))]);
    let expected = interpret(&graph, &Options::default(), &fed).expect("the graph runs");
    for bound in [&[][..], &[("scale", "cpu:1"), ("gradient", "cpu:1")]] {
        assert_eq!(simulated(&graph, bound, &fed), expected, "{bound:?}");
    }
}
