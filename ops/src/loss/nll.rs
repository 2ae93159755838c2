//! Negative logarithm of the likelihood of a class: `-w[t] * x[t]` for logarithms `x` of the
//! probabilities of all classes, a target class `t` and weights `w` of the classes.
//!
//! # Shape
//! `x`: `f32` or `f64`, the classes along an axis, at most one other dimension bounded; target:
//! `i64`, `x` without that axis; weight: `[class]` -> as the target, or a scalar.
//!
//! # Gradient
//! That of its parts, by `x`; rows that are ignored have none, whatever they hold.
//!
//! # Numerics
//! The mean is over the sum of the weights of the targets, so NaN where all are ignored. A target
//! that is no class, and is not ignored, fails the firing. As PyTorch's `nll_loss`.
//!
//! # Example
//! ```
//! use synfire_ops::loss::nll::{Classes, nll};
//! use synfire_ops::losses::Total;
//! use synfire_runtime::{define::Draft, spec::{Element, Spec}};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([8, 10]));
//! let target = draft.feed("target", Spec::new(Element::I64, [8]));
//! let classes = Classes { axis: 1, weight: None, ignored: None };
//! let loss = nll(&mut draft, x, target, classes, Total::Mean);
//! assert_eq!(draft.spec(loss), Some(&Spec::f32::<usize>([])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::binary::{divide, equal, multiply};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::index::gather::gather;
use crate::index::index_select::index_select;
use crate::losses::{Total, predicted, shaped_like, wanted};
use crate::pointwise::unary::{fill, neg};
use crate::reduce::reduction::{Keep, sum};
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("nll_loss", |case| {
    let (x, target, total) = (predicted(case)?, wanted(case)?, Total::of_case(case)?);
    let classes = Classes::of_case(case, x)?;
    Ok(vec![nll(case, x, target, classes, total)])
})];

/// What is known of the classes.
#[derive(Clone, Copy, Debug)]
pub struct Classes {
    /// The axis along which they lie.
    pub axis: usize,
    /// Their weights; 1 without.
    pub weight: Option<Wire>,
    /// The target that is left out.
    pub ignored: Option<i64>,
}

impl Classes {
    /// As a case says: PyTorch's axis is 1, or 0 of a single item.
    pub(crate) fn of_case(case: &mut Case<'_>, x: Wire) -> Result<Self, String> {
        let usual = i64::from(case.spec_of(x)?.rank() > 1);
        let axis = case.axis(case.spelling(&["class_dim", "dim", "axis"]), x, usual)?;
        let names = ["weight", "class_weight", "class_weights", "w", "weights"];
        let weight = match case.either(&names) {
            Some(weight) => Some(weight),
            None => case.vector(case.spelling(&names))?,
        };
        let ignored = Some(case.integer("ignore_index", -100)?);
        Ok(Self { axis, weight, ignored })
    }
}

/// The loss of the classes `target` by the logarithms `x` of the probabilities of all.
pub fn nll(draft: &mut Draft, x: Wire, target: Wire, classes: Classes, total: Total) -> Wire {
    let chosen = Chosen::new(draft, x, target, classes);
    let picked = chosen.picked(draft, x, target, classes.axis);
    let losses = chosen.weighed(draft, picked);
    chosen.total(draft, losses, total)
}

/// The targets of a loss of classes.
pub(crate) struct Chosen {
    /// The target, or class 0 where it is ignored.
    pub(crate) index: Wire,
    /// Where it is ignored, if anything is.
    ignored: Option<Wire>,
    /// The weights of the targets, 0 where they are ignored, if that is not always 1.
    weights: Option<Wire>,
}

