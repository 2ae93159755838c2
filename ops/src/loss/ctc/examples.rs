//! What the samples of `ctc` and its gradient are.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{Infinite, ctc, ctc_each};
use crate::losses::Total;
use crate::normalize::softmax::log_softmax;
use crate::sample::{Expect, Sample, Tensor, noise, reference, wide};

/// Items of one batch.
#[derive(Clone, Copy)]
pub(in crate::loss) struct Example {
    pub(in crate::loss) name: &'static str,
    time: usize,
    classes: usize,
    pub(in crate::loss) blank: usize,
    /// The time steps of each item.
    steps: &'static [i64],
    /// Its labels.
    labels: &'static [&'static [i64]],
    /// Whether the labels of all items follow each other.
    flat: bool,
}

const EXAMPLES: [Example; 8] = [
    Example::new("words", [7, 5, 0], &[7, 7, 7], &[&[1, 2, 3], &[4, 2], &[3]]),
    Example::new("repeats", [9, 3, 0], &[9, 9], &[&[1, 1, 2, 2], &[2, 2, 2]]),
    Example::new("last blank", [5, 4, 3], &[5], &[&[0, 1]]),
    Example::new("shorter", [8, 4, 0], &[8, 3, 5], &[&[1, 2], &[3], &[2, 2]]),
    Example::new("no labels", [4, 3, 1], &[4, 2], &[&[], &[0]]),
    Example::new("one step", [1, 2, 0], &[1], &[&[1]]),
    Example { flat: true, ..Example::new("in a row", [6, 4, 0], &[6, 5], &[&[1, 2, 3], &[3]]) },
    Example::new("f64", [6, 4, 0], &[6, 6], &[&[1, 2], &[3, 3]]),
];

const IMPOSSIBLE: Example =
    Example::new("impossible", [3, 3, 0], &[2, 3, 0], &[&[1, 1], &[1, 2], &[1]]);

