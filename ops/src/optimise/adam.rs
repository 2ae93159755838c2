//! A step of Adam: `first' = first + (1 - beta1) * (g - first)`,
//! `second' = beta2 * second + (1 - beta2) * g^2`,
//! `weight' = weight - rate * c1 * first' / (sqrt(c2 * second') + epsilon)` with
//! `c = 1 / (1 - beta^step)`.
//!
//! `g` is the gradient; [`Adam::weight_decay`] adds `decay * weight` to it (Kingma and Ba, "Adam: a
//! method for stochastic optimization", 2015), [`Adam::decoupled`] instead takes
//! `rate * decay * weight` off the weight (Loshchilov and Hutter, "Decoupled weight decay
//! regularization", 2019: AdamW). One pass over memory, where the same written with other operators
//! takes a dozen.
//!
//! # Shape
//! `weight`: `f32` or `f64`, any fixed; `gradient`, `first`, `second`: as `weight`; `rate`, `step`:
//! scalars of its type; `step` is the number of this step, from 1; [gated](Adam::gated) also
//! `gate`: as `rate` -> `weight`, `first`, `second`, which may take the places of those that came
//! in.
//!
//! # Gradient
//! None: it stands behind the gradient.
//!
//! # Numerics
//! As PyTorch's `Adam` and `AdamW`. What depends on `step` is computed in `f64` on the host. A step
//! counter in `f32` is exact to 2^24; far before, the corrections are 1.
//!
//! # Example
//! ```
//! use synfire_ops::optimise::adam::adam;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let [weight, gradient, zero] = [1.0_f32, 5.0, 0.0].map(|x| Value::new(&[1], &[x]));
//! let [rate, step] = [0.25_f32, 1.0].map(|x| Value::new(&[], &[x]));
//! let inputs = [weight, gradient, rate, step, zero.clone(), zero];
//! let next = fire_once(&adam([0.9, 0.999], 0.0), &inputs)?;
//! // The first step is as long as the rate, whatever the gradient.
//! assert!((next[0].elements::<f32>()[0] - 0.75).abs() < 1e-6);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host;
use crate::host::real::Real;
use crate::host::update::{is_closed, update};
use crate::require;
use crate::sample::{Sample, Tensor, noise, reference, wide};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// A step with the parts of the old in both moments and what is added to the root of the second.
#[must_use]
pub fn adam(betas: [f64; 2], epsilon: f64) -> Adam {
    Adam { betas, epsilon, weight_decay: 0.0, decoupled_decay: 0.0, gated: false }
}

/// See [`adam`].
#[derive(Clone, Debug)]
pub struct Adam {
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
    decoupled_decay: f64,
    gated: bool,
}

impl Adam {
    /// Adds this part of the weight to the gradient.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = decay;
        self
    }

    /// Takes this part of the weight, times the rate, off the weight.
    #[must_use]
    pub fn decoupled(mut self, decay: f64) -> Self {
        self.decoupled_decay = decay;
        self
    }

    /// Adds the input `gate`: where it is 0, the step is left out and nothing changes, whatever the
    /// gradient.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.gated = true;
        self
    }
}

impl Operator for Adam {
    fn contract(&self) -> Contract {
        let inputs = ["weight", "gradient", "rate", "step", "first", "second"];
        let contract = inputs.iter().fold(Contract::new("adam"), |own, name| own.input(name));
        let contract = if self.gated { contract.input("gate") } else { contract };
        let contract = contract.output("weight").output("first").output("second");
        let contract = contract.in_place(0, 0).in_place(4, 1).in_place(5, 2);
        // Of the largest weight, which may be far below the root of a moment.
        contract.tolerance(Tolerance { relative: 5e-6, absolute: 1e-7 })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let weight = &inputs[0];
        require::weight("weight", weight)?;
        for (port, input) in [("gradient", 1), ("first", 4), ("second", 5)] {
            require::alike(port, &inputs[input], weight, None)?;
        }
        let scalar = Spec::new(weight.element, [0_usize; 0]);
        require::alike("rate", &inputs[2], &scalar, None)?;
        require::alike("step", &inputs[3], &scalar, None)?;
        if self.gated {
            require::alike("gate", &inputs[6], &scalar, None)?;
        }
        Ok(vec![weight.clone(); 3])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, _: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("it is a step along a gradient")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let element = specs.inputs[0].element;
        on_device!(
            target,
            specs,
            host: OnHost { operator: self.clone(), element },
            cube: cube::OnCube::new(self, element)?
        )
    }
}

struct OnHost {
    operator: Adam,
    element: Element,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F32 => self.operator.step::<f32>(firing),
            _ => self.operator.step::<f64>(firing),
        }
        Ok(())
    }
}

/// The factors of one step.
struct Factors<R> {
    /// What the weight keeps.
    kept: R,
    weight_decay: R,
    /// The parts of the new in the moments.
    parts: [R; 2],
    /// The rate, corrected.
    rate: R,
    /// What the root of the second moment is divided by.
    root: R,
    epsilon: R,
}

impl Adam {
    fn factors<R: Real + Into<f64>>(&self, rate: R, step: R) -> Factors<R> {
        let (rate, step): (f64, f64) = (rate.into(), step.into());
        let corrections = self.betas.map(|beta| 1.0 - beta.powf(step));
        Factors {
            kept: R::of(1.0 - rate * self.decoupled_decay),
            weight_decay: R::of(self.weight_decay),
            parts: self.betas.map(|beta| R::of(1.0 - beta)),
            rate: R::of(rate / corrections[0]),
            root: R::of(corrections[1].sqrt()),
            epsilon: R::of(self.epsilon),
        }
    }

