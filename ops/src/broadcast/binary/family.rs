//! The one operator of the family: a [`Row`].

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Backward, Contract, FireError, Fusion, Gradient, Kernel, KernelError, Metadata, Operator,
    PieceStage, SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Scalar, Spec};

use crate::device::on_device;
use crate::gradient::{Term, formula, sum_to};
use crate::host::broadcast::{Operand, Walk, actual, axes, common};
use crate::host::erased::{Stages, parts};

/// Computes the part of the output that starts at an element, from the whole operands; where `a` is
/// absent, the part holds it.
pub(super) type Part = fn(&Walk, usize, &mut [u8], Option<&[u8]>, &[u8]);

/// One member of the family.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The loop for an element type, when the row has one.
    pub(super) part: fn(Element) -> Option<Part>,
    /// The gradient by `a` and that by `b`, or none at all.
    pub(super) slopes: &'static [Slope],
    /// The contract with its mark, where it lays one.
    pub(super) mark: fn(Contract) -> Contract,
}

/// A gradient of the extents of the output, from `a`, `b`, `y` and `dy`.
pub(super) type Slope = for<'a> fn([Term<'a>; 4]) -> Term<'a>;

/// What the runtime must know of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers give numbers.
    Arithmetic,
    /// As arithmetic, and no element of an integer `b` may be 0.
    Division,
    /// Numbers give truth values.
    Comparison,
    /// Truth values give truth values.
    Logic,
}

/// A pointwise operator of two broadcast inputs; made by the constructors of the [family](super).
#[derive(Clone)]
pub struct Binary {
    row: &'static Row,
}

impl Binary {
    pub(super) fn new(row: &'static Row) -> Self {
        Self { row }
    }

    /// The row's name.
    pub(super) fn name(&self) -> &'static str {
        self.row.name
    }

    /// Whether it takes truth values, or gives them.
    pub(super) fn judges(&self) -> bool {
        matches!(self.row.kind, Kind::Comparison | Kind::Logic)
    }
}

impl std::fmt::Debug for Binary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row.name)
    }
}

impl Operator for Binary {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.row.name).input("a").input("b").output("y");
        let contract = (self.row.mark)(contract);
        match self.row.kind {
            Kind::Arithmetic | Kind::Division => contract.in_place(0, 0).fusion(Fusion::Stage),
            Kind::Comparison => contract.tolerance(Tolerance::EXACT),
            Kind::Logic => contract.in_place(0, 0).tolerance(Tolerance::EXACT),
        }
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [a, b] = [&inputs[0], &inputs[1]];
        if (self.row.part)(a.element).is_none() {
            let known =
                Element::ALL.into_iter().filter(|&element| (self.row.part)(element).is_some());
            let wanted: Vec<String> = known.map(|element| element.to_string()).collect();
            let error = SpecError::new("a", a.element, wanted.join(" or "));
            return Err(error.hint("cast it before"));
        }
        if b.element != a.element {
            let error = SpecError::new("b", b.element, format!("{}, as port a", a.element));
            return Err(error.hint("cast one of them before"));
        }
        let dimensions = common(&[("a", a), ("b", b)])?;
        let element = match self.row.kind {
            Kind::Comparison => Element::Bool,
            _ => a.element,
        };
        Ok(vec![Spec { element, dimensions }])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, axes(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        if self.row.slopes.is_empty() {
            return Gradient::Absent("truth values have no derivative");
        }
        let operands = [backward.input(0), backward.input(1)];
        let wires = [operands[0], operands[1], backward.output(0), backward.upstream(0)];
        let by = |(index, slope): (usize, &Slope)| {
            let is_float = backward.input_spec(index).element.is_float();
            (is_float && backward.wants(index)).then(|| {
                let dx = formula(backward, wires, |terms| slope(terms).wire);
                sum_to(backward, dx, operands[index])
            })
        };
        Gradient::Of(self.row.slopes.iter().enumerate().map(by).collect())
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let row = self.row;
        on_device!(
            target, specs,
            host: OnHost::new(row, specs),
            cube: super::cube::OnCube::new(row.name, specs)?
        )
    }
}

struct OnHost {
    row: &'static Row,
    part: Part,
    inputs: [Spec; 2],
    output: Spec,
    b_is_constant: bool,
    stages: Stages,
}