impl Chosen {
    pub(crate) fn new(draft: &mut Draft, x: Wire, target: Wire, classes: Classes) -> Self {
        let element = draft.spec(x).map_or(Element::F32, |spec| spec.element);
        let mut own = Self { index: target, ignored: None, weights: None };
        if let Some(ignored) = classes.ignored {
            // By way of narrower integers, which every device compares.
            let narrow = draft.apply(cast(Element::I32), &[target]);
            let floats = draft.apply(cast(Element::F32), &[narrow]);
            let constant = |draft: &mut Draft, value: f64| {
                let floats = draft.apply(fill(value), &[floats]);
                draft.apply(cast(Element::I32), &[floats])
            };
            let ignored = constant(draft, ignored as f64);
            let ignored = draft.apply(equal(), &[narrow, ignored]);
            let zero = constant(draft, 0.0);
            let zero = draft.apply(cast(Element::I64), &[zero]);
            own.index = draft.apply(where_(), &[ignored, zero, target]);
            own.ignored = Some(ignored);
        }
        if let Some(weight) = classes.weight {
            let flat = draft.apply(reshape(&[Extent::Infer]), &[own.index]);
            let weights = draft.apply(index_select(0), &[weight, flat]);
            own.weights = Some(shaped_like(draft, weights, own.index));
        } else if let Some(ignored) = own.ignored {
            let narrow = draft.apply(cast(Element::F32), &[ignored]);
            let ones = draft.apply(fill(1.0), &[narrow]);
            own.weights = Some(draft.apply(cast(element), &[ones]));
        }
        own.weights = own.weights.map(|weights| own.masked(draft, weights));
        own
    }

    /// `-x` at the targets along an axis.
    pub(crate) fn picked(&self, draft: &mut Draft, x: Wire, target: Wire, axis: usize) -> Wire {
        let Some(spec) = draft.spec(target).cloned() else { return x };
        let mut column: Vec<Extent> = extents(&spec);
        column.insert(axis.min(column.len()), Extent::Is(1));
        let index = draft.apply(reshape(&column), &[self.index]);
        let picked = draft.apply(gather(axis), &[x, index]);
        let picked = draft.apply(sum(&[axis], Keep::Nothing), &[picked]);
        draft.apply(neg(), &[picked])
    }

    /// Zero where the target is ignored.
    pub(crate) fn masked(&self, draft: &mut Draft, losses: Wire) -> Wire {
        let Some(ignored) = self.ignored else { return losses };
        let zero = draft.apply(fill(0.0), &[losses]);
        draft.apply(where_(), &[ignored, zero, losses])
    }

    /// Times the weights of the targets, zero where they are ignored.
    pub(crate) fn weighed(&self, draft: &mut Draft, losses: Wire) -> Wire {
        let losses = self.masked(draft, losses);
        match self.weights {
            Some(weights) => draft.apply(multiply(), &[losses, weights]),
            None => losses,
        }
    }

    /// The losses as one; the mean is over the weights of the targets.
    pub(crate) fn total(&self, draft: &mut Draft, losses: Wire, total: Total) -> Wire {
        let (Total::Mean, Some(weights)) = (total, self.weights) else {
            return total.of(draft, losses);
        };
        let [losses, weights] = [losses, weights].map(|wire| Total::Sum.of(draft, wire));
        // NaN of nothing is a constant, so that what is ignored has no gradient.
        let [zero, one, nan] =
            [0.0, 1.0, f64::NAN].map(|value| draft.apply(fill(value), &[weights]));
        let is_nothing = draft.apply(equal(), &[weights, zero]);
        let weights = draft.apply(where_(), &[is_nothing, one, weights]);
        let average = draft.apply(divide(), &[losses, weights]);
        draft.apply(where_(), &[is_nothing, nan, average])
    }
}

/// Extents to come back to a spec, of which at most one dimension is bounded.
fn extents(spec: &Spec) -> Vec<Extent> {
    let extent = |dimension: &synfire_runtime::spec::Dimension| {
        if dimension.is_bounded() { Extent::Infer } else { Extent::Is(dimension.bound()) }
    };
    spec.dimensions.iter().map(extent).collect()
}

