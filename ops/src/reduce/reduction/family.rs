//! The one operator of the family: a [`Row`] with its axes.

use synfire_runtime::crew::Crew;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use crate::arrange::reshape::{Extent, reshape};
use crate::device::on_device;
use crate::host::fold::Layout;
use crate::host::widened::{wide, widened};
use crate::require;

/// What becomes of the axes that are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They stay, with extent 1, so that the result can be broadcast to the input.
    Axes,
    /// They are gone.
    Nothing,
}

impl Keep {
    /// The extents or dimensions of the output, in order.
    pub(in crate::reduce) fn output<T: Copy>(
        self,
        input: &[T],
        axes: &[usize],
        one: T,
    ) -> impl Iterator<Item = T> {
        let place = move |(axis, &extent)| match (axes.contains(&axis), self) {
            (false, _) => Some(extent),
            (true, Keep::Axes) => Some(one),
            (true, Keep::Nothing) => None,
        };
        input.iter().enumerate().filter_map(place)
    }

    /// The extents of the output.
    pub(in crate::reduce) fn extents(self, input: &[usize], axes: &[usize]) -> Extents {
        let (mut extents, mut rank) = ([1; RANK_MAX], 0);
        for extent in self.output(input, axes, 1) {
            extents[rank] = extent;
            rank += 1;
        }
        Extents::new(&extents[..rank])
    }

    /// `wire`, reduced along `axes` of `like`, with these axes of extent 1.
    pub(in crate::reduce) fn restored(
        self,
        draft: &mut Draft,
        wire: Wire,
        like: &Spec,
        axes: &[usize],
    ) -> Wire {
        if self == Self::Axes || axes.is_empty() {
            return wire;
        }
        let extents = Self::Axes.output(&like.dimensions, axes, Dimension::Fixed(1));
        let extents: Vec<Extent> = extents.map(extent).collect();
        draft.apply(reshape(&extents), &[wire])
    }

    /// Labels: reduced axes are consumed, and produced anew where they stay.
    pub(in crate::reduce) fn axes(self, rank: usize, axes: &[usize]) -> Axes {
        let input: Vec<u8> = (0..rank as u8).collect();
        let place = |&axis: &u8| match (axes.contains(&usize::from(axis)), self) {
            (false, _) => Some(axis),
            (true, Keep::Axes) => Some(rank as u8 + axis),
            (true, Keep::Nothing) => None,
        };
        let output = input.iter().filter_map(place).collect();
        Axes { inputs: vec![input], outputs: vec![output] }
    }
}

/// An extent for a reshape: a bounded one follows from the others.
pub(crate) fn extent(dimension: Dimension) -> Extent {
    match dimension {
        Dimension::Fixed(extent) => Extent::Is(extent),
        Dimension::UpTo(_) => Extent::Infer,
    }
}

/// Computes the whole output, both given as bytes.
pub(super) type Part = fn(&Crew, &Layout, &[u8], &mut [u8]);

/// The gradient by the input, from that by the output with its axes kept.
pub(super) type Slope = fn(&[usize], &mut Backward<'_>, Wire) -> Gradient;

/// What a reduction of nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// The row's identity.
    Identity,
    /// Not defined: rejected.
    Rejected,
}

/// One member of the family.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) tolerance: Tolerance,
    pub(super) empty: Empty,
    /// The output element and the loop for an input element, when the row has them.
    pub(super) part: fn(Element) -> Option<(Element, Part)>,
    /// Its gradient; none for truth values.
    pub(super) slope: Option<Slope>,
}

/// A reduction of axes; made by the constructors of the [family](super).
#[derive(Clone)]
pub struct Reduction {
    pub(super) row: &'static Row,
    pub(super) axes: Vec<usize>,
    pub(super) keep: Keep,
}

impl Reduction {
    pub(super) fn new(row: &'static Row, axes: &[usize], keep: Keep) -> Self {
        Self { row, axes: axes.to_vec(), keep }
    }
}

impl Reduction {
    /// The extents of the output for an input of these extents.
    pub(super) fn outcome(&self, extents: &[usize]) -> Result<Extents, FireError> {
        let outcome = self.keep.extents(extents, &self.axes);
        let empty = self.axes.iter().find(|&&axis| extents[axis] == 0);
        match (self.row.empty, empty) {
            (Empty::Rejected, Some(axis)) if outcome.elements() > 0 => {
                let name = self.row.name;
                let cause =
                    format!("port x has extent 0 at dimension {axis}: no {name} of nothing");
                Err(FireError::failed(cause))
            }
            _ => Ok(outcome),
        }
    }
}

impl std::fmt::Debug for Reduction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.row.name).field(&self.axes).field(&self.keep).finish()
    }
}

impl Operator for Reduction {
    fn contract(&self) -> Contract {
        Contract::new(self.row.name).input("x").output("y").tolerance(self.row.tolerance)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        let known: Vec<Element> = Element::ALL
            .into_iter()
            .filter(|&element| (self.row.part)(wide(element)).is_some())
            .collect();
        require::element("x", x, &known)?;
        for &axis in &self.axes {
            require::axis("x", x, axis)?;
            if self.row.empty == Empty::Rejected && x.dimensions[axis].bound() == 0 {
                return Err(SpecError::new("x", 0, "an extent of at least 1").at(axis));
            }
        }
        let part = (self.row.part)(wide(x.element));
        let element = match part {
            Some((Element::F32, _)) | None => x.element,
            Some((element, _)) => element,
        };
        let one = Dimension::Fixed(1);
        Ok(vec![Spec::new(element, self.keep.output(&x.dimensions, &self.axes, one))])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let axes = self.keep.axes(inputs[0].rank(), &self.axes);
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let Some(slope) = self.row.slope else {
            return Gradient::Absent("a truth value has no derivative");
        };
        let x = backward.input_spec(0);
        if !x.element.is_float() {
            return Gradient::Of(vec![None]);
        }
        let dy = backward.upstream(0);
        let dy = self.keep.restored(backward, dy, &x, &self.axes);
        slope(&self.axes, backward, dy)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        on_device!(
            target,
            specs,
            host: OnHost::new(self, specs),
            cube: super::cube::OnCube::new(self, specs)?
        )
    }
}

struct OnHost {
    operator: Reduction,
    part: Part,
}

impl OnHost {
    fn new(operator: &Reduction, specs: &Specs<'_>) -> Self {
        let part = (operator.row.part)(specs.inputs[0].element);
        let (_, part) = part.expect("the shape rule saw that it is there");
        Self { operator: operator.clone(), part }
    }
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        y.set_extents(&self.operator.outcome(&x.extents())?);
        let layout = Layout::new(&x.extents(), &self.operator.axes);
        (self.part)(crew, &layout, x.bytes(), y.bytes());
        Ok(())
    }
}
