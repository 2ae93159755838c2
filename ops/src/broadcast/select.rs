//! Choice by a condition: `y = a` where the condition holds, else `b`.
//!
//! # Shape
//! `condition`: `bool`; `a`, `b`: of one element type, any; all three are broadcast to each other
//! as by [`add`](super::binary::add) -> `y`: the element type of `a`. The output takes the place of
//! `a` where its spec is that of `a`.
//!
//! # Gradient
//! `da = dy` where the condition holds, else 0; `db` the other way round; each summed over the axes
//! that it was repeated along.
//!
//! # Numerics
//! Exact: bits are copied, and what is not chosen has no influence, so a NaN there is harmless.
//!
//! # Example
//! ```
//! use synfire_ops::broadcast::{binary::greater, select::where_};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (x, zero) = (Value::new(&[3], &[-1.0_f32, 2.0, f32::NAN]), Value::new(&[], &[0.0_f32]));
//! let positive = fire_once(&greater(), &[x.clone(), zero.clone()])?.remove(0);
//! let y = fire_once(&where_(), &[positive, x, zero])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 2.0, 0.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::gradient::{formula, sum_to};
use crate::host::broadcast::{Operand, Walk, actual, axes, common};
use crate::host::erased::parts;
use crate::host::strided::by_size;
use crate::marks::Choice;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod names; // what PyTorch calls it
mod onnx; // what ONNX calls it
pub use names::TORCH;
pub use onnx::ONNX;

/// `a` where `condition` holds, else `b`.
#[must_use]
pub fn where_() -> Where {
    Where
}

/// See [`where_`].
#[derive(Clone, Debug)]
pub struct Where;

impl Operator for Where {
    fn contract(&self) -> Contract {
        Contract::new("where")
            .input("condition")
            .input("a")
            .input("b")
            .output("y")
            .in_place(1, 0)
            .tolerance(Tolerance::EXACT)
            .mark(Choice)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [condition, a, b] = [&inputs[0], &inputs[1], &inputs[2]];
        if condition.element != Element::Bool {
            return Err(SpecError::new("condition", condition.element, Element::Bool));
        }
        if b.element != a.element {
            let error = SpecError::new("b", b.element, format!("{}, as port a", a.element));
            return Err(error.hint("cast one of them before"));
        }
        let dimensions = common(&[("condition", condition), ("a", a), ("b", b)])?;
        Ok(vec![Spec { element: a.element, dimensions }])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, axes(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let operands = [0, 1, 2].map(|port| backward.input(port));
        if !backward.input_spec(1).element.is_float() {
            return Gradient::Of(vec![None; 3]);
        }
        let wires = [operands[0], backward.upstream(0)];
        let mut by = |port: usize| {
            backward.wants(port).then(|| {
                let dx = formula(backward, wires, |[condition, dy]| match port {
                    1 => condition.choose(dy, dy.zeros()).wire,
                    _ => condition.choose(dy.zeros(), dy).wire,
                });
                sum_to(backward, dx, operands[port])
            })
        };
        Gradient::Of(vec![None, by(1), by(2)])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: OnHost { inputs: specs.inputs.to_vec(), output: specs.outputs[0].clone() },
            cube: cube::OnCube { inputs: specs.inputs.to_vec(), output: specs.outputs[0].clone() }
        )
    }
}

struct OnHost {
    inputs: Vec<Spec>,
    output: Spec,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, condition, b) = (firing.crew(), firing.input(0), firing.input(2));
        let (a, mut y) = match firing.pair(1, 0) {
            Pair::Same(y) => (None, y),
            Pair::Distinct(a, y) => (Some(a), y),
        };
        let a_extents = a.map_or_else(|| y.extents(), |a| a.extents());
        let ports = [
            ("condition", &self.inputs[0], condition.extents()),
            ("a", &self.inputs[1], a_extents),
            ("b", &self.inputs[2], b.extents()),
        ];
        y.set_extents(&actual(&self.output.dimensions, &ports)?);
        let walk = Walk::new(&[&condition.extents(), &a_extents, &b.extents()], &y.extents());
        let operands = (condition.bytes(), a.map(|a| a.bytes()), b.bytes());
        let element = self.output.element;
        parts(crew, y.bytes(), element, &|offset, y| {
            by_size!(element, on_host((&walk, offset), y, operands));
        });
        Ok(())
    }
}

