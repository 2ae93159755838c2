//! The family on accelerators: the formulas of the table once more, over the bits of two elements.
//!
//! For `f32`, `i32`, `u8` and `bool`. Nothing fails there: an integer remainder by 0 is some
//! number.

use cubecl::prelude::*;
use synfire_runtime::operator::{FireError, KernelError, Specs};
use synfire_runtime::spec::{Element, Spec};

use crate::device::broadcast::{Axes, axes};
use crate::device::kernel::{Call, CubeKernel, RowName, size};
use crate::device::real::{hypot, is_nan, logaddexp, power, quotient, remainder, rest};
use crate::device::words::{load, offset_of, per_word};
use crate::host::broadcast::{Walk, actual};

/// How the bits of the operands are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Numbers {
    /// As `f32`.
    Real,
    /// As `i32`.
    Whole,
    /// As `u8` or `bool`, four in a word.
    Byte,
}

pub(super) struct OnCube {
    name: RowName,
    numbers: Numbers,
    inputs: [Spec; 2],
    output: Spec,
}

impl OnCube {
    pub(super) fn new(name: &'static str, specs: &Specs<'_>) -> Result<Self, KernelError> {
        let numbers = match specs.inputs[0].element {
            Element::F32 => Numbers::Real,
            Element::I32 => Numbers::Whole,
            Element::U8 | Element::Bool => Numbers::Byte,
            _ => return Err(KernelError::Absent),
        };
        let inputs = [specs.inputs[0].clone(), specs.inputs[1].clone()];
        Ok(Self { name: RowName(name), numbers, inputs, output: specs.outputs[0].clone() })
    }
}

impl CubeKernel for OnCube {
    const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let [a, b] = [call.input(0), call.input(1)];
        let ports = [("a", &self.inputs[0], a.extents()), ("b", &self.inputs[1], b.extents())];
        let y = call.set_extents(0, &actual(&self.output.dimensions, &ports)?);
        let walk = Walk::new(&[&a.extents(), &b.extents()], &y.extents());
        let per_word = per_word(self.output.element);
        call.each(y.elements().div_ceil(per_word as usize), |client, cubes, units| {
            let Axes { extents, strides: [to_a, to_b, _] } = axes(&walk);
            binary::launch::<R>(
                client,
                cubes,
                units,
                a.array(),
                b.array(),
                y.array(),
                size(y.elements()),
                extents,
                to_a,
                to_b,
                self.name,
                self.numbers,
                per_word,
            );
        })
    }
}

#[cube(launch)]
fn binary(
    a: &Array<u32>,
    b: &Array<u32>,
    y: &mut Array<u32>,
    count: u32,
    extents: Sequence<u32>,
    to_a: Sequence<u32>,
    to_b: Sequence<u32>,
    #[comptime] name: RowName,
    #[comptime] numbers: Numbers,
    #[comptime] per_word: u32,
) {
    let word = ABSOLUTE_POS as u32;
    if word * per_word < count {
        let packed = comptime!(if numbers == Numbers::Byte { 4u32 } else { 1u32 });
        let mut bits = 0u32;
        #[unroll]
        for k in 0..per_word {
            let element = word * per_word + k;
            if element < count {
                let left = load(a, offset_of(element, 0u32, &extents, &to_a), packed);
                let right = load(b, offset_of(element, 0u32, &extents, &to_b), packed);
                let result = match comptime!(numbers) {
                    Numbers::Real => real(f32::reinterpret(left), f32::reinterpret(right), name),
                    Numbers::Whole => whole(i32::reinterpret(left), i32::reinterpret(right), name),
                    Numbers::Byte => byte(left, right, name),
                };
                bits |= result << comptime!(k * (32 / per_word));
            }
        }
        y[word as usize] = bits;
    }
}

/// `!(a == b)`, because devices take `a != b` to be false for a NaN.
#[cube]
fn real(a: f32, b: f32, #[comptime] name: RowName) -> u32 {
    match comptime!(name.0) {
        "add" => u32::reinterpret(a + b),
        "subtract" => u32::reinterpret(a - b),
        "multiply" => u32::reinterpret(a * b),
        "divide" => u32::reinterpret(a / b),
        "remainder" => u32::reinterpret(remainder(a, b)),
        "minimum" => u32::reinterpret(select(a < b || is_nan(a), a, b)),
        "maximum" => u32::reinterpret(select(a > b || is_nan(a), a, b)),
        "power" => u32::reinterpret(power(a, b)),
        "atan2" => u32::reinterpret(a.atan2(b)),
        "fmod" => u32::reinterpret(rest(a, b)),
        "floor_divide" => u32::reinterpret(quotient(a, b)),
        "hypot" => u32::reinterpret(hypot(a, b)),
        "logaddexp" => u32::reinterpret(logaddexp(a, b)),
        "gate" => u32::reinterpret(select(b > 0.0, a, 0.0)),
        "equal" => u32::cast_from(a == b),
        "not_equal" => u32::cast_from(!(a == b)),
        "less" => u32::cast_from(a < b),
        "less_equal" => u32::cast_from(a <= b),
        "greater" => u32::cast_from(a > b),
        "greater_equal" => u32::cast_from(a >= b),
        _ => comptime!(unreachable!("a row without a formula for accelerators")),
    }
}

#[cube]
fn whole(a: i32, b: i32, #[comptime] name: RowName) -> u32 {
    match comptime!(name.0) {
        "add" => u32::reinterpret(a + b),
        "subtract" => u32::reinterpret(a - b),
        "multiply" => u32::reinterpret(a * b),
        "remainder" => {
            let rest = a % b;
            let other_side = rest != 0 && (rest < 0) != (b < 0);
            u32::reinterpret(select(other_side, rest + b, rest))
        }
        "fmod" => u32::reinterpret(a % b),
        "floor_divide" => {
            let rest = a % b;
            let other_side = rest != 0 && (rest < 0) != (b < 0);
            u32::reinterpret(select(other_side, a / b - 1, a / b))
        }
        "minimum" => u32::reinterpret(select(a < b, a, b)),
        "maximum" => u32::reinterpret(select(a > b, a, b)),
        "equal" => u32::cast_from(a == b),
        "not_equal" => u32::cast_from(a != b),
        "less" => u32::cast_from(a < b),
        "less_equal" => u32::cast_from(a <= b),
        "greater" => u32::cast_from(a > b),
        "greater_equal" => u32::cast_from(a >= b),
        _ => comptime!(unreachable!("a row without a formula for accelerators")),
    }
}

#[cube]
fn byte(a: u32, b: u32, #[comptime] name: RowName) -> u32 {
    match comptime!(name.0) {
        "add" => (a + b) & 0xff,
        "subtract" => (a - b) & 0xff,
        "multiply" => (a * b) & 0xff,
        "remainder" | "fmod" => a % b,
        "floor_divide" => a / b,
        "minimum" => select(a < b, a, b),
        "maximum" => select(a > b, a, b),
        "equal" => u32::cast_from(a == b),
        "not_equal" => u32::cast_from(a != b),
        "less" => u32::cast_from(a < b),
        "less_equal" => u32::cast_from(a <= b),
        "greater" => u32::cast_from(a > b),
        "greater_equal" => u32::cast_from(a >= b),
        "logical_and" => a & b,
        "logical_or" => a | b,
        "logical_xor" => a ^ b,
        _ => comptime!(unreachable!("a row without a formula for accelerators")),
    }
}
