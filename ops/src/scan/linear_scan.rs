//! Linear scan: `h_t = a_t * h_{t-1} + b_t` along one axis, the recurrence of linear state spaces.
//!
//! # Shape
//! `a`, `b`: `f32` or `f64`, of one spec -> `h`: the same. Without an initial state `h_0 = b_0`;
//! with [`LinearScan::with_initial`] a third input `initial`, which is like `a` with extent 1 along
//! the axis, is `h_{-1}`. [`LinearScan::reversed`] goes from the last place to the first, and
//! [`LinearScan::lagged`] takes the factor of the place before: `h_t = a_{t-1} * h_{t-1} + b_t`.
//!
//! # Gradient
//! `db` is the linear scan of `dh` the other way, lagged where this one is not:
//! `db_t = dh_t + a_{t+1} * db_{t+1}`; `da_t = db_t * h_{t-1}`, and `dinitial` the sum of
//! `dh_t * (a_0 * .. * a_t)`.
//!
//! # Numerics
//! On the host carried in `f64` and rounded once for each output. Where there are few long lines,
//! blocks of them are reduced to maps `h -> a * h + b` at once, which are then composed; where the
//! product of a block's factors overflows, it is walked instead. An accelerator composes in `f32`.
//!
//! # Example
//! ```
//! use synfire_ops::scan::linear_scan::linear_scan;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (a, b) = (Value::new(&[3], &[0.5_f32; 3]), Value::new(&[3], &[8.0_f32, 0.0, 1.0]));
//! assert_eq!(fire_once(&linear_scan(0), &[a, b])?[0].elements::<f32>(), [8.0, 4.0, 3.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Extents, Spec};
use synfire_runtime::value::Value;

use crate::broadcast::binary::multiply;
use crate::device::on_device;
use crate::host::scan::Course;
use crate::reduce::reduction::{Keep, sum};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::scan::cumulative::cumprod;
use crate::scan::lag::{fits, lag, one_place};

#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host; // the loop

/// `h_t = a_t * h_{t-1} + b_t` along `axis`.
#[must_use]
pub fn linear_scan(axis: usize) -> LinearScan {
    LinearScan { axis, is_reversed: false, is_lagged: false, has_initial: false }
}

/// See [`linear_scan`].
#[derive(Clone, Copy, Debug)]
pub struct LinearScan {
    axis: usize,
    is_reversed: bool,
    is_lagged: bool,
    has_initial: bool,
}

impl LinearScan {
    /// The same from the other end.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.is_reversed = !self.is_reversed;
        self
    }

    /// With the factor of the place before; it has no initial state.
    #[must_use]
    pub fn lagged(mut self) -> Self {
        (self.is_lagged, self.has_initial) = (true, false);
        self
    }

    /// With a third input for the state before the first place; it is not lagged.
    #[must_use]
    pub fn with_initial(mut self) -> Self {
        (self.is_lagged, self.has_initial) = (false, true);
        self
    }

    /// In the direction of another scan.
    pub(super) fn on(mut self, course: Course) -> Self {
        self.is_reversed = course.is_reversed;
        self
    }

    fn course(&self) -> Course {
        Course { is_reversed: self.is_reversed, is_exclusive: false }
    }

    /// The extents of this firing, which all ports must have.
    fn common(&self, of: &dyn Fn(usize) -> Extents) -> Result<Extents, FireError> {
        let extents = of(0);
        // No axis is left out.
        fits("linear_scan", "b", &of(1), (&extents, extents.len()))?;
        if self.has_initial {
            fits("linear_scan", "initial", &of(2), (&extents, self.axis))?;
        }
        Ok(extents)
    }

    /// `da`, given the state and `db`.
    fn slope(&self, backward: &mut Backward<'_>, db: Wire) -> Wire {
        let (h, before) = (backward.output(0), lag(self.axis).on(self.course()));
        if self.is_lagged {
            let next = backward.apply(before.reversed(), &[db]);
            return backward.apply(multiply(), &[next, h]);
        }
        let before = match self.has_initial {
            true => {
                let initial = backward.input(2);
                backward.apply(before.with_first(), &[h, initial])
            }
            false => backward.apply(before, &[h]),
        };
        backward.apply(multiply(), &[db, before])
    }
}

impl Operator for LinearScan {
    fn contract(&self) -> Contract {
        let contract = Contract::new("linear_scan").input("a").input("b");
        let contract = if self.has_initial { contract.input("initial") } else { contract };
        contract.output("h").tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [a, b] = [&inputs[0], &inputs[1]];
        require::element("a", a, &[Element::F32, Element::F64])?;
        require::axis("a", a, self.axis)?;
        require::alike("b", b, a, None)?;
        if self.has_initial {
            one_place("initial", &inputs[2], a, self.axis)?;
        }
        Ok(vec![b.clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // A part of the axis needs all before it: consumed and produced.
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0][self.axis] = inputs[0].rank() as u8;
        if self.has_initial {
            axes.inputs[2][self.axis] = Axes::BROADCAST;
        }
        let macs = outputs[0].bounds().iter().product::<usize>() as u64;
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (a, dh) = (backward.input(0), backward.upstream(0));
        let back = Self { is_lagged: !self.is_lagged, has_initial: false, ..self.reversed() };
        let db = backward.apply(back, &[a, dh]);
        let da = backward.wants(0).then(|| self.slope(backward, db));
        let mut slopes = vec![da, Some(db)];
        if self.has_initial {
            slopes.push(backward.wants(2).then(|| {
                let product = cumprod(self.axis);
                let product = if self.is_reversed { product.reversed() } else { product };
                let product = backward.apply(product, &[a]);
                let parts = backward.apply(multiply(), &[product, dh]);
                backward.apply(sum(&[self.axis], Keep::Axes), &[parts])
            }));
        }
        Gradient::Of(slopes)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: on_host::OnHost::new(*self, specs),
            cube: cube::OnCube::new(*self, specs)?
        )
    }
}

