//! Change of element type: `y = x` as another type.
//!
//! # Shape
//! `x`: any -> `y`: the same dimensions, with the element type asked for.
//!
//! # Gradient
//! `dx = dy`, cast back, between floats; none to or from integers and `bool`.
//!
//! # Numerics
//! As Rust's `as`. A float goes to the nearest float, the even one of two. A float goes to an
//! integer towards zero; beyond the integer's range it becomes the nearest end, and NaN becomes 0,
//! where PyTorch leaves the result to the machine. An integer goes to a narrower one by its low
//! bits, as in PyTorch. To `bool`: whether it differs from 0, so NaN is true. From `bool`: 0 or 1.
//!
//! # Example
//! ```
//! use synfire_ops::broadcast::cast::cast;
//! use synfire_runtime::{solo::fire_once, spec::Element, value::Value};
//!
//! let y = fire_once(&cast(Element::I32), &[Value::new(&[3], &[-1.9_f32, 2.5, 1e30])])?;
//! assert_eq!(y[0].elements::<i32>(), [-1, 2, i32::MAX]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{cast_slice, cast_slice_mut};
use half::{bf16, f16};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Scalar, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::erased::parts;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod names; // what PyTorch calls it
mod onnx; // what ONNX calls it
pub use names::TORCH;
pub use onnx::ONNX;

/// The same numbers as elements of another type.
#[must_use]
pub fn cast(element: Element) -> Cast {
    Cast { element }
}

/// See [`cast`].
#[derive(Clone, Debug)]
pub struct Cast {
    element: Element,
}

