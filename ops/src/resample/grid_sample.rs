//! Grid sample: an image looked up at given places, `y[c, p] = sum over taps k of w_k x[c, i_k]`
//! with the taps around the place `grid[p]`.
//!
//! | operator | |
//! |---|---|
//! | [`grid_sample`] | the image at each point of the grid |
//! | [`GridSample::transposed`] | the values of the points spread over the image by the same taps |
//!
//! The grid's `(x, y)` or `(x, y, z)` go from -1 to 1 over the last, the second last, .. axis of
//! the image. [`GridSample::derivative`] takes derivatives of the weights by a coordinate.
//!
//! # Shape
//! `x`: `f32` or `f64` `[batch, channel, row, column]` or with depth before the row; `grid`: of the
//! same type `[batch, .., 2]` or `[batch, .., 3]` with as many axes between -> `y`: `[batch,
//! channel, ..]`. The batch may be bounded.
//!
//! # Gradient
//! By the image: the transposed operator of `dy`. By the grid: for each coordinate the sum over
//! channels of `dy` times the derivative of the sample. Both again consist of these operators, so
//! derivatives of any order exist; the nearest pixel has none by the grid.
//!
//! # Numerics
//! As PyTorch's `grid_sample`, NaN and infinities in the grid too: derivatives are one-sided where
//! pixels meet, and 0 at and beyond a border where the place is held ([`Padding::Border`],
//! [`Padding::Reflection`]). Not as in PyTorch, `Cubic` works with depth too. The host computes the
//! taps of all points once for all channels; the transposed operator adds up point by point, in
//! order. Accelerators: `f32`; the transposed operator reads the whole grid for each line of the
//! image.
//!
//! # Example
//! ```
//! use synfire_ops::resample::grid_sample::{Method, Padding, grid_sample};
//! use synfire_ops::resample::resize::Align;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let image = Value::new(&[1, 1, 1, 2], &[2.0_f32, 4.0]);
//! let grid = Value::new(&[1, 1, 3, 2], &[-1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0]);
//! let operator = grid_sample(Method::Linear, Padding::Zeros, Align::Centers);
//! assert_eq!(fire_once(&operator, &[image, grid])?[0].elements::<f32>(), [2.0, 3.0, 4.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};

use super::resize::Align;
use crate::arrange::stack::stack;
use crate::broadcast::binary::multiply;
use crate::device::on_device;
use crate::pointwise::unary::fill;
use crate::reduce::reduction::{Keep, sum};
use crate::require;
use crate::sample::Sample;
use crate::torch::{Case, Torch};

#[cfg(feature = "cube")]
mod cube; // a unit for each point, or for each line of the image
mod examples; // the samples
mod on_host; // over a table of taps
mod points; // where a point lies, and what its taps weigh

pub use points::{Method, Padding};

/// The image at the points of a grid.
#[must_use]
pub fn grid_sample(method: Method, padding: Padding, align: Align) -> GridSample {
    GridSample { method, padding, align, orders: [0; AXES_MAX], onto: None }
}

/// The most axes of an image.
const AXES_MAX: usize = 3;

/// The largest extent of an image: pixels are counted in `f32`.
const EXTENT_MAX: usize = 1 << 24;

/// See [`grid_sample`].
#[derive(Clone, Debug)]
pub struct GridSample {
    method: Method,
    padding: Padding,
    align: Align,
    /// How often the weights are differentiated by each coordinate.
    orders: [u32; AXES_MAX],
    /// For the transposed operator, the extents of the image.
    onto: Option<Vec<usize>>,
}

impl GridSample {
    /// The transposed operator: it spreads values of points over an image of these extents, without
    /// batch and channel.
    #[must_use]
    pub fn transposed(mut self, extents: &[usize]) -> Self {
        self.onto = Some(extents.to_vec());
        self
    }

    /// The derivative by the coordinate of this number; `None` where that is zero everywhere.
    #[must_use]
    pub fn derivative(mut self, coordinate: usize) -> Option<Self> {
        let order = self.orders.get_mut(coordinate)?;
        *order += 1;
        (*order <= self.method.degree()).then_some(self)
    }

    /// The extents of image and points.
    fn extents(&self, inputs: &[Spec]) -> Result<[Vec<usize>; 2], SpecError> {
        let [x, grid] = inputs else { unreachable!("a lookup has two inputs") };
        require::element("x", x, &[Element::F32, Element::F64])?;
        require::element("grid", grid, &[x.element])?;
        if x.rank() != 4 && x.rank() != 5 {
            return Err(SpecError::new("x", x, "4 or 5 dimensions"));
        }
        require::rank("grid", grid, x.rank())?;
        let axes = x.rank() - 2;
        if x.dimensions[0] != grid.dimensions[0] {
            let (found, wanted) = (grid.dimensions[0], x.dimensions[0]);
            return Err(SpecError::new("grid", found, wanted).at(0));
        }
        if grid.dimensions[axes + 1] != Dimension::Fixed(axes) {
            let error = SpecError::new("grid", grid.dimensions[axes + 1], axes);
            return Err(error.at(axes + 1).hint("one coordinate for each axis of the image"));
        }
        require::fixed("x", x, 1)?;
        let own = (2..axes + 2).map(|axis| require::fixed("x", x, axis));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let points = (1..=axes).map(|axis| require::fixed("grid", grid, axis));
        let points = points.collect::<Result<Vec<_>, _>>()?;
        if let (Some(_), Some(axis)) = (&self.onto, (0..axes).find(|&k| own[k] != points[k])) {
            return Err(SpecError::new("x", own[axis], points[axis]).at(axis + 2));
        }
        let image = self.onto.clone().unwrap_or(own);
        if image.len() != axes {
            return Err(SpecError::new("x", x, format!("{} dimensions", image.len() + 2)));
        }
        let is_right = |extent: &usize| (1..=EXTENT_MAX).contains(extent);
        if let Some(axis) = image.iter().position(|extent| !is_right(extent)) {
            let error = SpecError::new("x", image[axis], format!("1 to {EXTENT_MAX} pixels"));
            return Err(error.at(axis + 2));
        }
        Ok([image, points])
    }
}

