//! The product of matrices of bytes, exact in 32 bits:
//! `y[m, n] = sum over k of (a[m, k] - a_zero) * (b[n, k] - b_zero[n])`.
//!
//! Bytes stand for numbers as `scale * (byte - zero)`. A signed byte `s` is the byte `s + 128` with
//! a zero point that is 128 higher: there is one kind of byte.
//!
//! # Shape
//! `a`: `u8` `[.., inner]`, with any dimensions before, which may be bounded; `b`: `u8`
//! `[column, inner]`, as the weight of a linear layer, or `[inner, column]` with
//! [`IntegerMatmul::plain`]; `a_zero`: `i32` `[]`; `b_zero`: `i32` `[]` or `[column]`. `y`: `i32`
//! `[.., column]`.
//!
//! # Gradient
//! None: integers have no derivative.
//!
//! # Numerics
//! Exact while the sum fits 32 bits, so for zero points that are bytes up to an `inner` of 33 025;
//! beyond, it wraps.
//!
//! # Example
//! ```
//! use synfire_ops::quantise::integer_matmul::integer_matmul;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let [a, b] = [[1_u8, 2], [130, 126]].map(|bytes| Value::new(&[1, 2], &bytes));
//! let [a_zero, b_zero] = [0, 128].map(|zero| Value::new(&[], &[zero]));
//! let y = fire_once(&integer_matmul(), &[a, b, a_zero, b_zero])?;
//! assert_eq!(y[0].elements::<i32>(), [-2]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::cast_slice_mut;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, RANK_MAX, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::erased::shares;
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// Multiply-adds of a share of a core.
const SHARE: usize = 64 * 1024;

/// The product of bytes by the rows of `b`.
#[must_use]
pub fn integer_matmul() -> IntegerMatmul {
    IntegerMatmul { b_is_plain: false }
}

/// See [`integer_matmul`].
#[derive(Clone, Debug)]
pub struct IntegerMatmul {
    b_is_plain: bool,
}

impl IntegerMatmul {
    /// Takes `b` as `[inner, column]`.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.b_is_plain = true;
        self
    }

    /// Which axes of `b` are column and inner.
    fn b_axes(&self) -> [usize; 2] {
        if self.b_is_plain { [1, 0] } else { [0, 1] }
    }
}

impl Operator for IntegerMatmul {
    fn contract(&self) -> Contract {
        let contract = Contract::new("integer_matmul").input("a").input("b");
        let contract = contract.input("a_zero").input("b_zero").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (a, b) = (&inputs[0], &inputs[1]);
        require::element("a", a, &[Element::U8])?;
        require::element("b", b, &[Element::U8])?;
        require::axis("a", a, 0)?;
        require::rank("b", b, 2)?;
        let last = a.rank() - 1;
        let inner = require::fixed("a", a, last)?;
        let [column, b_inner] = self.b_axes();
        let columns = require::fixed("b", b, column)?;
        if b.dimensions[b_inner] != Dimension::Fixed(inner) {
            let wanted = format!("{inner}, as the last dimension of port a");
            return Err(SpecError::new("b", b.dimensions[b_inner], wanted).at(b_inner));
        }
        require::element("a_zero", &inputs[2], &[Element::I32])?;
        require::rank("a_zero", &inputs[2], 0)?;
        require::element("b_zero", &inputs[3], &[Element::I32])?;
        if inputs[3].rank() > 0 {
            require::alike("b_zero", &inputs[3], &Spec::new(Element::I32, [columns]), None)?;
        }
        let mut y = a.with_element(Element::I32);
        y.dimensions[last] = columns.into();
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let last = inputs[0].rank() - 1;
        let macs = outputs[0].elements() as u64 * inputs[0].bound(last) as u64;
        let (inner, column) = (last as u8, last as u8 + 1);
        let a: Vec<u8> = (0..column).collect();
        let b = self.b_axes().map(|axis| [column, inner][axis]).to_vec();
        let b_zero = inputs[3].dimensions.iter().map(|_| column).collect();
        let y = (0..inner).chain([column]).collect();
        let axes = Axes { inputs: vec![a, b, Vec::new(), b_zero], outputs: vec![y] };
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, _: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("integers have no derivative")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let b_is_plain = self.b_is_plain;
        on_device!(target, specs, host: OnHost { b_is_plain }, cube: cube::OnCube { b_is_plain })
    }
}

