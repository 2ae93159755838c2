//! Moments and bounds of what is drawn, and deep networks against the recursion of their kernels.

use synfire_ops::broadcast::binary::add;
use synfire_ops::dense::linear::linear;
use synfire_ops::pointwise::unary::{
    elu, gelu, leaky_relu, relu, sigmoid, silu, sin, softplus, tanh,
};
use synfire_runtime::define::Draft;
use synfire_runtime::interpret::{Streams, interpret};
use synfire_runtime::launch::Options;
use synfire_runtime::operator::Operator;
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Spec;
use synfire_runtime::value::Value;

use super::*;

/// What a parameter of these extents is at launch.
fn drawn(extents: &[usize], initial: Initial, seed: u64) -> Vec<f32> {
    let mut draft = Draft::new();
    let spec = Spec::f32(extents.to_vec());
    let zeros = draft.feed("zeros", spec.clone());
    let weight = draft.parameter("weight", spec.clone(), initial);
    let sum = draft.apply(add(), &[zeros, weight]);
    draft.outlet("out", sum);
    let graph = draft.check().expect("the draft is right");
    let feeds = Streams::from([("zeros".to_owned(), vec![Some(Value::zeros(&spec))])]);
    let options = Options { seed: Seed(seed), ..Options::default() };
    let streams = interpret(&graph, &options, &feeds).expect("it runs");
    streams["out"][0].as_ref().expect("it has a value").elements::<f32>()
}

/// Mean square and largest magnitude.
fn sizes(numbers: &[f32]) -> [f64; 2] {
    let squares: f64 = numbers.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let most = numbers.iter().fold(0.0_f64, |most, &x| most.max(f64::from(x).abs()));
    [squares / numbers.len() as f64, most]
}

#[test]
fn fans_are_pytorchs() {
    for (extents, inputs, outputs) in
        [(&[64, 32, 3, 5][..], 480, 960), (&[10, 20], 20, 10), (&[7], 7, 7), (&[], 1, 1)]
    {
        assert_eq!(Fans::of(extents), Fans { inputs, outputs }, "{extents:?}");
    }
    assert_eq!(Fans::of(&[10, 20]).transposed(), Fans { inputs: 10, outputs: 20 });
}

#[test]
fn what_is_drawn_has_the_variance_and_the_bound_of_its_rule() {
    let extents = [120, 40, 3, 3];
    let relu = Nonlinearity::Relu;
    let leaky = Nonlinearity::LeakyRelu { slope: 0.2 };
    let (inputs, outputs) = (360.0, 1080.0);
    for (initial, variance, is_uniform) in [
        (kaiming_normal(&extents, Fan::In, relu), 2.0 / inputs, false),
        (kaiming_normal(&extents, Fan::Out, leaky), 2.0 / 1.04 / outputs, false),
        (kaiming_uniform(&extents, Fan::In, Nonlinearity::Linear), 1.0 / inputs, true),
        (kaiming_uniform(&extents, Fan::Out, Nonlinearity::Selu), 0.5625 / outputs, true),
        (xavier_normal(&extents, 1.0), 2.0 / (inputs + outputs), false),
        (xavier_uniform(&extents, 5.0 / 3.0), 50.0 / 9.0 / (inputs + outputs), true),
    ] {
        let [square, most] = sizes(&drawn(&extents, initial.clone(), 1));
        // 43 200 numbers: a deviation of 0.7 % for normal ones.
        assert!((square / variance - 1.0).abs() < 0.03, "{initial:?}: {square}, not {variance}");
        let bound = (3.0 * variance).sqrt();
        assert_eq!(most <= bound * (1.0 + 1e-6), is_uniform, "{initial:?}: {most}, not {bound}");
    }
    let numbers = drawn(&extents, truncated_normal(0.02, 0.04), 1);
    let [square, most] = sizes(&numbers);
    assert!(most <= 0.04 && most > 0.039, "{most}");
    assert!((square / (0.02 * 0.02 * 0.773_741) - 1.0).abs() < 0.03, "{square}");
}

