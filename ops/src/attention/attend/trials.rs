//! The samples of attention in its three forms, and its definition in loops.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::{Attend, attend};
use crate::attention::attend_backward::attend_backward;
use crate::attention::attend_composite::attend_composite;
use crate::dense::matmul::doubled;
use crate::sample::{Expect, Sample, Tensor, noise, reference};

/// One setting.
struct Trial {
    name: &'static str,
    operator: Attend,
    /// Of `q`, `k` and `v`.
    extents: [Vec<usize>; 3],
    mask: Option<Value>,
    bounds: Option<Vec<Spec>>,
    is_wide: bool,
    /// Too large for differences.
    is_large: bool,
}

/// Heads of `q` and of `k`, queries, keys, features, values.
fn trial(name: &'static str, operator: Attend, before: &[usize], sizes: [usize; 6]) -> Trial {
    let [heads, groups, queries, keys, features, values] = sizes;
    let extents = [[heads, queries, features], [groups, keys, features], [groups, keys, values]];
    let extents = extents.map(|own| [before, &own].concat());
    Trial { name, operator, extents, mask: None, bounds: None, is_wide: false, is_large: false }
}

impl Trial {
    fn mask(mut self, mask: Value) -> Self {
        self.operator = self.operator.masked();
        self.mask = Some(mask);
        self
    }

    fn flat(mut self) -> Self {
        self.extents = self.extents.map(|own| own[own.len() - 2..].to_vec());
        self
    }

    fn large(self) -> Self {
        Self { is_large: true, ..self }
    }

    fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    fn bounded(mut self) -> Self {
        let spec = |own: &Vec<usize>, batch| {
            let mut spec = Spec::f32(own.clone());
            spec.dimensions[0] = Dimension::UpTo(batch);
            spec
        };
        self.bounds = Some(self.extents.iter().map(|own| spec(own, 9)).collect());
        self
    }

    fn wanted(&self, value: Value) -> Value {
        let is_float = value.element == Element::F32;
        if self.is_wide && is_float { doubled(&value) } else { value }
    }

    fn operands(&self) -> Vec<Value> {
        let keyed = (1..).zip(&self.extents);
        keyed.map(|(key, own)| self.wanted(noise(key, own))).collect()
    }

    fn masks(&self) -> Option<Value> {
        self.mask.clone().map(|mask| self.wanted(mask))
    }

    fn inputs(&self) -> Vec<Value> {
        self.operands().into_iter().chain(self.masks()).collect()
    }

    fn bound(&self, sample: Sample) -> Sample {
        let sample = if self.is_large { sample.without_gradient() } else { sample };
        match &self.bounds {
            Some(specs) => sample.with_specs(specs.clone()),
            None => sample,
        }
    }
}

fn truths(extents: &[usize], holds: impl Fn(usize) -> bool) -> Value {
    let count = extents.iter().product();
    Value::from_bytes(Element::Bool, extents, (0..count).map(|k| u8::from(holds(k))).collect())
}

