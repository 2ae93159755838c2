//! The gradient of a convolution of images by its weight:
//! `dw[o, c, i, j] = sum of dy[o, p, q] * x[c, p s + i d - t, q s + j d - l]` over the batch and
//! `p, q`, with the stride, dilation and padding of [`conv2d`].
//!
//! It is linear in both: convolution, transposed convolution and this one are each other's
//! gradients.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`; `dy`: the same
//! with `out` channels, and the rows and columns that the window has places, or a few less: what
//! lies behind the last place is shorter than the stride or the dilation. The batch of both may be
//! bounded, alike. `dw`: `[out, channel / groups, kernel row, kernel column]`.
//!
//! # Gradient
//! `dx` is the transposed convolution of `dy` with the gradient of the loss by `dw` for weight, and
//! the gradient by `dy` the convolution of `x` with it.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! IEEE arithmetic, sums image by image in blocks whose order depends on the shape only, fused
//! multiply-adds where the CPU has them. As PyTorch's `torch.nn.grad.conv2d_weight`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv2d_weight::conv2d_weight;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 1, 3], &[1.0_f32, 2.0, 3.0]);
//! let dy = Value::new(&[1, 1, 2], &[1.0_f32, 10.0]);
//! let dw = fire_once(&conv2d_weight([1, 2]), &[x, dy])?;
//! assert_eq!(dw[0].elements::<f32>(), [21.0, 32.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::conv_transpose2d::conv_transpose2d;
use super::conv2d::conv2d;
use crate::device::on_device;
use crate::host::widened::widened;
use crate::host::window::ConvShape;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Image, Motion, Pair};

#[cfg(feature = "cube")]
mod cube; // a cube for a few filters at each tap
mod on_host; // products with rows of image patches
use on_host::OnHost;

/// The gradient by the weight of a convolution with this kernel, one number for both directions or
/// `[rows, columns]`, of stride 1, without padding, dilation and groups.
#[must_use]
pub fn conv2d_weight(kernel: impl Into<Pair>) -> Conv2dWeight {
    Conv2dWeight { kernel: kernel.into().0, motion: Motion::PLAIN, groups: 1 }
}

/// See [`conv2d_weight`].
#[derive(Clone, Debug)]
pub struct Conv2dWeight {
    kernel: [usize; 2],
    motion: Motion,
    groups: usize,
}

window::setters!(Conv2dWeight: stride, dilation, padding, window, groups);

/// The extents of one of them.
struct Geometry {
    shape: ConvShape,
    /// Rows and columns of `dy`.
    places: [usize; 2],
    /// Rows and columns behind the last place.
    rest: [usize; 2],
}

impl Conv2dWeight {
    fn geometry(&self, inputs: &[Spec]) -> Result<Geometry, SpecError> {
        let (x, dy) = (&inputs[0], &inputs[1]);
        let (image, upstream) = (Image::of(x)?, Image::at("dy", dy)?);
        let window = self.motion.window(self.kernel);
        image.holds(x, "x", &window)?;
        require::element("dy", dy, &[x.element])?;
        require::rank("dy", dy, x.rank())?;
        if upstream.batch != image.batch {
            let wanted = format!("{}, as port x", x.dimensions[0]);
            return Err(SpecError::new("dy", dy.dimensions[0], wanted).at(0));
        }
        window::group("x", (x.rank() - 3, image.channels), self.groups)?;
        window::group("dy", (x.rank() - 3, upstream.channels), self.groups)?;
        let shape = ConvShape {
            batch: image.batch_bound(),
            channels_in: image.channels,
            channels_out: upstream.channels,
            extent: image.extent,
            groups: self.groups,
            window,
        };
        let (places, mut rest) = (upstream.extent, [0; 2]);
        for axis in 0..2 {
            let room = window.stride[axis].max(window.dilation[axis]);
            let found = window::rest(&window, axis, image.extent[axis], places[axis]);
            let Some(found) = found.filter(|&rest| rest < room) else {
                let whole = shape.output_extent()[axis];
                let wanted = format!("{whole}, the places of the window");
                let error = SpecError::new("dy", places[axis], wanted);
                return Err(error.at(dy.rank() - 2 + axis));
            };
            rest[axis] = found;
        }
        Ok(Geometry { shape, places, rest })
    }
}

