//! Reshape: the same elements in the same order under other extents.
//!
//! # Shape
//! `x`: any -> `y`: the extents given; at most one is [`Extent::Infer`] and follows from the
//! others. A bounded dimension of `x` (at most one) makes the inferred one bounded. Any element
//! type.
//!
//! # Gradient
//! `dx` is `dy` under the extents of `x`.
//!
//! # Numerics
//! Exact: nothing is computed, and nothing is moved when it runs in place. As PyTorch's `reshape`.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::reshape::{Extent, reshape};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[6], &[0_i32, 1, 2, 3, 4, 5]);
//! let y = fire_once(&reshape(&[2.into(), Extent::Infer]), &[x])?;
//! assert_eq!(y[0].extents, [2, 3]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use super::reshape_like::under_extents_of;
use crate::device::on_device;
use crate::host::strided::{Strided, copy};
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};

mod torch; // PyTorch's many names of it
mod onnx; // what ONNX calls it
pub use onnx::ONNX;
pub use torch::TORCH;

/// One extent of a reshaped tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Exactly this.
    Is(usize),
    /// What the number of elements leaves.
    Infer,
}

impl From<usize> for Extent {
    fn from(extent: usize) -> Self {
        Self::Is(extent)
    }
}

/// A dimension as it is, where the others are fixed or are too.
pub(crate) fn extent_of(dimension: Dimension) -> Extent {
    match dimension {
        Dimension::Fixed(extent) => Extent::Is(extent),
        Dimension::UpTo(_) => Extent::Infer,
    }
}

/// The same elements under `extents`.
#[must_use]
pub fn reshape(extents: &[Extent]) -> Reshape {
    Reshape { extents: extents.to_vec() }
}

/// See [`reshape`].
#[derive(Clone, Debug)]
pub struct Reshape {
    extents: Vec<Extent>,
}

impl Reshape {
    /// The product of the extents that are given.
    fn given(&self) -> usize {
        let given = |extent: &Extent| if let Extent::Is(n) = extent { *n } else { 1 };
        self.extents.iter().map(given).product()
    }

    /// The inferred extent for `elements` of them, when the others divide it.
    fn inferred(&self, elements: usize) -> Option<usize> {
        let given = self.given();
        (given > 0 && elements.is_multiple_of(given)).then(|| elements / given)
    }

    fn error(&self, x: &Spec) -> SpecError {
        SpecError::new("x", x, format!("as many elements as {:?}", self.extents))
    }
}

/// The product of the fixed dimensions.
fn fixed_elements(x: &Spec) -> usize {
    x.dimensions.iter().filter(|d| !d.is_bounded()).map(|d| d.bound()).product()
}

impl Operator for Reshape {
    fn contract(&self) -> Contract {
        let contract = Contract::new("reshape").input("x").output("y").in_place(0, 0);
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        let inferences = self.extents.iter().filter(|&&extent| extent == Extent::Infer).count();
        let mut bounded = (0..x.rank()).filter(|&axis| x.dimensions[axis].is_bounded());
        let varies = bounded.next();
        if inferences > 1 {
            let wanted = format!("one extent to infer, not {inferences}");
            return Err(SpecError::new("x", x, wanted));
        }
        if let Some(axis) = bounded.next().or(varies.filter(|_| inferences == 0)) {
            let wanted = "one bounded dimension and one extent to infer, or fixed ones only";
            return Err(SpecError::new("x", x.dimensions[axis], wanted).at(axis));
        }
        // A bounded dimension: every extent up to the bound must divide, so its fellows must.
        let fixed = fixed_elements(x);
        let step = self.inferred(fixed).ok_or_else(|| self.error(x));
        let dimension = match varies {
            Some(axis) => Dimension::UpTo(x.bound(axis) * step?),
            None if inferences == 1 => Dimension::Fixed(step?),
            None if fixed == self.given() => Dimension::Fixed(0),
            None => return Err(self.error(x)),
        };
        let dimensions = self.extents.iter().map(|&extent| match extent {
            Extent::Is(extent) => Dimension::Fixed(extent),
            Extent::Infer => dimension,
        });
        Ok(vec![Spec::new(x.element, dimensions)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // Leading and trailing axes that stay as they are are kept; between them all is new.
        let (x, y) = (&inputs[0].dimensions, &outputs[0].dimensions);
        let shorter = x.len().min(y.len());
        let leading = x.iter().zip(y).take_while(|(a, b)| a == b).count();
        let trailing = x.iter().rev().zip(y.iter().rev()).take(shorter - leading);
        let trailing = trailing.take_while(|(a, b)| a == b).count();
        let labels = |count: usize, fresh: u8| -> Vec<u8> {
            let label = |axis: usize| match count - axis {
                _ if axis < leading => axis as u8,
                back if back <= trailing => (RANK_MAX - back) as u8,
                _ => fresh + axis as u8,
            };
            (0..count).map(label).collect()
        };
        let (x, y) = (labels(x.len(), 0x10), labels(y.len(), 0x20));
        Metadata::streaming(inputs, outputs, Axes { inputs: vec![x], outputs: vec![y] })
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, dy) = (backward.input(0), backward.upstream(0));
        Gradient::one(under_extents_of(backward, dy, x))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let fixed = fixed_elements(&specs.inputs[0]);
        let varies = specs.outputs[0].dimensions.iter().position(|d| d.is_bounded());
        let plan = Plan { reshape: self.clone(), fixed, varies };
        on_device!(target, specs, host: OnHost(plan), cube: cube::OnCube(plan))
    }
}

/// What a firing must know.
struct Plan {
    reshape: Reshape,
    /// The product of the fixed dimensions of `x`.
    fixed: usize,
    /// The axis of `y` that varies.
    varies: Option<usize>,
}

impl Plan {
    /// The extents for a token of `elements` elements.
    fn extents(&self, elements: usize) -> Extents {
        let mut extents = [0; RANK_MAX];
        for (extent, given) in extents.iter_mut().zip(&self.reshape.extents) {
            *extent = match given {
                Extent::Is(n) => *n,
                Extent::Infer => self.reshape.inferred(elements).unwrap_or(0),
            };
        }
        Extents::new(&extents[..self.reshape.extents.len()])
    }

