//! Criticality: variances of weights and biases at which the statistics of a deep network neither
//! explode nor vanish. Roberts, Yaida and Hanin, "The Principles of Deep Learning Theory", 2022,
//! chapter 5.
//!
//! In a wide network `z' = b + W f(z)` with weights of variance `C_W / fan` and biases of variance
//! `C_b`, the variance of a preactivation, the *kernel* K, goes from layer to layer as
//! ```text
//! K' = C_b + C_W <f(z)^2>      <.>: z normal with variance K
//! ```
//! A small change of K grows by `chi_parallel = C_W d<f^2>/dK`, and the distance of two inputs that
//! are close by `chi_perpendicular = C_W <f'(z)^2>`. Critical is where both are 1 at a fixed point.
//!
//! Three kinds of activations have one: those of two slopes, such as ReLU, where every kernel is
//! fixed; those like tanh, where K decays to 0 as 1 / depth; and those like GELU, with one kernel
//! of their own.

use synfire_runtime::crew::Crew;
use synfire_runtime::define::Initial;
use synfire_runtime::operator::{FireError, Operator};
use synfire_runtime::solo::Solo;
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;
use thiserror::Error;

/// Deviations to each side that are integrated: what lies beyond weighs less than 1e-22.
const REACH: f64 = 10.0;
/// Panels of the integral; an even number, so that a kink at 0 lies between two.
const PANELS: usize = 400;
/// Half the distance of the two values that give a slope.
const STEP: f64 = 1e-5;
/// Kernels that are searched, and in how many steps.
const KERNELS: [f64; 2] = [1e-3, 1e3];
const GRID: usize = 120;
/// Less than this is no difference between the two growths.
const EQUAL: f64 = 1e-7;

/// The variances of a layer at criticality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Critical {
    /// `C_b`: the variance of a bias.
    pub bias_variance: f64,
    /// `C_W`: the variance of a weight times the inputs of an output.
    pub weight_variance: f64,
    /// The fixed kernel; none where every kernel is fixed.
    pub kernel: Option<f64>,
}

impl Critical {
    /// The first value of a weight whose outputs read `inputs` each: see
    /// [`Fans`](super::Fans).
    #[must_use]
    pub fn weight(&self, inputs: usize) -> Initial {
        Initial::Normal { deviation: (self.weight_variance / inputs.max(1) as f64).sqrt() }
    }

    /// The first value of a bias.
    #[must_use]
    pub fn bias(&self) -> Initial {
        if self.bias_variance == 0.0 {
            return Initial::Zeros;
        }
        Initial::Normal { deviation: self.bias_variance.sqrt() }
    }
}

/// Why an activation has no critical variances.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CriticalError {
    /// It could not be computed.
    #[error("the activation could not be computed: {0}")]
    Activation(#[from] FireError),
    /// No variances make both growths 1.
    #[error("{name} has no critical point: no variances make both susceptibilities 1")]
    Absent {
        /// The activation.
        name: &'static str,
    },
}

/// The variances at which networks with this activation are critical.
///
/// # Errors
/// When it is no operator of one input that gives finite numbers in `f64`, or when it has no
/// critical point with a kernel up to 1000, as the logistic function and softplus.
pub fn critical(activation: &dyn Operator) -> Result<Critical, CriticalError> {
    let absent = CriticalError::Absent { name: activation.contract().name };
    let mut kernels = Kernels::new(activation)?;
    let [low, high] = KERNELS;
    let at = |step: usize| low * (high / low).powf(step as f64 / GRID as f64);
    let differences = (0..=GRID).map(|step| kernels.difference(at(step)));
    let differences: Vec<f64> = differences.collect::<Result<_, _>>()?;
    if differences.iter().all(|difference| difference.abs() < EQUAL) {
        let [_, squares] = kernels.means(1.0)?;
        let critical =
            Critical { bias_variance: 0.0, weight_variance: 1.0 / squares, kernel: None };
        // It must go through 0, or there is no bias that keeps every kernel.
        return if kernels.value(0.0)?.abs() < EQUAL { Ok(critical) } else { Err(absent) };
    }
    let crossing = differences.windows(2).position(|pair| {
        pair[0] * pair[1] < 0.0 && pair.iter().all(|difference| difference.abs() > EQUAL)
    });
    let Some(crossing) = crossing else {
        // Then only a kernel of 0 is left, to which others must decay.
        let slope = kernels.slope(0.0)?;
        let decays = differences[0] < 0.0 && kernels.value(0.0)?.abs() < EQUAL;
        if !decays || slope == 0.0 {
            return Err(absent);
        }
        let weight_variance = 1.0 / (slope * slope);
        return Ok(Critical { bias_variance: 0.0, weight_variance, kernel: Some(0.0) });
    };
    let (mut low, mut high) = (at(crossing), at(crossing + 1));
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if kernels.difference(middle)? * differences[crossing] > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let kernel = (low * high).sqrt();
    let [mean, squares] = kernels.means(kernel)?;
    let weight_variance = 1.0 / squares;
    let bias_variance = kernel - weight_variance * mean;
    if bias_variance < 0.0 {
        return Err(absent);
    }
    Ok(Critical { bias_variance, weight_variance, kernel: Some(kernel) })
}

