//! The samples of segment reductions, and their expectation.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{Reduction, Segments, segment_max, segment_mean, segment_min, segment_sum};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};

pub(super) fn all() -> Vec<Sample> {
    let case = |name: &str, operator: Segments, x: Value| {
        let ids = hashed(x.extents[operator.axis], operator.count);
        let expect = reference(move |x| vec![by_searching(x, operator)]);
        Sample::new(name, operator, vec![x, ids], expect)
    };
    let each = [segment_sum, segment_max, segment_min].into_iter().flat_map(|new| {
        [
            case("first axis", new(0, 5), noise(1, &[13, 3])),
            case("inner axis", new(1, 3), noise(2, &[2, 7, 19])),
            case("last axis", new(1, 4), noise(3, &[3, 11])),
            case("some without", new(0, 17), noise(4, &[3, 2])),
            case("of f64", new(0, 2), wide(&noise(5, &[7]))),
            case("none", new(0, 2), noise(6, &[0, 3])),
        ]
    });
    let mean = |name: &str, axis: usize, count: usize, x: Value| {
        let ids = hashed(x.extents[axis], count);
        let build =
            move |draft: &mut Draft, x: &[Wire]| vec![segment_mean(draft, x[0], x[1], axis, count)];
        let expect = reference(move |x| {
            let ones = Tensor::new(&x[0].extents, vec![1.0; x[0].data.len()]);
            let mut sums = by_searching(x, segment_sum(axis, count));
            let counts = by_searching(&[ones, x[1].clone()], segment_sum(axis, count));
            sums.data.iter_mut().zip(counts.data).for_each(|(sum, count)| *sum /= count);
            vec![sums]
        });
        Sample::composite(name, "segment_mean", build, vec![x, ids], expect)
    };
    let literal = |x: [f32; 4], operator, y: [f64; 2]| {
        let inputs = vec![Value::new(&[4], &x), Value::new(&[4], &[0_i64, 0, 1, 1])];
        let expect = Expect::Outputs(vec![Tensor::new(&[2], y.to_vec())]);
        Sample::new("literal", operator, inputs, expect)
    };
    let nan = f64::NAN;
    let bounded = vec![bounded_first(Element::F32, 9, &[2]), bounded_first(Element::I64, 9, &[])];
    let outside = vec![noise(1, &[2]), Value::new(&[2], &[0_i64, 3])];
    let specs = |ids: Spec| vec![Spec::f32([3, 2]), ids];
    let i64s = |n: usize| Spec::new(Element::I64, [n]);
    let sum = segment_sum(0, 3);
    each.chain([
        mean("mean", 0, 3, noise(7, &[7, 2])),
        mean("mean of inner axis", 1, 2, noise(8, &[2, 5, 3])),
        mean("mean of a vector", 0, 4, wide(&noise(9, &[6]))),
        mean("mean of nothing", 0, 2, noise(9, &[0, 2])),
        literal([1.0, f32::NAN, 3.0, 3.0], segment_max(0, 2), [nan, 3.0]),
        literal([f32::NAN, 1.0, 3.0, 3.0], segment_min(0, 2), [nan, 3.0]),
        case("many", segment_sum(0, 101), noise(9, &[1009, 2])),
        case("bounded", segment_sum(0, 3), noise(9, &[5, 2])).with_specs(bounded),
        Sample::new("outside", sum, outside, Expect::Fails("found 3 at [1]; wanted 0 to below 3")),
        Sample::rejected("shorter", sum, specs(i64s(2)), "ids", Some(0)),
        Sample::rejected("no integers", sum, specs(Spec::f32([3])), "ids", None),
        Sample::rejected("missing axis", segment_sum(2, 3), specs(i64s(3)), "x", None),
    ])
    .collect()
}

/// Identities in no order.
pub(crate) fn hashed(length: usize, count: usize) -> Value {
    let ids: Vec<i64> = (0..length).map(|k| ((k * k + 3 * k + 1) % count.max(1)) as i64).collect();
    Value::new(&[length], &ids)
}

/// The expectation: each segment searches all identities.
pub(crate) fn by_searching(inputs: &[Tensor], operator: Segments) -> Tensor {
    let [x, ids] = [&inputs[0], &inputs[1]];
    let Segments { axis, count, reduction } = operator;
    let mut extents = x.extents.clone();
    extents[axis] = count;
    Tensor::from_fn(&extents, |index| {
        let mut other = index.to_vec();
        let members = (0..ids.data.len()).filter(|&k| ids.data[k] as usize == index[axis]);
        let members = members.map(|k| {
            other[axis] = k;
            x.at(&other)
        });
        match reduction {
            Reduction::Sum => members.sum(),
            Reduction::Max => members.fold(f64::NEG_INFINITY, f64::max),
            Reduction::Min => members.fold(f64::INFINITY, f64::min),
        }
    })
}
