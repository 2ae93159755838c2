//! An operator of your own: softsign, `y = x / (1 + |x|)`, in a file outside the catalogue. It is
//! an equal of the operators there: the same trait, the same laws.
//!
//! # Shape
//! `x`: any `f32` -> `y`: the same.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use std::error::Error;

use synfire::ops::laws;
use synfire::ops::sample::{Sample, Tensor, noise, reference};
use synfire::runtime::device::Target;
use synfire::runtime::firing::Firing;
use synfire::runtime::operator::{
    Axes, Contract, FireError, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire::runtime::spec::{Element, Spec};

#[derive(Clone, Debug)]
struct Softsign;

impl Operator for Softsign {
    fn contract(&self) -> Contract {
        Contract::new("softsign").input("x").output("y")
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        if inputs[0].element != Element::F32 {
            return Err(SpecError::new("x", &inputs[0], "f32"));
        }
        Ok(inputs.to_vec())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn kernel(&self, target: Target<'_>, _: &Specs<'_>) -> Result<Box<dyn Kernel>, KernelError> {
        match target {
            Target::Host => Ok(Box::new(self.clone())),
            Target::Accelerator(_) => Err(KernelError::Absent),
        }
    }
}

impl Kernel for Softsign {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, mut y) = (firing.input(0), firing.output(0));
        // A bounded dimension has its actual extent in each token.
        y.set_extents(&x.extents());
        for (y, x) in y.elements::<f32>().iter_mut().zip(x.elements::<f32>()) {
            *y = x / (1.0 + x.abs());
        }
        Ok(())
    }
}

/// Inputs, and what must come out: the same function, written another way, in `f64`.
fn samples() -> Vec<Sample> {
    let softsign = |x: &f64| x.signum() * (1.0 - 1.0 / (1.0 + x.abs()));
    let expect = || {
        reference(move |x| {
            vec![Tensor::new(&x[0].extents, x[0].data.iter().map(softsign).collect())]
        })
    };
    let integers = vec![Spec::new(Element::I32, [2])];
    vec![
        Sample::new("plain", Softsign, vec![noise(0, &[2, 5])], expect()),
        Sample::new("none", Softsign, vec![noise(0, &[0])], expect()),
        Sample::rejected("integers", Softsign, integers, "x", None),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    for sample in samples() {
        laws::host(&sample)?;
        println!("the laws hold for {}", sample.name);
    }
    Ok(())
}
