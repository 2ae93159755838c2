//! Pointwise functions of two inputs that are broadcast to each other: `y = f(a, b)`.
//!
//! Each function is one row of the table below: its documentation, its formula, and for the
//! samples the same function written another way. [`add`], [`less`], [`logical_and`] and the others
//! are the constructors.
//!
//! # Shape
//! `a`, `b`: of one element type, aligned at their last dimension, each dimension equal or 1 ->
//! `y`: the larger of each. A bounded dimension matches only an equal bounded dimension or a fixed
//! 1; two bounded dimensions must have the same actual extents, else the firing fails. Comparisons
//! give `bool`. The output takes the place of `a` where its spec is that of `a`; with a constant
//! `b`, arithmetic is a stage of fused pieces.
//!
//! # Gradient
//! `da = f_a(a, b) * dy` and `db = f_b(a, b) * dy`, each summed over the axes that it was repeated
//! along. Of two equal inputs of `minimum` and `maximum` each gets half. Comparisons and logic have
//! none.
//!
//! # Numerics
//! As PyTorch's function of the same name. Integers wrap. `minimum` and `maximum` are NaN where an
//! input is; comparisons with NaN are false but for `not_equal`. `divide`, `power` and `atan2` take
//! floats only, so that no integer is rounded unasked. Integer `remainder` by 0 fails the firing
//! on the host, and is any number on an accelerator.
//!
//! # Example
//! ```
//! use synfire_ops::broadcast::binary::{add, less};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let column = Value::new(&[2, 1], &[1.0_f32, 2.0]);
//! let row = Value::new(&[3], &[0.0_f32, 10.0, 20.0]);
//! let sum = fire_once(&add(), &[column.clone(), row.clone()])?;
//! assert_eq!(sum[0].elements::<f32>(), [1.0, 11.0, 21.0, 2.0, 12.0, 22.0]);
//! assert_eq!(fire_once(&less(), &[column, row])?[0].elements::<u8>(), [0, 1, 1, 0, 1, 1]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::operator::Operator;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::host::number::Number;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

#[cfg(feature = "cube")]
mod cube; // the formulas on accelerators
mod family; // the operator behind all rows
pub use family::Binary;
use family::{Kind, Part, Row, judge, update};

/// The loop for one element type: `update` or `judge` with the formula.
macro_rules! part {
    ($loop:ident, $scalar:ty, $a:ident, $b:ident, $formula:expr) => {{
        let part: Part = |walk, offset, y, a, b| {
            $loop((walk, offset), y, (a, b), |$a: $scalar, $b: $scalar| $formula);
        };
        Some(part)
    }};
}

/// The loops of a row by the element types that it takes.
macro_rules! parts {
    (floats, $element:ident, $($row:tt)+) => {
        match $element {
            Element::F32 => part!(update, f32, $($row)+),
            Element::F64 => part!(update, f64, $($row)+),
            _ => None,
        }
    };
    (numbers, $element:ident, $($row:tt)+) => {
        match $element {
            Element::I32 => part!(update, i32, $($row)+),
            Element::I64 => part!(update, i64, $($row)+),
            Element::U8 => part!(update, u8, $($row)+),
            _ => parts!(floats, $element, $($row)+),
        }
    };
    (ordered, $element:ident, $($row:tt)+) => {
        match $element {
            Element::F32 => part!(judge, f32, $($row)+),
            Element::F64 => part!(judge, f64, $($row)+),
            Element::I32 => part!(judge, i32, $($row)+),
            Element::I64 => part!(judge, i64, $($row)+),
            Element::U8 | Element::Bool => part!(judge, u8, $($row)+),
            _ => None,
        }
    };
    (truths, $element:ident, $($row:tt)+) => {
        match $element {
            Element::Bool => part!(update, u8, $($row)+),
            _ => None,
        }
    };
}

/// A row is `name Kind elements: |a, b| formula, |a, b| expectation`; the expectation is in `f64`.
macro_rules! rows {
    ($($(#[$doc:meta])*
    $name:ident $kind:ident $elements:ident:
        |$a:ident, $b:ident| $formula:expr, |$c:ident, $d:ident| $expected:expr;)+) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name() -> Binary {
            const ROW: &Row = &Row {
                name: stringify!($name),
                kind: Kind::$kind,
                part: |element| parts!($elements, element, $a, $b, $formula),
            };
            Binary::new(ROW)
        })+

        /// Every row, an element type that it takes, and its expectation.
        const EXAMPLES: &[Example] = &[$(Example {
            operator: $name,
            element: element_of(stringify!($elements)),
            expected: |$c, $d| f64::from($expected),
        },)+];
    };
}

