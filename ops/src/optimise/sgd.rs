//! A step of stochastic gradient descent: `g = gradient + weight_decay * weight`,
//! `velocity' = momentum * velocity + g`, `weight' = weight - rate * velocity'`; after Nesterov
//! `weight' = weight - rate * (g + momentum * velocity')`; without momentum
//! `weight' = weight - rate * g`.
//!
//! Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013. One
//! pass over memory, where the same written with other operators takes eight.
//!
//! # Shape
//! `weight`: `f32` or `f64`, any fixed; `gradient`: as `weight`; `rate`: a scalar of its type; with
//! momentum also `velocity`: as `weight`; [gated](Sgd::gated) also `gate`: as `rate` -> `weight`
//! and, with momentum, `velocity`, which may take the places of those that came in.
//!
//! # Gradient
//! None: it stands behind the gradient.
//!
//! # Numerics
//! As PyTorch's `SGD` without dampening, whose velocity starts as the first gradient: that is what
//! zeros become.
//!
//! # Example
//! ```
//! use synfire_ops::optimise::sgd::sgd;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let [weight, gradient, velocity] = [1.0_f32, 2.0, 4.0].map(|x| Value::new(&[1], &[x]));
//! let rate = Value::new(&[], &[0.5_f32]);
//! let next = fire_once(&sgd(0.5, 0.0), &[weight, gradient, rate, velocity])?;
//! assert_eq!(next[1].elements::<f32>(), [4.0]);
//! assert_eq!(next[0].elements::<f32>(), [-1.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs,
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

/// A step with momentum, none of 0, and a decay of the weights that is added to the gradient.
#[must_use]
pub fn sgd(momentum: f64, weight_decay: f64) -> Sgd {
    Sgd { momentum, weight_decay, nesterov: false, gated: false }
}

/// See [`sgd`].
#[derive(Clone, Debug)]
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
    gated: bool,
}

impl Sgd {
    /// Looks ahead by the velocity, after Nesterov; without momentum nothing changes.
    #[must_use]
    pub fn nesterov(mut self) -> Self {
        self.nesterov = true;
        self
    }

    /// Adds the input `gate`: where it is 0, the step is left out and nothing changes, whatever the
    /// gradient.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.gated = true;
        self
    }

    fn has_velocity(&self) -> bool {
        self.momentum != 0.0
    }
}

