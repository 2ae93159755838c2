//! Resize on accelerators, for `f32`: a unit for each output.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError};
use synfire_runtime::spec::Element;

use super::Taps;
use crate::device::kernel::{Call, Constant, CubeKernel, size};

pub(super) struct OnCube {
    axis: usize,
    outputs: usize,
    starts: Constant,
    places: Constant,
    weights: Constant,
}

impl OnCube {
    pub(super) fn new(axis: usize, taps: &Taps, element: Element) -> Result<Self, KernelError> {
        if element != Element::F32 {
            return Err(KernelError::Absent);
        }
        let narrow: Vec<f32> = taps.weights.iter().map(|&weight| weight as f32).collect();
        let [starts, places] = [&taps.starts, &taps.places].map(|words| Constant::new(words));
        let outputs = taps.starts.len() - 1;
        Ok(Self { axis, outputs, starts, places, weights: Constant::new(&narrow) })
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let x = call.input(0);
        let mut extents = x.extents().to_vec();
        let from = extents[self.axis];
        let inner = extents[self.axis + 1..].iter().product();
        extents[self.axis] = self.outputs;
        let y = call.set_extents(0, &extents);
        let starts = self.starts.array(call)?;
        let (places, weights) = (self.places.array(call)?, self.weights.array(call)?);
        call.each(y.elements(), |client, cubes, units| {
            let shape =
                ShapeLaunch::new(size(y.elements()), size(from), size(self.outputs), size(inner));
            let (x, y) = (x.array(), y.array());
            resize::launch::<R>(client, cubes, units, x, starts, places, weights, y, shape);
        })
    }
}

/// Extents around and along the axis.
#[derive(Clone, Copy, CubeType, CubeLaunch)]
struct Shape {
    count: u32,
    from: u32,
    to: u32,
    inner: u32,
}

#[cube(launch)]
fn resize(
    x: &Array<f32>,
    starts: &Array<u32>,
    places: &Array<u32>,
    weights: &Array<f32>,
    y: &mut Array<f32>,
    shape: Shape,
) {
    let unit = ABSOLUTE_POS as u32;
    if unit < shape.count {
        let row = unit / shape.inner;
        let output = row % shape.to;
        let first = row / shape.to * shape.from;
        let column = unit % shape.inner;
        let mut sum = 0.0f32;
        for tap in starts[output as usize]..starts[output as usize + 1] {
            let place = first + places[tap as usize];
            sum += weights[tap as usize] * x[(place * shape.inner + column) as usize];
        }
        y[unit as usize] = sum;
    }
}
