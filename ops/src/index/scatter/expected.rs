//! What the samples of scatter expect, and those of particular values.

use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{Reduction, Scatter, scatter_add, scatter_max, scatter_min, scatter_replace};
use crate::sample::{Expect, Sample, Tensor, noise, reference};

/// Each place of the output searches the whole index for itself.
pub(super) fn by_searching(inputs: &[Tensor], operator: Scatter) -> Tensor {
    let (x, index, source) = (&inputs[0], &inputs[1], &inputs[2]);
    let mut hits = Vec::new();
    let _ = Tensor::from_fn(&index.extents, |place| {
        let mut target = place.to_vec();
        target[operator.axis] = index.at(place) as usize;
        hits.push((target, source.at(place)));
        0.0
    });
    Tensor::from_fn(&x.extents, |place| {
        let mut here = hits.iter().filter(|(target, _)| target == place).map(|(_, value)| *value);
        match operator.reduction {
            Reduction::Add => x.at(place) + here.sum::<f64>(),
            Reduction::Product => x.at(place) * here.product::<f64>(),
            Reduction::Max => here.fold(x.at(place), f64::max),
            Reduction::Min => here.fold(x.at(place), f64::min),
            Reduction::Replace => here.next_back().unwrap_or(x.at(place)),
        }
    })
}

/// Replacement, special values under the extremes, and what is rejected.
pub(super) fn special() -> Vec<Sample> {
    let x = Value::new(&[4], &[-0.0_f32, 0.0, f32::NAN, f32::NEG_INFINITY]);
    let index = Value::new(&[5], &[0_i64, 0, 1, 2, 3]);
    let source = Value::new(&[5], &[f32::INFINITY, f32::NAN, -0.0, 1.0, f32::NEG_INFINITY]);
    let y = Tensor::new(&[4], vec![f64::NAN, 0.0, f64::NAN, f64::NEG_INFINITY]);
    let low = Tensor::new(&[4], vec![f64::NAN, -0.0, f64::NAN, f64::NEG_INFINITY]);
    let special = || vec![x.clone(), index.clone(), source.clone()];
    let replace = |name: &str, axis: usize, shapes: [&[usize]; 3], indices: &[i64]| {
        let [extents, places, sources] = shapes;
        let inputs = vec![noise(1, extents), Value::new(places, indices), noise(2, sources)];
        let expect = reference(move |x| vec![by_searching(x, scatter_replace(axis))]);
        Sample::new(name, scatter_replace(axis), inputs, expect)
    };
    let i64s = |extent: usize| Spec::new(Element::I64, [extent]);
    let rejected = |name: &str, specs: [Spec; 3], port, dimension| {
        Sample::rejected(name, scatter_add(0), specs.to_vec(), port, dimension)
    };
    vec![
        Sample::new("special", scatter_max(0), special(), Expect::Outputs(vec![y])),
        Sample::new("special", scatter_min(0), special(), Expect::Outputs(vec![low])),
        replace("last axis", 1, [&[2, 7], &[2, 3], &[2, 3]], &[6, 0, 2, 1, 5, 3]),
        replace("shorter", 0, [&[5, 3], &[2, 2], &[4, 2]], &[4, 0, 1, 3]),
        replace("none", 0, [&[0, 3], &[0, 3], &[0, 3]], &[]),
        rejected("longer", [Spec::f32([2]), i64s(3), Spec::f32([2])], "index", Some(0)),
        rejected("no integers", [Spec::f32([2]), Spec::f32([2]), Spec::f32([2])], "index", None),
        rejected("mixed", [i64s(2), i64s(2), Spec::f32([2])], "source", None),
    ]
}
