//! Band: a matrix inside a band around its diagonal, one number outside.
//!
//! `y[i, j] = x[i, j]` where `lower <= j - i <= upper`, else the fill.
//!
//! # Shape
//! `x`: `[.., row, column]`, of any element type, bounded ones too -> `y`: the same.
//!
//! # Gradient
//! `dx` is the same band of `dy`, with 0 outside.
//!
//! # Numerics
//! Exact: bits are copied. With a fill of 0 and one bound, PyTorch's `tril` and `triu`.
//!
//! # Example
//! ```
//! use synfire_ops::attention::band::band;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 2], &[1_i32, 2, 3, 4]);
//! let y = fire_once(&band(None, Some(0)), &[x])?;
//! assert_eq!(y[0].elements::<i32>(), [1, 0, 3, 4]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::erased::parts;
use crate::host::strided::{by_size, pattern};
use crate::sample::{Sample, Tensor, bounded_first, noise, ramp, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("tril", |case| {
        let diagonal = diagonal(case)?;
        apply(case, band(None, Some(diagonal)))
    }),
    ("triu", |case| {
        let diagonal = diagonal(case)?;
        apply(case, band(Some(diagonal), None))
    }),
];

fn diagonal(case: &Case<'_>) -> Result<i64, String> {
    let other = case.integer("k", 0)?;
    case.integer("diagonal", other)
}

fn apply(case: &mut Case<'_>, operator: Band) -> Result<Vec<Wire>, String> {
    let x = case.input("x")?;
    Ok(vec![case.apply(operator, &[x])])
}

/// The diagonals from `lower` to `upper`, counted upwards from the main one; without a bound, all
/// on that side. 0 outside.
#[must_use]
pub fn band(lower: Option<i64>, upper: Option<i64>) -> Band {
    Band { lower, upper, fill: 0.0 }
}

/// See [`band`].
#[derive(Clone, Debug)]
pub struct Band {
    lower: Option<i64>,
    upper: Option<i64>,
    fill: f64,
}

impl Band {
    /// Sets what is outside.
    #[must_use]
    pub fn fill(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }

    /// The columns of a row that are inside.
    fn inside(&self, row: usize, columns: usize) -> std::ops::Range<usize> {
        let at = |offset: i64| (row as i64).saturating_add(offset).clamp(0, columns as i64);
        let start = self.lower.map_or(0, at) as usize;
        let end = self.upper.map_or(columns as i64, |upper| at(upper.saturating_add(1))) as usize;
        start..end.max(start)
    }
}

impl Operator for Band {
    fn contract(&self) -> Contract {
        let contract = Contract::new("band").input("x").output("y").in_place(0, 0);
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        if inputs[0].rank() < 2 {
            return Err(SpecError::new("x", &inputs[0], "at least 2 dimensions"));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(self.clone().fill(0.0), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(self.clone()), cube: cube::OnCube(self.clone()))
    }
}

struct OnHost(Band);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let crew = firing.crew();
        let mut y = match firing.pair(0, 0) {
            Pair::Same(y) => y,
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                y.bytes().copy_from_slice(x.bytes());
                y
            }
        };
        let (extents, element) = (y.extents(), y.spec().element);
        let matrix = [extents[extents.len() - 2], extents[extents.len() - 1]];
        parts(crew, y.bytes(), element, &|offset, part| {
            by_size!(element, on_part(&self.0, (element, matrix), offset, part));
        });
        Ok(())
    }
}