    /// The same where the token is in place: it came with its one bounded extent, still that of
    /// `x`. None where nothing varies.
    fn extents_in_place(&self, came_with: &[usize]) -> Option<Extents> {
        self.varies.map(|axis| self.extents(self.fixed * came_with[axis]))
    }
}

struct OnHost(Plan);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        match firing.pair(0, 0) {
            Pair::Same(mut y) => {
                if let Some(extents) = self.0.extents_in_place(&y.extents()) {
                    y.set_extents(&extents);
                }
            }
            Pair::Distinct(x, mut y) => {
                y.set_extents(&self.0.extents(x.extents().elements()));
                let all = Strided::dense(&x.extents());
                copy(crew, x.spec().element, &all, x.bytes(), y.bytes());
            }
        }
        Ok(())
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::Runtime;

    use super::{FireError, Plan, Strided};
    use crate::device::kernel::{Call, CubeKernel};
    use crate::device::strided::copy;

    pub(super) struct OnCube(pub(super) Plan);

    impl CubeKernel for OnCube {
        const IN_PLACE: &'static [(usize, usize)] = &[(0, 0)];

        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            if call.is_in_place(0) {
                if let Some(extents) = self.0.extents_in_place(&call.output(0).extents()) {
                    call.set_extents(0, &extents);
                }
                return Ok(());
            }
            let x = call.input(0);
            let y = call.set_extents(0, &self.0.extents(x.elements()));
            copy(call, &Strided::dense(&x.extents()), &x, &y)
        }
    }
}

/// Every element type, inferred places, scalars, empty, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use Extent::{Infer, Is};
    let f32 = Element::F32;
    let to = |extents: &[usize]| {
        let extents = extents.to_vec();
        reference(move |inputs| vec![Tensor::new(&extents, inputs[0].data.clone())])
    };
    let every = Element::ALL.map(|element| {
        let operator = reshape(&[Is(7), Infer, Is(5)]);
        Sample::new(
            format!("inferred, {element}"),
            operator,
            vec![ramp(element, &[5, 21])],
            to(&[7, 3, 5]),
        )
    });
    let x = |extents: &[usize]| vec![ramp(f32, extents)];
    let pair = || vec![Spec::f32([Dimension::UpTo(3), Dimension::UpTo(2)])];
    let some = vec![
        Sample::new("given", reshape(&[Is(3), Is(4)]), x(&[2, 6]), to(&[3, 4])),
        Sample::new("flat", reshape(&[Infer]), x(&[11, 13]), to(&[143])),
        Sample::new("to scalar", reshape(&[]), x(&[1, 1]), to(&[])),
        Sample::new("from scalar", reshape(&[Is(1), Infer]), x(&[]), to(&[1, 1])),
        Sample::new("empty", reshape(&[Is(0), Is(5)]), x(&[3, 0]), to(&[0, 5])),
        Sample::new("bounded", reshape(&[Infer, Is(2)]), x(&[5, 4]), to(&[10, 2]))
            .with_specs(vec![bounded_first(f32, 7, &[4])]),
        Sample::rejected("too many", reshape(&[Is(2), Is(2)]), vec![Spec::f32([5])], "x", None),
        Sample::rejected("indivisible", reshape(&[Is(2), Infer]), vec![Spec::f32([5])], "x", None),
        Sample::rejected("ambiguous", reshape(&[Is(0), Infer]), vec![Spec::f32([0])], "x", None),
        Sample::rejected("two inferred", reshape(&[Infer, Infer]), vec![Spec::f32([4])], "x", None),
        Sample::rejected("two bounded", reshape(&[Infer]), pair(), "x", Some(1)),
        Sample::rejected(
            "bounded to fixed",
            reshape(&[Is(8)]),
            vec![bounded_first(f32, 2, &[4])],
            "x",
            Some(0),
        ),
    ];
    every.into_iter().chain(some).collect()
}
