//! What losses share: how the losses of many elements become one, and how PyTorch calls that.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::arrange::reshape_like::under_extents_of;
use crate::broadcast::binary::{divide, multiply};
use crate::broadcast::cast::cast;
use crate::reduce::reduction::{Keep, mean, sum};
use crate::sample::{Sample, Tensor, noise, reference, wide};
use crate::torch::Case;

/// What becomes of the losses of all elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// They stay apart.
    Each,
    /// Their arithmetic mean, a scalar; NaN of none.
    Mean,
    /// Their sum, a scalar.
    Sum,
}

impl Total {
    /// The losses of all elements as one, or as they are.
    pub fn of(self, draft: &mut Draft, losses: Wire) -> Wire {
        let axes: Vec<usize> = (0..draft.spec(losses).map_or(0, Spec::rank)).collect();
        match self {
            Self::Each => losses,
            Self::Mean => draft.apply(mean(&axes, Keep::Nothing), &[losses]),
            Self::Sum => draft.apply(sum(&axes, Keep::Nothing), &[losses]),
        }
    }

    /// The same with each loss times its weight; the mean is over the sum of the weights.
    pub fn weighed(self, draft: &mut Draft, losses: Wire, weight: Wire) -> Wire {
        let losses = draft.apply(multiply(), &[losses, weight]);
        if self != Self::Mean {
            return self.of(draft, losses);
        }
        let [losses, weight] = [losses, weight].map(|wire| Self::Sum.of(draft, wire));
        draft.apply(divide(), &[losses, weight])
    }

    /// The same in `f64`, for expectations.
    #[must_use]
    pub fn of_tensor(self, losses: Tensor) -> Tensor {
        let total: f64 = losses.data.iter().rev().sum();
        match self {
            Self::Each => losses,
            Self::Mean => Tensor::new(&[], vec![total / losses.data.len() as f64]),
            Self::Sum => Tensor::new(&[], vec![total]),
        }
    }

    /// PyTorch's `reduction`.
    ///
    /// # Errors
    /// When it is none of PyTorch's words.
    pub fn of_case(case: &Case<'_>) -> Result<Self, String> {
        match case.text("reduction", "mean")?.as_str() {
            "none" => Ok(Self::Each),
            "mean" => Ok(Self::Mean),
            "sum" => Ok(Self::Sum),
            other => Err(format!("reduction {other}")),
        }
    }
}

/// Names of what a loss judges.
pub(crate) const FIRST: &[&str] =
    &["x", "input", "logits", "log_probs", "pred", "x1", "input1", "a", "p"];

/// Names of the second of two things that are compared.
pub(crate) const SECOND: &[&str] = &["x2", "input2", "other", "b", "y"];

/// Names of what a loss wants.
pub(crate) const TARGET: &[&str] =
    &["target", "targets", "t", "y", "label", "labels", "other", "b"];

/// What a loss judges.
pub(crate) fn predicted(case: &Case<'_>) -> Result<Wire, String> {
    case.operand(FIRST)
}

/// What it wants.
pub(crate) fn wanted(case: &Case<'_>) -> Result<Wire, String> {
    case.operand(TARGET)
}

/// A target in the element type of `like`.
pub(crate) fn floats(draft: &mut Draft, target: Wire, like: Wire) -> Wire {
    let element = |wire: Wire| draft.spec(wire).map(|spec| spec.element);
    match (element(target), element(like)) {
        (Some(from), Some(to)) if from != to => draft.apply(cast(to), &[target]),
        _ => target,
    }
}

/// `x` under the extents of `like`; as it is where either is faulty.
pub(crate) fn shaped_like(draft: &mut Draft, x: Wire, like: Wire) -> Wire {
    match (draft.spec(x), draft.spec(like)) {
        (Some(_), Some(_)) => under_extents_of(draft, x, like),
        _ => x,
    }
}

/// A loss of elements, as samples need it.
pub(crate) struct Pointwise<Build> {
    /// Its name.
    pub(crate) name: &'static str,
    /// What adds it to a draft.
    pub(crate) build: Build,
    /// Noise as it takes it, for each input.
    pub(crate) inputs: &'static [fn(f32) -> f32],
    /// The loss of one element, written another way.
    pub(crate) expected: fn(&[f64]) -> f64,
}

impl<Build> Pointwise<Build>
where
    Build: Fn(&mut Draft, &[Wire], Total) -> Wire + Copy + Send + Sync + 'static,
{
    /// Each total, `f64`, one element, none, and a bounded batch.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let bounded = Spec::f32([Dimension::UpTo(9), Dimension::Fixed(3)]);
        vec![
            self.sample("apart", &[5, 7], Total::Each),
            self.sample("mean", &[3, 5, 2], Total::Mean),
            self.sample("sum", &[11], Total::Sum),
            self.sample("f64", &[3, 5], Total::Each),
            self.sample("one element", &[], Total::Mean),
            self.sample("none", &[0, 3], Total::Sum),
            self.sample("bounded", &[4, 3], Total::Mean)
                .with_specs(vec![bounded; self.inputs.len()]),
        ]
    }

    fn sample(&self, name: &str, extents: &[usize], total: Total) -> Sample {
        let inputs = self.inputs.iter().enumerate().map(|(key, as_taken)| {
            let noise = noise(1 + key as u64, extents).elements::<f32>();
            let elements: Vec<f32> = noise.into_iter().map(as_taken).collect();
            let value = Value::new(extents, &elements);
            if name == "f64" { wide(&value) } else { value }
        });
        let (build, inputs) = (self.build, inputs.collect());
        Sample::composite(
            name,
            self.name,
            move |draft, wires| vec![build(draft, wires, total)],
            inputs,
            self.expect(total),
        )
    }

    /// The expectation of any inputs of equal extents.
    pub(crate) fn expect(&self, total: Total) -> crate::sample::Expect {
        let expected = self.expected;
        reference(move |inputs| {
            let at = |k: usize| inputs.iter().map(|input| input.data[k]).collect::<Vec<_>>();
            let losses = (0..inputs[0].data.len()).map(|k| expected(&at(k))).collect();
            vec![total.of_tensor(Tensor::new(&inputs[0].extents, losses))]
        })
    }

    /// A sample of literal values, without total.
    pub(crate) fn literal(&self, name: &str, inputs: &[&[f32]]) -> Sample {
        let inputs = inputs.iter().map(|values| Value::new(&[values.len()], values)).collect();
        let build = self.build;
        let build = move |draft: &mut Draft, wires: &[Wire]| vec![build(draft, wires, Total::Each)];
        Sample::composite(name, self.name, build, inputs, self.expect(Total::Each))
    }

    /// Operands of one element type only.
    pub(crate) fn mixed(&self) -> Sample {
        let mut specs = vec![Spec::f32([3]); self.inputs.len()];
        specs[1] = Spec::new(Element::I32, [3]);
        let build = self.build;
        let build = move |draft: &mut Draft, wires: &[Wire]| vec![build(draft, wires, Total::Each)];
        Sample::composite_rejected("mixed elements", self.name, build, specs)
    }
}