impl Operator for Sgd {
    fn contract(&self) -> Contract {
        let contract = Contract::new("sgd").input("weight").input("gradient").input("rate");
        let contract = contract.output("weight").in_place(0, 0);
        let contract = match self.has_velocity() {
            true => contract.input("velocity").output("velocity").in_place(3, 1),
            false => contract,
        };
        if self.gated { contract.input("gate") } else { contract }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let weight = &inputs[0];
        require::weight("weight", weight)?;
        require::alike("gradient", &inputs[1], weight, None)?;
        let scalar = Spec::new(weight.element, [0_usize; 0]);
        require::alike("rate", &inputs[2], &scalar, None)?;
        if self.gated {
            require::alike("gate", &inputs[inputs.len() - 1], &scalar, None)?;
        }
        if !self.has_velocity() {
            return Ok(vec![weight.clone()]);
        }
        require::alike("velocity", &inputs[3], weight, None)?;
        Ok(vec![weight.clone(), weight.clone()])
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
    operator: Sgd,
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

impl Sgd {
    fn step<R: Real + host::Element>(&self, firing: &mut Firing<'_>) {
        let gradient = firing.input(1).elements::<R>();
        let rate = firing.input(2).elements::<R>()[0];
        let is_closed = is_closed::<R>(firing, self.gated);
        if self.has_velocity() {
            update(firing, [(0, 0), (3, 1)], &|offset, [weight, velocity]| {
                if !is_closed {
                    self.with_velocity(rate, &gradient[offset..], weight, velocity);
                }
            });
        } else {
            update(firing, [(0, 0)], &|offset, [weight]| {
                let gradient = if is_closed { &[] } else { &gradient[offset..] };
                for (weight, &gradient) in weight.iter_mut().zip(gradient) {
                    *weight = *weight - rate * self.decayed(gradient, *weight);
                }
            });
        }
    }

    fn with_velocity<R: Real>(
        &self,
        rate: R,
        gradient: &[R],
        weight: &mut [R],
        velocity: &mut [R],
    ) {
        let momentum = R::of(self.momentum);
        let pairs = weight.iter_mut().zip(velocity);
        for ((weight, velocity), &gradient) in pairs.zip(gradient) {
            let gradient = self.decayed(gradient, *weight);
            *velocity = momentum * *velocity + gradient;
            let ahead = if self.nesterov { gradient + momentum * *velocity } else { *velocity };
            *weight = *weight - rate * ahead;
        }
    }

    #[inline]
    fn decayed<R: Real>(&self, gradient: R, weight: R) -> R {
        // Not `0 * weight`: a weight that is infinite shall stay so.
        if self.weight_decay == 0.0 {
            gradient
        } else {
            gradient + R::of(self.weight_decay) * weight
        }
    }
}

/// With and without velocity, decay, looking ahead, and a gate; `f64`, a scalar, nothing, several
/// blocks; wrong types and extents.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Sgd, extents: &[usize]| {
        let mut inputs = vec![noise(1, extents), noise(2, extents), Value::new(&[], &[0.3_f32])];
        if operator.has_velocity() {
            inputs.push(noise(3, extents));
        }
        if operator.gated {
            inputs.push(Value::new(&[], &[f32::from(name != "closed")]));
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
    let specs = |element, gradient: usize, rate: &[usize]| {
        let rate = Spec::new(element, rate.iter().copied());
        vec![Spec::new(element, [3]), Spec::new(element, [gradient]), rate]
    };
    let bounded = Spec::new(Element::F32, [synfire_runtime::spec::Dimension::UpTo(3)]);
    let bounded = vec![bounded.clone(), bounded, Spec::f32([0_usize; 0])];
    let rejected = |name: &str, specs: Vec<Spec>, port, dimension| {
        Sample::rejected(name, sgd(0.0, 0.0), specs, port, dimension)
    };
    vec![
        case("plain", sgd(0.0, 0.0), &[5, 7]),
        case("momentum", sgd(0.9, 0.0), &[3, 2, 5]),
        case("momentum and decay", sgd(0.9, 0.1), &[17]),
        case("nesterov", sgd(0.9, 0.01).nesterov(), &[4, 9]),
        case("decay", sgd(0.0, 0.2), &[11]),
        case("f64", sgd(0.5, 0.1).nesterov(), &[13]),
        case("open", sgd(0.9, 0.1).gated(), &[17]),
        case("closed", sgd(0.9, 0.1).gated(), &[17]),
        case("open", sgd(0.0, 0.1).gated(), &[17]),
        case("closed", sgd(0.0, 0.1).gated(), &[17]),
        case("scalar", sgd(0.9, 0.0), &[]),
        case("nothing", sgd(0.9, 0.0), &[0, 3]),
        case("several blocks", sgd(0.9, 0.1), &[3, 8_209]),
        rejected("integers", specs(Element::I32, 3, &[]), "weight", None),
        rejected("another gradient", specs(Element::F32, 4, &[]), "gradient", Some(0)),
        rejected("many rates", specs(Element::F32, 3, &[3]), "rate", None),
        rejected("bounded", bounded, "weight", Some(0)),
    ]
}

/// The recursion, written as the sums that it makes.
fn by_definition(operator: &Sgd, inputs: &[Tensor]) -> Vec<Tensor> {
    let Sgd { momentum, weight_decay, nesterov, gated } = *operator;
    let rate = inputs[2].data[0];
    let velocity = inputs.get(3).filter(|_| momentum != 0.0);
    let mut outputs = vec![inputs[0].clone()];
    outputs.extend(velocity.cloned());
    if gated && inputs.last().is_some_and(|gate| gate.data[0] == 0.0) {
        return outputs;
    }
    for at in 0..inputs[0].data.len() {
        let [weight, gradient] = [0, 1].map(|input: usize| inputs[input].data[at]);
        let old = velocity.map_or(0.0, |velocity| velocity.data[at]);
        let decayed = weight_decay * weight + gradient;
        let moved = match nesterov {
            true => decayed * (1.0 + momentum) + momentum * momentum * old,
            false => decayed + momentum * old,
        };
        outputs[0].data[at] = weight - moved * rate;
        if let Some(velocity) = outputs.get_mut(1) {
            velocity.data[at] = decayed + momentum * old;
        }
    }
    outputs
}