fn trials() -> Vec<Trial> {
    let first_row_closed = truths(&[5, 7], |k| k >= 7 && k % 3 != 0);
    let mut added = noise(9, &[2, 1, 5, 7]).elements::<f32>();
    added[3] = f32::NEG_INFINITY;
    let added = Value::new(&[2, 1, 5, 7], &added);
    vec![
        trial("plain", attend(), &[2], [3, 3, 5, 7, 4, 3]),
        trial("without heads", attend(), &[], [1, 1, 5, 7, 4, 4]).flat(),
        trial("groups", attend(), &[2], [6, 2, 5, 7, 3, 2]),
        trial("one group", attend().causal(), &[2], [4, 1, 5, 5, 3, 3]),
        trial("causal", attend().causal(), &[], [2, 2, 9, 9, 4, 4]),
        trial("causal, more queries", attend().causal(), &[], [2, 2, 7, 3, 4, 4]),
        trial("causal, more keys", attend().causal(), &[], [2, 2, 3, 7, 4, 4]),
        trial("window", attend().window(2, 1), &[], [1, 1, 9, 8, 4, 4]),
        trial("causal window", attend().causal().window(3, 9), &[], [1, 1, 9, 9, 4, 4]),
        trial("window past the end", attend().window(1, 0), &[], [1, 1, 9, 3, 4, 4]),
        trial("scaled", attend().scale(-0.3), &[2], [1, 1, 5, 7, 4, 3]),
        trial("mask", attend(), &[2], [3, 3, 5, 7, 4, 3]).mask(first_row_closed),
        trial("mask of keys", attend(), &[2], [3, 3, 5, 7, 4, 3])
            .mask(truths(&[2, 1, 1, 7], |k| k % 2 == 0)),
        trial("mask of heads", attend().causal(), &[2], [4, 2, 3, 5, 4, 3])
            .mask(truths(&[4, 3, 5], |k| k % 5 != 1)),
        trial("mask added", attend(), &[2], [4, 2, 5, 7, 4, 3]).mask(added),
        trial("two blocks", attend().causal(), &[], [1, 1, 67, 69, 2, 1]),
        trial("several blocks", attend(), &[], [1, 1, 67, 131, 3, 2]).large(),
        trial("several causal blocks", attend().causal(), &[], [2, 1, 131, 131, 3, 2]).large(),
        trial("several blocks, window", attend().window(9, 2), &[], [1, 1, 150, 140, 3, 2]).large(),
        trial("one element", attend(), &[1], [1, 1, 1, 1, 1, 1]),
        trial("no queries", attend(), &[2], [3, 3, 0, 7, 4, 3]),
        trial("no batch", attend(), &[0], [3, 3, 5, 7, 4, 3]),
        trial("no values", attend(), &[2], [3, 3, 5, 7, 4, 0]),
        trial("of f64", attend().causal(), &[2], [4, 2, 5, 7, 4, 3]).wide(),
        trial("added f64", attend(), &[2], [2, 2, 3, 5, 2, 3]).mask(noise(9, &[3, 5])).wide(),
        trial("bounded batch", attend().causal(), &[4], [3, 3, 5, 7, 4, 3]).bounded(),
    ]
}

/// The samples of [`super::attend`].
pub(super) fn samples() -> Vec<Sample> {
    let mut all = trials();
    all.push(trial("no keys", attend(), &[2], [3, 3, 5, 0, 4, 3]));
    let mut samples: Vec<Sample> = all
        .into_iter()
        .map(|trial| {
            let own = trial.operator.clone();
            let expect = reference(move |inputs| {
                let scores = Scores::new(&own, inputs);
                vec![scores.y(&inputs[2]), scores.log_sums()]
            });
            let sample = Sample::new(trial.name, trial.operator.clone(), trial.inputs(), expect);
            trial.bound(sample)
        })
        .collect();
    let rejected = |name: &str, [q, k, v]: [&[usize]; 3], port, dimension| {
        let specs = [q, k, v].map(|own| Spec::f32(own.to_vec())).to_vec();
        Sample::rejected(name, attend(), specs, port, dimension)
    };
    let masked = |mask: Spec| {
        let operand = || Spec::f32([2, 3, 4]);
        vec![operand(), operand(), operand(), mask]
    };
    let bools = |extents: &[usize]| Spec::new(Element::Bool, extents.to_vec());
    samples.extend([
        rejected("features", [&[2, 3, 4], &[2, 3, 5], &[2, 3, 4]], "k", Some(2)),
        rejected("keys", [&[2, 3, 4], &[2, 3, 4], &[2, 5, 4]], "v", Some(1)),
        rejected("heads", [&[3, 3, 4], &[2, 3, 4], &[2, 3, 4]], "k", Some(0)),
        rejected("batch", [&[2, 3, 3, 4], &[1, 3, 3, 4], &[2, 3, 3, 4]], "k", Some(0)),
        rejected("ranks", [&[2, 3, 4], &[3, 4], &[3, 4]], "k", None),
        rejected("vector", [&[4], &[4], &[4]], "q", None),
        Sample::rejected("wide mask", attend().masked(), masked(bools(&[3, 4])), "mask", Some(1)),
        Sample::rejected(
            "mask of integers",
            attend().masked(),
            masked(Spec::new(Element::I64, [3, 3])),
            "mask",
            None,
        ),
    ]);
    samples
}