impl OnHost {
    fn new(row: &'static Row, specs: &Specs<'_>) -> Self {
        let part =
            (row.part)(specs.inputs[0].element).expect("the shape rule saw that it is there");
        Self {
            row,
            part,
            inputs: [specs.inputs[0].clone(), specs.inputs[1].clone()],
            output: specs.outputs[0].clone(),
            b_is_constant: specs.constant[1],
            stages: Stages::default(),
        }
    }
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, b) = (firing.crew(), firing.input(1));
        let (a, mut y) = match firing.pair(0, 0) {
            Pair::Same(y) => (None, y),
            Pair::Distinct(a, y) => (Some(a), y),
        };
        let size = self.inputs[0].element.bytes();
        let integer = !self.inputs[0].element.is_float();
        let is_zero = |element: &[u8]| element.iter().all(|&byte| byte == 0);
        if self.row.kind == Kind::Division && integer && b.bytes().chunks(size).any(is_zero) {
            return Err(FireError::failed("port b holds 0, which divides no integer"));
        }
        let a_extents = a.map_or_else(|| y.extents(), |a| a.extents());
        let ports = [("a", &self.inputs[0], a_extents), ("b", &self.inputs[1], b.extents())];
        y.set_extents(&actual(&self.output.dimensions, &ports)?);
        let walk = Walk::new(&[&a_extents, &b.extents()], &y.extents());
        let (a, b) = (a.map(|a| a.bytes()), b.bytes());
        parts(crew, y.bytes(), self.output.element, &|offset, part| {
            (self.part)(&walk, offset, part, a, b);
            self.stages.apply(part, offset);
        });
        Ok(())
    }

    /// Only over a constant `b` and outputs of one shape: a stage knows neither other inputs nor
    /// actual extents.
    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        let [a, b] = &self.inputs;
        let fits = self.output == *a && a.element == Element::F32 && a.is_fixed();
        (fits && self.b_is_constant).then(|| {
            let walk = Walk::new(&[&a.bounds(), &b.bounds()], &a.bounds());
            Box::new(Stage { part: self.part, walk, b: Vec::new() }) as Box<dyn PieceStage>
        })
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        assert_eq!(self.output.element, Element::F32, "stages work on f32");
        self.stages.absorb(stages);
    }
}

/// A row over pieces of its input 0, with its input 1 kept.
struct Stage {
    part: Part,
    walk: Walk,
    b: Vec<f32>,
}

impl PieceStage for Stage {
    fn prepare(&mut self, firing: &Firing<'_>, first: usize) {
        self.b = firing.input(first).elements::<f32>().to_vec();
    }

    fn apply(&self, piece: &mut [f32], offset: usize) {
        (self.part)(&self.walk, offset, cast_slice_mut(piece), None, cast_slice(&self.b));
    }
}

/// The loop of a row whose output has the element type of its inputs.
#[inline]
pub(super) fn update<T: Scalar>(
    (walk, offset): (&Walk, usize),
    y: &mut [u8],
    (a, b): (Option<&[u8]>, &[u8]),
    formula: impl Fn(T, T) -> T,
) {
    let (y, a, b) = (cast_slice_mut::<u8, T>(y), a.map(cast_slice::<u8, T>), cast_slice(b));
    walk.runs(offset..offset + y.len(), |run| {
        let y = &mut y[run.range.clone()];
        if let Some(a) = a {
            run.operand(0, a).copy_to(y);
        }
        match run.operand(1, b) {
            Operand::One(b) => y.iter_mut().for_each(|y| *y = formula(*y, b)),
            Operand::Each(b) => y.iter_mut().zip(b).for_each(|(y, &b)| *y = formula(*y, b)),
        }
    });
}

/// The loop of a row that gives truth values.
#[inline]
pub(super) fn judge<T: Scalar>(
    (walk, offset): (&Walk, usize),
    y: &mut [u8],
    (a, b): (Option<&[u8]>, &[u8]),
    formula: impl Fn(T, T) -> bool,
) {
    let a = cast_slice::<u8, T>(a.expect("truth values do not take the place of numbers"));
    let b = cast_slice::<u8, T>(b);
    let formula = |a, b| u8::from(formula(a, b));
    walk.runs(offset..offset + y.len(), |run| {
        let y = &mut y[run.range.clone()];
        match (run.operand(0, a), run.operand(1, b)) {
            (Operand::One(a), Operand::One(b)) => y.fill(formula(a, b)),
            (Operand::One(a), Operand::Each(b)) => {
                y.iter_mut().zip(b).for_each(|(y, &b)| *y = formula(a, b));
            }
            (Operand::Each(a), Operand::One(b)) => {
                y.iter_mut().zip(a).for_each(|(y, &a)| *y = formula(a, b));
            }
            (Operand::Each(a), Operand::Each(b)) => {
                let pairs = a.iter().zip(b);
                y.iter_mut().zip(pairs).for_each(|(y, (&a, &b))| *y = formula(a, b));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use synfire_runtime::crew::Crew;
    use synfire_runtime::solo::{Solo, fire_once};
    use synfire_runtime::value::Value;

    use super::super::{add, remainder};
    use crate::sample::bounded_first;

    #[test]
    fn actual_extents_that_differ_are_named() {
        let bounded = bounded_first(super::Element::F32, 9, &[]);
        let mut solo = Solo::new(&add(), &[bounded.clone(), bounded], &[]).expect("shapes match");
        let [a, b] = [1, 4].map(|n| Some(Value::new(&[n], &vec![0.0_f32; n])));
        let error = solo.fire(&[a, b], &Crew::solo()).expect_err("extents differ");
        let text = "port b has extent 4 at dimension 0, port a has 1";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn integers_are_not_divided_by_zero() {
        let [a, b] = [[1, 2], [1, 0]].map(|x| Value::new(&[2], &x));
        let error = fire_once(&remainder(), &[a, b]).expect_err("there is no quotient");
        assert!(error.to_string().starts_with("port b holds 0"));
    }
}
