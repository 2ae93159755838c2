//! Inset: a tensor inside zeros, at every `step`-th place from a start, and back: excerpt.
//!
//! | operator | `y` has the extents of `like` |
//! |---|---|
//! | [`inset`] | `y[start + k * step] = x[k]`, zero elsewhere |
//! | [`excerpt`] | `y[k] = x[start + k * step]` |
//!
//! They are what `slice` needs for its gradient where only the stream itself knows its extents;
//! where extents are fixed, `pad` and `slice` say the same without a second stream.
//!
//! # Shape
//! `x`, `like`: of one rank, the smaller one inside the larger one by its bounds -> `y`: the
//! element type of `x`, the dimensions of `like`. The values of `like` are not looked at. Any
//! element type.
//!
//! # Gradient
//! Each is the other: `dx` of inset is the excerpt of `dy` like `x`. None for `like`.
//!
//! # Numerics
//! Exact: bytes are moved. A firing in which the smaller one does not lie inside the larger fails.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::inset::inset;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let (x, like) = (Value::new(&[2], &[5_i32, 6]), Value::new(&[4], &[0.0_f32; 4]));
//! assert_eq!(fire_once(&inset(&[1], &[2]), &[x, like])?[0].elements::<i32>(), [0, 5, 0, 6]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::Pod;
use synfire_runtime::crew::Crew;
use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Extents, Spec};

use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::strided::{Odometer, Strided, by_size, copy};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, ramp, reference};

#[cfg(feature = "cube")]
mod cube; // on accelerators

/// Place `k` of axis `a` of `x` goes to place `starts[a] + k * steps[a]` among zeros.
#[must_use]
pub fn inset(starts: &[usize], steps: &[usize]) -> Inset {
    Inset { direction: Direction::Inset, starts: starts.to_vec(), steps: steps.to_vec() }
}

/// Place `k` of axis `a` comes from place `starts[a] + k * steps[a]` of `x`.
#[must_use]
pub fn excerpt(starts: &[usize], steps: &[usize]) -> Inset {
    Inset { direction: Direction::Excerpt, starts: starts.to_vec(), steps: steps.to_vec() }
}

/// See [`inset`] and [`excerpt`].
#[derive(Clone, Debug)]
pub struct Inset {
    direction: Direction,
    starts: Vec<usize>,
    steps: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Inset,
    Excerpt,
}

impl Inset {
    fn name(&self) -> &'static str {
        match self.direction {
            Direction::Inset => "inset",
            Direction::Excerpt => "excerpt",
        }
    }

    /// The first axis along which the smaller one, of the two, does not lie inside the larger.
    fn breach<T>(&self, [x, like]: [&[T]; 2], extent: impl Fn(&T) -> usize) -> Option<usize> {
        let (small, large) = match self.direction {
            Direction::Inset => (x, like),
            Direction::Excerpt => (like, x),
        };
        let last = |axis: usize, count: usize| self.starts[axis] + (count - 1) * self.steps[axis];
        (0..small.len()).find(|&axis| {
            let count = extent(&small[axis]);
            count > 0 && last(axis, count) >= extent(&large[axis])
        })
    }

    /// Whether they fit together in one firing.
    fn fits(&self, x: &[usize], like: &[usize]) -> Result<(), FireError> {
        let Some(axis) = self.breach([x, like], |&extent| extent) else { return Ok(()) };
        let (name, x, like) = (self.name(), x[axis], like[axis]);
        Err(FireError::failed(format!("{name}: dimension {axis}: x has {x}, like has {like}")))
    }

    /// What an excerpt of these extents shows of `x`.
    fn view(&self, x: &[usize], like: &[usize]) -> Strided {
        (0..x.len()).fold(Strided::dense(x), |view, axis| {
            view.slice(axis, self.starts[axis], like[axis], self.steps[axis])
        })
    }
}

impl Operator for Inset {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.name()).input("x").input("like").output("y");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, like) = (&inputs[0], &inputs[1]);
        require::rank("x", x, self.starts.len())?;
        require::rank("x", x, self.steps.len())?;
        require::rank("like", like, x.rank())?;
        if let Some(axis) = (0..x.rank()).find(|&axis| self.steps[axis] == 0) {
            return Err(SpecError::new("x", "a step of 0", "1 or more").at(axis));
        }
        if let Some(axis) = self.breach([&x.dimensions, &like.dimensions], |d| d.bound()) {
            let (start, step) = (self.starts[axis], self.steps[axis]);
            let found = format!("{} beside {}", x.dimensions[axis], like.dimensions[axis]);
            let wanted = format!("one inside the other from {start} in steps of {step}");
            return Err(SpecError::new("x", found, wanted).at(axis));
        }
        Ok(vec![like.with_element(x.element)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        for (axis, label) in axes.inputs[0].iter_mut().enumerate() {
            if inputs[0].dimensions[axis] != inputs[1].dimensions[axis] {
                *label += inputs[0].rank() as u8;
            }
        }
        let smaller = inputs[0].bytes().min(outputs[0].bytes());
        let bytes = (smaller + outputs[0].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let (x, dy) = (backward.input(0), backward.upstream(0));
        let back = match self.direction {
            Direction::Inset => excerpt(&self.starts, &self.steps),
            Direction::Excerpt => inset(&self.starts, &self.steps),
        };
        Gradient::Of(vec![Some(backward.apply(back, &[dy, x])), None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(self.clone()), cube: cube::OnCube(self.clone()))
    }
}

struct OnHost(Inset);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        let (extents, like) = (x.extents(), firing.input(1).extents());
        self.0.fits(&extents, &like)?;
        y.set_extents(&like);
        let element = x.spec().element;
        match self.0.direction {
            Direction::Excerpt => {
                copy(crew, element, &self.0.view(&extents, &like), x.bytes(), y.bytes());
            }
            Direction::Inset => {
                let rows = Rows { inset: &self.0, extents, like };
                by_size!(element, on_rows(crew, &rows, x.bytes(), y.bytes()));
            }
        }
        Ok(())
    }
}

