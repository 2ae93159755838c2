//! The one operator of the family: a [`Row`] with its seed.

use bytemuck::cast_slice_mut;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use crate::device::on_device;
use crate::host::erased::parts;
use crate::host::philox::{key_of, words};

/// One distribution.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) tolerance: Tolerance,
    /// Four numbers from four words and the parameter.
    pub(super) numbers: fn([u32; 4], f64) -> [f64; 4],
}

/// Random numbers of a distribution; made by the constructors of the [family](super).
#[derive(Clone)]
pub struct Draw {
    pub(super) row: &'static Row,
    pub(super) parameter: f64,
    pub(super) key: [u32; 2],
    /// How many dimensions have numbers of their own; all of them where it is not said.
    own: Option<usize>,
}

impl Draw {
    pub(super) fn new(row: &'static Row, parameter: f64, (seed, key): (Seed, u64)) -> Self {
        Self { row, parameter, key: key_of(seed, key), own: None }
    }

    /// One number for each index of the first `axes` dimensions, such as for each item of a batch:
    /// the dimensions behind them are of extent 1.
    #[must_use]
    pub fn per(self, axes: usize) -> Self {
        Self { own: Some(axes), ..self }
    }

    /// The extents of the output.
    pub(super) fn extents(&self, like: &[usize]) -> Extents {
        let mut extents = [1; RANK_MAX];
        let own = self.own.unwrap_or(like.len());
        extents[..own].copy_from_slice(&like[..own]);
        Extents::new(&extents[..like.len()])
    }
}

impl std::fmt::Debug for Draw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut tuple = f.debug_tuple(self.row.name);
        tuple.field(&self.parameter).field(&self.key).field(&self.own).finish()
    }
}

impl Operator for Draw {
    fn contract(&self) -> Contract {
        Contract::new(self.row.name)
            .input("like")
            .output("y")
            .tolerance(self.row.tolerance)
            .counts()
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let like = &inputs[0];
        let own = self.own.unwrap_or(like.rank());
        if own > like.rank() {
            return Err(SpecError::new("like", like, format!("at least {own} dimensions")));
        }
        let element = if like.element == Element::F64 { Element::F64 } else { Element::F32 };
        let mut y = like.with_element(element);
        y.dimensions[own..].fill(Dimension::Fixed(1));
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        let rank = inputs[0].rank();
        let own = self.own.unwrap_or(rank);
        axes.outputs[0][own..].iter_mut().for_each(|label| *label += rank as u8);
        let bytes = outputs[0].bytes() as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Of(vec![None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let element = specs.outputs[0].element;
        on_device!(
            target,
            specs,
            host: OnHost { draw: self.clone(), element },
            cube: super::cube::OnCube::new(self.clone(), element)?
        )
    }
}

struct OnHost {
    draw: Draw,
    element: Element,
}

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, step, like) = (firing.crew(), firing.index(), firing.input(0));
        let mut y = firing.output(0);
        y.set_extents(&self.draw.extents(&like.extents()));
        let draw = &self.draw;
        let four = |block| (draw.row.numbers)(words(draw.key, block, step), draw.parameter);
        let element = self.element;
        parts(crew, y.bytes(), element, &|offset, part| match element {
            Element::F64 => fill(cast_slice_mut(part), offset, four, |x| x),
            _ => fill(cast_slice_mut(part), offset, four, |x| x as f32),
        });
        Ok(())
    }
}

/// Fills the part that starts at element `offset` with blocks of four.
fn fill<T>(
    part: &mut [T],
    offset: usize,
    four: impl Fn(u64) -> [f64; 4],
    narrow: impl Fn(f64) -> T,
) {
    let mut rest = part;
    let mut at = offset;
    while !rest.is_empty() {
        let skipped = at % 4;
        let count = (4 - skipped).min(rest.len());
        let (here, later) = rest.split_at_mut(count);
        let numbers = four(at as u64 / 4);
        here.iter_mut().zip(&numbers[skipped..]).for_each(|(y, &x)| *y = narrow(x));
        rest = later;
        at += count;
    }
}
