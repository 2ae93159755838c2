//! The one operator of the family: a [`Row`] with its parameters.

use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Axes, Contract, FireError, Fusion, Kernel, KernelError, Metadata, Operator, PieceStage,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::erased::{Stages, parts};
use crate::host::real::Real;
use crate::require;

/// Parameters of a row; those it does not have are 0.
pub(super) type Parameters = [f64; 2];

/// One member of the family.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) tolerance: Tolerance,
    pub(super) on_f32: fn(&mut [f32], Parameters),
    pub(super) on_f64: fn(&mut [f64], Parameters),
}

/// A pointwise operator of one input; made by the constructors of the [family](super).
#[derive(Clone)]
pub struct Unary {
    row: &'static Row,
    parameters: Parameters,
}

impl Unary {
    pub(super) fn new(row: &'static Row, given: &[f64]) -> Self {
        let mut parameters = [0.0; 2];
        parameters[..given.len()].copy_from_slice(given);
        Self { row, parameters }
    }
}

impl std::fmt::Debug for Unary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.row.name).field(&self.parameters).finish()
    }
}

impl Operator for Unary {
    fn contract(&self) -> Contract {
        Contract::new(self.row.name)
            .input("x")
            .output("y")
            .in_place(0, 0)
            .fusion(Fusion::Stage)
            .tolerance(self.row.tolerance)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("x", &inputs[0], &[Element::F32, Element::F64])?;
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
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
            Element::F32 => (self.row.on_f32)(bytemuck::cast_slice_mut(part), self.parameters),
            _ => (self.row.on_f64)(bytemuck::cast_slice_mut(part), self.parameters),
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
pub(super) fn each<R: Real>(
    values: &mut [R],
    parameters: Parameters,
    formula: impl Fn(R, [R; 2]) -> R,
) {
    let parameters = parameters.map(R::of);
    for value in values {
        *value = formula(*value, parameters);
    }
}