impl Operator for Conv2dWeight {
    fn contract(&self) -> Contract {
        let contract = Contract::new("conv2d_weight").input("x").input("dy").output("dw");
        contract.tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let ConvShape { channels_in, channels_out, groups, .. } = self.geometry(inputs)?.shape;
        let [rows, columns] = self.kernel;
        let dw = [channels_out, channels_in / groups, rows, columns];
        Ok(vec![Spec::new(inputs[0].element, dw)])
    }

    /// One multiply-add for each element of `dy` and weight of its filter, over padding too.
    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let weights = outputs[0].dimensions[1..].iter().map(|dimension| dimension.bound() as u64);
        let macs = inputs[1].elements() as u64 * weights.product::<u64>();
        let batch = if inputs[0].rank() == 4 { "b" } else { "" };
        let channel = if self.groups == 1 { "c" } else { "g" };
        let axes = Axes::parse(&format!("{batch}chw,{batch}opq->o{channel}ij"));
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let inputs = [backward.input_spec(0), backward.input_spec(1)];
        let Geometry { places, rest, .. } =
            self.geometry(&inputs).expect("the shape rule accepted these inputs");
        let (x, dy, weight) = (backward.input(0), backward.input(1), backward.upstream(0));
        let dx = backward.wants(0).then(|| {
            let adjoint = conv_transpose2d().window(self.motion).groups(self.groups);
            backward.apply(adjoint.output_padding(rest), &[dy, weight])
        });
        let ddy = backward.wants(1).then(|| {
            let adjoint = conv2d().window(self.motion).groups(self.groups);
            let all = backward.apply(adjoint, &[x, weight]);
            window::crop(backward, all, places)
        });
        Gradient::Of(vec![dx, ddy])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        let geometry = self.geometry(specs.inputs).expect("the shape rule accepted these inputs");
        let (shape, places) = (geometry.shape, geometry.places);
        let cores = specs.cores;
        if specs.inputs[0].element == Element::F64 {
            return on_device!(target, specs, host: OnHost::<f64>::new(shape, places, cores));
        }
        on_device!(
            target,
            specs,
            host: OnHost::<f32>::new(shape, places, cores),
            cube: cube::OnCube { window: shape.window, groups: shape.groups }
        )
    }
}