/// Each total, images, another axis, one item, weights, ignored and bad targets, all ignored,
/// infinite logarithms, a bounded batch; targets of another type.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: &[usize], axis: usize, total: Total, weighed: usize| {
        let mut inputs = vec![noise(1, x), targets(x, axis)];
        inputs.extend((0..weighed as u64).map(|key| weights(key, x[axis])));
        Sample::composite(name, "nll", build(axis, total), inputs, expected(axis, total))
    };
    let ignored = |name: &str, targets: [i64; 3], total: Total| {
        let inputs = vec![noise(1, &[3, 4]), Value::new(&[3], &targets), weights(0, 4)];
        Sample::composite(name, "nll", build(1, total), inputs, expected(1, total))
    };
    let mut infinite = ignored("infinite", [1, -100, 2], Total::Each);
    let rows = [[0.0, -1.0, 0.0], [f32::NEG_INFINITY; 3], [f32::NEG_INFINITY, 0.0, -2.0]];
    infinite.inputs[0] = Some(Value::new(&[3, 3], &rows.concat()));
    infinite.specs[0] = Spec::f32([3, 3]);
    infinite.inputs[2] = Some(weights(0, 3));
    infinite.specs[2] = Spec::f32([3]);
    let mut outside = ignored("outside", [1, 4, 2], Total::Sum);
    outside.expect = Expect::Fails("port index");
    let bounded = case("bounded", &[4, 3], 1, Total::Mean, 1).with_specs(vec![
        bounded_first(Element::F32, 9, &[3]),
        bounded_first(Element::I64, 9, &[]),
        Spec::f32([3]),
    ]);
    let floats = vec![Spec::f32([2, 3]), Spec::f32([2]), Spec::f32([3])];
    vec![
        case("apart", &[5, 7], 1, Total::Each, 0),
        case("mean", &[5, 7], 1, Total::Mean, 0),
        case("weighed mean", &[5, 7], 1, Total::Mean, 1),
        case("weighed sum", &[5, 7], 1, Total::Sum, 1),
        case("image", &[2, 3, 5, 2], 1, Total::Mean, 1),
        case("last axis", &[5, 2, 3], 2, Total::Each, 1),
        case("one item", &[7], 0, Total::Mean, 0),
        case("none", &[0, 3], 1, Total::Sum, 0),
        ignored("ignored", [-100, 2, -100], Total::Mean),
        ignored("ignored, apart", [3, -100, 0], Total::Each),
        ignored("all ignored", [-100; 3], Total::Mean),
        infinite,
        outside,
        bounded,
        Sample::composite_rejected("floats", "nll", build(1, Total::Sum), floats),
    ]
}

fn build(axis: usize, total: Total) -> impl Fn(&mut Draft, &[Wire]) -> Vec<Wire> + Send + Sync {
    move |draft, wires| {
        let classes = Classes { axis, weight: wires.get(2).copied(), ignored: Some(-100) };
        vec![nll(draft, wires[0], wires[1], classes, total)]
    }
}

/// Targets of every class in turn.
pub(crate) fn targets(x: &[usize], axis: usize) -> Value {
    let mut outer = x.to_vec();
    let classes = outer.remove(axis);
    let count = outer.iter().product::<usize>();
    let targets: Vec<i64> = (0..count).map(|k| (k * 5 % classes.max(1)) as i64).collect();
    Value::new(&outer, &targets)
}

/// Positive weights.
pub(crate) fn weights(key: u64, classes: usize) -> Value {
    let noise = noise(7 + key, &[classes]).elements::<f32>();
    Value::new(&[classes], &noise.into_iter().map(|w| w.abs() + 0.1).collect::<Vec<_>>())
}

/// Target by target.
fn expected(axis: usize, total: Total) -> Expect {
    reference(move |inputs| {
        let (x, target) = (&inputs[0], &inputs[1]);
        let weight = |class: usize| inputs.get(2).map_or(1.0, |weight| weight.data[class]);
        let mut sum = 0.0;
        let losses = Tensor::from_fn(&target.extents, |at| {
            if target.at(at) < 0.0 {
                return 0.0;
            }
            let class = target.at(at) as usize;
            sum += weight(class);
            let mut own = at.to_vec();
            own.insert(axis, class);
            -weight(class) * x.at(&own)
        });
        vec![match total {
            Total::Mean => Tensor::new(&[], vec![losses.data.iter().sum::<f64>() / sum]),
            _ => total.of_tensor(losses),
        }]
    })
}
