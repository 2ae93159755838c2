//! The pixels that windows chose, and back: for each channel, with an index for each window,
//!
//! | operator | |
//! |---|---|
//! | [`pool_gather`] | `y[p, q] = x[index[p, q]]`, 0 where the index is -1 |
//! | [`pool_scatter`] | `y[i]` is the sum of `x[p, q]` over the windows with `index[p, q] = i` |
//! | [`max_unpool2d`] | `y[i]` is `x[p, q]` of the last window with `index[p, q] = i`, or 0 |
//!
//! The first two are the gradients of max pools and of each other. On an accelerator a pixel asks
//! the few windows that it is in, where `scatter_add` would ask all of them.
//!
//! # Shape
//! `x`: any float `[batch, channel, row, column]` or `[channel, row, column]`, the image of a
//! gather, the windows of the others; the batch may be bounded. `index`: `i64` of the extents of
//! the windows. `y`: of the extents of the other one.
//!
//! # Gradient
//! Gather and scatter are each other's; that of an unpool gathers too, so where windows share a
//! pixel each gets the gradient, as in PyTorch. None for `index`.
//!
//! # Numerics
//! Floats of 16 bits are computed in `f32`, on the host alone, and rounded once.
//! Sums run window by window. An index counts pixels row by row. One that is no pixel and not -1
//! fails the firing; an accelerator cannot fail for one index: it gathers 0 there and scatters
//! nowhere. As PyTorch's `max_unpool2d`.
//!
//! # Example
//! ```
//! use synfire_ops::pool::{max_pool2d_indices::max_pool2d_indices, pool_scatter::max_unpool2d};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[1, 1, 4], &[1.0_f32, 5.0, 2.0, 0.0]);
//! let largest = fire_once(&max_pool2d_indices([1, 2]), &[x])?;
//! let y = fire_once(&max_unpool2d([1, 4], [1, 2]), &largest)?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 5.0, 2.0, 0.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::widened::widened;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};
use crate::window::{self, Image, Spans};

#[cfg(feature = "cube")]
mod cube; // a unit for each element of the output
mod on_host; // one channel after the other
use on_host::OnHost;

/// The pixels of an image of this extent that this many windows, `[rows, columns]`, chose.
#[must_use]
pub fn pool_gather(extent: [usize; 2], places: [usize; 2]) -> PoolScatter {
    anywhere(Kind::Gather, extent, places)
}

/// The sums over the windows that chose a pixel, for an image of this extent.
#[must_use]
pub fn pool_scatter(extent: [usize; 2], places: [usize; 2]) -> PoolScatter {
    anywhere(Kind::Scatter, extent, places)
}

/// What the windows have at the pixels that they chose, for an image of this extent.
#[must_use]
pub fn max_unpool2d(extent: [usize; 2], places: [usize; 2]) -> PoolScatter {
    anywhere(Kind::Unpool, extent, places)
}

/// The sums over the windows with these spans that chose a pixel there.
pub(crate) fn scatter_within(spans: [Spans; 2]) -> PoolScatter {
    PoolScatter { kind: Kind::Scatter, spans }
}

/// Windows of which each may have chosen any pixel.
fn anywhere(kind: Kind, extent: [usize; 2], places: [usize; 2]) -> PoolScatter {
    let spans = [0, 1].map(|axis| Spans::everywhere(extent[axis], places[axis]));
    PoolScatter { kind, spans }
}

/// See [`pool_gather`], [`pool_scatter`] and [`max_unpool2d`].
#[derive(Clone, Copy, Debug)]
pub struct PoolScatter {
    kind: Kind,
    spans: [Spans; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Gather,
    Scatter,
    Unpool,
}

impl PoolScatter {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Gather => "pool_gather",
            Kind::Scatter => "pool_scatter",
            Kind::Unpool => "max_unpool2d",
        }
    }

    /// Rows and columns of `x` and `y`.
    fn extents(&self) -> [[usize; 2]; 2] {
        let [image, windows] =
            [|s: Spans| s.extent, |s: Spans| s.places].map(|f| self.spans.map(f));
        if self.kind == Kind::Gather { [image, windows] } else { [windows, image] }
    }
}

