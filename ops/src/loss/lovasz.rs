//! Lovász-softmax: how little prediction and target overlap (one minus the Jaccard index), extended
//! from sets to probabilities, for each class, then the mean over the classes that are there.
//! Berman, Triki and Blaschko, "The Lovász-softmax loss: a tractable surrogate for the optimization
//! of the intersection-over-union measure in neural networks", 2018.
//!
//! With the errors `|t - p|` of a class from the largest to the smallest, it is the sum of each
//! error times what its point adds to `1 - intersection / union`.
//!
//! # Shape
//! `probability`: `[point, class]`, `f32` or `f64`, the points may be bounded; target: `i64[point]`
//! -> a scalar.
//!
//! # Gradient
//! That of its parts, by `probability`; points that are ignored have none.
//!
//! # Numerics
//! 0 where no class is there. PyTorch has no such loss. Sorting takes most of its time.
//!
//! # Example
//! ```
//! use synfire_ops::loss::lovasz::lovasz;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let points = draft.feed("points", Spec::f32([4096, 20]));
//! let target = draft.feed("target", Spec::new(Element::I64, [4096]));
//! let loss = lovasz(&mut draft, points, target, Some(0));
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::nll::{Chosen, Classes, targets};
use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::binary::{add, divide, equal, greater, multiply, subtract};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::index::gather::gather;
use crate::index::one_hot::one_hot;
use crate::index::sort::sort;
use crate::index::top_k::Order;
use crate::losses::Total;
use crate::pointwise::unary::{abs, clamp, fill};
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};
use crate::scan::cumulative::cumsum;
use crate::scan::lag::lag;

/// How little the probabilities of classes and the target classes of points overlap; points whose
/// target is `ignored` do not count.
pub fn lovasz(draft: &mut Draft, probability: Wire, target: Wire, ignored: Option<i64>) -> Wire {
    let Some(spec) = draft.spec(probability).cloned() else { return probability };
    let classes = spec.dimensions.get(1).map_or(0, |classes| classes.bound());
    let [errors, own] = errors(draft, [probability, target], classes, ignored);
    let [errors, order] = sort(draft, errors, 0, Order::Descending);
    let hits = draft.apply(gather(0), &[own, order]);
    let misses = draft.apply(fill(1.0), &[hits]);
    let misses = draft.apply(subtract(), &[misses, hits]);
    let count = draft.apply(sum(&[0], Keep::Axes), &[own]);
    let [hits, misses] = [hits, misses].map(|wire| draft.apply(cumsum(0), &[wire]));
    let union = draft.apply(add(), &[count, misses]);
    // 1 - (count - hits) / union, as a single quotient.
    let apart = draft.apply(add(), &[hits, misses]);
    let distance = draft.apply(divide(), &[apart, union]);
    let before = draft.apply(lag(0), &[distance]);
    let added = draft.apply(subtract(), &[distance, before]);
    let losses = draft.apply(multiply(), &[errors, added]);
    let losses = draft.apply(sum(&[0], Keep::Axes), &[losses]);
    let zero = draft.apply(fill(0.0), &[count]);
    let is_there = draft.apply(greater(), &[count, zero]);
    let there = draft.apply(cast(spec.element), &[is_there]);
    let losses = draft.apply(where_(), &[is_there, losses, zero]);
    let [losses, there] = [losses, there].map(|wire| Total::Sum.of(draft, wire));
    let there = draft.apply(clamp(1.0, f64::INFINITY), &[there]);
    draft.apply(divide(), &[losses, there])
}

/// The errors of all points and classes, and 1 where the class is that of the point; both 0 where
/// the point is ignored.
fn errors(
    draft: &mut Draft,
    [probability, target]: [Wire; 2],
    classes: usize,
    ignored: Option<i64>,
) -> [Wire; 2] {
    let chosen =
        Chosen::new(draft, probability, target, Classes { axis: 1, weight: None, ignored });
    let element = draft.spec(probability).map_or(Element::F32, |spec| spec.element);
    let own = draft.apply(one_hot(classes).with_element(element), &[chosen.index]);
    let ones = draft.apply(sum(&[1], Keep::Nothing), &[probability]);
    let ones = draft.apply(fill(1.0), &[ones]);
    let counted = chosen.masked(draft, ones);
    let counted = draft.apply(reshape(&[Extent::Infer, Extent::Is(1)]), &[counted]);
    let own = draft.apply(multiply(), &[own, counted]);
    let apart = draft.apply(subtract(), &[own, probability]);
    let apart = draft.apply(abs(), &[apart]);
    let zero = draft.apply(fill(0.0), &[counted]);
    let is_ignored = draft.apply(equal(), &[counted, zero]);
    let errors = draft.apply(where_(), &[is_ignored, zero, apart]);
    [errors, own]
}

/// Points of several classes, of one, ignored ones, classes that are not there, none at all, a
/// bounded cloud; other extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let build =
        |draft: &mut Draft, wires: &[Wire]| vec![lovasz(draft, wires[0], wires[1], Some(-1))];
    let case = |name: &str, points: usize, classes: usize| {
        let x = [points, classes];
        let noise = noise(1, &x).elements::<f32>();
        let probability = noise.into_iter().map(|x| 0.24 * x + 0.5).collect::<Vec<_>>();
        let inputs = vec![Value::new(&x, &probability), targets(&x, 1)];
        Sample::composite(name, "lovasz", build, inputs, reference(by_sets))
    };
    let given = |name: &str, targets: [i64; 5]| {
        let mut sample = case(name, 5, 4);
        sample.inputs[1] = Some(Value::new(&[5], &targets));
        sample
    };
    let cloud = vec![bounded_first(Element::F32, 9, &[3]), bounded_first(Element::I64, 9, &[])];
    let specs = vec![Spec::f32([3, 2]), Spec::new(Element::I64, [4])];
    vec![
        case("points", 31, 5),
        case("one class", 7, 1),
        case("one point", 1, 3),
        given("ignored", [-1, 2, 0, -1, 2]),
        given("one class there", [1; 5]),
        given("all ignored", [-1; 5]),
        case("bounded", 6, 3).with_specs(cloud),
        Sample::composite_rejected("mismatch", "lovasz", build, specs),
    ]
}

/// Class by class: each gap between two errors times one minus the Jaccard index of the target and
/// the target changed by all points of larger errors.
fn by_sets(inputs: &[Tensor]) -> Vec<Tensor> {
    let (p, target) = (&inputs[0], &inputs[1].data);
    let mut losses = Vec::new();
    for class in 0..p.extents[1] {
        let own = |point: usize| target[point] == class as f64;
        let count = (0..target.len()).filter(|&point| own(point)).count();
        let mut errors: Vec<(f64, bool)> = (0..target.len())
            .filter(|&point| target[point] >= 0.0)
            .map(|point| ((p.at(&[point, class]) - f64::from(own(point))).abs(), own(point)))
            .collect();
        errors.sort_by(|a, b| b.0.total_cmp(&a.0));
        let gap = |k: usize| errors[k].0 - errors.get(k + 1).map_or(0.0, |next| next.0);
        let distance = |k: usize| {
            let outside = errors[..=k].iter().filter(|(_, own)| !own).count();
            (k + 1) as f64 / (count + outside) as f64
        };
        if count > 0 {
            losses.push((0..errors.len()).map(|k| gap(k) * distance(k)).sum::<f64>());
        }
    }
    let mean = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    vec![Tensor::new(&[], vec![mean])]
}
