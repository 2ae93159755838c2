//! Annealed noise on gradients: Neelakantan et al., "Adding gradient noise improves learning for
//! very deep networks", 2015.

use synfire_ops::pointwise::unary::{pow_scalar, scale, shift};
use synfire_ops::random::draw::normal;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::random::Seed;

use super::algebra::Algebra;
use super::{Slope, TrainingError, as_element, beside};

/// Normal noise of variance `eta / (1 + t)^gamma` at step `t`, from 0, on every element of every
/// gradient: independent of all others, and a function of seed, path, step and place alone.
///
/// What the weights of an untrained network gather in `t` steps at rate `r` has the deviation
/// `r * sqrt(eta * t^0.45 / 0.45)`. To break a dead start it must reach about `sqrt(2 / width)`;
/// far beyond, it drowns the gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// The variance of the first step; of 0 nothing is added.
    pub eta: f64,
    /// How fast it falls: 0.55 in the paper.
    pub gamma: f64,
    /// The key of its numbers.
    pub seed: Seed,
}

impl Noise {
    /// As in the paper, which takes 0.01, 0.3 or 1 as `eta`.
    #[must_use]
    pub fn new(eta: f64, seed: Seed) -> Self {
        Self { eta, gamma: 0.55, seed }
    }

    pub(super) fn check(&self) -> Result<(), TrainingError> {
        TrainingError::unless(self.eta >= 0.0, "noise.eta", self.eta, "at least 0")?;
        TrainingError::unless(self.gamma >= 0.0, "noise.gamma", self.gamma, "at least 0")
    }

    pub(super) fn apply(&self, draft: &mut Draft, count: Wire, slopes: &mut [Slope]) {
        if self.eta == 0.0 {
            return;
        }
        let deviation = draft.scope("noise", |draft| {
            let next = draft.apply(shift(1.0), &[count]);
            let fall = draft.apply(pow_scalar(-0.5 * self.gamma), &[next]);
            draft.apply(scale(self.eta.sqrt()), &[fall])
        });
        for slope in slopes {
            slope.gradient = beside(draft, "noise", slope, |draft| {
                let numbers = normal(self.seed.named(&slope.path), 0);
                let numbers = draft.apply(numbers, &[slope.gradient]);
                let deviation = as_element(draft, deviation, slope.spec.element);
                let noise = draft.times(numbers, deviation);
                draft.plus(slope.gradient, noise)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use synfire_runtime::interpret::interpret;
    use synfire_runtime::launch::Options;
    use synfire_runtime::spec::Spec;
    use synfire_runtime::value::Value;

    use super::*;

    const COUNT: usize = 1_000_000;

    /// The noise on the gradients of two parameters in steps of these numbers.
    fn noise(eta: f64, numbers: &[f32]) -> [Vec<Vec<f32>>; 2] {
        let mut draft = Draft::new();
        let count = draft.feed("count", Spec::f32([0_usize; 0]));
        let zeros = draft.feed("zeros", Spec::f32([COUNT]));
        let mut slopes = ["a", "b"].map(|path| Slope {
            path: path.into(),
            parameter: zeros,
            spec: Spec::f32([COUNT]),
            gradient: zeros,
            group: None,
        });
        Noise::new(eta, Seed(7)).apply(&mut draft, count, &mut slopes);
        slopes.iter().for_each(|slope| draft.outlet(&slope.path, slope.gradient));
        let graph = draft.check().expect("the draft is right");
        let counts = numbers.iter().map(|&n| Some(Value::new(&[], &[n]))).collect();
        let nothing = Some(Value::new(&[COUNT], &vec![0.0_f32; COUNT]));
        let feeds = BTreeMap::from([
            ("count".to_owned(), counts),
            ("zeros".to_owned(), vec![nothing; numbers.len()]),
        ]);
        let outlets = interpret(&graph, &Options::default(), &feeds).expect("it runs");
        ["a", "b"].map(|path| {
            let tokens = outlets[path].iter().flatten();
            tokens.map(Value::elements::<f32>).collect()
        })
    }

    fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
        numbers.sum::<f64>() / COUNT as f64
    }

    #[test]
    fn variance_falls_as_in_the_paper_and_nothing_is_correlated() {
        let steps = [0.0_f32, 100.0, 10_000.0];
        let [a, b] = noise(0.3, &steps);
        for (index, step) in steps.into_iter().enumerate() {
            let wanted = 0.3 / (1.0 + f64::from(step)).powf(0.55);
            let variance = mean(a[index].iter().map(|&x| f64::from(x).powi(2)));
            assert!((variance / wanted - 1.0).abs() < 0.02, "{variance}, wanted {wanted}");
            let deviation = wanted.sqrt();
            let centre = mean(a[index].iter().map(|&x| f64::from(x)));
            assert!(centre.abs() < 4e-3 * deviation, "mean {centre}");
            for other in [&b[index], &a[(index + 1) % steps.len()]] {
                let size = mean(other.iter().map(|&y| f64::from(y).powi(2))).sqrt();
                let pairs = a[index].iter().zip(other);
                let product = mean(pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)));
                assert!((product / (deviation * size)).abs() < 4e-3, "{product}");
            }
        }
    }
}
