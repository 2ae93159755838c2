//! Running reductions along one axis: each output is what the elements up to its place become.
//!
//! | operator | along the axis |
//! |---|---|
//! | [`cumsum`] | `y_t = x_0 + .. + x_t` |
//! | [`cumprod`] | `y_t = x_0 * .. * x_t` |
//! | [`logcumsumexp`] | `y_t = log(exp x_0 + .. + exp x_t)` |
//!
//! [`Cumulative::reversed`] goes from the last place to the first, and [`Cumulative::exclusive`]
//! leaves out `x_t` itself: the first output is then the reduction of nothing.
//!
//! # Shape
//! `x`: `f32`, `f64`; for `cumsum` and `cumprod` also `i32`, `i64`, `u8`, `bool`, which give `i64`
//! -> `y`: the same dimensions. Bounded dimensions stay bounded; any may be empty.
//!
//! # Gradient
//! `cumsum`: `dx` is the `cumsum` of `dy` from the other end. `cumprod`:
//! `dx_t = (x_0 * .. * x_{t-1}) * s_t`, `s_t = dy_t + x_{t+1} * s_{t+1}`, a linear scan from the
//! other end: nothing is divided, so zeros are numbers like others. `logcumsumexp`:
//! `dx_t = exp(x_t - y_t) * s_t`, `s_t = dy_t + exp(y_t - y_{t+1}) * s_{t+1}`, in which nothing
//! overflows; that of an exclusive one is absent.
//!
//! # Numerics
//! Floats are carried in `f64` and rounded once for each output; integers wrap in `i64`. Long lines
//! are cut into blocks, so the order of additions depends on the extents only. As PyTorch's
//! functions of the same name.
//!
//! # Example
//! ```
//! use synfire_ops::scan::cumulative::{cumprod, cumsum};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[4], &[1.0_f32, 2.0, 3.0, 4.0])];
//! assert_eq!(fire_once(&cumsum(0), &x)?[0].elements::<f32>(), [1.0, 3.0, 6.0, 10.0]);
//! let before = fire_once(&cumprod(0).exclusive(), &x)?;
//! assert_eq!(before[0].elements::<f32>(), [1.0, 1.0, 2.0, 6.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance, Workspace,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::scan::Course;
use crate::reduce::reduction::one_axis;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::torch::{Case, Torch};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host; // the loops
mod slopes; // the gradients
use on_host::Row;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("cumsum", |case| named(case, cumsum)),
    ("cumprod", |case| named(case, cumprod)),
    ("logcumsumexp", |case| named(case, logcumsumexp)),
];

fn named(case: &mut Case<'_>, row: fn(usize) -> Cumulative) -> Result<Vec<Wire>, String> {
    let x = case.input("x")?;
    let axis = one_axis(case)?.unwrap_or(0);
    let mut operator = row(axis);
    operator.course.is_reversed = case.flag("reverse", false)? || case.flag("flip", false)?;
    operator.course.is_exclusive = case.flag("exclusive", false)?;
    Ok(vec![case.apply(operator, &[x])])
}

/// The running sum along `axis`.
#[must_use]
pub fn cumsum(axis: usize) -> Cumulative {
    Cumulative::new(&on_host::SUM, axis)
}

/// The running product along `axis`.
#[must_use]
pub fn cumprod(axis: usize) -> Cumulative {
    Cumulative::new(&on_host::PRODUCT, axis)
}

/// The logarithm of the running sum of exponentials along `axis`.
#[must_use]
pub fn logcumsumexp(axis: usize) -> Cumulative {
    Cumulative::new(&on_host::LOG_SUM_EXP, axis)
}

/// See [`cumsum`], [`cumprod`] and [`logcumsumexp`].
#[derive(Clone, Copy)]
pub struct Cumulative {
    row: &'static Row,
    axis: usize,
    course: Course,
}

impl Cumulative {
    fn new(row: &'static Row, axis: usize) -> Self {
        Self { row, axis, course: Course { is_reversed: false, is_exclusive: false } }
    }

    /// The same from the other end.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.course.is_reversed = !self.course.is_reversed;
        self
    }

    /// The same without the output's own place.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.course.is_exclusive = true;
        self
    }
}

impl std::fmt::Debug for Cumulative {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.row.name).field(&self.axis).field(&self.course).finish()
    }
}

