//! The one operator of the family: a [`Row`] with its parameters.

use bytemuck::cast_slice_mut;
use half::{bf16, f16};
use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Fusion, Gradient, Kernel, KernelError, Metadata, Operator,
    PieceStage, SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::broadcast::binary::gate;
use crate::device::on_device;
use crate::gradient::{Term, formula};
use crate::host::erased::{Stages, parts};
use crate::host::real::{Half, Real};
use crate::require;

/// Elements of 16 bits that are worked on in `f32` at a time.
const WIDE: usize = 256;

/// Parameters of a row; those it does not have are 0.
pub(crate) type Parameters = [f64; 2];

/// One member of the family.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) tolerance: Tolerance,
    pub(crate) on_f32: fn(&mut [f32], Parameters),
    pub(crate) on_f64: fn(&mut [f64], Parameters),
    /// The derivative at the input, the first term, where the output is the second.
    pub(crate) slope: for<'a> fn(Term<'a>, Term<'a>, Parameters) -> Slope<'a>,
    /// The contract with its mark, where it lays one.
    pub(crate) mark: fn(Contract, Parameters) -> Contract,
}

/// A derivative.
pub(crate) enum Slope<'a> {
    /// The same everywhere.
    Constant(f64),
    /// One for each element.
    Each(Term<'a>),
    /// 1 where this is above 0, else 0.
    Gate(Term<'a>),
}

impl From<f64> for Slope<'_> {
    fn from(slope: f64) -> Self {
        Self::Constant(slope)
    }
}

impl<'a> From<Term<'a>> for Slope<'a> {
    fn from(slope: Term<'a>) -> Self {
        Self::Each(slope)
    }
}

/// A pointwise operator of one input; made by the constructors of the [family](super).
#[derive(Clone)]
pub struct Unary {
    row: &'static Row,
    parameters: Parameters,
}

impl Unary {
    pub(crate) fn new(row: &'static Row, given: &[f64]) -> Self {
        let mut parameters = [0.0; 2];
        parameters[..given.len()].copy_from_slice(given);
        Self { row, parameters }
    }

    /// The row's name, and its parameters.
    pub(crate) fn named(&self) -> (&'static str, Parameters) {
        (self.row.name, self.parameters)
    }
}

impl std::fmt::Debug for Unary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.row.name).field(&self.parameters).finish()
    }
}

impl Operator for Unary {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.row.name).input("x").output("y").in_place(0, 0);
        let contract = contract.fusion(Fusion::Stage).tolerance(self.row.tolerance);
        (self.row.mark)(contract, self.parameters)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let floats = [Element::F32, Element::F64, Element::F16, Element::BF16];
        require::element("x", &inputs[0], &floats)?;
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let wires = [backward.input(0), backward.output(0), backward.upstream(0)];
        let dx =
            formula(backward, wires, |[x, y, dy]| match (self.row.slope)(x, y, self.parameters) {
                Slope::Constant(0.0) => None,
                Slope::Constant(1.0) => Some(dy.wire),
                Slope::Constant(slope) => Some((dy * slope).wire),
                Slope::Each(slope) => Some((dy * slope).wire),
                Slope::Gate(open) => Some(dy.with(gate(), &[open]).wire),
            });
        Gradient::Of(vec![dx])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let (row, parameters) = (self.row, self.parameters);
        let formula = Formula { row, parameters, element: specs.inputs[0].element };
        on_device!(
            target,
            specs,
            host: OnHost { formula, stages: Stages::default() },
            cube: super::cube::OnCube::new(row.name, parameters, specs)?
        )
    }
}

/// A row for one element type.
#[derive(Clone)]
struct Formula {
    row: &'static Row,
    parameters: Parameters,
    element: Element,
}

impl Formula {
    fn apply(&self, part: &mut [u8]) {
        match self.element {
            Element::F32 => (self.row.on_f32)(cast_slice_mut(part), self.parameters),
            Element::F16 => self.widened::<f16>(cast_slice_mut(part)),
            Element::BF16 => self.widened::<bf16>(cast_slice_mut(part)),
            _ => (self.row.on_f64)(cast_slice_mut(part), self.parameters),
        }
    }

    /// In `f32`, rounded once.
    fn widened<H: Half>(&self, part: &mut [H]) {
        let mut wide = [0.0; WIDE];
        for some in part.chunks_mut(WIDE) {
            let wide = &mut wide[..some.len()];
            wide.iter_mut().zip(&*some).for_each(|(wide, &x)| *wide = x.widen());
            (self.row.on_f32)(wide, self.parameters);
            some.iter_mut().zip(wide).for_each(|(y, wide)| *y = H::narrow(*wide));
        }
    }
}

impl PieceStage for Formula {
    fn apply(&self, piece: &mut [f32], _offset: usize) {
        (self.row.on_f32)(piece, self.parameters);
    }
}

struct OnHost {
    formula: Formula,
    stages: Stages,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        let (x, mut y) = match firing.pair(0, 0) {
            Pair::Same(y) => (None, y),
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                (Some(x.bytes()), y)
            }
        };
        let size = self.formula.element.bytes();
        parts(crew, y.bytes(), self.formula.element, &|offset, part| {
            if let Some(x) = x {
                part.copy_from_slice(&x[offset * size..][..part.len()]);
            }
            self.formula.apply(part);
            self.stages.apply(part, offset);
        });
        Ok(())
    }

    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        let is_f32 = self.formula.element == Element::F32;
        is_f32.then(|| Box::new(self.formula.clone()) as Box<dyn PieceStage>)
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        assert_eq!(self.formula.element, Element::F32, "stages work on f32");
        self.stages.absorb(stages);
    }
}

/// Replaces each value by the formula's.
pub(crate) fn each<R: Real>(
    values: &mut [R],
    parameters: Parameters,
    formula: impl Fn(R, [R; 2]) -> R,
) {
    let parameters = parameters.map(R::of);
    for value in values {
        *value = formula(*value, parameters);
    }
}