struct OnHost {
    b_is_plain: bool,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (a, b, mut y) = (firing.input(0), firing.input(1), firing.output(0));
        let a_zero = firing.input(2).elements::<i32>()[0];
        let b_zero = firing.input(3).elements::<i32>();
        let (extents, b_extents) = (a.extents(), b.extents());
        let last = extents.len() - 1;
        let columns = b_extents[usize::from(self.b_is_plain)];
        let mut own = [0; RANK_MAX];
        own[..last].copy_from_slice(&extents[..last]);
        own[last] = columns;
        y.set_extents(&own[..=last]);
        let inner = extents[last];
        if columns == 0 {
            return Ok(());
        }
        let (a, b) = (a.elements::<u8>(), b.elements::<u8>());
        let rows = SHARE.div_ceil(columns * inner.max(1));
        let bytes = rows * columns * size_of::<i32>();
        shares(firing.crew(), y.bytes(), bytes, &|first, piece| {
            let y: &mut [i32] = cast_slice_mut(piece);
            let row = first / size_of::<i32>() / columns;
            for (row, y) in (row..).zip(y.chunks_exact_mut(columns)) {
                let a = &a[row * inner..(row + 1) * inner];
                if self.b_is_plain {
                    by_columns(a, b, (a_zero, b_zero), y);
                } else {
                    by_rows(a, b, (a_zero, b_zero), y);
                }
            }
        });
        Ok(())
    }
}

/// `a - zero`, of 32 bits.
fn shifted(byte: u8, zero: i32) -> i32 {
    i32::from(byte).wrapping_sub(zero)
}

/// One row of `y` from `b` as `[column, inner]`.
fn by_rows(a: &[u8], b: &[u8], (a_zero, b_zero): (i32, &[i32]), y: &mut [i32]) {
    for (column, y) in y.iter_mut().enumerate() {
        let zero = b_zero[column % b_zero.len()];
        let b = &b[column * a.len()..(column + 1) * a.len()];
        *y = a.iter().zip(b).fold(0, |sum: i32, (&a, &b)| {
            sum.wrapping_add(shifted(a, a_zero).wrapping_mul(shifted(b, zero)))
        });
    }
}

/// One row of `y` from `b` as `[inner, column]`.
fn by_columns(a: &[u8], b: &[u8], (a_zero, b_zero): (i32, &[i32]), y: &mut [i32]) {
    y.fill(0);
    let columns = y.len();
    let mut total = 0_i32;
    for (&a, b) in a.iter().zip(b.chunks_exact(columns)) {
        let a = shifted(a, a_zero);
        total = total.wrapping_add(a);
        for (y, &b) in y.iter_mut().zip(b) {
            *y = y.wrapping_add(a.wrapping_mul(i32::from(b)));
        }
    }
    for (column, y) in y.iter_mut().enumerate() {
        *y = y.wrapping_sub(total.wrapping_mul(b_zero[column % b_zero.len()]));
    }
}