/// Each option along inner, outer and bounded axes, long lines that are cut, factors that overflow,
/// none, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: LinearScan, extents: &[usize]| {
        let mut one = extents.to_vec();
        one[operator.axis] = 1;
        let mut inputs = vec![noise(1, extents), noise(2, extents)];
        inputs.extend(operator.has_initial.then(|| noise(3, &one)));
        let axis = (!operator.is_reversed).then_some(operator.axis);
        let expect = reference(move |x| vec![by_sums(x, operator)]);
        Sample::new(name, operator, inputs, expect).causal(axis)
    };
    let wide = || -> Value {
        let noise = noise(4, &[3, 5]).elements::<f32>();
        Value::new(&[3, 5], &noise.into_iter().map(f64::from).collect::<Vec<_>>())
    };
    let wide_sums = reference(|x| vec![by_sums(x, linear_scan(1))]);
    // Halves settle at 2; what grows without end is stopped by a zero.
    let halves = vec![Value::new(&[5000], &[0.5_f32; 5000]), Value::new(&[5000], &[1.0_f32; 5000])];
    let settled = (0..5000).map(|t| 2.0 - 0.5_f64.powi(t)).collect();
    let mut growth = vec![8.0_f32; 4500];
    growth[3000] = 0.0;
    let mut late = vec![0.0_f32; 4500];
    late[4499] = 3.0;
    let growing = vec![Value::new(&[4500], &growth), Value::new(&[4500], &late)];
    let still = late.iter().map(|&b| f64::from(b)).collect();
    let literal = |y: Vec<f64>| Expect::Outputs(vec![Tensor::new(&[y.len()], y)]);
    let bounded = bounded_first(Element::F32, 9, &[2]);
    let specs = |b: Spec| vec![Spec::f32([3, 2]), b];
    vec![
        case("last axis", linear_scan(1), &[5, 13]),
        case("inner axis", linear_scan(1), &[2, 7, 19]),
        case("reversed", linear_scan(0).reversed(), &[6, 3]),
        case("lagged", linear_scan(1).lagged(), &[2, 5, 3]),
        case("lagged reversed", linear_scan(0).lagged().reversed(), &[6]),
        case("initial", linear_scan(1).with_initial(), &[2, 4, 3]),
        case("initial reversed", linear_scan(0).with_initial().reversed(), &[5, 2]),
        case("one place", linear_scan(0), &[1, 2]),
        case("empty", linear_scan(0).with_initial(), &[0, 2]),
        case("bounded", linear_scan(0), &[5, 2]).with_specs(vec![bounded.clone(), bounded]),
        Sample::new("of f64", linear_scan(1), vec![wide(), wide()], wide_sums),
        Sample::new("many", linear_scan(0), halves, literal(settled)).causal(Some(0)),
        Sample::new("many that grow", linear_scan(0), growing, literal(still)),
        Sample::rejected("shorter", linear_scan(0), specs(Spec::f32([2, 2])), "b", Some(0)),
        Sample::rejected("missing axis", linear_scan(2), specs(Spec::f32([3, 2])), "a", None),
    ]
}

/// The expectation: `h_t` is the sum of every `b_s` times all factors behind it.
fn by_sums(inputs: &[Tensor], operator: LinearScan) -> Tensor {
    let [a, b] = [&inputs[0], &inputs[1]];
    let LinearScan { axis, is_reversed, is_lagged, .. } = operator;
    let length = a.extents[axis];
    Tensor::from_fn(&a.extents, |index| {
        let at = |tensor: &Tensor, turn: usize| {
            let mut other = index.to_vec();
            other[axis] = if is_reversed { length - 1 - turn } else { turn };
            tensor.at(&other)
        };
        let own = if is_reversed { length - 1 - index[axis] } else { index[axis] };
        let factors = |from: usize| {
            let factor = |turn: usize| at(a, if is_lagged { turn - 1 } else { turn });
            (from..=own).map(factor).product::<f64>()
        };
        let sum: f64 = (0..=own).map(|turn| at(b, turn) * factors(turn + 1)).sum();
        let initial = inputs.get(2).map_or(0.0, |initial| {
            let mut first = index.to_vec();
            first[axis] = 0;
            initial.at(&first) * factors(0)
        });
        sum + initial
    })
}
