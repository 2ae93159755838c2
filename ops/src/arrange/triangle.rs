//! Triangle: the elements of a matrix on one side of a diagonal; zero on the other.
//!
//! | operator | stays where |
//! |---|---|
//! | [`tril`] | `column - row <= diagonal` |
//! | [`triu`] | `column - row >= diagonal` |
//!
//! # Shape
//! `x`: `[.., rows, columns]` -> `y`: the same, bounded dimensions too. Any element type.
//!
//! # Gradient
//! `dx` is the same triangle of `dy`.
//!
//! # Numerics
//! Exact: bytes are moved, so a NaN on the other side is harmless. As PyTorch's functions of these
//! names.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::triangle::tril;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[1_i32, 2, 3, 4]);
//! assert_eq!(fire_once(&tril(0), &[x])?[0].elements::<i32>(), [1, 0, 3, 4]);
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
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::host::strided::by_size;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] =
    &[("tril", |case| torch(case, tril)), ("triu", |case| torch(case, triu))];

fn torch(
    case: &mut Case<'_>,
    new: fn(i64) -> Triangle,
) -> Result<Vec<synfire_runtime::define::Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let diagonal = case.integer(case.spelling(&["diagonal", "k", "offset"]), 0)?;
    Ok(vec![case.apply(new(diagonal), &[x])])
}

/// What lies on and below a diagonal; `diagonal` places above the main one.
#[must_use]
pub fn tril(diagonal: i64) -> Triangle {
    Triangle { side: Side::Lower, diagonal }
}

/// What lies on and above a diagonal; `diagonal` places above the main one.
#[must_use]
pub fn triu(diagonal: i64) -> Triangle {
    Triangle { side: Side::Upper, diagonal }
}

/// See [`tril`] and [`triu`].
#[derive(Clone, Copy, Debug)]
pub struct Triangle {
    side: Side,
    diagonal: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

impl Triangle {
    /// The columns of `row` that stay, of `columns`.
    fn kept(&self, row: usize, columns: usize) -> std::ops::Range<usize> {
        let on = (row as i64).saturating_add(self.diagonal);
        let clamp = |column: i64| column.clamp(0, columns as i64) as usize;
        match self.side {
            Side::Lower => 0..clamp(on.saturating_add(1)),
            Side::Upper => clamp(on)..columns,
        }
    }
}

impl Operator for Triangle {
    fn contract(&self) -> Contract {
        let name = if self.side == Side::Lower { "tril" } else { "triu" };
        Contract::new(name).input("x").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        if inputs[0].rank() < 2 {
            return Err(SpecError::new("x", &inputs[0], "at least 2 dimensions"));
        }
        Ok(inputs.to_vec())
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // A part of a matrix does not know its rows and columns.
        let mut axes = Axes::pointwise(inputs, outputs);
        let rank = inputs[0].rank();
        axes.outputs[0][rank - 2..].iter_mut().for_each(|label| *label += rank as u8);
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(*self, &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube(*self))
    }
}

struct OnHost(Triangle);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (crew, x, mut y) = (firing.crew(), firing.input(0), firing.output(0));
        let extents = x.extents();
        y.set_extents(&extents);
        let matrix = [extents[extents.len() - 2], extents[extents.len() - 1]];
        let element = x.spec().element;
        by_size!(element, on_rows((crew, self.0), matrix, x.bytes(), y.bytes()));
        Ok(())
    }
}

