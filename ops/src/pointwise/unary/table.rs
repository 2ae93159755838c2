//! How families of pointwise functions are written down: one row for each, which cannot leave its
//! derivative or its expectation out.

use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::family::{Parameters, Unary};
use crate::sample::{Sample, Tensor, noise, reference};

/// A row is `name(parameter = value in samples, ...) TOLERANCE: |x| formula, |x| expectation,
/// |x, y| derivative => mark`, the last for rows that lay a mark. The formula is generic over
/// `R: Real`, the expectation is in `f64`; the derivative is a number where it is constant, else a
/// formula over [terms](crate::gradient::Term).
macro_rules! rows {
    ($($(#[$doc:meta])*
    $name:ident($($parameter:ident = $value:expr),*) $tolerance:ident:
        |$x:ident| $formula:expr, |$z:ident| $expected:expr,
        |$u:ident, $v:ident| $slope:expr $(=> $mark:expr)?;)+
    ) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name($($parameter: f64),*) -> $crate::pointwise::unary::Unary {
            use $crate::host::real::Real;
            use $crate::pointwise::unary::family::{Parameters, Row, Slope, Unary, each};
            use $crate::gradient::Term;

            fn formula<R: Real>($x: R, [$($parameter,)* ..]: [R; 2]) -> R {
                $formula
            }
            fn derivative<'a>(
                $u: Term<'a>,
                $v: Term<'a>,
                [$($parameter,)* ..]: Parameters,
            ) -> Slope<'a> {
                $(let _ = $parameter;)*
                Slope::from($slope)
            }
            const ROW: &Row = &Row {
                name: stringify!($name),
                tolerance: synfire_runtime::operator::Tolerance::$tolerance,
                on_f32: |values, parameters| each(values, parameters, formula::<f32>),
                on_f64: |values, parameters| each(values, parameters, formula::<f64>),
                slope: derivative,
                mark: |contract, [$($parameter,)* ..]| {
                    $(let _ = $parameter;)*
                    contract$(.mark($mark))?
                },
            };
            Unary::new(ROW, &[$($parameter),*])
        })+

        /// Every row with parameters for the samples and its expectation.
        fn examples() -> Vec<$crate::pointwise::unary::table::Example> {
            use $crate::pointwise::unary::{family::Parameters, table::Example};
            vec![$({
                fn expected($z: f64, [$($parameter,)* ..]: Parameters) -> f64 {
                    $expected
                }
                let mut parameters = [0.0; 2];
                parameters.iter_mut().zip([$($value),*] as [f64; _]).for_each(|(p, v)| *p = v);
                Example { operator: $name($($value),*), parameters, expected }
            },)+]
        }
    };
}
pub(crate) use rows;

/// A row for the samples.
pub(crate) struct Example {
    pub(crate) operator: Unary,
    pub(crate) parameters: Parameters,
    pub(crate) expected: fn(f64, Parameters) -> f64,
}

/// Zeros, ties, kinks, what overflows, infinities and NaN.
const SPECIAL: [f64; 25] = [
    0.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    -2.5,
    3.0,
    -3.0,
    6.5,
    -6.5,
    20.0,
    -20.0,
    21.0,
    40.0,
    -40.0,
    87.0,
    -87.0,
    1e-5,
    -1e-5,
    1e-20,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

impl Example {
    /// The expectation for a value of any float type.
    pub(crate) fn sample(&self, name: &str, x: Value) -> Sample {
        let (expected, parameters, element) = (self.expected, self.parameters, x.element);
        let narrow = move |y: f64| match element {
            Element::F32 => f64::from(y as f32),
            Element::F16 => f64::from(half::f16::from_f64(y)),
            Element::BF16 => f64::from(half::bf16::from_f64(y)),
            _ => y,
        };
        let expect = reference(move |inputs| {
            let y = inputs[0].data.iter().map(|&x| narrow(expected(x, parameters)));
            vec![Tensor::new(&inputs[0].extents, y.collect())]
        });
        Sample::new(name, self.operator.clone(), vec![x], expect)
    }

    /// Plain in every float type, special values, one element, none, and more than one piece.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let special_f32 = SPECIAL.map(|x| x as f32);
        let wide = |value: Value| {
            let elements: Vec<f64> = value.elements::<f32>().into_iter().map(f64::from).collect();
            Value::new(&value.extents, &elements)
        };
        vec![
            self.sample("plain", noise(1, &[5, 37])),
            self.sample("plain f64", wide(noise(2, &[3, 1, 7]))),
            self.sample("special", Value::new(&[SPECIAL.len()], &special_f32)),
            self.sample("special f64", Value::new(&[SPECIAL.len()], &SPECIAL)),
            self.sample("one element", noise(3, &[])),
            self.sample("empty", noise(4, &[0, 3])),
            self.sample("many", noise(5, &[2, 16_411])),
        ]
    }
}
