//! The largest or smallest element so far along one axis, and where it is.
//!
//! [`cummax`] and [`cummin`] are composites of a primitive that tells the indices, [`cumargmax`] or
//! [`cumargmin`], and of [`gather`].
//!
//! # Shape
//! `x`: `f32` or `f64` -> values as `x` and indices `i64` of the same dimensions.
//!
//! # Gradient
//! `dx` gathers, at each element, the gradients of all values that are this element; none by the
//! indices.
//!
//! # Numerics
//! Exact. Of equal elements the last is meant; after a NaN all values are NaN, at the index of the
//! last NaN so far. As PyTorch's `cummax` and `cummin`.
//!
//! # Example
//! ```
//! use synfire_ops::scan::cummax::cumargmax;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[4], &[1.0_f32, 5.0, 2.0, 5.0])];
//! assert_eq!(fire_once(&cumargmax(0), &x)?[0].elements::<i64>(), [0, 1, 1, 3]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance, Workspace,
};
use synfire_runtime::spec::{Element, Scalar, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::scan::{Course, Place, Scan, scan, workspace};
use crate::index::gather::gather;
use crate::reduce::reduction::one_axis;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, wide};
use crate::torch::Torch;

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("cummax", |case| {
        let (x, axis) = (case.input("x")?, one_axis(case)?.unwrap_or(0));
        Ok(cummax(case, x, axis).into())
    }),
    ("cummin", |case| {
        let (x, axis) = (case.input("x")?, one_axis(case)?.unwrap_or(0));
        Ok(cummin(case, x, axis).into())
    }),
];

/// The largest elements so far along `axis`, and their indices.
pub fn cummax(draft: &mut Draft, x: Wire, axis: usize) -> [Wire; 2] {
    draft.scope("cummax", |draft| with_values(draft, x, cumargmax(axis)))
}

/// The smallest elements so far along `axis`, and their indices.
pub fn cummin(draft: &mut Draft, x: Wire, axis: usize) -> [Wire; 2] {
    draft.scope("cummin", |draft| with_values(draft, x, cumargmin(axis)))
}

fn with_values(draft: &mut Draft, x: Wire, operator: RunningArg) -> [Wire; 2] {
    let indices = draft.apply(operator, &[x]);
    [draft.apply(gather(operator.axis), &[x, indices]), indices]
}

/// The index of the largest element so far along `axis`.
#[must_use]
pub fn cumargmax(axis: usize) -> RunningArg {
    RunningArg { axis, is_smallest: false }
}

/// The index of the smallest element so far along `axis`.
#[must_use]
pub fn cumargmin(axis: usize) -> RunningArg {
    RunningArg { axis, is_smallest: true }
}

/// See [`cumargmax`] and [`cumargmin`].
#[derive(Clone, Copy, Debug)]
pub struct RunningArg {
    axis: usize,
    is_smallest: bool,
}

impl Operator for RunningArg {
    fn contract(&self) -> Contract {
        let name = if self.is_smallest { "cumargmin" } else { "cumargmax" };
        Contract::new(name).input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("x", &inputs[0], &[Element::F32, Element::F64])?;
        require::axis("x", &inputs[0], self.axis)?;
        Ok(vec![inputs[0].with_element(Element::I64)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // A part of the axis needs all before it: consumed and produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0][self.axis] = inputs[0].rank() as u8;
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("an index has no derivative")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let workspace = workspace::<Leaders<'_, f32>>(&specs.inputs[0], self.axis);
        on_device!(
            target,
            specs,
            host: OnHost { operator: *self, workspace },
            cube: cube::OnCube::new(*self, specs)?
        )
    }
}

struct OnHost {
    operator: RunningArg,
    workspace: Workspace,
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        self.workspace
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => on_host::<f32>(self.operator, firing),
            _ => on_host::<f64>(self.operator, firing),
        }
        Ok(())
    }
}

fn on_host<T: Scalar + Into<f64>>(operator: RunningArg, firing: &mut Firing<'_>) {
    let RunningArg { axis, is_smallest } = operator;
    let (x, mut y, scratch) = (firing.input(0), firing.output(0), firing.scratch());
    let extents = x.extents();
    y.set_extents(&extents);
    let leaders = Leaders::<T> { x: x.elements(), is_smallest };
    let course = Course { is_reversed: false, is_exclusive: false };
    scan(firing.crew(), &leaders, (&extents, axis, course), y.elements::<i64>(), scratch);
}

/// The best element so far, larger being better, and its index; both as `f64`, which holds every
/// index of a tensor.
struct Leaders<'a, T> {
    x: &'a [T],
    is_smallest: bool,
}

