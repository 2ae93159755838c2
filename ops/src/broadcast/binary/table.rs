//! How the family is written down: one row for each function, and what the samples make of it.

use synfire_runtime::operator::Operator;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::family::Binary;
use crate::sample::{Sample, Tensor, noise, reference};

/// The loop for one element type: `update` or `judge` with the formula.
macro_rules! part {
    (half $loop:ident, $half:ty, $a:ident, $b:ident, $formula:expr) => {{
        // In `f32`, rounded once.
        let part: Part = |walk, offset, y, a, b| {
            $loop((walk, offset), y, (a, b), |a: $half, b: $half| {
                let ($a, $b) = (f32::from(a), f32::from(b));
                <$half as Rounded<_>>::rounded($formula)
            });
        };
        Some(part)
    }};
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
            Element::F16 => part!(half update, half::f16, $($row)+),
            Element::BF16 => part!(half update, half::bf16, $($row)+),
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
            Element::F16 => part!(half judge, half::f16, $($row)+),
            Element::BF16 => part!(half judge, half::bf16, $($row)+),
            Element::I32 => part!(judge, i32, $($row)+),
            Element::I64 => part!(judge, i64, $($row)+),
            Element::U8 | Element::Bool => part!(judge, u8, $($row)+),
        }
    };
    (truths, $element:ident, $($row:tt)+) => {
        match $element {
            Element::Bool => part!(update, u8, $($row)+),
            _ => None,
        }
    };
}

/// A row is `name Kind elements: |a, b| formula, |a, b| expectation, |a, b, y, dy| (da, db)`; the
/// expectation is in `f64`. The last part is the gradient by each operand, of the extents of the
/// output, over [terms](crate::gradient::Term); rows that give truth values have none. A row that
/// lays a mark ends with `=> mark`.
macro_rules! rows {
    ($($(#[$doc:meta])*
    $name:ident $kind:ident $elements:ident:
        |$a:ident, $b:ident| $formula:expr, |$c:ident, $d:ident| $expected:expr
        $(, |$p:ident, $q:ident, $y:ident, $dy:ident| ($da:expr, $db:expr))?
        $(=> $mark:expr)?;)+) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name() -> Binary {
            const ROW: &Row = &Row {
                name: stringify!($name),
                kind: Kind::$kind,
                part: |element| parts!($elements, element, $a, $b, $formula),
                slopes: &[$(
                    |[$p, $q, $y, $dy]| {
                        let _ = [$p, $q, $y, $dy];
                        $da
                    },
                    |[$p, $q, $y, $dy]| {
                        let _ = [$p, $q, $y, $dy];
                        $db
                    },
                )?],
                mark: |contract| contract$(.mark($mark))?,
            };
            const {
                let judges = matches!(ROW.kind, Kind::Comparison | Kind::Logic);
                assert!(judges == ROW.slopes.is_empty(), "what gives numbers has derivatives");
            }
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
pub(super) use {part, parts, rows};

/// A row for the samples.
pub(super) struct Example {
    pub(super) operator: fn() -> Binary,
    pub(super) element: Element,
    pub(super) expected: fn(f64, f64) -> f64,
}

/// The element type of a row's plain samples.
pub(super) const fn element_of(elements: &str) -> Element {
    if elements.as_bytes()[0] == b't' { Element::Bool } else { Element::F32 }
}

impl Example {
    pub(super) fn sample(&self, name: &str, a: Value, b: Value) -> Sample {
        let (expected, element) = (self.expected, a.element);
        let expect = reference(move |inputs| {
            let y = Tensor::from_fn(&output_extents(&inputs[0], &inputs[1]), |index| {
                let y = expected(repeated(&inputs[0], index), repeated(&inputs[1], index));
                match element {
                    Element::U8 => y.rem_euclid(256.0),
                    Element::F16 => f64::from(half::f16::from_f64(y)),
                    Element::BF16 => f64::from(half::bf16::from_f64(y)),
                    _ => y,
                }
            });
            vec![y]
        });
        Sample::new(name, (self.operator)(), vec![a, b], expect)
    }

    /// Shapes that take every path of the walk, then every element type.
    pub(super) fn samples(&self) -> Vec<Sample> {
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
        let elements = Element::ALL.into_iter().filter(|&element| element != Element::F32);
        let known = elements.filter(|&element| {
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
        Element::F16 => {
            Value::new(extents, &values.into_iter().map(half::f16::from_f32).collect::<Vec<_>>())
        }
        Element::BF16 => {
            Value::new(extents, &values.into_iter().map(half::bf16::from_f32).collect::<Vec<_>>())
        }
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