impl Example {
    const fn new(
        name: &'static str,
        [time, classes, blank]: [usize; 3],
        steps: &'static [i64],
        labels: &'static [&'static [i64]],
    ) -> Self {
        Self { name, time, classes, blank, steps, labels, flat: false }
    }

    /// All examples that have a way.
    pub(in crate::loss) fn all() -> [Self; 8] {
        EXAMPLES
    }

    /// Logarithms that sum to anything, targets, and lengths.
    pub(in crate::loss) fn inputs(&self) -> Vec<Value> {
        let batch = self.steps.len();
        let x = noise(1, &[self.time, batch, self.classes]);
        let x = if self.name == "f64" { wide(&x) } else { x };
        let lengths: Vec<i64> = self.labels.iter().map(|labels| labels.len() as i64).collect();
        let most = self.labels.iter().map(|labels| labels.len()).max().unwrap_or(0);
        let targets = if self.flat {
            let all = self.labels.concat();
            Value::new(&[all.len()], &all)
        } else {
            let row = |labels: &&[i64]| {
                let mut row = labels.to_vec();
                row.resize(most, 0);
                row
            };
            let rows: Vec<i64> = self.labels.iter().flat_map(row).collect();
            Value::new(&[batch, most], &rows)
        };
        vec![x, targets, Value::new(&[batch], self.steps), Value::new(&[batch], &lengths)]
    }

    fn sample(&self) -> Sample {
        let own = *self;
        let expect = reference(move |inputs| own.expected(&inputs[0]));
        Sample::new(self.name, ctc_each(self.blank), self.inputs(), expect)
    }

    /// The whole loss behind a softmax, with PyTorch's gradient, or the losses without and exactly.
    fn composite(&self, total: Option<Total>, infinite: Infinite) -> Sample {
        let own = *self;
        let build = move |draft: &mut Draft, wires: &[Wire]| match total {
            None => vec![draft.apply_many(ctc_each(own.blank), wires)[0]],
            Some(total) => {
                let x = draft.apply(log_softmax(2), &[wires[0]]);
                let inputs = [x, wires[1], wires[2], wires[3]];
                vec![ctc(draft, inputs, own.blank, infinite, total)]
            }
        };
        let expect = reference(move |inputs| {
            let Some(total) = total else { return own.expected(&inputs[0])[..1].to_vec() };
            let mut losses = own.expected(&softened(&inputs[0])).remove(0);
            for (loss, labels) in losses.data.iter_mut().zip(own.labels) {
                if infinite == Infinite::Zero && loss.is_infinite() {
                    *loss = 0.0;
                }
                if total == Total::Mean {
                    *loss /= labels.len().max(1) as f64;
                }
            }
            vec![total.of_tensor(losses)]
        });
        let name = match total {
            None => format!("{}, exact", self.name),
            Some(total) => format!("{}, {total:?}", self.name).to_lowercase(),
        };
        Sample::composite(name, "ctc", build, self.inputs(), expect)
    }

    /// Losses and forward rows, by probabilities and not by logarithms.
    fn expected(&self, x: &Tensor) -> Vec<Tensor> {
        let batch = self.steps.len();
        let most = match self.flat {
            true => self.labels.concat().len(),
            false => self.labels.iter().map(|labels| labels.len()).max().unwrap_or(0),
        };
        let mut losses = Vec::new();
        let mut rows = Tensor::from_fn(&[batch, self.time, 2 * most + 2], |_| f64::NEG_INFINITY);
        for (item, labels) in self.labels.iter().enumerate() {
            let states = self.states(labels);
            let mut probability = 1.0;
            let mut now: Vec<f64> = Vec::new();
            for time in 0..self.steps[item] as usize {
                now = (0..states.len())
                    .map(|to| {
                        let from: f64 = match time {
                            0 => f64::from(u8::from(to < 2)),
                            _ => (0..=to)
                                .filter(|&from| follows(&states, from, to))
                                .map(|k| now[k])
                                .sum(),
                        };
                        from * x.at(&[time, item, states[to]]).exp()
                    })
                    .collect();
                let largest = now.iter().copied().fold(0.0, f64::max);
                let taken = if largest > 0.0 { largest } else { 1.0 };
                now.iter_mut().for_each(|now| *now /= taken);
                probability *= taken;
                let start = (item * self.time + time) * (2 * most + 2);
                let row = &mut rows.data[start..][..2 * most + 2];
                row.iter_mut().zip(&now).for_each(|(row, now)| *row = now.ln());
                row[2 * most + 1] = taken.ln();
            }
            let ends: f64 = now.iter().rev().take(2).sum();
            let empty = f64::from(u8::from(labels.is_empty()));
            let ends = if self.steps[item] == 0 { empty } else { ends };
            losses.push(-(ends * probability).ln());
        }
        vec![Tensor::new(&[batch], losses), rows]
    }

    /// Blanks around every label.
    fn states(&self, labels: &[i64]) -> Vec<usize> {
        let pairs = labels.iter().flat_map(|&label| [label as usize, self.blank]);
        std::iter::once(self.blank).chain(pairs).collect()
    }

    /// The gradient by the logarithms, weighed by `dy`: minus the part of all ways that meets a
    /// class, by the probabilities of what comes before and after.
    pub(in crate::loss) fn slope(&self, x: &Tensor, dy: &Tensor, softmax: f64) -> Tensor {
        let mut dx = Tensor::from_fn(&x.extents, |_| 0.0);
        for (item, labels) in self.labels.iter().enumerate() {
            let (states, steps) = (self.states(labels), self.steps[item] as usize);
            let emitted = |time: usize, state: usize| x.at(&[time, item, states[state]]).exp();
            let mut before = vec![vec![0.0; states.len()]; steps];
            let mut after = vec![vec![0.0; states.len()]; steps];
            for time in 0..steps {
                for to in 0..states.len() {
                    let from: f64 = match time {
                        0 => f64::from(u8::from(to < 2)),
                        _ => (0..=to)
                            .filter(|&from| follows(&states, from, to))
                            .map(|from| before[time - 1][from])
                            .sum(),
                    };
                    before[time][to] = from * emitted(time, to);
                }
            }
            for time in (0..steps).rev() {
                for from in 0..states.len() {
                    after[time][from] = match time + 1 == steps {
                        true => f64::from(u8::from(from + 2 >= states.len())),
                        false => (from..states.len())
                            .filter(|&to| follows(&states, from, to))
                            .map(|to| emitted(time + 1, to) * after[time + 1][to])
                            .sum(),
                    };
                }
            }
            for time in 0..steps {
                let ways = |state: usize| before[time][state] * after[time][state];
                let all: f64 = (0..states.len()).map(ways).sum();
                let row = (time * self.steps.len() + item) * self.classes;
                for class in 0..self.classes {
                    dx.data[row + class] += dy.data[item] * softmax * x.data[row + class].exp();
                }
                for (state, &class) in states.iter().enumerate() {
                    dx.data[row + class] -= dy.data[item] * ways(state) / all;
                }
            }
        }
        dx
    }
}