impl<T: Scalar + Into<f64>> Scan for Leaders<'_, T> {
    type State = [f64; 2];
    type Out = i64;
    const NOTHING: [f64; 2] = [f64::NEG_INFINITY, 0.0];

    #[inline]
    fn step(&self, state: [f64; 2], place: Place) -> [f64; 2] {
        let x: f64 = self.x[place.at].into();
        leader(state, [if self.is_smallest { -x } else { x }, place.index as f64])
    }

    fn merge(state: [f64; 2], block: [f64; 2]) -> Option<[f64; 2]> {
        Some(leader(state, block))
    }

    #[inline]
    fn out([_, index]: [f64; 2]) -> i64 {
        index as i64
    }
}

/// The later one, unless it is worse.
#[inline]
fn leader(earlier: [f64; 2], later: [f64; 2]) -> [f64; 2] {
    if later[0].is_nan() || later[0] >= earlier[0] { later } else { earlier }
}

/// Both ends, with and without values, each kind of axis, ties, NaN, long lines, none, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: RunningArg, x: Value| {
        let expect = reference(move |x| vec![by_searching(&x[0], operator).1]);
        Sample::new(name, operator, vec![x], expect)
    };
    let values = |name: &str, operator: RunningArg, x: Value| {
        let build = move |draft: &mut Draft, x: &[Wire]| match operator.is_smallest {
            true => cummin(draft, x[0], operator.axis).into(),
            false => cummax(draft, x[0], operator.axis).into(),
        };
        let expect = reference(move |x| <[Tensor; 2]>::from(by_searching(&x[0], operator)).into());
        let composite = if operator.is_smallest { "cummin" } else { "cummax" };
        Sample::composite(name, composite, build, vec![x], expect)
    };
    let ties = Value::new(&[5], &[1.0_f32, 3.0, 3.0, -0.0, 3.0]);
    let nan = || Value::new(&[5], &[1.0_f32, f32::NAN, 7.0, f32::NAN, -7.0]);
    let literal = |y: Vec<f64>| Expect::Outputs(vec![Tensor::new(&[y.len()], y)]);
    let falling: Vec<f32> = (0..5003_u16).map(|k| -f32::from(k)).collect();
    let falling = vec![Value::new(&[5003], &falling)];
    let integers = vec![Spec::new(Element::I64, [3])];
    vec![
        case("last axis", cumargmax(1), noise(1, &[5, 37])),
        case("inner axis", cumargmin(1), noise(2, &[3, 7, 19])),
        case("of f64", cumargmax(0), wide(&noise(3, &[7, 2]))),
        case("one element", cumargmin(0), noise(4, &[1])),
        case("empty", cumargmax(0), noise(5, &[0, 3])),
        case("bounded", cumargmax(0), noise(6, &[5, 2])).with_specs(vec![bounded_first(
            Element::F32,
            9,
            &[2],
        )]),
        values("values", cumargmax(1), noise(7, &[3, 11])),
        values("values", cumargmin(0), noise(8, &[7, 2])),
        Sample::new("ties", cumargmax(0), vec![ties], literal(vec![0.0, 1.0, 2.0, 2.0, 4.0])),
        Sample::new("NaN", cumargmax(0), vec![nan()], literal(vec![0.0, 1.0, 1.0, 3.0, 3.0])),
        Sample::new("NaN", cumargmin(0), vec![nan()], literal(vec![0.0, 1.0, 1.0, 3.0, 3.0])),
        Sample::new("many", cumargmax(0), falling, literal(vec![0.0; 5003])),
        Sample::rejected("integers", cumargmax(0), integers, "x", None),
        Sample::rejected("missing axis", cumargmin(1), vec![Spec::f32([4])], "x", None),
    ]
}

/// The expectation for numbers that differ: each place searches all before it.
fn by_searching(x: &Tensor, operator: RunningArg) -> (Tensor, Tensor) {
    let best = |index: &[usize]| {
        let mut other = index.to_vec();
        let so_far = (0..=index[operator.axis]).map(|k| {
            other[operator.axis] = k;
            (x.at(&other), k as f64)
        });
        let sign = if operator.is_smallest { -1.0 } else { 1.0 };
        let order = |a: &(f64, f64), b: &(f64, f64)| (sign * a.0).total_cmp(&(sign * b.0));
        so_far.max_by(order).expect("a place is among those before it and itself")
    };
    let of = |pick: fn((f64, f64)) -> f64| Tensor::from_fn(&x.extents, |index| pick(best(index)));
    (of(|best| best.0), of(|best| best.1))
}