impl Operator for PoolScatter {
    fn contract(&self) -> Contract {
        let contract = Contract::new(self.name()).input("x").input("index").output("y");
        contract.tolerance(match self.kind {
            Kind::Scatter => Tolerance::SUM,
            _ => Tolerance::EXACT,
        })
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (x, index) = (&inputs[0], &inputs[1]);
        let (image, [from, to]) = (Image::of(x)?, self.extents());
        let pairs = image.extent.iter().zip(&from).enumerate();
        if let Some((axis, (found, wanted))) = pairs.into_iter().find(|(_, (a, b))| a != b) {
            return Err(SpecError::new("x", found, wanted).at(x.rank() - 2 + axis));
        }
        let windows = self.spans.map(|spans| spans.places);
        let windows = image.output(image.channels, windows).with_element(Element::I64);
        require::alike("index", index, &windows, None)?;
        Ok(vec![image.output(image.channels, to)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let index = if self.kind == Kind::Gather { "pq" } else { "hw" };
        let before = if inputs[0].rank() == 4 { "bc" } else { "c" };
        let axes = format!("{before}hw,{before}{index}->{before}pq");
        Metadata::streaming(inputs, outputs, Axes::parse(&axes))
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let kind = if self.kind == Kind::Gather { Kind::Scatter } else { Kind::Gather };
        let (index, dy) = (backward.input(1), backward.upstream(0));
        let dx = backward.apply(Self { kind, ..*self }, &[dy, index]);
        Gradient::Of(vec![Some(dx), None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        if let Some(kernel) = widened(self, target, specs) {
            return kernel;
        }
        match specs.inputs[0].element {
            Element::F64 => on_device!(target, specs, host: OnHost(*self)),
            _ => on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube(*self)),
        }
    }
}

/// Each direction: any index, none, shared pixels, both ranks, one pixel, nothing, bounded batches,
/// `f64`; wrong indices, extents and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let kinds = [pool_gather, pool_scatter, max_unpool2d];
    let every = kinds.into_iter().flat_map(|make| {
        let case = |name: &str, extent: [usize; 2], places: [usize; 2], before: &[usize]| {
            let operator = make(extent, places);
            let x = noise(1, &[before, &operator.extents()[0]].concat());
            let pixels = (extent[0] * extent[1]) as i64;
            let count = before.iter().product::<usize>() * places[0] * places[1];
            // Each window of a channel its own pixel; one sees none.
            let index = |k: usize| if k == 3 { -1 } else { (k as i64 * 5 + 2) % pixels };
            let each = places[0] * places[1];
            let index: Vec<i64> = (0..count).map(|k| index(k % each.max(1))).collect();
            let index = Value::new(&[before, &places].concat(), &index);
            Sample::new(name, operator, vec![x, index], by_definition(operator))
        };
        let specs = vec![
            bounded_first(
                Element::F32,
                5,
                &[&[3], &make([3, 7], [2, 5]).extents()[0][..]].concat(),
            ),
            bounded_first(Element::I64, 5, &[3, 2, 5]),
        ];
        let operator = make([3, 7], [2, 5]);
        let x = window::wide(1, &[&[2, 3], &operator.extents()[0][..]].concat());
        let index: Vec<i64> = (0..60).map(|k| k % 10 * 4 % 21 - 1).collect();
        let inputs = vec![x, Value::new(&[2, 3, 2, 5], &index)];
        let wide = Sample::new("f64", operator, inputs, by_definition(operator));
        vec![
            case("plain", [3, 7], [2, 5], &[2, 3]),
            case("no batch", [4, 6], [3, 3], &[2]),
            case("one pixel", [1, 1], [1, 1], &[1, 1]),
            case("none", [3, 2], [1, 1], &[0, 2]),
            case("many", [33, 31], [11, 13], &[1, 17]),
            case("bounded", [3, 7], [2, 5], &[2, 3]).with_specs(specs),
            wide,
        ]
    });
    let shared = |name: &str, operator: PoolScatter| {
        let inputs = vec![noise(1, &[1, 2, 2]), Value::new(&[1, 2, 2], &[4_i64, 1, 4, 4])];
        Sample::new(name, operator, inputs, by_definition(operator))
    };
    let outside = || vec![noise(1, &[1, 1, 2]), Value::new(&[1, 1, 2], &[1_i64, 6])];
    let below = "max_unpool2d: port index: found 6; wanted -1 to below 6";
    let rejected = |name: &str, x: &[usize], index: Spec, port, dimension| {
        let specs = vec![Spec::f32(x.to_vec()), index];
        Sample::rejected(name, pool_scatter([2, 3], [1, 2]), specs, port, dimension)
    };
    let places = |extents: [usize; 3]| Spec::new(Element::I64, extents);
    every
        .chain([
            shared("shared pixels", pool_scatter([2, 3], [2, 2])),
            Sample::new("outside", max_unpool2d([2, 3], [1, 2]), outside(), Expect::Fails(below)),
            rejected("image", &[1, 2, 3], places([1, 1, 2]), "x", Some(1)),
            rejected("windows", &[1, 1, 2], places([1, 1, 3]), "index", Some(2)),
            rejected("no integers", &[1, 1, 2], Spec::f32([1, 1, 2]), "index", None),
            rejected("two dimensions", &[1, 2], places([1, 1, 2]), "x", None),
        ])
        .collect()
}

/// The definition, by asking each pair of a window and a pixel.
fn by_definition(operator: PoolScatter) -> Expect {
    reference(move |inputs| {
        let (x, index) = (&inputs[0], &inputs[1]);
        let [from, to] = operator.extents().map(|[rows, columns]| rows * columns);
        let planes = x.extents[..x.extents.len() - 2].iter().product();
        let mut extents = x.extents.clone();
        let first = extents.len() - 2;
        extents[first..].copy_from_slice(&operator.extents()[1]);
        let mut y = Vec::new();
        for plane in 0..planes {
            for k in 0..to {
                let own = |j: usize| x.data[plane * from + j];
                y.push(if operator.kind == Kind::Gather {
                    let pixel = index.data[plane * to + k];
                    (0..from).filter(|&j| j as f64 == pixel).map(own).sum::<f64>() + 0.0
                } else {
                    let mut windows =
                        (0..from).filter(|&j| index.data[plane * from + j] == k as f64);
                    match operator.kind {
                        Kind::Unpool => windows.next_back().map_or(0.0, own),
                        _ => windows.map(own).sum::<f64>() + 0.0,
                    }
                });
            }
        }
        vec![Tensor::new(&extents, y)]
    })
}