/// Whether a state may come after another.
fn follows(states: &[usize], from: usize, to: usize) -> bool {
    to == from || to == from + 1 || (to == from + 2 && to % 2 == 1 && states[to] != states[from])
}

/// The logarithm of the softmax over classes.
fn softened(x: &Tensor) -> Tensor {
    let classes = x.extents[2];
    let rows = x.data.chunks(classes).flat_map(|row| {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(move |x| x - total.ln()).collect::<Vec<_>>()
    });
    Tensor::new(&x.extents, rows.collect())
}

pub(super) fn samples() -> Vec<Sample> {
    let words = EXAMPLES[0];
    let changed = |name: &str, input: usize, value: Value, words: &'static str| {
        let mut sample = EXAMPLES[0].sample();
        sample.name = name.to_owned();
        sample.inputs[input] = Some(value);
        sample.expect = Expect::Fails(words);
        sample
    };
    let rejected = |name: &str, input: usize, spec: Spec, port, dimension| {
        let mut specs = EXAMPLES[0].sample().specs;
        specs[input] = spec;
        Sample::rejected(name, ctc_each(0), specs, port, dimension)
    };
    let whole = |extents: &[usize]| Spec::new(Element::I64, extents.iter().copied());
    let long = Value::new(&[3], &[7_i64, 8, 7]);
    let many = Value::new(&[3], &[3_i64, 2, -1]);
    let label = Value::new(&[3, 3], &[1_i64, 2, 3, 4, 5, 0, 3, 0, 0]);
    let mut samples: Vec<Sample> = EXAMPLES.iter().map(Example::sample).collect();
    samples.extend([
        IMPOSSIBLE.sample(),
        words.composite(None, Infinite::Kept),
        EXAMPLES[1].composite(None, Infinite::Kept),
        EXAMPLES[3].composite(None, Infinite::Kept),
        words.composite(Some(Total::Each), Infinite::Kept),
        words.composite(Some(Total::Mean), Infinite::Kept),
        EXAMPLES[4].composite(Some(Total::Mean), Infinite::Kept),
        EXAMPLES[6].composite(Some(Total::Sum), Infinite::Kept),
        IMPOSSIBLE.composite(Some(Total::Sum), Infinite::Zero),
        changed("too long", 2, long, "port input_lengths: found 8 at 1"),
        changed("less than none", 3, many, "port target_lengths: found -1 at 2"),
        changed("no class", 1, label, "port targets: found 5 at 4"),
        Sample::rejected("blank", ctc_each(5), words.sample().specs, "log_probs", Some(2)),
        rejected("one item", 0, Spec::f32([7, 5]), "log_probs", None),
        rejected("other items", 1, whole(&[2, 3]), "targets", Some(0)),
        rejected("other lengths", 3, whole(&[2]), "target_lengths", Some(0)),
        rejected("integers", 0, whole(&[7, 3, 5]), "log_probs", None),
    ]);
    samples
}
