//! The gradient of [`ctc`](super::ctc): for each time and class, minus `dy` times the part of all
//! ways that meets the class then, by what comes before (`forward`) and after it.
//!
//! # Shape
//! `log_probs`, `targets`, `input_lengths`, `target_lengths`, `forward` as of
//! [`ctc_each`]; `dy`: `[batch]` -> `dx`: as `log_probs`.
//!
//! # Gradient
//! None: it would take a recursion of its own, which PyTorch does not have either.
//!
//! # Numerics
//! Each time is measured from its largest number, before and after. Items whose `dy` is 0 are 0,
//! those without any way NaN, and times beyond an item's length 0.
//!
//! # Example
//! ```
//! use synfire_ops::loss::{ctc::ctc_each, ctc_gradient::ctc_gradient};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 1, 2], &[0.0_f32; 2]);
//! let [target, one] = [&[1, 1][..], &[1]].map(|extents| Value::new(extents, &[1_i64]));
//! let mut inputs = vec![x, target, one.clone(), one];
//! let forward = fire_once(&ctc_each(0), &inputs)?.remove(1);
//! inputs.extend([forward, Value::new(&[1], &[1.0_f32])]);
//! let dx = fire_once(&ctc_gradient(ctc_each(0)), &inputs)?;
//! assert_eq!(dx[0].elements::<f32>(), [0.0, -1.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance, Workspace,
};
use synfire_runtime::solo::fire_once;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::ctc::on_host::{Extents, Items, larger, nothing};
use super::ctc::{Ctc, Example, Slope, ctc_each};
use crate::device::on_device;
use crate::host::erased::shares;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::require;
use crate::sample::{Sample, noise, reference, wide};

#[cfg(feature = "cube")]
mod cube; // a cube for each item

/// The gradient of the losses of `operator` by its `log_probs`.
#[must_use]
pub fn ctc_gradient(operator: Ctc) -> CtcGradient {
    CtcGradient { operator }
}

/// See [`ctc_gradient`].
#[derive(Clone, Debug)]
pub struct CtcGradient {
    operator: Ctc,
}

impl Operator for CtcGradient {
    fn contract(&self) -> Contract {
        Contract::new("ctc_gradient")
            .input("log_probs")
            .input("targets")
            .input("input_lengths")
            .input("target_lengths")
            .input("forward")
            .input("dy")
            .output("dx")
            .tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let outputs = self.operator.shape(&inputs[..4])?;
        require::alike("forward", &inputs[4], &outputs[1], None)?;
        require::alike("dy", &inputs[5], &outputs[0], None)?;
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let targets = if inputs[1].rank() == 1 { "l" } else { "nl" };
        let axes = Axes::parse(&format!("tnc,{targets},n,n,nts,n->tnc"));
        Metadata::streaming(inputs, outputs, axes).with_macs(4 * inputs[4].elements() as u64)
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("the gradient of ctc would need a recursion of its own")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: OnHost::new(self, specs),
            cube: cube::OnCube::new(&self.operator, specs)?
        )
    }
}

struct OnHost {
    operator: Ctc,
    element: Element,
    extents: Extents,
    starts: Vec<usize>,
}

impl OnHost {
    fn new(own: &CtcGradient, specs: &Specs<'_>) -> Self {
        let operator = own.operator.clone();
        let extents = operator.extents(specs.inputs).expect("the shape rule saw them");
        let element = specs.inputs[0].element;
        Self { operator, element, extents, starts: vec![0; extents[1]] }
    }

    fn width(&self) -> usize {
        2 * self.extents[3] + 2
    }