#[test]
fn orthogonal_weights_keep_lengths() {
    for (extents, gain) in [([6, 4, 3, 3], 1.0), ([50, 2, 3, 1], 2.0)] {
        let matrix = drawn(&extents, orthogonal(gain), 5);
        let rows = extents[0];
        let columns = matrix.len() / rows;
        let at = |row: usize, column: usize| f64::from(matrix[row * columns + column]);
        let few = rows.min(columns);
        for (a, b) in (0..few).flat_map(|a| (0..few).map(move |b| (a, b))) {
            let product: f64 = match rows <= columns {
                true => (0..columns).map(|k| at(a, k) * at(b, k)).sum(),
                false => (0..rows).map(|k| at(k, a) * at(k, b)).sum(),
            };
            let wanted = if a == b { gain * gain } else { 0.0 };
            assert!((product - wanted).abs() < 1e-6, "{extents:?} {a} {b}: {product}");
        }
    }
    assert_eq!(drawn(&[4, 4], orthogonal(1.0), 5), drawn(&[4, 4], orthogonal(1.0), 5));
    assert_ne!(drawn(&[4, 4], orthogonal(1.0), 5), drawn(&[4, 4], orthogonal(1.0), 6));
}

fn found(activation: &dyn Operator) -> Critical {
    critical(activation).expect("it has a critical point")
}

#[test]
fn critical_variances_are_those_of_the_literature() {
    let close = |found: Critical, [bias, weight]: [f64; 2], kernel: Option<f64>| {
        assert!((found.bias_variance - bias).abs() < 1e-6, "{found:?}");
        assert!((found.weight_variance - weight).abs() < 1e-6, "{found:?}");
        match (found.kernel, kernel) {
            (Some(found), Some(kernel)) => assert!((found - kernel).abs() < 1e-3, "{found}"),
            (found, kernel) => assert_eq!(found, kernel),
        }
    };
    close(found(&relu()), [0.0, 2.0], None);
    close(found(&leaky_relu(0.5)), [0.0, 1.6], None);
    close(found(&tanh()), [0.0, 1.0], Some(0.0));
    close(found(&sin()), [0.0, 1.0], Some(0.0));
    // The book's numbers, to their last digits.
    close(found(&gelu()), [0.172_922_39, 1.983_058_26], Some(3.561_552));
    close(found(&silu()), [0.555_143_17, 1.988_004_68], Some(14.320_17));
    assert!((found(&elu(1.0)).weight_variance - 1.0).abs() < 1e-4);
}

#[test]
fn both_susceptibilities_are_one_at_the_fixed_point() {
    let fixed: [(Box<dyn Operator>, f64); 5] = [
        (Box::new(relu()), 3.0),
        (Box::new(leaky_relu(0.1)), 0.2),
        (Box::new(gelu()), 3.561_552_8),
        (Box::new(silu()), 14.320_17),
        // As near to a kernel of 0 as its slope of 2 allows.
        (Box::new(tanh()), 1e-7),
    ];
    for (activation, kernel) in &fixed {
        let own = found(&**activation);
        let mut kernels = Kernels::new(&**activation).expect("it has a kernel");
        let next = kernels.next(&own, *kernel).expect("it is finite");
        assert!((next / kernel - 1.0).abs() < 1e-6, "{activation:?}: {next}");
        for growth in kernels.susceptibilities(&own, *kernel).expect("they are finite") {
            assert!((growth - 1.0).abs() < 1e-5, "{activation:?}: {growth}");
        }
    }
}

#[test]
fn what_has_no_critical_point_says_so() {
    for activation in [sigmoid(), softplus()] {
        let name = activation.contract().name;
        assert_eq!(critical(&activation), Err(CriticalError::Absent { name }));
    }
    assert!(matches!(critical(&add()), Err(CriticalError::Activation(_))));
}