rows! {
    /// `a + b`.
    add Arithmetic numbers: |a, b| a.plus(b), |a, b| b - (0.0 - a);
    /// `a - b`.
    subtract Arithmetic numbers: |a, b| a.minus(b), |a, b| -b + a;
    /// `a * b`.
    multiply Arithmetic numbers: |a, b| a.times(b), |a, b| a.mul_add(b, 0.0);
    /// `a / b`.
    divide Arithmetic floats: |a, b| a / b, |a, b| a * b.powi(-1);
    /// `a - floor(a / b) * b`: the rest has the sign of `b`.
    remainder Division numbers: |a, b| a.modulo(b), |a, b| a - (a / b).floor() * b;
    /// The smaller one; NaN where one is.
    minimum Arithmetic numbers: |a, b| if a < b || a.is_nan() { a } else { b },
        |a, b| 0.5 * (a + b - (a - b).abs());
    /// The larger one; NaN where one is.
    maximum Arithmetic numbers: |a, b| if a > b || a.is_nan() { a } else { b },
        |a, b| 0.5 * (a + b + (a - b).abs());
    /// `a` to the power `b`; NaN for a negative `a` and a `b` that is no whole number.
    power Arithmetic floats: |a, b| a.powf(b), |a, b| (b * a.ln()).exp();
    /// The angle of the point `(b, a)` in radians, from -pi to pi.
    atan2 Arithmetic floats: |a, b| a.atan2(b), |a, b| 2.0 * (a / (a.hypot(b) + b)).atan();
    /// Whether `a = b`.
    equal Comparison ordered: |a, b| a == b, |a, b| (a - b).abs() <= 0.0;
    /// Whether `a` differs from `b`.
    not_equal Comparison ordered: |a, b| a != b, |a, b| (a - b).abs() > 0.0;
    /// Whether `a < b`.
    less Comparison ordered: |a, b| a < b, |a, b| b - a > 0.0;
    /// Whether `a <= b`.
    less_equal Comparison ordered: |a, b| a <= b, |a, b| b - a >= 0.0;
    /// Whether `a > b`.
    greater Comparison ordered: |a, b| a > b, |a, b| b - a < 0.0;
    /// Whether `a >= b`.
    greater_equal Comparison ordered: |a, b| a >= b, |a, b| b - a <= 0.0;
    /// Whether both are true.
    logical_and Logic truths: |a, b| a & b, |a, b| a * b;
    /// Whether one is true, or both.
    logical_or Logic truths: |a, b| a | b, |a, b| a + b - a * b;
    /// Whether exactly one is true. With a true constant it is *not*.
    logical_xor Logic truths: |a, b| a ^ b, |a, b| (a - b).abs();
}

/// A row for the samples.
struct Example {
    operator: fn() -> Binary,
    element: Element,
    expected: fn(f64, f64) -> f64,
}

/// The element type of a row's plain samples.
const fn element_of(elements: &str) -> Element {
    if elements.as_bytes()[0] == b't' { Element::Bool } else { Element::F32 }
}

impl Example {
    fn sample(&self, name: &str, a: Value, b: Value) -> Sample {
        let (expected, is_byte) = (self.expected, a.element == Element::U8);
        let expect = reference(move |inputs| {
            let y = Tensor::from_fn(&output_extents(&inputs[0], &inputs[1]), |index| {
                let y = expected(repeated(&inputs[0], index), repeated(&inputs[1], index));
                if is_byte { y.rem_euclid(256.0) } else { y }
            });
            vec![y]
        });
        Sample::new(name, (self.operator)(), vec![a, b], expect)
    }

    /// Shapes that take every path of the walk, then every element type.
    fn samples(&self) -> Vec<Sample> {
        let shapes: [(&str, &[usize], &[usize]); 9] = [
            ("equal shapes", &[5, 37], &[5, 37]),
            ("scalar", &[3, 7], &[]),
            ("row", &[3, 7], &[7]),
            ("channel", &[2, 3, 5, 7], &[3, 1, 1]),
            ("smaller a", &[1, 3], &[2, 11, 1]),
            ("eight dimensions", &[2, 1, 2, 1, 2, 1, 2, 3], &[3, 1, 2, 2, 3, 1, 3]),
            ("one element", &[], &[1]),
            ("empty", &[0, 3], &[3]),
            ("many", &[2, 16_411], &[2, 1]),
        ];
        let mut samples: Vec<Sample> = shapes
            .into_iter()
            .map(|(name, a, b)| self.sample(name, of(self.element, 1, a), of(self.element, 2, b)))
            .collect();
        let elements = [Element::F64, Element::I32, Element::I64, Element::U8, Element::Bool];
        let known = elements.into_iter().filter(|&element| {
            (self.operator)().shape(&[Spec::new(element, [1]), Spec::new(element, [1])]).is_ok()
        });
        samples.extend(known.map(|element| {
            let name = format!("of {element}");
            self.sample(&name, of(element, 3, &[4, 13]), of(element, 4, &[13]))
        }));
        samples
    }
}