    fn run<R: Real>(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (mut dx, scratch) = (firing.output(0), firing.scratch());
        let ([time, batch, classes, _], width) = (self.extents, self.width());
        let slope = self.operator.slope;
        let items = Items::<R>::new(firing, &mut self.starts, self.extents, self.operator.blank)?;
        let bytes = (time * width * size_of::<R>()).max(1);
        shares(firing.crew(), &mut *scratch, bytes, &|first, rows| {
            items.backward(first / bytes, cast_slice_mut(rows), width);
        });
        let (forward, dy) = (firing.input(4).elements::<R>(), firing.input(5).elements::<R>());
        let backward: &[R] = cast_slice(scratch);
        pieces(firing.crew(), dx.elements::<R>(), batch * classes, &|offset, piece| {
            for (row, dx) in piece.chunks_exact_mut(classes).enumerate() {
                let row = offset / classes + row;
                let (time_index, item) = (row / batch, row % batch);
                dx.fill(R::of(0.0));
                if time_index < items.steps(item) && dy[item] != R::of(0.0) {
                    let log_probs = &items.log_probs[row * classes..][..classes];
                    let start = (item * time + time_index) * width;
                    let ways = [&forward[start..][..width], &backward[start..][..width]];
                    on_row(&items, item, ways, dx);
                    finish(dx, log_probs, dy[item], slope);
                }
            }
        });
        Ok(())
    }
}

/// The part of all ways that meets each class at one time.
fn on_row<R: Real>(items: &Items<'_, R>, item: usize, ways: [&[R]; 2], dx: &mut [R]) {
    let way = |state: usize| ways[0][state] + ways[1][state];
    let states = items.states(item);
    let largest = (0..states).map(way).fold(nothing(), larger);
    let mut total = R::of(0.0);
    for state in 0..states {
        let part = (way(state) - largest).exp();
        total = total + part;
        let class = items.class(item, state);
        dx[class] = dx[class] + part;
    }
    // Without a way the total is NaN, and so all classes are.
    dx.iter_mut().for_each(|dx| *dx = *dx / total);
}

/// From the parts of classes to the gradient.
fn finish<R: Real>(dx: &mut [R], log_probs: &[R], dy: R, slope: Slope) {
    for (dx, &log_prob) in dx.iter_mut().zip(log_probs) {
        let own = if slope == Slope::OfSoftmax { log_prob.exp() } else { R::of(0.0) };
        *dx = (own - *dx) * dy;
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        let rows = self.extents[0] * self.extents[1] * self.width();
        let kept_bytes = size_of_val(&self.starts[..]);
        Workspace { kept_bytes, scratch_bytes: rows * self.element.bytes() }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F32 => self.run::<f32>(firing),
            _ => self.run::<f64>(firing),
        }
    }
}

/// The examples of [`ctc`](super::ctc), exactly and behind a softmax; other items.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |example: Example, operator: Ctc, softmax: f64| {
        let mut inputs = example.inputs();
        let forward = fire_once(&operator, &inputs).expect("it fires").remove(1);
        let dy = noise(2, &inputs[2].extents);
        let dy = if forward.element == Element::F64 { wide(&dy) } else { dy };
        inputs.extend([forward, dy]);
        let expect = reference(move |inputs| vec![example.slope(&inputs[0], &inputs[5], softmax)]);
        let suffix = if softmax > 0.0 { ", of softmax" } else { "" };
        Sample::new(format!("{}{suffix}", example.name), ctc_gradient(operator), inputs, expect)
    };
    let all = Example::all();
    let mut samples: Vec<Sample> =
        all.iter().map(|&example| case(example, ctc_each(example.blank), 0.0)).collect();
    samples.push(case(all[0], ctc_each(0).of_softmax(), 1.0));
    samples.push(case(all[3], ctc_each(0).of_softmax(), 1.0));
    let mut unused = case(all[0], ctc_each(0), 0.0);
    unused.name = "unused item".into();
    unused.inputs[5] = Some(Value::new(&[3], &[0.5_f32, 0.0, -1.0]));
    samples.push(unused);
    let mut specs = samples[0].specs.clone();
    specs[5] = Spec::f32([2]);
    samples.push(Sample::rejected("dy", ctc_gradient(ctc_each(0)), specs, "dy", Some(0)));
    samples
}