/// Means of an activation over normal preactivations, by numerical integration: five points of
/// Gauss and Legendre in each panel. A kink must lie at 0.
pub struct Kernels {
    solo: Solo,
    /// Where the integrand is looked at, in deviations, and the weight of each place.
    nodes: Vec<[f64; 2]>,
}

impl Kernels {
    /// Of an operator of one input.
    ///
    /// # Errors
    /// When it has no host kernel for `f64` of one input.
    pub fn new(activation: &dyn Operator) -> Result<Self, FireError> {
        let nodes = nodes();
        // Each node a little to the left and to the right, and as it is.
        let spec = Spec::new(Element::F64, [3 * nodes.len()]);
        Ok(Self { solo: Solo::new(activation, &[spec], &[])?, nodes })
    }

    /// The kernel of the next layer.
    ///
    /// # Errors
    /// When the activation fails or gives what is not finite.
    pub fn next(&mut self, variances: &Critical, kernel: f64) -> Result<f64, FireError> {
        let [mean, _] = self.means(kernel)?;
        Ok(variances.bias_variance + variances.weight_variance * mean)
    }

    /// By how much a small change of the kernel grows in a layer, and by how much the distance of
    /// two close inputs: `chi_parallel` and `chi_perpendicular`.
    ///
    /// # Errors
    /// As [`Kernels::next`].
    pub fn susceptibilities(
        &mut self,
        variances: &Critical,
        kernel: f64,
    ) -> Result<[f64; 2], FireError> {
        let [_, squares] = self.means(kernel)?;
        let growth = self.growth(kernel)?;
        Ok([growth, squares].map(|mean| variances.weight_variance * mean))
    }

    /// `<f^2>` and `<f'^2>`.
    fn means(&mut self, kernel: f64) -> Result<[f64; 2], FireError> {
        self.mean(kernel, |_, value, slope| [value * value, slope * slope])
    }

    /// `d<f^2>/dK = <f^2 (z^2 - K)> / 2 K^2`.
    fn growth(&mut self, kernel: f64) -> Result<f64, FireError> {
        let of = |x: f64, value: f64, _| [value * value * (x * x - 1.0), 0.0];
        Ok(self.mean(kernel, of)?[0] / (2.0 * kernel))
    }

    /// How the two growths differ, as a part of the second.
    fn difference(&mut self, kernel: f64) -> Result<f64, FireError> {
        let [_, squares] = self.means(kernel)?;
        let difference = (self.growth(kernel)? - squares) / squares;
        if difference.is_finite() {
            return Ok(difference);
        }
        Err(FireError::failed(format!("its means at a variance of {kernel} are not finite")))
    }

    /// Means of two functions of the place in deviations, the value and the slope.
    fn mean(
        &mut self,
        kernel: f64,
        of: impl Fn(f64, f64, f64) -> [f64; 2],
    ) -> Result<[f64; 2], FireError> {
        let deviation = kernel.sqrt();
        // A step that no node at a kink crosses.
        let step = STEP * deviation.min(1.0);
        let around = |&[x, _]: &[f64; 2]| [-step, 0.0, step].map(|off| x * deviation + off);
        let places: Vec<f64> = self.nodes.iter().flat_map(around).collect();
        let values = self.values(&places)?;
        let mut sums = [0.0; 2];
        for (&[x, weight], value) in self.nodes.iter().zip(values.chunks_exact(3)) {
            let parts = of(x, value[1], (value[2] - value[0]) / (2.0 * step));
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += weight * part);
        }
        Ok(sums)
    }

    fn value(&mut self, place: f64) -> Result<f64, FireError> {
        let places = vec![place; 3 * self.nodes.len()];
        Ok(self.values(&places)?[0])
    }

    fn slope(&mut self, place: f64) -> Result<f64, FireError> {
        Ok((self.value(place + STEP)? - self.value(place - STEP)?) / (2.0 * STEP))
    }

    fn values(&mut self, places: &[f64]) -> Result<Vec<f64>, FireError> {
        let places = Value::new(&[places.len()], places);
        let outputs = self.solo.fire(&[Some(places)], &Crew::solo())?;
        match &outputs[..] {
            [Some(value)] if value.element == Element::F64 => Ok(value.elements::<f64>()),
            _ => Err(FireError::failed("an activation has one output, like its input")),
        }
    }
}

/// Places and weights for means over a standard normal number.
fn nodes() -> Vec<[f64; 2]> {
    let inner = (5.0 - 2.0 * (10.0_f64 / 7.0).sqrt()).sqrt() / 3.0;
    let outer = (5.0 + 2.0 * (10.0_f64 / 7.0).sqrt()).sqrt() / 3.0;
    let [near, far] = [1.0, -1.0].map(|sign| (322.0 + sign * 13.0 * 70.0_f64.sqrt()) / 900.0);
    let rule = [[-outer, far], [-inner, near], [0.0, 128.0 / 225.0], [inner, near], [outer, far]];
    let half = REACH / PANELS as f64;
    let panel = |panel: usize| {
        let middle = -REACH + half * (2 * panel + 1) as f64;
        rule.map(|[place, weight]| {
            let x = middle + half * place;
            [x, half * weight * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()]
        })
    };
    (0..PANELS).flat_map(panel).collect()
}