    fn step<R: Real + host::Element + Into<f64>>(&self, firing: &mut Firing<'_>) {
        let gradient = firing.input(1).elements::<R>();
        let [rate, step] = [2, 3].map(|input| firing.input(input).elements::<R>()[0]);
        let factors = self.factors(rate, step);
        let is_closed = is_closed::<R>(firing, self.gated);
        update(firing, [(0, 0), (4, 1), (5, 2)], &|offset, parts| {
            if !is_closed {
                factors.apply(&gradient[offset..], parts);
            }
        });
    }
}

impl<R: Real> Factors<R> {
    fn apply(&self, gradient: &[R], [weight, first, second]: [&mut [R]; 3]) {
        let has_decay = self.weight_decay != R::of(0.0);
        let kept = R::of(1.0) - self.parts[1];
        let moments = first.iter_mut().zip(second);
        for ((weight, (first, second)), &slope) in weight.iter_mut().zip(moments).zip(gradient) {
            // Not `0 * weight`: a weight that is infinite shall stay so.
            let slope = if has_decay { slope + self.weight_decay * *weight } else { slope };
            *first = *first + self.parts[0] * (slope - *first);
            *second = kept * *second + self.parts[1] * slope * slope;
            let root = second.sqrt() / self.root + self.epsilon;
            *weight = *weight * self.kept - self.rate * (*first / root);
        }
    }
}

/// The first and a late step, both decays, a gate, `f64`, a scalar, nothing, several blocks; wrong
/// types and extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let plain = || adam([0.9, 0.999], 1e-8);
    let case = |name: &str, operator: Adam, step: f32, extents: &[usize]| {
        let squares: Vec<f32> = noise(4, extents).elements::<f32>().iter().map(|x| x * x).collect();
        let scalar = |x: f32| Value::new(&[], &[x]);
        let mut inputs = vec![noise(1, extents), noise(2, extents), scalar(0.1), scalar(step)];
        inputs.extend([noise(3, extents), Value::new(extents, &squares)]);
        if operator.gated {
            inputs.push(scalar(f32::from(name != "closed")));
        }
        if name == "f64" {
            inputs = inputs.iter().map(wide).collect();
        }
        let expect = reference({
            let operator = operator.clone();
            move |inputs| by_definition(&operator, inputs)
        });
        Sample::new(name, operator, inputs, expect)
    };
    let rejected = |name: &str, input: usize, spec: Spec, port, dimension| {
        let of = |scalar: bool| if scalar { Spec::f32([0_usize; 0]) } else { Spec::f32([3]) };
        let mut specs: Vec<Spec> = (0..6).map(|port| of(port == 2 || port == 3)).collect();
        specs[input] = spec;
        Sample::rejected(name, plain(), specs, port, dimension)
    };
    vec![
        case("first", plain(), 1.0, &[5, 7]),
        case("late", plain(), 1e5, &[3, 2, 5]),
        case("decay", plain().weight_decay(0.1), 7.0, &[17]),
        case("decoupled decay", plain().decoupled(0.1), 7.0, &[4, 9]),
        case("f64", adam([0.8, 0.9], 1e-3).weight_decay(0.1), 3.0, &[13]),
        case("open", plain().gated(), 2.0, &[17]),
        case("closed", plain().gated(), 2.0, &[17]),
        case("scalar", plain(), 2.0, &[]),
        case("nothing", plain(), 2.0, &[0, 3]),
        case("several blocks", plain().decoupled(0.01), 2.0, &[3, 8_209]),
        rejected("integers", 0, Spec::new(Element::I32, [3]), "weight", None),
        rejected("another gradient", 1, Spec::f32([4]), "gradient", Some(0)),
        rejected("another moment", 5, Spec::f32([2]), "second", Some(0)),
        rejected("many rates", 2, Spec::f32([3]), "rate", None),
        rejected("steps of another type", 3, Spec::new(Element::I64, [0_usize; 0]), "step", None),
    ]
}

/// The paper's algorithm 1, number by number.
fn by_definition(operator: &Adam, inputs: &[Tensor]) -> Vec<Tensor> {
    let ([beta1, beta2], [rate, step]) =
        (operator.betas, [2, 3].map(|input: usize| inputs[input].data[0]));
    let mut outputs = [0, 4, 5].map(|input: usize| inputs[input].clone());
    if inputs.get(6).is_some_and(|gate| gate.data[0] == 0.0) {
        return outputs.into();
    }
    for at in 0..inputs[0].data.len() {
        let [weight, slope, first, second] =
            [0, 1, 4, 5].map(|input: usize| inputs[input].data[at]);
        let slope = slope + operator.weight_decay * weight;
        let first = beta1 * first + (1.0 - beta1) * slope;
        let second = beta2 * second + (1.0 - beta2) * slope.powi(2);
        let [mean, square] = [first / (1.0 - beta1.powf(step)), second / (1.0 - beta2.powf(step))];
        let moved = mean / (square.sqrt() + operator.epsilon);
        let next = weight - rate * (moved + operator.decoupled_decay * weight);
        [outputs[0].data[at], outputs[1].data[at], outputs[2].data[at]] = [next, first, second];
    }
    outputs.into()
}
