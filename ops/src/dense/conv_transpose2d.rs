//! Transposed convolution of images: each input pixel adds its kernel, scaled, to the output:
//! `y[o, p s + i d - t, q s + j d - l] += weight[c, o, i, j] * x[c, p, q]`, and `bias[o]` once,
//! with stride `s` and dilation `d`; `t` rows above and `l` columns before are cut off.
//!
//! It enlarges by the stride what [`conv2d`](super::conv2d) with the same window shrinks.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`; the batch may
//! be bounded.
//! `weight`: `[channel, out / groups, kernel row, kernel column]`. `bias`, with
//! [`ConvTranspose2d::bias`]: `[out]`. `y`: as `x` with `out` channels and
//! `(extent - 1) * s + d * (kernel - 1) + 1 - padding + output padding` rows and columns.
//! The output padding, which is only counted, not computed with, is below the stride or the
//! dilation.
//!
//! # Gradient
//! `dx` is the convolution of `dy` with the same weight and window, `dweight` is [`conv2d_weight`]
//! with `dy` for the image and `x` for the places, and `dbias[o]` is the sum of `dy[o]`.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! IEEE arithmetic, sums in blocks whose order depends on the shape only, fused multiply-adds where
//! the CPU has them. At the borders an infinite weight may meet the zeros around the image and give
//! NaN where PyTorch's `conv_transpose2d`, which it equals otherwise, gives none.
//!
//! # Example
//! ```
//! use synfire_ops::dense::conv_transpose2d::conv_transpose2d;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 1, 2], &[1.0_f32, 2.0]);
//! let weight = Value::new(&[1, 1, 1, 3], &[1.0_f32, 10.0, 100.0]);
//! let y = fire_once(&conv_transpose2d().stride([1, 2]), &[x, weight])?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, 10.0, 102.0, 20.0, 200.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use super::conv2d::conv2d;
use super::conv2d_weight::conv2d_weight;
#[cfg(feature = "cube")]
use crate::device::convolution;
use crate::device::on_device;
use crate::host::widened::widened;
use crate::host::window::{ConvTransposeShape, Padding};
use crate::sample::{Expect, Sample, bounded_first, noise, reference};
use crate::torch::Torch;
use crate::window::sliding::definition::transposed;
use crate::window::{self, Image, Motion, OnHost, Pair, Sliding, sliding};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("conv_transpose2d", |case| {
    let ([x, weight], bias, sliding) = sliding::case::convolution::<2>(case)?;
    let Sliding { stride, dilation, before, after, groups, .. } = sliding;
    let operator = conv_transpose2d().stride(stride).dilation(dilation).groups(groups);
    let operator = operator.padding([before[0], after[0], before[1], after[1]]);
    let more = sliding::case::each(case, &["output_padding"], [0; 2])?;
    let operator = operator.output_padding(more);
    Ok(vec![match bias {
        Some(bias) => case.apply(operator.bias(), &[x, weight, bias]),
        None => case.apply(operator, &[x, weight]),
    }])
})];

/// A transposed convolution with stride 1, without padding, dilation, groups and bias.
#[must_use]
pub fn conv_transpose2d() -> ConvTranspose2d {
    let (motion, output_padding) = (Motion::PLAIN, [0; 2]);
    ConvTranspose2d { motion, output_padding, groups: 1, has_bias: false }
}

/// See [`conv_transpose2d`].
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    motion: Motion,
    output_padding: [usize; 2],
    groups: usize,
    has_bias: bool,
}

window::setters!(ConvTranspose2d: stride, dilation, padding, window, groups, bias);

