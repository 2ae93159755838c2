//! Rows that are made on the way into a product, block by block, with the bits of unfused plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use synfire_ops::broadcast::binary::add;
use synfire_ops::dense::linear::linear;
use synfire_ops::dense::matmul::matmul;
use synfire_ops::normalize::row_norm::{layer_norm, rms_norm};
use synfire_ops::normalize::softmax::{log_softmax, softmax};
use synfire_ops::pointwise::unary::{gelu, scale};
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_ops::sample::noise;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::launch::Options;
use synfire_runtime::operator::Operator;
use synfire_runtime::plan::{Limits, Plan};
use synfire_runtime::random::Seed;
use synfire_runtime::simulate::{Simulation, simulate};
use synfire_runtime::spec::{Dimension, Spec};

use super::{absorbs, check, graph, operator_steps, parameter, planned, unfused};

/// What makes rows, and the names of its constants.
fn norms() -> Vec<(Arc<dyn Operator>, &'static [&'static str])> {
    vec![
        (Arc::new(layer_norm(1, 1e-5)), &[]),
        (Arc::new(layer_norm(1, 1e-5).weight()), &["weight_n"]),
        (Arc::new(layer_norm(1, 1e-5).affine()), &["weight_n", "bias_of_n"]),
        (Arc::new(rms_norm(1, 1e-5).weight()), &["weight_n"]),
        (Arc::new(softmax(1)), &[]),
        (Arc::new(log_softmax(1)), &[]),
    ]
}

#[test]
fn a_norm_goes_row_by_row_into_a_product() {
    let seed = Seed(7).named("extents");
    let pick = |counter: u64| [0, 1, 2, 5, 17, 64, 67, 200, 577][seed.index(counter, 9)];
    for (number, (norm, names)) in norms().into_iter().cycle().take(24).enumerate() {
        let counter = 3 * number as u64;
        let [rows, inner, columns] = [0, 1, 2].map(|part| pick(counter + part));
        let extents = [rows, inner];
        let graph = graph(&extents, |draft, x| {
            let mut inputs = vec![x];
            inputs.extend(names.iter().map(|name| parameter(draft, name, &[inner])));
            let rows = draft.apply(norm.clone(), &inputs);
            let y = match number % 3 {
                0 => {
                    let weight = parameter(draft, "weight", &[columns, inner]);
                    let bias = parameter(draft, "bias", &[columns]);
                    draft.apply(linear().bias(), &[rows, weight, bias])
                }
                1 => {
                    let weight = parameter(draft, "weight", &[columns, inner]);
                    draft.apply(matmul().transpose_b(), &[rows, weight])
                }
                _ => {
                    let weight = parameter(draft, "weight", &[inner, columns]);
                    draft.apply(matmul(), &[rows, weight])
                }
            };
            draft.apply(gelu(), &[y])
        });
        check(&graph, &extents, 2);
        assert_eq!(operator_steps(&graph), 1, "{norm:?}");
    }
}

#[test]
fn rows_of_a_norm_are_in_no_register() {
    let extents = [4096, 96];
    let graph = graph(&extents, |draft, x| {
        let x = draft.apply(scale(2.0), &[x]);
        let norm = draft.apply(layer_norm(1, 1e-5), &[x]);
        let weight = parameter(draft, "weight", &[8, 96]);
        let y = draft.apply(linear(), &[norm, weight]);
        let z = draft.apply(sum(&[1], Keep::Axes), &[x]);
        draft.apply(add(), &[y, z])
    });
    let [fused, plain] = [Limits::default(), unfused()].map(|limits| planned(&graph, &limits));
    let bytes = |plan: &Plan| plan.memory().iter().map(|row| row.total_bytes()).sum::<u64>();
    // Beside a block of rows.
    assert!(bytes(&fused) + (4096 - 256) * 96 * 4 < bytes(&plain));
    assert!(fused.explain().contains("linear for layer_norm + linear"), "{}", fused.explain());
    check(&graph, &extents, 1);
}

#[test]
fn rows_may_be_of_any_number() {
    let mut draft = Draft::new();
    let x = draft.feed("in", Spec::f32([Dimension::UpTo(300), Dimension::Fixed(19)]));
    let rows = draft.apply(rms_norm(1, 1e-5), &[x]);
    let weight = parameter(&mut draft, "weight", &[7, 19]);
    let y = draft.apply(linear(), &[rows, weight]);
    draft.outlet("out", y);
    let graph = draft.check().expect("the draft is right");
    let plans = [Limits::default(), unfused()].map(|limits| planned(&graph, &limits));
    assert!(absorbs(&plans[0]));
    let feeds = [0, 1, 63, 64, 65, 300].map(|rows| Some(noise(rows as u64, &[rows, 19])));
    let feeds = BTreeMap::from([("in".to_owned(), feeds.to_vec())]);
    let simulation = Simulation { feeds, ..Simulation::default() };
    let [fused, plain] = plans.map(|plan| {
        let outcome = simulate(&plan, &Options::default(), &simulation).expect("it runs");
        let outputs = outcome.outlets["out"].iter().map(|output| output.value.clone());
        outputs.map(|value| value.expect("nothing fails")).collect::<Vec<_>>()
    });
    assert_eq!(fused.len(), 6);
    assert!(fused == plain, "the same bits");
}

#[test]
fn rows_of_several_axes_or_flowing_numbers_are_made_before() {
    let extents = [3, 4, 5];
    let build = |draft: &mut Draft, rows: Wire| {
        let weight = parameter(draft, "weight", &[2, 5]);
        draft.apply(linear(), &[rows, weight])
    };
    let wide = graph(&extents, |draft, x| {
        let rows = draft.apply(layer_norm(2, 1e-5), &[x]);
        build(draft, rows)
    });
    let flowing = graph(&extents, |draft, x| {
        let weight = draft.feed("flowing", Spec::f32([5]));
        let rows = draft.apply(layer_norm(1, 1e-5).weight(), &[x, weight]);
        build(draft, rows)
    });
    let inner = graph(&extents, |draft, x| {
        let rows = draft.apply(softmax(1), &[x]);
        build(draft, rows)
    });
    for graph in [wide, flowing, inner] {
        assert!(!absorbs(&planned(&graph, &Limits::default())), "{graph}");
    }
}