/// The samples of [`attend_composite`].
pub(crate) fn written_out() -> Vec<Sample> {
    let sample = |trial: Trial| {
        let (own, composite) = (trial.operator.clone(), trial.operator.clone());
        let expect = reference(move |inputs| vec![Scores::new(&own, inputs).y(&inputs[2])]);
        let build = move |draft: &mut Draft, wires: &[Wire]| {
            vec![attend_composite(draft, &composite, wires)]
        };
        let inputs = trial.inputs();
        trial.bound(Sample::composite(trial.name, "attend_composite", build, inputs, expect))
    };
    let mut samples: Vec<Sample> = trials().into_iter().map(sample).collect();
    let wrong = sample(trial("features", attend(), &[2], [3, 3, 5, 7, 4, 3]));
    let specs = [[2, 3, 4], [2, 3, 5], [2, 3, 4]].map(Spec::f32).to_vec();
    let expect = Expect::Rejected { port: "k", dimension: Some(2) };
    samples.push(Sample { inputs: Vec::new(), specs, expect, ..wrong });
    samples
}

/// The samples of [`attend_backward`].
pub(crate) fn backward() -> Vec<Sample> {
    let sample = |trial: Trial| {
        let mut of_y = trial.extents[0].clone();
        of_y.pop();
        let [log_sum, delta] = [11, 12].map(|key| trial.wanted(noise(key, &of_y)));
        of_y.extend(trial.extents[2].last());
        let dy = trial.wanted(noise(13, &of_y));
        let mut inputs = trial.operands();
        inputs.extend([log_sum, delta, dy]);
        inputs.extend(trial.masks());
        let own = trial.operator.clone();
        let expect = reference(move |inputs| derived(&own, inputs));
        let operator = attend_backward(trial.operator.clone());
        trial.bound(Sample::new(trial.name, operator, inputs, expect))
    };
    let mut samples: Vec<Sample> =
        trials().into_iter().filter(|trial| trial.bounds.is_none()).map(sample).collect();
    let operand = || Spec::f32([2, 3, 4]);
    let mut specs = vec![operand(), operand(), operand()];
    specs.extend([Spec::f32([2, 3]), Spec::f32([2, 4]), operand()]);
    let operator = attend_backward(attend());
    samples.push(Sample::rejected("another delta", operator, specs, "delta", Some(1)));
    samples
}

/// All scores by definition: `scores[head, query, key]`, heads with all dimensions before.
struct Scores {
    before: Vec<usize>,
    group: usize,
    data: Tensor,
}

impl Scores {
    fn new(operator: &Attend, inputs: &[Tensor]) -> Self {
        let [q, k] = [&inputs[0], &inputs[1]];
        let (before, [queries, features]) = cut(&q.extents);
        let (own, [keys, _]) = cut(&k.extents);
        let heads: usize = before.iter().product();
        let group = heads / own.iter().product::<usize>().max(1);
        let factor = operator.factor(features);
        let data = Tensor::from_fn(&[heads, queries, keys], |at| {
            let (row, column) = ((at[0] * queries + at[1]), (at[0] / group * keys + at[2]));
            let terms =
                (0..features).map(|f| q.data[row * features + f] * k.data[column * features + f]);
            let score = factor * terms.sum::<f64>();
            let early = operator.before.is_some_and(|before| at[2] + before < at[1]);
            let late = operator.after.is_some_and(|after| at[2] > at[1] + after);
            if early || late { f64::NEG_INFINITY } else { score }
        });
        let mut scores = Self { before: before.to_vec(), group, data };
        // A mask comes last, and holds truths where the operator says nothing else.
        if let Some(mask) = inputs.last().filter(|_| operator.is_masked) {
            scores.mask(mask);
        }
        scores
    }