impl ConvTranspose2d {
    /// Sets how many rows and columns the output has more at its end: which of the sizes that a
    /// convolution of this stride maps to the size of `x` is wanted.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> Self {
        self.output_padding = output_padding.into().0;
        self
    }

    fn geometry(&self, inputs: &[Spec]) -> Result<(Image, ConvTransposeShape), SpecError> {
        let (x, weight) = (&inputs[0], &inputs[1]);
        let image = Image::of(x)?;
        let window = self.motion.window(window::kernel(&image, weight)?);
        window::positive("weight", &window)?;
        window::group("x", (x.rank() - 3, image.channels), self.groups)?;
        if weight.bound(0) != image.channels {
            let wanted = format!("{}, the channels of port x", image.channels);
            return Err(SpecError::new("weight", weight.dimensions[0], wanted).at(0));
        }
        let channels_out = weight.bound(1) * self.groups;
        window::bias(&image, inputs.get(2), channels_out)?;
        let shape = ConvTransposeShape {
            batch: image.batch_bound(),
            channels_in: image.channels,
            channels_out,
            extent: image.extent,
            groups: self.groups,
            window,
            output_padding: self.output_padding,
        };
        self.check(x, &shape)?;
        Ok((image, shape))
    }

    /// The output padding is as small, and the image as large, as they must be.
    fn check(&self, x: &Spec, shape: &ConvTransposeShape) -> Result<(), SpecError> {
        let Padding { top, bottom, left, right } = shape.window.padding;
        let (span, padding) = (shape.window.span(), [top + bottom, left + right]);
        let Motion { stride, dilation, .. } = self.motion;
        for axis in 0..2 {
            let dimension = x.rank() - 2 + axis;
            let Some(last) = shape.extent[axis].checked_sub(1) else {
                return Err(SpecError::new("x", 0, "at least 1").at(dimension));
            };
            let extra = self.output_padding[axis];
            if extra >= stride[axis].max(dilation[axis]) {
                let found = format!("output padding {extra}");
                return Err(SpecError::new("x", found, "less than stride or dilation"));
            }
            let whole = last * stride[axis] + span[axis] + extra;
            if whole < padding[axis] {
                let found = format!("an output of {whole} before padding");
                let wanted = format!("at least {}, the padding", padding[axis]);
                return Err(SpecError::new("x", found, wanted).at(dimension));
            }
        }
        Ok(())
    }
}

impl Operator for ConvTranspose2d {
    fn contract(&self) -> Contract {
        let contract = Contract::new("conv_transpose2d").input("x").input("weight").output("y");
        let contract = if self.has_bias { contract.input("bias") } else { contract };
        contract.fusion(Fusion::Producer).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (image, shape) = self.geometry(inputs)?;
        Ok(vec![image.output(shape.channels_out, shape.output_extent())])
    }

    /// One multiply-add for each input element and weight of its channel, cut off or not.
    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let weights = inputs[1].dimensions[1..].iter().map(|dimension| dimension.bound() as u64);
        let macs = inputs[0].elements() as u64 * weights.product::<u64>();
        let axes = window::axes(inputs, if self.groups == 1 { "coij" } else { "cgij" });
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let inputs: Vec<Spec> = (0..backward.inputs()).map(|k| backward.input_spec(k)).collect();
        let (_, shape) = self.geometry(&inputs).expect("the shape rule accepted these inputs");
        let ConvTransposeShape { window, extent, groups, .. } = shape;
        let (x, weight, dy) = (backward.input(0), backward.input(1), backward.upstream(0));
        let dx = backward.wants(0).then(|| {
            let adjoint = conv2d().window(self.motion).groups(groups);
            // An output padding as large as the stride has room for further places.
            let dx = backward.apply(adjoint, &[dy, weight]);
            window::crop(backward, dx, extent)
        });
        let dweight = backward.wants(1).then(|| {
            let adjoint = conv2d_weight(window.kernel).window(self.motion).groups(groups);
            backward.apply(adjoint, &[dy, x])
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
            cube: convolution::OnCube::transposed(&shape)
        )
    }
}

