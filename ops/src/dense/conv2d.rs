//! Convolution of images:
//! `y[o, p, q] = bias[o] + sum of weight[o, c, i, j] * x[c, p s + i d - t, q s + j d - l]`
//! over `c, i, j`, with stride `s`, dilation `d`, and zeros outside `x`: `t` rows above it and `l`
//! columns before it.
//!
//! As in the field, this is a correlation: the kernel is not flipped. The kernel's extent is that
//! of the weight.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`; the batch may
//! be bounded.
//! `weight`: `[out, channel / groups, kernel row, kernel column]`. `bias`, with [`Conv2d::bias`]:
//! `[out]`. `y`: as `x` with `out` channels and
//! `(extent + padding - d * (kernel - 1) - 1) / s + 1` rows and columns, rounded down. In each of
//! the `groups`, `out / groups` channels see `channel / groups` channels.
//!
//! # Gradient
//! `dx` is the transposed convolution of `dy` with the same weight and window, `dweight` is
//! [`conv2d_weight`] of `x` and `dy`, and `dbias[o]` is the sum of `dy[o]`.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! IEEE arithmetic, sums in blocks whose order depends on the shape only, fused multiply-adds where
//! the CPU has them. Zeros of the padding are multiplied like other numbers: an infinite weight
//! over padding gives NaN. As PyTorch's `conv2d`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv2d::conv2d;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 2, 2], &[1.0_f32, 2.0, 3.0, 4.0]);
//! let blur = Value::new(&[1, 1, 2, 2], &[0.25_f32; 4]);
//! let y = fire_once(&conv2d().padding([0, 1, 0, 1]), &[x, blur])?;
//! assert_eq!(y[0].elements::<f32>(), [2.5, 1.5, 1.75, 1.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::conv_transpose2d::conv_transpose2d;
use super::conv2d_weight::conv2d_weight;
#[cfg(feature = "cube")]
use crate::device::convolution;
use crate::device::on_device;
use crate::host::widened::widened;
use crate::host::window::ConvShape;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::Torch;
use crate::window::{self, Image, Motion, OnHost, Sliding, sliding};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names; its padding modes pad first.
pub const TORCH: &[Torch] = &[("conv2d", |case| {
    let ([x, weight], bias, sliding) = sliding::case::convolution::<2>(case)?;
    let (x, Sliding { stride, dilation, before, after, groups, .. }) = sliding.padded(case, x);
    let operator = conv2d().stride(stride).dilation(dilation).groups(groups);
    let operator = operator.padding([before[0], after[0], before[1], after[1]]);
    Ok(vec![match bias {
        Some(bias) => case.apply(operator.bias(), &[x, weight, bias]),
        None => case.apply(operator, &[x, weight]),
    }])
})];

/// A convolution with stride 1, without padding, dilation, groups and bias.
#[must_use]
pub fn conv2d() -> Conv2d {
    Conv2d { motion: Motion::PLAIN, groups: 1, has_bias: false }
}

/// See [`conv2d`].
#[derive(Clone, Debug)]
pub struct Conv2d {
    motion: Motion,
    groups: usize,
    has_bias: bool,
}

window::setters!(Conv2d: stride, dilation, padding, window, groups, bias);

impl Conv2d {
    fn geometry(&self, inputs: &[Spec]) -> Result<(Image, ConvShape), SpecError> {
        let (x, weight) = (&inputs[0], &inputs[1]);
        let image = Image::of(x)?;
        let window = self.motion.window(window::kernel(&image, weight)?);
        let channels = window::group("x", (x.rank() - 3, image.channels), self.groups)?;
        if weight.bound(1) != channels {
            let wanted = format!("{channels}, the channels of a group of port x");
            return Err(SpecError::new("weight", weight.dimensions[1], wanted).at(1));
        }
        let channels_out = weight.bound(0);
        window::group("weight", (0, channels_out), self.groups)?;
        window::bias(&image, inputs.get(2), channels_out)?;
        image.holds(x, "weight", &window)?;
        let shape = ConvShape {
            batch: image.batch_bound(),
            channels_in: image.channels,
            channels_out,
            extent: image.extent,
            groups: self.groups,
            window,
        };
        Ok((image, shape))
    }
}

impl Operator for Conv2d {
    fn contract(&self) -> Contract {
        let contract = Contract::new("conv2d").input("x").input("weight").output("y");
        let contract = if self.has_bias { contract.input("bias") } else { contract };
        contract.fusion(Fusion::Producer).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (image, shape) = self.geometry(inputs)?;
        Ok(vec![image.output(shape.channels_out, shape.output_extent())])
    }