/// Chooses elements of the size of `T`; where `a` is absent, `y` holds it.
fn on_host<T: Pod>(
    (walk, offset): (&Walk, usize),
    y: &mut [u8],
    (condition, a, b): (&[u8], Option<&[u8]>, &[u8]),
) {
    let (y, a, b) = (cast_slice_mut::<u8, T>(y), a.map(cast_slice::<u8, T>), cast_slice(b));
    walk.runs(offset..offset + y.len(), |run| {
        let y = &mut y[run.range.clone()];
        if let Some(a) = a {
            run.operand(1, a).copy_to(y);
        }
        let b = run.operand(2, b);
        match run.operand(0, condition) {
            Operand::One(0) => b.copy_to(y),
            Operand::One(_) => {}
            Operand::Each(condition) => b.copy_where_not(condition, y),
        }
    });
}

/// Shapes that take every path, each element size, a NaN not chosen, bounded ports, mismatches.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let shapes: [(&str, [&[usize]; 3]); 6] = [
        ("equal shapes", [&[5, 37]; 3]),
        ("condition per row", [&[3, 1], &[3, 7], &[7]]),
        ("scalars", [&[2, 3, 5], &[], &[1]]),
        ("one condition", [&[], &[4, 3], &[3]]),
        ("empty", [&[0, 3], &[3], &[]]),
        ("many", [&[2, 16_411], &[2, 1], &[16_411]]),
    ];
    let mut samples: Vec<Sample> = shapes
        .into_iter()
        .map(|(name, [condition, a, b])| {
            let inputs = vec![truths(1, condition), noise(2, a), noise(3, b)];
            Sample::new(name, where_(), inputs, reference(by_arithmetic))
        })
        .collect();
    let of_size = |name: &str, a: Value, b: Value| {
        let condition = Value::from_bytes(Element::Bool, &[2], vec![1, 0]);
        let literal = Expect::Outputs(vec![Tensor::new(&[2], vec![1.0, 4.0])]);
        Sample::new(name, where_(), vec![condition, a, b], literal)
    };
    let bits = |values: [f32; 2]| Value::new(&[2], &values.map(half::bf16::from_f32));
    let bound = |element| bounded_first(element, 5, &[]);
    let specs = |condition: Element, a: usize, b: usize| {
        vec![Spec::new(condition, [3]), Spec::f32([a]), Spec::f32([b])]
    };
    let integers = vec![
        Spec::new(Element::Bool, [3]),
        Spec::f32([3]),
        Spec::new(Element::I32, [Dimension::Fixed(3)]),
    ];
    samples.extend([
        of_size("u8", Value::new(&[2], &[1_u8, 2]), Value::new(&[2], &[3_u8, 4])),
        of_size("bf16", bits([1.0, 2.0]), bits([3.0, 4.0])),
        of_size("i64", Value::new(&[2], &[1_i64, 2]), Value::new(&[2], &[3_i64, 4])),
        of_size("NaN", Value::new(&[2], &[1.0, f32::NAN]), Value::new(&[2], &[f32::NAN, 4.0])),
        of_size("bounded", Value::new(&[2], &[1.0_f32, 2.0]), Value::new(&[2], &[3.0_f32, 4.0]))
            .with_specs(vec![bound(Element::Bool), bound(Element::F32), bound(Element::F32)]),
        Sample::rejected("no condition", where_(), specs(Element::U8, 3, 3), "condition", None),
        Sample::rejected("mismatch", where_(), specs(Element::Bool, 3, 4), "b", Some(0)),
        Sample::rejected("mixed elements", where_(), integers, "b", None),
    ]);
    samples
}

/// Truth values, about half of them true.
fn truths(key: u64, extents: &[usize]) -> Value {
    let bytes = noise(key, extents).elements::<f32>().into_iter().map(|x| u8::from(x > 0.0));
    Value::from_bytes(Element::Bool, extents, bytes.collect())
}

/// The expectation for finite values: `b + condition * (a - b)`, over the index of the output.
fn by_arithmetic(inputs: &[Tensor]) -> Vec<Tensor> {
    let rank = inputs.iter().map(|x| x.extents.len()).max().unwrap_or(0);
    let mut extents = vec![1; rank];
    for x in inputs {
        let missing = rank - x.extents.len();
        for (axis, &extent) in x.extents.iter().enumerate().filter(|(_, extent)| **extent != 1) {
            extents[missing + axis] = extent;
        }
    }
    vec![Tensor::from_fn(&extents, |index| {
        let [condition, a, b] = [0, 1, 2].map(|port: usize| {
            let x = &inputs[port];
            let own = index[rank - x.extents.len()..].iter().zip(&x.extents);
            x.at(&own.map(|(i, n)| i % n).collect::<Vec<_>>())
        });
        b + condition * (a - b)
    })]
}