/// Noise of an element type: a few whole numbers where it is none of floats, 0 only as false.
fn of(element: Element, key: u64, extents: &[usize]) -> Value {
    let noise = noise(key, extents);
    let values = noise.elements::<f32>();
    let whole = values.iter().map(|x| if *x < 0.0 { x * 3.0 - 1.0 } else { x * 3.0 + 1.0 } as i8);
    match element {
        Element::F32 => noise,
        Element::F64 => Value::new(extents, &values.into_iter().map(f64::from).collect::<Vec<_>>()),
        Element::I32 => Value::new(extents, &whole.map(i32::from).collect::<Vec<_>>()),
        Element::I64 => Value::new(extents, &whole.map(i64::from).collect::<Vec<_>>()),
        Element::U8 => Value::new(extents, &whole.map(|n| n.unsigned_abs()).collect::<Vec<_>>()),
        _ => Value::from_bytes(element, extents, whole.map(|n| u8::from(n > 0)).collect()),
    }
}

/// The extents of two tensors that are broadcast to each other.
fn output_extents(a: &Tensor, b: &Tensor) -> Vec<usize> {
    let rank = a.extents.len().max(b.extents.len());
    let extent = |x: &Tensor, back: usize| x.extents.iter().rev().nth(back).copied().unwrap_or(1);
    let pair = |back| if extent(a, back) == 1 { extent(b, back) } else { extent(a, back) };
    (0..rank).rev().map(pair).collect()
}

/// The element of a tensor that belongs to an index of the output.
fn repeated(x: &Tensor, index: &[usize]) -> f64 {
    let own = &index[index.len() - x.extents.len()..];
    let own: Vec<usize> = own.iter().zip(&x.extents).map(|(&i, &n)| i.min(n - 1)).collect();
    x.at(&own)
}

/// For each row every path and element type; NaN, wrapping, bounded ports, and what does not match.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let nan = || [Value::new(&[2], &[f32::NAN, 1.0]), Value::new(&[2], &[1.0, f32::NAN])];
    let literal = |y: [f64; 2]| Expect::Outputs(vec![Tensor::new(&[2], y.to_vec())]);
    let pair = |name: &str, operator: Binary, [a, b]: [Value; 2], y| {
        Sample::new(name, operator, vec![a, b], literal(y))
    };
    let wrapped = [Value::new(&[2], &[i32::MAX, 1]), Value::new(&[], &[1])];
    let signs = [Value::new(&[2], &[-7, 7]), Value::new(&[2], &[3, -3])];
    let up_to = |n, rest: &[usize]| bounded_first(Element::F32, n, rest);
    let bounded = pair("bounded", add(), [noise(5, &[2]), noise(6, &[2])], [0.0; 2]);
    let bounded = Sample {
        expect: reference(|x| {
            let sums = x[0].data.iter().zip(&x[1].data).map(|(a, b)| a + b);
            vec![Tensor::new(&x[0].extents, sums.collect())]
        }),
        ..bounded.with_specs(vec![up_to(9, &[]), up_to(9, &[])])
    };
    let integers = || Spec::new(Element::I64, [Dimension::Fixed(3)]);
    let mut samples: Vec<Sample> = EXAMPLES.iter().flat_map(Example::samples).collect();
    samples.extend([
        pair("NaN", maximum(), nan(), [f64::NAN; 2]),
        pair("NaN", minimum(), nan(), [f64::NAN; 2]),
        pair("NaN", less_equal(), nan(), [0.0; 2]),
        pair("NaN", not_equal(), nan(), [1.0; 2]),
        pair("wrapping", add(), wrapped, [f64::from(i32::MIN), 2.0]),
        pair("signs", remainder(), signs, [2.0, -2.0]),
        bounded,
        Sample::rejected(
            "mismatch",
            add(),
            two(Spec::f32([4, 3]), Spec::f32([2, 3])),
            "b",
            Some(0),
        ),
        Sample::rejected("bounds", add(), two(up_to(9, &[]), up_to(8, &[])), "b", Some(0)),
        Sample::rejected(
            "bound and fixed",
            add(),
            two(up_to(9, &[]), Spec::f32([9])),
            "b",
            Some(0),
        ),
        Sample::rejected("mixed elements", add(), two(Spec::f32([3]), integers()), "b", None),
        Sample::rejected("integer quotient", divide(), two(integers(), integers()), "a", None),
        Sample::rejected("numbers", logical_and(), two(integers(), integers()), "a", None),
    ]);
    samples
}

fn two(a: Spec, b: Spec) -> Vec<Spec> {
    vec![a, b]
}