impl Operator for Cast {
    fn contract(&self) -> Contract {
        Contract::new("cast").input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        Ok(vec![inputs[0].with_element(self.element)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let from = backward.input_spec(0).element;
        if !from.is_float() {
            return Gradient::Absent("its input is no float");
        }
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(cast(from), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let [from, to] = [specs.inputs[0].element, self.element];
        on_device!(
            target,
            specs,
            host: OnHost { on_host: on_host(from, to), from, to },
            cube: cube::OnCube::new(from, to)?
        )
    }
}

/// Converts a slice, both given as bytes.
type Convert = fn(&[u8], &mut [u8]);

struct OnHost {
    on_host: Convert,
    from: Element,
    to: Element,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        y.set_extents(&x.extents());
        let (x, [from, to]) = (x.bytes(), [self.from.bytes(), self.to.bytes()]);
        parts(crew, y.bytes(), self.to, &|offset, part| {
            (self.on_host)(&x[offset * from..][..part.len() / to * from], part);
        });
        Ok(())
    }
}

/// A number on its way from one type to another: every element type fits one of the two exactly.
enum Wide {
    Float(f64),
    Integer(i64),
}

/// An element type that can be cast.
trait Number: Scalar {
    fn widen(self) -> Wide;
    fn narrow(wide: Wide) -> Self;
}

macro_rules! numbers {
    ($($number:ty: $wide:ident($widen:expr), $float:expr, $integer:expr;)+) => {
        $(impl Number for $number {
            #[inline]
            fn widen(self) -> Wide {
                Wide::$wide($widen(self))
            }
            #[inline]
            fn narrow(wide: Wide) -> Self {
                match wide {
                    Wide::Float(x) => $float(x),
                    Wide::Integer(n) => $integer(n),
                }
            }
        })+
    };
}
numbers! {
    f32: Float(f64::from), |x| x as f32, |n| n as f32;
    f64: Float(f64::from), |x| x, |n| n as f64;
    // Integers that a 16-bit float can tell apart are exact in `f64`.
    f16: Float(f64::from), f16::from_f64, |n| f16::from_f64(n as f64);
    bf16: Float(f64::from), bf16::from_f64, |n| bf16::from_f64(n as f64);
    i32: Integer(i64::from), |x| x as i32, |n| n as i32;
    i64: Integer(i64::from), |x| x as i64, |n| n;
    u8: Integer(i64::from), |x| x as u8, |n| n as u8;
}

/// The conversion of one element type to another.
fn on_host(from: Element, to: Element) -> Convert {
    match from {
        Element::F32 => from_number::<f32>(to),
        Element::F16 => from_number::<f16>(to),
        Element::BF16 => from_number::<bf16>(to),
        Element::F64 => from_number::<f64>(to),
        Element::I32 => from_number::<i32>(to),
        Element::I64 => from_number::<i64>(to),
        Element::U8 | Element::Bool => from_number::<u8>(to),
    }
}

fn from_number<S: Number>(to: Element) -> Convert {
    match to {
        Element::F32 => to_number::<S, f32>,
        Element::F16 => to_number::<S, f16>,
        Element::BF16 => to_number::<S, bf16>,
        Element::F64 => to_number::<S, f64>,
        Element::I32 => to_number::<S, i32>,
        Element::I64 => to_number::<S, i64>,
        Element::U8 => to_number::<S, u8>,
        Element::Bool => |x, y| {
            convert::<S, u8>(x, y, |value| match value.widen() {
                Wide::Float(x) => u8::from(x != 0.0),
                Wide::Integer(n) => u8::from(n != 0),
            });
        },
    }
}

fn to_number<S: Number, T: Number>(x: &[u8], y: &mut [u8]) {
    convert::<S, T>(x, y, |value| T::narrow(value.widen()));
}

#[inline]
fn convert<S: Scalar, T: Scalar>(x: &[u8], y: &mut [u8], one: impl Fn(S) -> T) {
    let (x, y) = (cast_slice::<u8, S>(x), cast_slice_mut::<u8, T>(y));
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = one(x));
}

/// Every pair of types on numbers that all of them hold; ends of ranges, NaN, ties; odd sizes.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let same = || reference(|inputs| inputs.to_vec());
    let few = [0_u8, 1, 1, 0, 1];
    let small = |element: Element| {
        let ones = Value::new(&[few.len()], &few);
        let mut bytes = vec![0; few.len() * element.bytes()];
        on_host(Element::U8, element)(ones.bytes(), &mut bytes);
        Value::from_bytes(element, &[few.len()], bytes)
    };
    let pairs = Element::ALL.into_iter().flat_map(|from| Element::ALL.map(|to| (from, to)));
    let mut samples: Vec<Sample> = pairs
        .map(|(from, to)| {
            Sample::new(format!("{from} to {to}"), cast(to), vec![small(from)], same())
        })
        .collect();
    let literal = |name: &str, to, x: Value, y: &[f64]| {
        let expect = Expect::Outputs(vec![Tensor::new(&x.extents, y.to_vec())]);
        Sample::new(name, cast(to), vec![x], expect)
    };
    let far = || Value::new(&[5], &[1e30_f64, -1e30, f64::NAN, -1.9, 300.0]);
    let (low, high) = (f64::from(i32::MIN), f64::from(i32::MAX));
    samples.extend([
        literal("floats to i32", Element::I32, far(), &[high, low, 0.0, -1.0, 300.0]),
        literal("floats to u8", Element::U8, far(), &[255.0, 0.0, 0.0, 0.0, 255.0]),
        literal("floats to bool", Element::Bool, far(), &[1.0; 5]),
        literal("low bits", Element::U8, Value::new(&[3], &[256, -1, 511]), &[0.0, 255.0, 255.0]),
        literal("ties", Element::F16, Value::new(&[2], &[2049, 2051]), &[2048.0, 2052.0]),
        literal("ties", Element::BF16, Value::new(&[2], &[257_i64, 259]), &[256.0, 260.0]),
        literal("scalar", Element::I64, Value::new(&[], &[-3_i32]), &[-3.0]),
        Sample::new("empty", cast(Element::U8), vec![noise(1, &[0, 3])], same()),
        Sample::new("many", cast(Element::F64), vec![noise(2, &[16_411, 3])], same()),
        Sample::new("bounded", cast(Element::F64), vec![noise(3, &[5, 2])], same())
            .with_specs(vec![bounded_first(Element::F32, 9, &[2])]),
    ]);
    samples
}