/// All attributes, groups, both ranks, odd extents, nothing, bounded batches; wrong channels,
/// groups, kernels, paddings and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: ConvTranspose2d, x: &[usize], weight: &[usize]| {
        let mut inputs = vec![noise(1, x), noise(2, weight)];
        let channels_out = weight[1] * operator.groups;
        inputs.extend(operator.has_bias.then(|| noise(3, &[channels_out])));
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, inputs, expect)
    };
    let in_f64 = |name: &str, operator: ConvTranspose2d, x: &[usize], weight: &[usize]| {
        let bias = window::wide(3, &[weight[1] * operator.groups]);
        let inputs = vec![window::wide(1, x), window::wide(2, weight), bias];
        Sample::new(name, operator.clone(), inputs, by_definition(operator))
    };
    let rejected =
        |name: &str, operator: ConvTranspose2d, [x, weight]: [&[usize]; 2], port, dimension| {
            let mut specs = vec![Spec::f32(x.to_vec()), Spec::f32(weight.to_vec())];
            specs.extend(operator.has_bias.then(|| Spec::f32([5])));
            Sample::rejected(name, operator, specs, port, dimension)
        };
    let plain = conv_transpose2d;
    let all = || conv_transpose2d().stride([2, 3]).dilation([3, 2]).padding([2, 1, 0, 3]).bias();
    let (image, weight) = ([1, 4, 5, 5], [4, 6, 3, 3]);
    let bounded = vec![bounded_first(Element::F32, 5, &[4, 7, 9]), Spec::f32(weight)];
    let mixed = vec![Spec::f32(image), Spec::new(Element::F64, weight)];
    vec![
        case("plain", plain(), &[2, 3, 7, 11], &[3, 5, 3, 3]),
        case("one pixel, one tap", plain().bias(), &[1, 1, 1, 1], &[1, 1, 1, 1]),
        case("twice", plain().stride(2).bias(), &[1, 16, 13, 17], &[16, 8, 2, 2]),
        case("twice and one", plain().stride(2).bias(), &[1, 7, 11, 5], &[7, 19, 3, 3]),
        case("gaps", plain().stride(3).bias(), &[1, 3, 4, 5], &[3, 2, 2, 1]),
        case("same", plain().padding(1).bias(), &[1, 16, 13, 50], &[16, 37, 3, 3]),
        case("no batch", plain().stride(2).padding(1), &[3, 9, 8], &[3, 2, 5, 5]),
        case("all", all().output_padding([1, 2]), &[2, 5, 7, 11], &[5, 7, 2, 4]),
        case("groups", all().groups(3), &[2, 6, 7, 9], &[6, 4, 3, 2]),
        case("depthwise", all().groups(5), &[2, 5, 7, 11], &[5, 1, 3, 3]),
        case("cut to nothing", plain().padding(1), &[1, 2, 1, 3], &[2, 2, 2, 2]),
        case("empty batch", plain().bias(), &[0, 3, 4, 4], &[3, 2, 3, 3]),
        case("no channels", plain().bias(), &[1, 0, 4, 4], &[0, 2, 3, 3]),
        case("no filters", plain().bias(), &[1, 3, 4, 4], &[3, 0, 3, 3]),
        case("padded past a place", all().output_padding([2, 1]), &[1, 2, 4, 5], &[2, 3, 2, 2]),
        in_f64("f64", all().groups(3), &[2, 6, 5, 7], &[6, 2, 3, 2]),
        case("bounded batch", plain().stride(2), &[2, 4, 7, 9], &weight).with_specs(bounded),
        rejected("wrong channels", plain(), [&image, &[3, 6, 3, 3]], "weight", Some(0)),
        rejected("groups", plain().groups(3), [&image, &weight], "x", Some(1)),
        rejected("no groups", plain().groups(0), [&image, &weight], "x", Some(1)),
        rejected("wrong bias", plain().bias(), [&image, &weight], "bias", Some(0)),
        rejected("too much padding", plain().padding(4), [&image, &weight], "x", Some(2)),
        rejected("output padding", plain().output_padding(1), [&image, &weight], "x", None),
        rejected("no rows", plain(), [&[4, 0, 5], &weight], "x", Some(1)),
        rejected("no taps", plain(), [&image, &[4, 6, 3, 0]], "weight", Some(3)),
        rejected("no dilation", plain().dilation(0), [&image, &weight], "x", None),
        rejected("two dimensions", plain(), [&[5, 5], &weight], "x", None),
        Sample::rejected("f64", plain(), mixed, "weight", None),
    ]
}

/// The definition, pixel by pixel of the output.
fn by_definition(operator: ConvTranspose2d) -> Expect {
    let ConvTranspose2d { motion, output_padding, groups, .. } = operator;
    let Padding { top, bottom, left, right } = motion.padding;
    let (before, after) = ([top, left], [bottom, right]);
    let Motion { stride, dilation, .. } = motion;
    let sliding = Sliding { stride, dilation, before, after, groups, ..Sliding::PLAIN };
    reference(move |inputs| vec![transposed(inputs, &sliding, output_padding)])
}