/// One firing, seen as rows along the last axis.
struct Rows<'a> {
    inset: &'a Inset,
    extents: Extents,
    like: Extents,
}

impl Rows<'_> {
    /// The row of `x` at the outer index of an output row, if there is one.
    fn source(&self, index: &[usize]) -> Option<usize> {
        index.iter().enumerate().try_fold(0, |flat, (axis, &place)| {
            let (beyond, step) =
                (place.checked_sub(self.inset.starts[axis])?, self.inset.steps[axis]);
            let is_one = beyond.is_multiple_of(step) && beyond / step < self.extents[axis];
            is_one.then(|| flat * self.extents[axis] + beyond / step)
        })
    }
}

fn on_rows<T: Pod + Send + Sync>(crew: &Crew, rows: &Rows<'_>, x: &[u8], y: &mut [u8]) {
    let (x, y): (&[T], &mut [T]) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
    let Some(last) = rows.like.len().checked_sub(1) else { return y.copy_from_slice(x) };
    let (length, width) = (rows.like[last], rows.extents[last]);
    let (start, step) = (rows.inset.starts[last], rows.inset.steps[last]);
    pieces(crew, y, length, &|offset, piece| {
        // Zero is all bits zero in every element type.
        piece.fill(T::zeroed());
        let mut place = Odometer::<0>::new(&rows.like[..last], [], offset / length);
        for row in piece.chunks_exact_mut(length) {
            if let Some(source) = rows.source(place.index()).filter(|_| width > 0) {
                let targets = row[start..].iter_mut().step_by(step);
                targets.zip(&x[source * width..][..width]).for_each(|(y, &x)| *y = x);
            }
            place.advance();
        }
    });
}

/// Both, with every element type, steps, several axes, scalars, empty, bounded, failures, rejected.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, operator: Inset, element: Element, [x, like]: [&[usize]; 2]| {
        let expect = operator.clone();
        let expect = reference(move |inputs| vec![by_index(inputs, &expect)]);
        Sample::new(name, operator, vec![ramp(element, x), ramp(f32, like)], expect)
    };
    let plane = (&[1, 0], &[2, 3]);
    let every = Element::ALL.into_iter().flat_map(|element| {
        let (name, [small, large]) = (format!("plane, {element}"), [[3, 2], [7, 5]]);
        [
            case(&name, inset(plane.0, plane.1), element, [&small, &large]),
            case(&name, excerpt(plane.0, plane.1), element, [&large, &small]),
        ]
    });
    let bounded = |bound: usize| bounded_first(f32, bound, &[3]);
    let specs = |like: &[usize]| vec![Spec::f32([4]), Spec::f32(like.iter().copied())];
    let some = vec![
        case("inside", inset(&[0, 2, 0], &[1; 3]), f32, [&[2, 5, 3], &[3, 9, 3]]),
        case("inside", excerpt(&[0, 2, 0], &[1; 3]), f32, [&[3, 9, 3], &[2, 5, 3]]),
        case("several pieces", inset(&[1, 3], &[2, 5]), f32, [&[20, 200], &[41, 1009]]),
        case("scalar", inset(&[], &[]), f32, [&[], &[]]),
        case("nothing inside", inset(&[3, 0], &[1, 1]), f32, [&[0, 2], &[2, 3]]),
        case("no columns", inset(&[0, 9], &[1, 1]), f32, [&[2, 0], &[2, 3]]),
        case("to none", excerpt(&[7], &[1]), f32, [&[3], &[0]]),
        case("bounded", inset(&[1, 0], &[2, 1]), f32, [&[2, 3], &[5, 3]])
            .with_specs(vec![bounded(4), bounded(9)]),
        case("bounded", excerpt(&[1, 0], &[2, 1]), f32, [&[5, 3], &[2, 3]])
            .with_specs(vec![bounded(9), bounded(4)]),
        Sample::new(
            "outside",
            inset(&[1, 0], &[1, 1]),
            vec![ramp(f32, &[3, 3]), ramp(f32, &[3, 3])],
            Expect::Fails("inset: dimension 0: x has 3, like has 3"),
        )
        .with_specs(vec![bounded(4), bounded(9)]),
        Sample::rejected("too large", inset(&[0], &[3]), specs(&[9]), "x", Some(0)),
        Sample::rejected("no step", excerpt(&[0], &[0]), specs(&[4]), "x", Some(0)),
        Sample::rejected("another rank", excerpt(&[0], &[1]), specs(&[4, 1]), "like", None),
    ];
    every.chain(some).collect()
}

/// The expectation: each element of the smaller one looks for its place in the larger.
fn by_index(inputs: &[Tensor], operator: &Inset) -> Tensor {
    let (x, like) = (&inputs[0], &inputs[1].extents);
    let far = |index: &[usize]| -> Vec<usize> {
        let places = index.iter().enumerate();
        places.map(|(axis, &k)| operator.starts[axis] + k * operator.steps[axis]).collect()
    };
    if operator.direction == Direction::Excerpt {
        return Tensor::from_fn(like, |index| x.at(&far(index)));
    }
    let mut y = Tensor::from_fn(like, |_| 0.0);
    let _ = Tensor::from_fn(&x.extents, |index| {
        let flat =
            far(index).iter().zip(like).fold(0, |flat, (place, extent)| flat * extent + place);
        y.data[flat] = x.at(index);
        0.0
    });
    y
}