    fn mask(&mut self, mask: &Tensor) {
        let is_bool = mask.data.iter().all(|&x| x == 0.0 || x == 1.0);
        let whole = [&self.before[..], &self.data.extents[1..]].concat();
        let places = Tensor::from_fn(&whole, |at| {
            let own = at[at.len() - mask.extents.len()..].iter().zip(&mask.extents);
            mask.at(&own.map(|(&i, &n)| i.min(n - 1)).collect::<Vec<_>>())
        });
        for (score, mask) in self.data.data.iter_mut().zip(places.data) {
            *score = match is_bool {
                true if mask == 0.0 => f64::NEG_INFINITY,
                true => *score,
                false => *score + mask,
            };
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        let [heads, queries, keys] = [0, 1, 2].map(|axis: usize| self.data.extents[axis]);
        (0..heads * queries).map(move |row| &self.data.data[row * keys..(row + 1) * keys])
    }

    fn log_sums(&self) -> Tensor {
        let log_sum = |row: &[f64]| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|score| (score - largest).exp()).sum();
            if largest == f64::NEG_INFINITY { largest } else { largest + sum.ln() }
        };
        let extents = [&self.before[..], &self.data.extents[1..2]].concat();
        Tensor::new(&extents, self.rows().map(log_sum).collect())
    }

    /// Weights: 0 where there is nothing to attend to.
    fn weights(&self, log_sums: &Tensor) -> Tensor {
        let rows = self.rows().zip(&log_sums.data).flat_map(|(row, &log_sum)| {
            let base = if log_sum == f64::NEG_INFINITY { 0.0 } else { log_sum };
            row.iter().map(move |score| (score - base).exp())
        });
        Tensor::new(&self.data.extents, rows.collect())
    }

    fn y(&self, v: &Tensor) -> Tensor {
        let weights = self.weights(&self.log_sums());
        let [_, queries, keys] = [0, 1, 2].map(|axis: usize| self.data.extents[axis]);
        let values = v.extents[v.extents.len() - 1];
        let heads = self.data.extents[0];
        let y = Tensor::from_fn(&[heads, queries, values], |at| {
            let value = |key| v.data[(at[0] / self.group * keys + key) * values + at[2]];
            (0..keys).map(|key| weights.at(&[at[0], at[1], key]) * value(key)).sum()
        });
        Tensor::new(&[&self.before[..], &[queries, values]].concat(), y.data)
    }
}

/// The dimensions before the last two, and those.
fn cut(extents: &[usize]) -> (&[usize], [usize; 2]) {
    let (before, last) = extents.split_at(extents.len() - 2);
    (before, [last[0], last[1]])
}

/// `dq`, `dk` and `dv`, one product at a time.
fn derived(operator: &Attend, inputs: &[Tensor]) -> Vec<Tensor> {
    let scores = Scores::new(operator, inputs);
    let [q, k, v, log_sum, delta, dy] = [0, 1, 2, 3, 4, 5].map(|input: usize| &inputs[input]);
    let weights = scores.weights(log_sum);
    let [heads, queries, keys] = [0, 1, 2].map(|axis: usize| scores.data.extents[axis]);
    let [features, values] = [q, v].map(|x| x.extents[x.extents.len() - 1]);
    let factor = operator.factor(features);
    let [mut dq, mut dk, mut dv] =
        [q, k, v].map(|x| Tensor::new(&x.extents, vec![0.0; x.data.len()]));
    for head in 0..heads {
        for query in 0..queries {
            let row = head * queries + query;
            for key in 0..keys {
                let (column, weight) =
                    (head / scores.group * keys + key, weights.at(&[head, query, key]));
                let dys = &dy.data[row * values..(row + 1) * values];
                let vs = &v.data[column * values..(column + 1) * values];
                let dweight: f64 = dys.iter().zip(vs).map(|(dy, v)| dy * v).sum();
                let dscore = factor * weight * (dweight - delta.data[row]);
                for feature in 0..features {
                    dq.data[row * features + feature] +=
                        dscore * k.data[column * features + feature];
                    dk.data[column * features + feature] +=
                        dscore * q.data[row * features + feature];
                }
                for (value, dy) in dys.iter().enumerate() {
                    dv.data[column * values + value] += weight * dy;
                }
            }
        }
    }
    vec![dq, dk, dv]
}