/// Fills what is outside in a part that starts at an element.
fn on_part<T: Pod>(
    band: &Band,
    (element, [rows, columns]): (Element, [usize; 2]),
    offset: usize,
    part: &mut [u8],
) {
    let fill = cast_slice::<u8, T>(&pattern(element, band.fill)[..size_of::<T>()])[0];
    let part: &mut [T] = cast_slice_mut(part);
    let mut at = 0;
    while at < part.len() {
        let (row, column) = ((offset + at) / columns, (offset + at) % columns);
        let length = (columns - column).min(part.len() - at);
        let inside = band.inside(row % rows, columns);
        let start = inside.start.clamp(column, column + length) - column;
        let end = inside.end.clamp(column, column + length) - column;
        part[at..at + start].fill(fill);
        part[at + end.max(start)..at + length].fill(fill);
        at += length;
    }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::*;

    use super::{Band, FireError, pattern};
    use crate::device::kernel::{Call, CubeKernel, size};
    use crate::device::words::{load, per_word, words_of};

    pub(super) struct OnCube(pub(super) Band);

    impl CubeKernel for OnCube {
        const IN_PLACE: Option<(usize, usize)> = Some((0, 0));

        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let x = call.input(0);
            let y = call.set_extents(0, &x.extents());
            let (extents, words) = (x.extents(), words_of(x.element()));
            let [rows, columns] = [extents[extents.len() - 2], extents[extents.len() - 1]];
            let bits = pattern(x.element(), self.0.fill);
            let word = |k: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| bits[4 * k + byte]));
            let per_word = per_word(x.element());
            let count = x.elements() * words;
            // Far more than any extent, and no overflow when it is added to one.
            let far = 1_i64 << 30;
            let bound = |bound: Option<i64>, open: i64| bound.unwrap_or(open).clamp(-far, far) as i32;
            call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
                band::launch::<R>(
                    client,
                    cubes,
                    units,
                    x.array(),
                    y.array(),
                    size(count),
                    [size(rows.max(1)), size(columns.max(1)), size(words)].into_iter().collect(),
                    bound(self.0.lower, -far),
                    bound(self.0.upper, far),
                    [word(0), word(1)].into_iter().collect(),
                    per_word,
                );
            })
        }
    }

    #[cube(launch)]
    fn band(
        x: &Array<u32>,
        y: &mut Array<u32>,
        count: u32,
        extents: Sequence<u32>,
        lower: i32,
        upper: i32,
        fill: Sequence<u32>,
        #[comptime] per_word: u32,
    ) {
        let word = ABSOLUTE_POS as u32;
        if word * per_word < count {
            let mut bits = 0u32;
            #[unroll]
            for k in 0..per_word {
                let place = word * per_word + k;
                if place < count {
                    let element = place / extents[2];
                    let row = element / extents[1] % extents[0];
                    let column = element % extents[1];
                    let diagonal = i32::cast_from(column) - i32::cast_from(row);
                    let is_first = place % extents[2] == 0u32;
                    let outside = select(is_first, fill[0], fill[1]);
                    let own = load(x, place, per_word);
                    let inside = diagonal >= lower && diagonal <= upper;
                    let mask = comptime!(u32::MAX >> (32 - 32 / per_word));
                    let chosen = select(inside, own, outside & mask);
                    bits |= chosen << comptime!(k * (32 / per_word));
                }
            }
            y[word as usize] = bits;
        }
    }
}

/// Every element type, both bounds, none, beyond the corners, another fill, empty, bounded; a
/// vector.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let expected = |operator: Band| {
        reference(move |inputs| {
            let last = inputs[0].extents.len() - 1;
            vec![Tensor::from_fn(&inputs[0].extents, |at| {
                let diagonal = at[last] as i64 - at[last - 1] as i64;
                let above = operator.lower.is_none_or(|lower| diagonal >= lower);
                let below = operator.upper.is_none_or(|upper| diagonal <= upper);
                if above && below { inputs[0].at(at) } else { operator.fill }
            })]
        })
    };
    let case = |name: &str, operator: Band, extents: &[usize]| {
        Sample::new(name, operator.clone(), vec![noise(1, extents)], expected(operator))
    };
    let every = Element::ALL.map(|element| {
        let operator = band(Some(-1), Some(2));
        let x = vec![ramp(element, &[2, 5, 7])];
        Sample::new(format!("of {element}"), operator.clone(), x, expected(operator))
    });
    let bounded = vec![bounded_first(Element::F32, 9, &[7])];
    let some = vec![
        case("lower", band(None, Some(0)), &[5, 7]),
        case("upper", band(Some(1), None), &[7, 5]),
        case("all", band(None, None), &[3, 3]),
        case("beyond a corner", band(Some(9), None), &[3, 5]),
        case("empty band", band(Some(2), Some(1)), &[3, 5]),
        case("infinite", band(None, Some(0)).fill(f64::NEG_INFINITY), &[2, 3, 3]),
        case("one element", band(Some(0), Some(0)), &[1, 1]),
        case("empty", band(None, Some(0)), &[3, 0]),
        case("many", band(Some(-100), Some(100)), &[131, 257]),
        case("bounded", band(None, Some(0)), &[4, 7]).with_specs(bounded),
        Sample::rejected("vector", band(None, None), vec![Spec::f32([3])], "x", None),
    ];
    every.into_iter().chain(some).collect()
}