    /// One multiply-add for each output element and weight of its channel, over padding too.
    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let weights = inputs[1].dimensions[1..].iter().map(|dimension| dimension.bound() as u64);
        let macs = outputs[0].elements() as u64 * weights.product::<u64>();
        let axes = window::axes(inputs, if self.groups == 1 { "ocij" } else { "ogij" });
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let inputs: Vec<Spec> = (0..backward.inputs()).map(|k| backward.input_spec(k)).collect();
        let (_, shape) = self.geometry(&inputs).expect("the shape rule accepted these inputs");
        let ConvShape { window, extent, groups, .. } = shape;
        let (x, weight, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let dx = backward.wants(0).then(|| {
            let places = shape.output_extent();
            let rest = [0, 1].map(|axis| {
                window::rest(&window, axis, extent[axis], places[axis])
                    .expect("the window fits the image")
            });
            let adjoint = conv_transpose2d().window(self.motion).groups(groups);
            backward.apply(adjoint.output_padding(rest), &[dy, weight])
        });
        let dweight = backward.wants(1).then(|| {
            let adjoint = conv2d_weight(window.kernel).window(self.motion).groups(groups);
            backward.apply(adjoint, &[x, dy])
        });
        let mut gradients = vec![dx, dweight];
        if self.has_bias {
            let wanted = backward.wants(2);
            gradients.push(wanted.then(|| window::bias_gradient(backward, dy)));
        }
        Gradient::Of(gradients)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        let (image, shape) =
            self.geometry(specs.inputs).expect("the shape rule accepted these inputs");
        if image.element == Element::F64 {
            return on_device!(target, specs, host: OnHost::<_, f64>::new(shape, specs));
        }
        on_device!(
            target,
            specs,
            host: OnHost::<_, f32>::new(shape, specs),
            cube: convolution::OnCube::plain(&shape)
        )
    }
}

/// All attributes, groups and depthwise, both ranks, odd extents, nothing, bounded batches; wrong
/// channels, groups, kernels and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Conv2d, x: &[usize], weight: &[usize]| {
        let mut inputs = vec![noise(1, x), noise(2, weight)];
        inputs.extend(operator.has_bias.then(|| noise(3, &weight[..1])));
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, inputs, expect)
    };
    let in_f64 = |name: &str, operator: Conv2d, x: &[usize], weight: &[usize]| {
        let inputs =
            vec![window::wide(1, x), window::wide(2, weight), window::wide(3, &weight[..1])];
        Sample::new(name, operator.clone(), inputs, by_definition(operator))
    };
    let rejected = |name: &str, operator: Conv2d, [x, weight]: [&[usize]; 2], port, dimension| {
        let mut specs = vec![Spec::f32(x.to_vec()), Spec::f32(weight.to_vec())];
        specs.extend(operator.has_bias.then(|| Spec::f32([3])));
        Sample::rejected(name, operator, specs, port, dimension)
    };
    let plain = conv2d;
    let all = || conv2d().stride([2, 3]).dilation([3, 2]).padding([2, 1, 0, 3]).bias();
    let (image, weight) = ([1, 4, 5, 5], [6, 4, 3, 3]);
    let wide = Spec::new(Element::F64, weight);
    let bounded = vec![bounded_first(Element::F32, 5, &[4, 7, 9]), Spec::f32(weight)];
    vec![
        case("plain", plain(), &[2, 3, 7, 11], &[5, 3, 3, 3]),
        case("one pixel, one tap", plain().bias(), &[1, 1, 1, 1], &[1, 1, 1, 1]),
        case("pointwise", plain().bias(), &[2, 17, 5, 13], &[19, 17, 1, 1]),
        case("same", plain().padding(1).bias(), &[1, 16, 13, 50], &[37, 16, 3, 3]),
        case("no batch", plain().stride(2).padding(2), &[3, 9, 8], &[2, 3, 5, 5]),
        case("all attributes", all(), &[2, 5, 17, 23], &[7, 5, 2, 4]),
        case("groups", all().groups(3), &[2, 6, 17, 19], &[9, 2, 3, 2]),
        case("depthwise", all().groups(5), &[2, 5, 17, 41], &[5, 1, 3, 3]),
        case("depthwise, two each", plain().groups(3), &[1, 3, 11, 7], &[6, 1, 2, 3]),
        case("even stride", plain().stride(2).padding(1).bias(), &[1, 8, 16, 16], &[8, 8, 3, 3]),
        case("long sums", plain().padding(1).bias(), &[1, 131, 3, 5], &[9, 131, 3, 3]),
        case("empty batch", plain().bias(), &[0, 3, 4, 4], &[2, 3, 3, 3]),
        case("no channels", plain().bias(), &[1, 0, 4, 4], &[2, 0, 3, 3]),
        case("no filters", plain().bias(), &[1, 3, 4, 4], &[0, 3, 3, 3]),
        case("only padding", plain().padding(1), &[1, 2, 0, 3], &[2, 2, 2, 2]),
        case("bounded batch", plain(), &[2, 4, 7, 9], &weight).with_specs(bounded),
        in_f64("f64", all().groups(3), &[2, 6, 11, 13], &[9, 2, 3, 2]),
        in_f64("depthwise, f64", all().groups(5), &[5, 17, 11], &[5, 1, 3, 3]),
        rejected("wrong channels", plain(), [&image, &[6, 3, 3, 3]], "weight", Some(1)),
        rejected("groups of x", plain().groups(3), [&image, &weight], "x", Some(1)),
        rejected("groups of y", plain().groups(2), [&image, &[5, 2, 3, 3]], "weight", Some(0)),
        rejected("no groups", plain().groups(0), [&image, &weight], "x", Some(1)),
        rejected("wrong bias", plain().bias(), [&image, &weight], "bias", Some(0)),
        rejected("too few rows", plain(), [&[4, 2, 5], &weight], "x", Some(1)),
        rejected("too few columns", plain(), [&[1, 4, 5, 2], &weight], "x", Some(3)),
        rejected("no taps", plain(), [&image, &[6, 4, 0, 3]], "weight", Some(2)),
        rejected("no stride", plain().stride(0), [&image, &weight], "x", None),
        rejected("two dimensions", plain(), [&[5, 5], &weight], "x", None),
        rejected("flat weight", plain(), [&image, &[6, 36]], "weight", None),
        Sample::rejected("f64", plain(), vec![Spec::f32(image), wide], "weight", None),
    ]
}

