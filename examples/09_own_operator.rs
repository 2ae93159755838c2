//! An operator of your own, softsign `y = x / (1 + |x|)`, in one file outside the catalogue: an
//! equal of the operators there, under the same laws. `--features wgpu` turns on its CubeCL kernel.
#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use synfire::ops::pointwise::unary::{abs, pow_scalar, shift};
use synfire::ops::{broadcast::binary::multiply, device, laws, on_device, sample::*};
use synfire::runtime::{device::Device, device::Target, firing::Firing, operator::*, spec::*};

#[derive(Debug)]
struct Softsign;

impl Operator for Softsign {
    fn contract(&self) -> Contract {
        Contract::new("softsign").input("x").output("y")
    }
    fn shape(&self, x: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let is_real = [Element::F32, Element::F64].contains(&x[0].element);
        is_real.then(|| x.to_vec()).ok_or_else(|| SpecError::new("x", &x[0], "f32 or f64"))
    }
    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }
    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let slope = [abs(), shift(1.0), pow_scalar(-2.0)].into_iter(); // 1 / (1 + |x|)^2
        let slope = slope.fold(backward.input(0), |x, next| backward.apply(next, &[x]));
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(multiply(), &[slope, dy]))
    }
    fn kernel(&self, on: Target<'_>, specs: &Specs<'_>) -> Result<Box<dyn Kernel>, KernelError> {
        let (narrow, wide) = (|x: f32| x / (1.0 + x.abs()), |x: f64| x / (1.0 + x.abs()));
        match specs.inputs[0].element {
            Element::F32 => on_device!(on, specs, host: OnHost(narrow), cube: cube::OnCube),
            _ => on_device!(on, specs, host: OnHost(wide)), // to hold the gradient against
        }
    }
}

struct OnHost<T>(fn(T) -> T);
impl<T: Scalar> Kernel for OnHost<T> {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (x, mut y) = (firing.input(0), firing.output(0));
        y.set_extents(&x.extents()); // a bounded dimension has another extent in each token
        y.elements().iter_mut().zip(x.elements()).for_each(|(y, &x)| *y = self.0(x));
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube {
    use synfire::ops::device::cubecl::{self, prelude::*};
    use synfire::ops::device::kernel::{Call, CubeKernel, size};
    pub(super) struct OnCube;
    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), super::FireError> {
            let (x, y) = (call.input(0), call.set_extents(0, &call.input(0).extents()));
            call.each(x.elements(), |client, cubes, units| {
                each::launch::<R>(client, cubes, units, x.array(), y.array(), size(x.elements()));
            })
        }
    }
    #[cube(launch)]
    fn each(x: &Array<f32>, y: &mut Array<f32>, count: u32) {
        if ABSOLUTE_POS < count as usize {
            y[ABSOLUTE_POS] = x[ABSOLUTE_POS] / (1.0 + x[ABSOLUTE_POS].abs());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let expected = |x: f64| x.signum() * (1.0 - 1.0 / (1.0 + x.abs()));
    let device = device::open_wgpu("wgpu:0", 0).map(Device::Accelerator);
    for size in [[2, 5], [0, 3]] {
        let expect = reference(move |x| vec![Tensor::from_fn(&size, |at| expected(x[0].at(at)))]);
        let sample = Sample::new(format!("{size:?}"), Softsign, vec![noise(0, &size)], expect);
        laws::host(&sample)?;
        println!("{size:?}: {:?}, {:?}", laws::gradient(&sample, 1)?, laws::gradient(&sample, 2)?);
        device.iter().try_for_each(|on| laws::device(&sample, on).map(|it| println!("{it:?}")))?;
    }
    Ok(laws::host(&Sample::rejected("", Softsign, vec![Spec::new(Element::I32, [2])], "x", None))?)
}