/// All attributes, groups and depthwise, both ranks, fewer places, nothing, bounded batches, `f64`;
/// wrong places, batches, groups, windows and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Conv2dWeight, x: &[usize], dy: &[usize]| {
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, vec![noise(1, x), noise(2, dy)], expect)
    };
    let rejected = |name: &str, operator: Conv2dWeight, [x, dy]: [&[usize]; 2], port, axis| {
        let specs = vec![Spec::f32(x.to_vec()), Spec::f32(dy.to_vec())];
        Sample::rejected(name, operator, specs, port, axis)
    };
    let plain = || conv2d_weight(3);
    let all = || conv2d_weight([2, 4]).stride([2, 3]).dilation([3, 2]).padding([2, 1, 0, 3]);
    let (x, dy) = ([2, 4, 7, 9], [2, 3, 5, 7]);
    let bounded = |rest: &[usize]| bounded_first(Element::F32, 5, rest);
    let specs = || vec![bounded(&x[1..]), bounded(&dy[1..])];
    let uneven = vec![noise(1, &x), noise(2, &[3, 3, 5, 7])];
    let in_f64 = vec![window::wide(1, &[1, 2, 9, 13]), window::wide(2, &[1, 3, 5, 4])];
    let mixed = vec![Spec::f32(x), Spec::new(Element::F64, dy)];
    vec![
        case("plain", plain(), &x, &dy),
        case("one pixel, one tap", conv2d_weight(1), &[1, 1, 1, 1], &[1, 1, 1, 1]),
        case("pointwise", conv2d_weight(1), &[2, 17, 5, 13], &[2, 19, 5, 13]),
        case("long sums", plain().padding(1), &[1, 3, 23, 29], &[1, 2, 23, 29]),
        case("no batch", plain().stride(2).padding(1), &[3, 9, 8], &[2, 5, 4]),
        case("all attributes", all(), &[2, 5, 17, 13], &[2, 7, 9, 4]),
        case("groups", all().groups(3), &[2, 6, 17, 13], &[2, 9, 9, 4]),
        case("depthwise", all().groups(5), &[2, 5, 17, 13], &[2, 5, 9, 4]),
        case("fewer places", all(), &[1, 2, 17, 13], &[1, 3, 8, 4]),
        case("empty batch", plain(), &[0, 2, 4, 4], &[0, 3, 2, 2]),
        case("no channels", plain(), &[1, 0, 4, 4], &[1, 2, 2, 2]),
        case("only padding", conv2d_weight(2).padding(1), &[1, 2, 0, 3], &[1, 2, 1, 4]),
        case("bounded batch", plain(), &x, &dy).with_specs(specs()),
        Sample::new("f64", all(), in_f64, by_definition(all())),
        Sample::new("uneven", plain(), uneven, Expect::Fails("port dy has 3 images"))
            .with_specs(specs()),
        rejected("batches", plain(), [&x, &[1, 3, 5, 7]], "dy", Some(0)),
        rejected("too few places", plain(), [&x, &[2, 3, 5, 6]], "dy", Some(3)),
        rejected("too many places", plain(), [&x, &[2, 3, 6, 7]], "dy", Some(2)),
        rejected("groups of x", plain().groups(3), [&x, &dy], "x", Some(1)),
        rejected("groups of dy", plain().groups(2), [&x, &dy], "dy", Some(1)),
        rejected("ranks", plain(), [&x, &dy[1..]], "dy", None),
        rejected("large kernel", conv2d_weight([8, 1]), [&x, &dy], "x", Some(2)),
        rejected("no kernel", conv2d_weight(0), [&x, &dy], "x", None),
        Sample::rejected("mixed", plain(), mixed, "dy", None),
    ]
}

/// The definition: each pair of an element of `dy` and a pixel under its window adds its product.
fn by_definition(operator: Conv2dWeight) -> Expect {
    reference(move |inputs| {
        let (x, dy) = (&inputs[0], &inputs[1]);
        let Motion { stride, dilation, padding } = operator.motion;
        let (_, [channels, rows, columns]) = window::split(x);
        let (_, [filters, height, width]) = window::split(dy);
        let [tall, wide] = operator.kernel;
        let (seen, own) = (channels / operator.groups, filters / operator.groups);
        let mut dw = Tensor::from_fn(&[filters, seen, tall, wide], |_| 0.0);
        for (place, &value) in dy.data.iter().enumerate() {
            let (q, p) = (place % width, place / width % height);
            let plane = place / width / height;
            let (item, filter) = (plane / filters, plane % filters);
            for number in 0..seen * tall * wide {
                let (j, i) = (number % wide, number / wide % tall);
                let channel = filter / own * seen + number / wide / tall;
                let row = (p * stride[0] + i * dilation[0]).checked_sub(padding.top);
                let column = (q * stride[1] + j * dilation[1]).checked_sub(padding.left);
                let (Some(row), Some(column)) = (row, column) else { continue };
                if row < rows && column < columns {
                    let pixel = ((item * channels + channel) * rows + row) * columns + column;
                    dw.data[filter * seen * tall * wide + number] += value * x.data[pixel];
                }
            }
        }
        vec![dw]
    })
}
