//! Fast transforms of real lines, both ways.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use synfire_runtime::spec::Element;

use super::Rdft;
use crate::host::lines::{Line, Lines, Number, OnLines, complex};
use crate::host::real::Real;

/// The kernel of either way, for an element type and a number of cores.
pub(super) fn kernel(operator: Rdft, lines: [Line; 2], of: (Element, usize)) -> OnLines {
    if operator.back_to.is_some() {
        OnLines::new(lines, of, || Back::<f32>::new(operator), || Back::<f64>::new(operator))
    } else {
        let length = lines[0].length;
        let narrow = || Forth::<f32>::new(operator, length);
        OnLines::new(lines, of, narrow, || Forth::<f64>::new(operator, length))
    }
}

struct Forth<T: Number> {
    plan: Arc<dyn RealToComplex<T>>,
    operator: Rdft,
}

impl<T: Number> Forth<T> {
    fn new(operator: Rdft, length: usize) -> Self {
        Self { plan: RealFftPlanner::new().plan_fft_forward(length), operator }
    }
}

impl<T: Number> Lines<T> for Forth<T> {
    fn scratch(&self) -> usize {
        self.plan.len() + 2 * self.plan.get_scratch_len()
    }

    fn transform(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        // The plan destroys its input.
        let (line, scratch) = scratch.split_at_mut(x.len());
        line.copy_from_slice(x);
        let done = self.plan.process_with_scratch(line, complex(y), complex(scratch));
        done.expect("line, spectrum and scratch have the lengths of the plan");
        let Rdft { scale, .. } = self.operator;
        for (k, bin) in y.chunks_exact_mut(2).enumerate() {
            let weight = <T as Real>::of(scale * self.operator.weight(k, x.len()));
            bin.iter_mut().for_each(|part| *part = *part * weight);
        }
    }
}

struct Back<T: Number> {
    plan: Arc<dyn ComplexToReal<T>>,
    operator: Rdft,
}

impl<T: Number> Back<T> {
    fn new(operator: Rdft) -> Self {
        let length = operator.back_to.expect("this is the way back");
        Self { plan: RealFftPlanner::new().plan_fft_inverse(length), operator }
    }
}

impl<T: Number> Lines<T> for Back<T> {
    fn scratch(&self) -> usize {
        2 * (self.plan.len() / 2 + 1) + 2 * self.plan.get_scratch_len()
    }

    fn transform(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let length = y.len();
        let (bins, scratch) = scratch.split_at_mut(x.len());
        for (k, (to, from)) in bins.chunks_exact_mut(2).zip(x.chunks_exact(2)).enumerate() {
            // The plan counts twice what has a mirror image.
            let weight = self.operator.weight(k, length);
            let is_own_image = k == 0 || 2 * k == length;
            let weight = if is_own_image { weight } else { weight / 2.0 };
            let weight = <T as Real>::of(weight * self.operator.scale);
            to[0] = from[0] * weight;
            to[1] = if is_own_image { T::ZERO } else { from[1] * weight };
        }
        let done = self.plan.process_with_scratch(complex(bins), y, complex(scratch));
        done.expect("spectrum, line and scratch have the lengths of the plan");
    }
}