/// The definition, in plain loops over an explicitly padded image.
fn by_definition(operator: Conv2d) -> Expect {
    reference(move |inputs| {
        let (x, weight) = (&inputs[0], &inputs[1]);
        let Motion { stride, dilation, padding } = operator.motion;
        let (batch, [channels, rows, columns]) = window::split(x);
        let [filters, seen, tall, wide] = weight.extents[..] else { unreachable!("checked") };
        let padded_rows = rows + padding.top + padding.bottom;
        let padded_columns = columns + padding.left + padding.right;
        let padded =
            Tensor::from_fn(&[batch.unwrap_or(1), channels, padded_rows, padded_columns], |at| {
                let row = at[2].checked_sub(padding.top).filter(|&row| row < rows);
                let column = at[3].checked_sub(padding.left).filter(|&column| column < columns);
                let (Some(row), Some(column)) = (row, column) else { return 0.0 };
                x.data[((at[0] * channels + at[1]) * rows + row) * columns + column]
            });
        let places = |whole: usize, span: usize, stride: usize| (whole - span) / stride + 1;
        let height = places(padded_rows, dilation[0] * (tall - 1) + 1, stride[0]);
        let width = places(padded_columns, dilation[1] * (wide - 1) + 1, stride[1]);
        let mut extents: Vec<usize> = batch.into_iter().collect();
        extents.extend([filters, height, width]);
        vec![Tensor::from_fn(&extents, |at| {
            let [filter, p, q] = at[at.len() - 3..] else { unreachable!("an image has three") };
            let item = if at.len() == 4 { at[0] } else { 0 };
            let first = filter / (filters / operator.groups) * seen;
            let mut sum = inputs.get(2).map_or(0.0, |bias| bias.data[filter]);
            for channel in 0..seen {
                for i in 0..tall {
                    for j in 0..wide {
                        let (row, column) =
                            (p * stride[0] + i * dilation[0], q * stride[1] + j * dilation[1]);
                        sum += padded.at(&[item, first + channel, row, column])
                            * weight.at(&[filter, channel, i, j]);
                    }
                }
            }
            sum
        })]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiply_adds_are_exact() {
        let operator = conv2d().stride(2).padding(1).groups(2);
        let inputs = [Spec::f32([3, 8, 9, 11]), Spec::f32([6, 4, 3, 3])];
        let outputs = operator.shape(&inputs).expect("shapes fit");
        assert_eq!(outputs, [Spec::f32([3, 6, 5, 6])]);
        assert_eq!(operator.metadata(&inputs, &outputs).macs, 3 * 6 * 5 * 6 * 4 * 9);
    }
}