/// Both orders, one zero point and many, odd extents, the largest numbers, none, bounded; what does
/// not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let bytes = |key, extents: &[usize]| {
        let numbers = noise(key, extents).elements::<f32>();
        let bytes: Vec<u8> = numbers.iter().map(|x| ((x + 2.0) * 63.9) as u8).collect();
        Value::new(extents, &bytes)
    };
    let zero = |zero: i32| Value::new(&[], &[zero]);
    let zeros = |count: usize| {
        Value::new(&[count], &(0..count as i32).map(|k| 131 - 7 * k).collect::<Vec<_>>())
    };
    let case = |name: &str, operator: IntegerMatmul, inputs: [Value; 4]| {
        let axes = operator.b_axes();
        let expect = reference(move |inputs| vec![by_definition(inputs, axes)]);
        Sample::new(name, operator, inputs.to_vec(), expect)
    };
    let (rows, plain) = (integer_matmul, || integer_matmul().plain());
    let full = |extents: &[usize]| Value::new(extents, &vec![255_u8; extents.iter().product()]);
    let specs = |a: [usize; 2], b: [usize; 2], b_zero: usize| {
        let [a, b] = [a, b].map(|extents| Spec::new(Element::U8, extents));
        let zero = Spec::new::<usize>(Element::I32, []);
        vec![a, b, zero, Spec::new(Element::I32, [b_zero])]
    };
    let bounded = vec![bounded_first(Element::U8, 9, &[5]), Spec::new(Element::U8, [3, 5])];
    let zero_specs = [Spec::new::<usize>(Element::I32, []), Spec::new(Element::I32, [3])];
    let floats = vec![Spec::f32([2, 3]), Spec::f32([4, 3])];
    vec![
        case("rows", rows(), [bytes(1, &[7, 13]), bytes(2, &[5, 13]), zero(3), zeros(5)]),
        case("columns", plain(), [bytes(1, &[7, 13]), bytes(2, &[13, 5]), zero(3), zeros(5)]),
        case("one zero", rows(), [bytes(1, &[2, 3, 4]), bytes(2, &[5, 4]), zero(128), zero(9)]),
        case("vector", plain(), [bytes(1, &[17]), bytes(2, &[17, 3]), zero(128), zero(-9)]),
        case("largest", rows(), [full(&[2, 1031]), full(&[3, 1031]), zero(0), zero(0)]),
        case("one element", rows(), [bytes(1, &[1, 1]), bytes(2, &[1, 1]), zero(1), zero(2)]),
        case("no inner", rows(), [bytes(1, &[2, 0]), bytes(2, &[3, 0]), zero(1), zero(2)]),
        case("no columns", plain(), [bytes(1, &[2, 3]), bytes(2, &[3, 0]), zero(1), zero(2)]),
        case(
            "several shares",
            rows(),
            [bytes(1, &[31, 67]), bytes(2, &[61, 67]), zero(1), zero(2)],
        ),
        case("bounded", rows(), [bytes(1, &[4, 5]), bytes(2, &[3, 5]), zero(1), zeros(3)])
            .with_specs([bounded, zero_specs.to_vec()].concat()),
        Sample::rejected("inner", rows(), specs([2, 3], [4, 5], 4), "b", Some(1)),
        Sample::rejected("inner of columns", plain(), specs([2, 3], [4, 5], 5), "b", Some(0)),
        Sample::rejected("zero points", rows(), specs([2, 3], [4, 3], 3), "b_zero", Some(0)),
        Sample::rejected("floats", rows(), [floats, zero_specs.to_vec()].concat(), "a", None),
    ]
}

/// The definition, in `f64`, which is exact here.
fn by_definition(inputs: &[Tensor], [column, inner]: [usize; 2]) -> Tensor {
    let [a, b, a_zero, b_zero] = [0, 1, 2, 3].map(|input: usize| &inputs[input]);
    let mut extents = a.extents.clone();
    let last = extents.len() - 1;
    extents[last] = b.extents[column];
    Tensor::from_fn(&extents, |at| {
        let zero = b_zero.data[at[last] % b_zero.data.len()];
        let term = |k: usize| {
            let (mut left, mut right) = (at.to_vec(), [0; 2]);
            left[last] = k;
            (right[column], right[inner]) = (at[last], k);
            (a.at(&left) - a_zero.data[0]) * (b.at(&right) - zero)
        };
        (0..b.extents[inner]).map(term).sum()
    })
}
