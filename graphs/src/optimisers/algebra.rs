//! Formulas over wires, so that an optimiser reads as it is printed.

use synfire_ops::broadcast::binary::{add, divide, multiply, subtract};
use synfire_ops::pointwise::unary::{scale, shift, square};
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::as_element;

/// Arithmetic on a draft's wires; scalars are broadcast.
pub(super) trait Algebra {
    fn plus(&mut self, a: Wire, b: Wire) -> Wire;
    fn minus(&mut self, a: Wire, b: Wire) -> Wire;
    fn times(&mut self, a: Wire, b: Wire) -> Wire;
    fn over(&mut self, a: Wire, b: Wire) -> Wire;
    /// `a + factor * b`.
    fn plus_part(&mut self, a: Wire, factor: f64, b: Wire) -> Wire;
    /// `keep * a + (1 - keep) * b`.
    fn blend(&mut self, keep: f64, a: Wire, b: Wire) -> Wire;
    /// `factor * a`.
    fn scaled(&mut self, factor: f64, a: Wire) -> Wire;
    /// `a + offset`.
    fn shifted(&mut self, a: Wire, offset: f64) -> Wire;
    fn squared(&mut self, a: Wire) -> Wire;
    /// The sum of all elements, a scalar of `f32`, or of `f64` as it comes.
    fn total(&mut self, a: Wire) -> Wire;
}

impl Algebra for Draft {
    fn plus(&mut self, a: Wire, b: Wire) -> Wire {
        self.apply(add(), &[a, b])
    }

    fn minus(&mut self, a: Wire, b: Wire) -> Wire {
        self.apply(subtract(), &[a, b])
    }

    fn times(&mut self, a: Wire, b: Wire) -> Wire {
        self.apply(multiply(), &[a, b])
    }

    fn over(&mut self, a: Wire, b: Wire) -> Wire {
        self.apply(divide(), &[a, b])
    }

    fn plus_part(&mut self, a: Wire, factor: f64, b: Wire) -> Wire {
        if factor == 0.0 {
            return a;
        }
        let part = self.scaled(factor, b);
        self.plus(a, part)
    }

    fn blend(&mut self, keep: f64, a: Wire, b: Wire) -> Wire {
        let kept = self.scaled(keep, a);
        self.plus_part(kept, 1.0 - keep, b)
    }

    fn scaled(&mut self, factor: f64, a: Wire) -> Wire {
        self.apply(scale(factor), &[a])
    }

    fn shifted(&mut self, a: Wire, offset: f64) -> Wire {
        self.apply(shift(offset), &[a])
    }

    fn squared(&mut self, a: Wire) -> Wire {
        self.apply(square(), &[a])
    }

    fn total(&mut self, a: Wire) -> Wire {
        let axes: Vec<usize> = (0..self.spec(a).map_or(0, Spec::rank)).collect();
        if axes.is_empty() { a } else { self.apply(sum(&axes, Keep::Nothing), &[a]) }
    }
}

/// The sum of scalars of any float type, in their order, as `f32`.
pub(super) fn sum_all(draft: &mut Draft, scalars: &[Wire]) -> Option<Wire> {
    let mut sum = None;
    for &scalar in scalars {
        let scalar = as_element(draft, scalar, Element::F32);
        sum = Some(match sum {
            Some(sum) => draft.plus(sum, scalar),
            None => scalar,
        });
    }
    sum
}
