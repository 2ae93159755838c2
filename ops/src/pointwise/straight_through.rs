//! Straight-through: any pointwise function forward, and the identity backward. Bengio, Léonard and
//! Courville, "Estimating or propagating gradients through stochastic neurons for conditional
//! computation", 2013.
//!
//! # Shape
//! That of the function.
//!
//! # Gradient
//! `dx = dy`, whatever the function's derivative is; with [`StraightThrough::within`], `dy` where
//! `|x|` is at most a bound, else 0, as for binary networks (Courbariaux et al., "Binarized neural
//! networks", 2016).
//!
//! # Numerics
//! Those of the function.
//!
//! # Example
//! ```
//! use synfire_ops::pointwise::{straight_through::straight_through, unary::round};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = [Value::new(&[2], &[1.25_f32, -2.75])];
//! let y = fire_once(&straight_through(round()), &x)?;
//! assert_eq!(y[0].elements::<f32>(), [1.0, -3.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::unary::{Unary, sign, within};
use crate::gradient::formula;
use crate::sample::{Sample, Tensor, noise, reference};

/// `function` forward, the identity backward.
#[must_use]
pub fn straight_through(function: Unary) -> StraightThrough {
    StraightThrough { function, bound: None }
}

/// See [`straight_through`].
#[derive(Clone, Debug)]
pub struct StraightThrough {
    function: Unary,
    bound: Option<f64>,
}

impl StraightThrough {
    /// Lets the gradient pass where `|x| <= bound` only.
    #[must_use]
    pub fn within(self, bound: f64) -> Self {
        Self { bound: Some(bound), ..self }
    }
}

impl Operator for StraightThrough {
    fn contract(&self) -> Contract {
        Contract { name: "straight_through", ..self.function.contract() }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        self.function.shape(inputs)
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        self.function.metadata(inputs, outputs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let wires = [backward.input(0), backward.upstream(0)];
        Gradient::one(formula(backward, wires, |[x, dy]| match self.bound {
            None => dy.wire,
            Some(bound) => (dy * x.to(within(-bound, bound))).wire,
        }))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        self.function.kernel(target, specs)
    }
}

/// A sign, as a binary network has it, in types and sizes whose derivative no law asks for: it is
/// another on purpose.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, x: Value| {
        let expect = reference(|inputs| {
            let signs = inputs[0].data.iter().map(|x| if *x == 0.0 { 0.0 } else { x.signum() });
            vec![Tensor::new(&inputs[0].extents, signs.collect())]
        });
        Sample::new(name, straight_through(sign()).within(1.0), vec![x], expect)
    };
    let narrow: Vec<half::f16> =
        noise(1, &[3, 7]).elements::<f32>().into_iter().map(half::f16::from_f32).collect();
    vec![
        case("f16", Value::new(&[3, 7], &narrow)),
        case("many", noise(2, &[2, 16_411])),
        Sample::rejected(
            "integers",
            straight_through(sign()),
            vec![Spec::new(Element::I32, [3])],
            "x",
            None,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use synfire_runtime::define::Draft;
    use synfire_runtime::interpret::interpret;
    use synfire_runtime::launch::Options;

    use super::*;
    use crate::differentiate::vector_jacobian;

    /// The gradient at -2, -0.5, 0.25 and 1 for an upstream of ones.
    fn slopes(operator: StraightThrough) -> Vec<f32> {
        let mut draft = Draft::new();
        let x = draft.feed("x", Spec::f32([4]));
        let ones = draft.feed("ones", Spec::f32([4]));
        let y = draft.apply(operator, &[x]);
        let dx = vector_jacobian(&mut draft, &[(y, ones)], &[x]).remove(0);
        draft.outlet("dx", dx.expect("it passes"));
        let graph = draft.check().expect("no faults");
        let value = |x: [f32; 4]| vec![Some(Value::new(&[4], &x))];
        let feeds = [("x", value([-2.0, -0.5, 0.25, 1.0])), ("ones", value([1.0; 4]))];
        let used: Vec<String> = graph.feeds().map(|(path, _)| path.to_owned()).collect();
        let feeds = feeds.map(|(path, stream)| (path.to_owned(), stream)).into_iter();
        let feeds = feeds.filter(|(path, _)| used.contains(path)).collect();
        let outlets = interpret(&graph, &Options::default(), &feeds).expect("it runs");
        outlets["dx"][0].as_ref().expect("a value").elements::<f32>()
    }

    #[test]
    fn the_gradient_passes_as_it_is_or_within_a_bound() {
        assert_eq!(slopes(straight_through(sign())), [1.0; 4]);
        assert_eq!(slopes(straight_through(sign()).within(1.0)), [0.0, 1.0, 1.0, 1.0]);
    }
}