/// The mean square of the preactivations of each layer, for each seed.
fn measured(activation: &(impl Operator + Clone), own: &Critical, shape: Shape) -> Vec<Vec<f64>> {
    let mut draft = Draft::new();
    let mut x = draft.feed("x", Spec::f32([1, shape.width]));
    for layer in 0..shape.layers {
        let z = draft.scope(&format!("layer{layer}"), |draft| {
            let spec = Spec::f32([shape.width, shape.width]);
            let weight = draft.parameter("weight", spec, own.weight(shape.width));
            let bias = draft.parameter("bias", Spec::f32([shape.width]), own.bias());
            draft.apply(linear().bias(), &[x, weight, bias])
        });
        draft.outlet(&format!("z{layer}"), z);
        x = draft.apply(activation.clone(), &[z]);
    }
    draft.outlet("end", x);
    let graph = draft.check().expect("the draft is right");
    let ones = Value::new(&[1, shape.width], &vec![1.0_f32; shape.width]);
    let feeds = Streams::from([("x".to_owned(), vec![Some(ones)])]);
    let of = |seed| {
        let options = Options { seed: Seed(seed), ..Options::default() };
        let streams = interpret(&graph, &options, &feeds).expect("it runs");
        let square = |layer| {
            let z = streams[&format!("z{layer}")][0].as_ref().expect("it has a value");
            sizes(&z.elements::<f32>())[0]
        };
        (0..shape.layers).map(square).collect()
    };
    (0..shape.seeds).map(of).collect()
}

#[derive(Clone, Copy)]
struct Shape {
    layers: usize,
    width: usize,
    seeds: u64,
}

/// Kernels of a network follow the recursion, as far as its width lets them: a kernel after `l`
/// layers spreads by `(2 + vertex l) / width` of its square (chapter 4: 5 for two slopes, 2 / 3 for
/// the kind of tanh), so layer by layer the geometric mean over seeds is held within four
/// deviations and what that spread takes from it. A step from a measured kernel spreads by
/// `5 / width` at most, so the mean of all steps is held within a few hundredths.
fn follows(activation: &(impl Operator + Clone), own: &Critical, shape: Shape, vertex: f64) {
    let mut kernels = Kernels::new(activation).expect("it has a kernel");
    let all = measured(activation, own, shape);
    let (width, seeds) = (shape.width as f64, shape.seeds as f64);
    let mut kernel = own.bias_variance + own.weight_variance;
    for layer in 0..shape.layers {
        let spread = (2.0 + vertex * layer as f64) / width;
        let off = all.iter().map(|own| (own[layer] / kernel).ln()).sum::<f64>() / seeds;
        let allowed = 4.0 * (spread / seeds).sqrt() + spread / 2.0;
        assert!(off.abs() < allowed, "layer {layer}: off by {off}, allowed {allowed}");
        kernel = kernels.next(own, kernel).expect("it is finite");
    }
    let steps = all.iter().flat_map(|own| own.windows(2));
    let ratios = steps.map(|step| step[1] / kernels.next(own, step[0]).expect("it is finite"));
    let ratios: Vec<f64> = ratios.collect();
    let count = ratios.len() as f64;
    let (off, allowed) =
        (ratios.iter().sum::<f64>() / count - 1.0, 4.0 * (5.0 / width / count).sqrt());
    assert!(off.abs() < allowed, "a step is off by {off}, allowed {allowed}");
}

#[test]
fn fifty_layers_follow_the_recursion() {
    let shape = Shape { layers: 50, width: 200, seeds: 6 };
    follows(&relu(), &found(&relu()), shape, 5.0);
    let shape = Shape { seeds: 4, ..shape };
    follows(&tanh(), &found(&tanh()), shape, 2.0 / 3.0);
    follows(&gelu(), &found(&gelu()), shape, 5.0);
}

#[test]
fn off_criticality_fifty_layers_explode_and_vanish() {
    let shape = Shape { layers: 50, width: 128, seeds: 4 };
    for factor in [0.8, 1.2] {
        let critical = found(&relu());
        let weight_variance = factor * critical.weight_variance;
        let own = Critical { weight_variance, ..critical };
        let slopes =
            measured(&relu(), &own, shape).into_iter().map(|own| (own[49] / own[0]).ln() / 49.0);
        let slope = slopes.sum::<f64>() / 4.0;
        // At a width of 128 the mean of logarithms falls by 5 / 256 a layer, give or take.
        let wanted = f64::ln(factor) - 5.0 / 256.0;
        let allowed = 4.0 * (5.0_f64 / 128.0 / 49.0 / 4.0).sqrt();
        assert!((slope - wanted).abs() < allowed, "{slope}, not {wanted}");
    }
}