impl Operator for GridSample {
    fn contract(&self) -> Contract {
        let name = if self.onto.is_some() { "grid_sample_transposed" } else { "grid_sample" };
        Contract::new(name).input("x").input("grid").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [image, points] = self.extents(inputs)?;
        let to = if self.onto.is_some() { image } else { points };
        let mut y = inputs[0].clone();
        y.dimensions.splice(2.., to.into_iter().map(Dimension::Fixed));
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let rank = inputs[0].rank() as u8;
        // The points are axes of the grid and of whatever holds a value for each.
        let of_points = |axis: u8| 1 + axis;
        axes.inputs[1] = std::iter::once(0).chain((0..rank - 2).map(|k| k + 2)).collect();
        axes.inputs[1].push(2 * of_points(rank));
        let others = if self.onto.is_some() { &mut axes.outputs[0] } else { &mut axes.inputs[0] };
        others[2..].iter_mut().for_each(|label| *label += rank);
        let values = if self.onto.is_some() { &inputs[0] } else { &outputs[0] };
        let taps = self.method.taps().pow(u32::from(rank) - 2);
        Metadata::streaming(inputs, outputs, axes).with_macs((values.elements() * taps) as u64)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, grid, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let extents = backward.input_spec(0).bounds();
        let there = Self { onto: None, ..self.clone() };
        let by_x = backward.wants(0).then(|| {
            let adjoint = match self.onto {
                Some(_) => there.clone(),
                None => there.clone().transposed(&extents[2..]),
            };
            backward.apply(adjoint, &[dy, grid])
        });
        // What is looked up, and what is given for each point.
        let (image, values) = if self.onto.is_some() { (dy, x) } else { (x, dy) };
        let by_grid = backward.wants(1).then(|| by_grid(backward, &there, [image, grid, values]));
        Gradient::Of(vec![by_x, by_grid.flatten()])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let extents = self.extents(specs.inputs).expect("the shape rule accepted these inputs");
        on_device!(
            target,
            specs,
            host: on_host::OnHost::new(self.clone(), extents, specs),
            cube: cube::OnCube::new(self, extents, specs.inputs[0].element)?
        )
    }
}

/// The gradient by the grid of the sum of `values` times the image at the grid.
fn by_grid(
    backward: &mut Backward<'_>,
    operator: &GridSample,
    [image, grid, values]: [Wire; 3],
) -> Option<Wire> {
    let axes = backward.spec(grid)?.rank() - 2;
    let parts: Vec<Option<Wire>> = (0..axes)
        .map(|coordinate| {
            let slope = backward.apply(operator.clone().derivative(coordinate)?, &[image, grid]);
            let product = backward.apply(multiply(), &[values, slope]);
            Some(backward.apply(sum(&[1], Keep::Nothing), &[product]))
        })
        .collect();
    let like = parts.iter().flatten().next().copied()?;
    let zero = |backward: &mut Backward<'_>| backward.apply(fill(0.0), &[like]);
    let parts: Vec<Wire> =
        parts.into_iter().map(|part| part.unwrap_or_else(|| zero(backward))).collect();
    Some(backward.apply(stack(axes + 1, axes), &parts))
}

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] =
    &[("grid_sample", sampled), ("grid_sampler", sampled), ("grid_sampler_2d", sampled)];

fn sampled(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let grid = case.input("grid").or_else(|_| case.input("g"))?;
    let method = match case.text("mode", "bilinear")?.as_str() {
        "bilinear" | "linear" | "trilinear" => Method::Linear,
        "nearest" => Method::Nearest,
        "bicubic" | "cubic" => Method::Cubic,
        other => return Err(format!("no mode `{other}`")),
    };
    let padding = match case.text("padding_mode", "zeros")?.as_str() {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => return Err(format!("no padding mode `{other}`")),
    };
    let align = if case.flag("align_corners", false)? { Align::Centers } else { Align::Edges };
    Ok(vec![case.apply(grid_sample(method, padding, align), &[x, grid])])
}

/// Every method, padding and alignment; with depth, derivatives, transposed, `f64`, NaN and
/// infinities, one pixel, no points, bounded; rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    examples::samples()
}
