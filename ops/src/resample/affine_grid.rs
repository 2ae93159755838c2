//! Affine grid: the places that an affine map sends the pixels of an image to,
//! `grid[p] = theta (p, 1)`, for `grid_sample`.
//!
//! The pixels `p = (x, y)` or `(x, y, z)` go from -1 to 1 along each axis: their centres do with
//! [`Align::Centers`], the outer edges of the image with [`Align::Edges`].
//!
//! # Shape
//! `theta`: `f32` or `f64` `[batch, 2, 3]` for an image `[row, column]`, `[batch, 3, 4]` for one
//! with depth before the row -> `grid`: `[batch, row, column, 2]` or `[batch, depth, row, column,
//! 3]`. The batch may be bounded.
//!
//! # Gradient
//! That of its parts: sums over the pixels.
//!
//! # Numerics
//! The map is linear along each axis, so only its ends are computed, and interpolated; the axes are
//! added up. As PyTorch's `affine_grid`, also in that an axis of one pixel is at 0.
//!
//! # Example
//! ```
//! use synfire_ops::resample::affine_grid::affine_grid;
//! use synfire_ops::resample::resize::Align;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let theta = draft.feed("theta", Spec::f32([8, 2, 3]));
//! let grid = affine_grid(&mut draft, theta, &[32, 64], Align::Edges);
//! assert_eq!(draft.spec(grid), Some(&Spec::f32([8, 32, 64, 2])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::resize::{Align, Method, resize};
use crate::arrange::concat::concat;
use crate::arrange::slice::slice;
use crate::arrange::stack::stack;
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::add;
use crate::pointwise::unary::scale;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};
use crate::torch::{Case, Torch};

/// The grid of an affine map for an image of these extents, without batch and channel.
pub fn affine_grid(draft: &mut Draft, theta: Wire, extents: &[usize], align: Align) -> Wire {
    let axes = extents.len();
    let column = |draft: &mut Draft, k: usize| draft.apply(slice(2, k, k + 1, 1), &[theta]);
    // What each coordinate adds, and the offset, as `[batch, 1, .., extent, .., 1, coordinate]`.
    let mut sum = column(draft, axes);
    sum = alone(draft, sum, axes, None);
    for coordinate in (0..axes).rev() {
        let axis = axes - 1 - coordinate;
        let extent = extents[axis];
        // The first and the last pixel are as far from the middle.
        let end = match align {
            _ if extent == 1 => 0.0,
            Align::Centers => 1.0,
            Align::Edges => 1.0 - 1.0 / extent as f64,
        };
        let factor = column(draft, coordinate);
        let ends = [-end, end].map(|end| draft.apply(scale(end), &[factor]));
        let ends = draft.apply(concat(2, 2), &ends);
        let line = draft.apply(resize(2, extent, Method::Linear(Align::Centers)), &[ends]);
        let line = alone(draft, line, axes, Some(axis));
        sum = draft.apply(add(), &[sum, line]);
    }
    sum
}

/// `[batch, coordinate, n]` as `[batch, 1, .., n, .., 1, coordinate]`, with `n` on `axis` of the
/// image; without one it has extent 1 already.
fn alone(draft: &mut Draft, line: Wire, axes: usize, axis: Option<usize>) -> Wire {
    let mut line = draft.apply(transpose(&[0, 2, 1]), &[line]);
    let own = axis.unwrap_or(0);
    for other in (0..axes).filter(|&other| other != own) {
        line = draft.apply(stack(1 + other, 1), &[line]);
    }
    line
}

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("affine_grid", of_case), ("affine_grid_generator", of_case)];

fn of_case(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let theta = case.input("theta").or_else(|_| case.input("x"))?;
    let sizes = case.integers("size")?.ok_or("no `size`")?;
    let extents: Vec<usize> =
        sizes.iter().skip(2).filter_map(|&size| usize::try_from(size).ok()).collect();
    if extents.len() + 2 != sizes.len() {
        return Err(format!("`size` is {sizes:?}, wanted batch, channel and extents"));
    }
    let align = if case.flag("align_corners", false)? { Align::Centers } else { Align::Edges };
    Ok(vec![affine_grid(case, theta, &extents, align)])
}

/// Both alignments, with depth, single pixels, `f64`, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, theta: Value, extents: &'static [usize], align| {
        let build =
            move |draft: &mut Draft, x: &[Wire]| vec![affine_grid(draft, x[0], extents, align)];
        let expect = reference(move |inputs| vec![by_pixel(&inputs[0], extents, align)]);
        Sample::composite(name, "affine_grid", build, vec![theta], expect)
    };
    let wide = |value: Value| Value::new(&value.extents, &tensor(&value).data);
    let bounded = vec![bounded_first(Element::F32, 3, &[2, 3])];
    vec![
        case("edges", noise(1, &[2, 2, 3]), &[3, 4], Align::Edges),
        case("centers, f64", wide(noise(2, &[1, 2, 3])), &[5, 2], Align::Centers),
        case("deep", noise(3, &[2, 3, 4]), &[2, 3, 4], Align::Edges),
        case("deep, centers", noise(4, &[1, 3, 4]), &[1, 2, 3], Align::Centers),
        case("one pixel", noise(5, &[2, 2, 3]), &[1, 1], Align::Edges),
        case("bounded", noise(6, &[2, 2, 3]), &[2, 3], Align::Centers).with_specs(bounded),
    ]
}

/// The expectation: the map of each pixel.
fn by_pixel(theta: &Tensor, extents: &[usize], align: Align) -> Tensor {
    let axes = extents.len();
    let shape = [&theta.extents[..1], extents, &[axes]].concat();
    Tensor::from_fn(&shape, |index| {
        let (batch, row) = (index[0], index[axes + 1]);
        let terms = (0..axes).map(|coordinate| {
            let axis = axes - 1 - coordinate;
            let (place, extent) = (index[1 + axis] as f64, extents[axis] as f64);
            let at = match align {
                Align::Edges => (2.0 * place + 1.0) / extent - 1.0,
                Align::Centers if extent == 1.0 => 0.0,
                Align::Centers => 2.0 * place / (extent - 1.0) - 1.0,
            };
            at * theta.at(&[batch, row, coordinate])
        });
        terms.sum::<f64>() + theta.at(&[batch, row, axes])
    })
}