fn on_rows<T: Pod + Send + Sync>(
    (crew, triangle): (&Crew, Triangle),
    [rows, columns]: [usize; 2],
    x: &[u8],
    y: &mut [u8],
) {
    let (x, y): (&[T], &mut [T]) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
    pieces(crew, y, columns, &|offset, piece| {
        let lines = piece.chunks_exact_mut(columns).zip(x[offset..].chunks_exact(columns));
        for (row, (y, x)) in (offset / columns..).zip(lines) {
            let kept = triangle.kept(row % rows, columns);
            // Zero is all bits zero in every element type.
            y.fill(T::zeroed());
            y[kept.clone()].copy_from_slice(&x[kept]);
        }
    });
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::*;

    use super::{FireError, Side, Triangle};
    use crate::device::kernel::{Call, CubeKernel, size};
    use crate::device::words::{load, per_word, words_of};

    pub(super) struct OnCube(pub(super) Triangle);

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let x = call.input(0);
            let y = call.set_extents(0, &x.extents());
            let (per_word, words) = (per_word(x.element()), words_of(x.element()));
            let [rows, columns] = [2, 1].map(|back| size(x.extents()[x.extents().len() - back]));
            // Beyond any matrix, one diagonal is like another.
            let diagonal = self.0.diagonal.clamp(-(1 << 30), 1 << 30) as i32;
            let is_lower = self.0.side == Side::Lower;
            let count = y.elements() * words;
            call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
                triangle::launch::<R>(
                    client,
                    cubes,
                    units,
                    x.array(),
                    y.array(),
                    size(count),
                    rows,
                    columns,
                    diagonal,
                    size(words),
                    is_lower,
                    per_word,
                );
            })
        }
    }

    #[cube(launch)]
    fn triangle(
        x: &Array<u32>,
        y: &mut Array<u32>,
        count: u32,
        rows: u32,
        columns: u32,
        diagonal: i32,
        #[comptime] words: u32,
        #[comptime] is_lower: bool,
        #[comptime] per_word: u32,
    ) {
        let word = ABSOLUTE_POS as u32;
        if word * per_word < count {
            let mut bits = 0u32;
            #[unroll]
            for k in 0..per_word {
                let part = word * per_word + k;
                let element = part / words;
                let row = i32::cast_from(element / columns % rows);
                let beyond = i32::cast_from(element % columns) - row;
                let mut is_kept = beyond >= diagonal;
                if comptime!(is_lower) {
                    is_kept = beyond <= diagonal;
                }
                if part < count && is_kept {
                    bits |= load(x, part, per_word) << comptime!(k * (32 / per_word));
                }
            }
            y[word as usize] = bits;
        }
    }
}

/// Both, with every element type: square, tall, wide, batches, far diagonals, none, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let case = |name: &str, operator: Triangle, element: Element, extents: &[usize]| {
        let expect = reference(move |inputs| vec![by_place(&inputs[0], operator)]);
        Sample::new(name, operator, vec![ramp(element, extents)], expect)
    };
    let every = Element::ALL.into_iter().flat_map(|element| {
        let name = format!("batch, {element}");
        [tril(1), triu(-1)].map(|operator| case(&name, operator, element, &[2, 3, 5]))
    });
    let some = [tril, triu].into_iter().flat_map(|new| {
        [
            case("square", new(0), f32, &[7, 7]),
            case("tall", new(-2), f32, &[11, 3]),
            case("wide", new(2), f32, &[3, 11]),
            case("far above", new(i64::MAX), f32, &[2, 3]),
            case("far below", new(i64::MIN), f32, &[2, 3]),
            case("several pieces", new(5), f32, &[211, 97]),
            case("no columns", new(0), f32, &[3, 0]),
            case("bounded", new(0), f32, &[4, 3]).with_specs(vec![bounded_first(f32, 9, &[3])]),
            Sample::rejected("vector", new(0), vec![Spec::f32([3])], "x", None),
        ]
    });
    every.chain(some).collect()
}

/// The expectation: each place compares its row and column.
fn by_place(x: &Tensor, Triangle { side, diagonal }: Triangle) -> Tensor {
    Tensor::from_fn(&x.extents, |place| {
        let &[.., row, column] = place else { return f64::NAN };
        let beyond = column as i128 - row as i128;
        let is_kept = match side {
            Side::Lower => beyond <= i128::from(diagonal),
            Side::Upper => beyond >= i128::from(diagonal),
        };
        if is_kept { x.at(place) } else { 0.0 }
    })
}