impl Operator for Cumulative {
    fn contract(&self) -> Contract {
        Contract::new(self.row.name).input("x").output("y").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        let known: Vec<Element> =
            Element::ALL.into_iter().filter(|&e| (self.row.part)(e).is_some()).collect();
        require::element("x", x, &known)?;
        require::axis("x", x, self.axis)?;
        let element = (self.row.part)(x.element).map_or(x.element, |part| part.element);
        Ok(vec![x.with_element(element)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // A part of the axis needs all before it: consumed and produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0][self.axis] = inputs[0].rank() as u8;
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        if !matches!(backward.input_spec(0).element, Element::F32 | Element::F64) {
            return Gradient::Of(vec![None]);
        }
        let dy = backward.upstream(0);
        (self.row.slope)(self, backward, dy)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: on_host::OnHost::new(self, &specs.inputs[0]),
            cube: cube::OnCube::new(self, specs)?
        )
    }
}

/// Each row along inner, outer and bounded axes, from both ends, exclusive, short and long lines,
/// element types, none, and what is rejected.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let every = EXAMPLES.iter().flat_map(Example::samples);
    let ints = Value::new(&[2, 3], &[1_i32, -2, 3, i32::MAX, 1, 0]);
    let top = f64::from(i32::MAX);
    let ints_sum = Tensor::new(&[2, 3], vec![1.0, -1.0, 2.0, top, top + 1.0, top + 1.0]);
    let truths = Value::from_bytes(Element::Bool, &[4], vec![1, 0, 1, 1]);
    let zeros = Value::new(&[5], &[2.0, 0.0, 3.0, 0.0, 5.0]);
    let huge = Value::new(&[4], &[f32::NEG_INFINITY, 1000.0, 1000.0, f32::INFINITY]);
    let huge_sum = vec![f64::NEG_INFINITY, 1000.0, 1000.0 + 2.0_f64.ln(), f64::INFINITY];
    let literal = |extents: &[usize], y: Vec<f64>| Expect::Outputs(vec![Tensor::new(extents, y)]);
    let halves_sum: Vec<f64> = (1..=9001).map(|k| 0.5 * f64::from(k)).collect();
    let halves_back = halves_sum.iter().rev().map(|sum| sum - 0.5).collect();
    let many = || vec![Value::new(&[9001, 1], &[0.5_f32; 9001])];
    let back = cumsum(0).reversed().exclusive();
    let no_floats = vec![Spec::new(Element::F16, [2])];
    every
        .chain([
            Sample::new("of i32", cumsum(1), vec![ints], Expect::Outputs(vec![ints_sum])),
            Sample::new("of bool", cumsum(0), vec![truths], literal(&[4], vec![1., 1., 2., 3.])),
            Sample::new("zeros", cumprod(0), vec![zeros], literal(&[5], vec![2., 0., 0., 0., 0.])),
            Sample::new("huge", logcumsumexp(0), vec![huge], literal(&[4], huge_sum)),
            Sample::new("many", cumsum(0), many(), literal(&[9001, 1], halves_sum)),
            Sample::new("many reversed", back, many(), literal(&[9001, 1], halves_back)),
            Sample::rejected("halves", cumsum(0), no_floats, "x", None),
            Sample::rejected("missing axis", cumsum(1), vec![Spec::f32([2])], "x", None),
        ])
        .collect()
}

/// A row for the samples: its operator and what two elements become.
struct Example {
    operator: fn(usize) -> Cumulative,
    nothing: f64,
    together: fn(f64, f64) -> f64,
}

const EXAMPLES: [Example; 3] = [
    Example { operator: cumsum, nothing: 0.0, together: |a, b| a + b },
    Example { operator: cumprod, nothing: 1.0, together: |a, b| a * b },
    Example {
        operator: logcumsumexp,
        nothing: f64::NEG_INFINITY,
        together: |a, b| (a.exp() + b.exp()).ln(),
    },
];

impl Example {
    fn sample(&self, name: &str, operator: Cumulative, x: Value) -> Sample {
        let (nothing, together) = (self.nothing, self.together);
        let expect = reference(move |inputs| {
            let (x, Cumulative { axis, course, .. }) = (&inputs[0], operator);
            vec![Tensor::from_fn(&x.extents, |index| {
                let own = index[axis];
                let counts = |&k: &usize| match (course.is_reversed, course.is_exclusive) {
                    (false, false) => k <= own,
                    (false, true) => k < own,
                    (true, false) => k >= own,
                    (true, true) => k > own,
                };
                let mut other = index.to_vec();
                (0..x.extents[axis]).filter(counts).fold(nothing, |total, k| {
                    other[axis] = k;
                    together(total, x.at(&other))
                })
            })]
        });
        let axis = (!operator.course.is_reversed).then_some(operator.axis);
        Sample::new(name, operator, vec![x], expect).causal(axis)
    }

    fn samples(&self) -> Vec<Sample> {
        let new = self.operator;
        let wide = |extents: &[usize]| {
            let noise = noise(9, extents).elements::<f32>();
            Value::new(extents, &noise.into_iter().map(f64::from).collect::<Vec<_>>())
        };
        vec![
            self.sample("last axis", new(1), noise(1, &[5, 37])),
            self.sample("inner axis", new(1), noise(2, &[3, 11, 7])),
            self.sample("first axis", new(0), noise(3, &[13, 19])),
            self.sample("reversed", new(1).reversed(), noise(4, &[2, 7, 3])),
            self.sample("exclusive", new(0).exclusive(), noise(5, &[7, 2])),
            self.sample("both", new(0).exclusive().reversed(), noise(6, &[5])),
            self.sample("of f64", new(1), wide(&[3, 5])),
            self.sample("reversed f64", new(0).reversed(), wide(&[6, 2])),
            self.sample("one element", new(0), noise(7, &[1])),
            self.sample("empty", new(0), noise(8, &[0, 3])),
            self.sample("bounded", new(0), noise(8, &[5, 2])).with_specs(vec![bounded_first(
                Element::F32,
                9,
                &[2],
            )]),
        ]
    }
}
