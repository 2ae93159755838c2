//! Points to BEV: a point cloud seen from above, as a square map of cells.
//!
//! `row = floor(x / r + B/2)` and `column = floor(y / r + B/2)`, with the resolution `r` in metres
//! and `B = size` cells: x grows along the rows, y along the columns, the sensor is at the centre.
//! After Suwesh, "Parallel-Perception-Network": its maps, without the dependence on point order.
//!
//! # Shape
//! `points`: `f32` or `f64`, `[up to N, 4]` (x, y, z, intensity; `N` may be fixed) -> `map`:
//! `[size, size]`, `size` at most 32768.
//!
//! # Gradient
//! Of heights, `dy` of a cell goes to the z of its highest point, in equal parts if they are
//! several. Marks do not change with a small move of a point: zero everywhere.
//!
//! # Numerics
//! Cell coordinates are computed in the element type, in the order written. A point outside the map
//! or with a NaN coordinate is dropped. A cell is a maximum, so neither the order of the points nor
//! the crew changes a bit; no zero in the map is negative.
//!
//! # Example
//! ```
//! use synfire_ops::perception::points_to_bev::{BevMode, points_to_bev};
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let points = Value::new(&[1, 4], &[-0.3_f32, 0.1, 2.0, 0.5]);
//! let map = fire_once(&points_to_bev(2, 0.5, BevMode::Heights), &[points])?;
//! assert_eq!(map[0].elements::<f32>(), [0.0, 2.0, 0.0, 0.0]);
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
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference};

/// The largest map, so that its cells are numbered by `u32`.
const SIZE_MAX: usize = 1 << 15;

mod backward; // the gradient by heights
#[cfg(feature = "cube")]
mod cube; // on accelerators
mod on_host;

/// What a cell says of the points in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BevMode {
    /// 1 where a point has `z > 0`, else 0.
    Plain,
    /// As plain, of points with `0 <= floor(z / r + offset) < depth` only.
    Voxels {
        /// Cells in height.
        depth: u32,
        /// The cell at `z = 0`.
        offset: u32,
    },
    /// The largest z above 0, else 0: for pictures.
    Heights,
}

impl BevMode {
    /// The voxels of the network's second version: 50 cells, the sensor in the middle.
    pub const VOXELS: Self = Self::Voxels { depth: 50, offset: 25 };
}

/// A map of `size` by `size` cells of `resolution_m` metres.
#[must_use]
pub fn points_to_bev(size: usize, resolution_m: f32, mode: BevMode) -> PointsToBev {
    PointsToBev { size, resolution_m, mode }
}

/// See [`points_to_bev`].
#[derive(Clone, Copy, Debug)]
pub struct PointsToBev {
    size: usize,
    resolution_m: f32,
    mode: BevMode,
}

impl Operator for PointsToBev {
    fn contract(&self) -> Contract {
        let contract = Contract::new("points_to_bev").input("points").output("map");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let points = &inputs[0];
        require::element("points", points, &[Element::F32, Element::F64])?;
        require::rank("points", points, 2)?;
        if require::fixed("points", points, 1)? != 4 {
            let wanted = "4: x, y, z, intensity";
            return Err(SpecError::new("points", points.dimensions[1], wanted).at(1));
        }
        if !(self.resolution_m > 0.0 && self.resolution_m.is_finite()) {
            let found = format!("a resolution of {} m", self.resolution_m);
            return Err(SpecError::new("points", found, "a positive length"));
        }
        if self.size > SIZE_MAX {
            let found = format!("a map of {} cells a side", self.size);
            return Err(SpecError::new("points", found, format!("at most {SIZE_MAX}")));
        }
        Ok(vec![Spec::new(points.element, [self.size, self.size])])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        // The map is cleared, then the cells under the points are written.
        let cells = 4 * inputs[0].bound(0) as u64;
        let streaming = Metadata::streaming(inputs, outputs, Axes::parse("pf->xy"));
        Metadata { bytes: streaming.bytes + cells, ..streaming }
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        match self.mode {
            // A mark does not change with a small move of a point.
            BevMode::Plain | BevMode::Voxels { .. } => Gradient::Of(vec![None]),
            BevMode::Heights if self.size == 0 => Gradient::Of(vec![None]),
            BevMode::Heights => Gradient::one(backward::of_heights(*self, backward)),
        }
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: on_host::OnHost(*self),
            cube: cube::OnCube::new(*self, specs)?
        )
    }
}

/// Each mode, even, odd and no cells, no points, points on edges, NaN, many points, rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let modes = [BevMode::Plain, BevMode::VOXELS, BevMode::Heights];
    let case = |name: String, operator: PointsToBev, points: Value| {
        let expect = reference(move |inputs| vec![by_cell(&inputs[0], operator)]);
        Sample::new(name, operator, vec![points], expect)
    };
    let nan = f32::NAN;
    let edges: [[f32; 4]; 10] = [
        [-1.0, -1.0, 0.5, nan],  // the first cell
        [1.0, 0.0, 1.0, 0.0],    // one past the last row
        [0.75, 0.75, -1.0, 0.0], // below the sensor
        [0.75, 0.75, 0.0, 0.0],  // at its height: no obstacle
        [-1.25, 0.25, 1.0, 0.0], // one before the first row
        [nan, 0.25, 1.0, 0.0],
        [0.25, nan, 1.0, 0.0],
        [0.25, 0.25, nan, 0.0],
        [0.25, -0.25, f32::INFINITY, 0.0], // plain sees it, voxels end at 12.5 m
        [f32::NEG_INFINITY, f32::INFINITY, 1.0, 0.0],
    ];
    let edges = Value::new(&[10, 4], edges.as_flattened());
    let every = modes.into_iter().flat_map(|mode| {
        let bev = |size: usize, resolution_m: f32| points_to_bev(size, resolution_m, mode);
        [
            case(format!("{mode:?}"), bev(16, 0.25), noise(1, &[97, 4])),
            case(format!("odd, {mode:?}"), bev(7, 0.37), noise(2, &[31, 4])),
            case(format!("edges, {mode:?}"), bev(4, 0.5), edges.clone()),
            case(format!("many, {mode:?}"), bev(13, 0.03), noise(3, &[9973, 4])),
            case(format!("pieces, {mode:?}"), bev(211, 0.019), noise(4, &[503, 4])),
            case(format!("one cell, {mode:?}"), bev(1, 4.1), noise(5, &[2, 4])),
            case(format!("no cells, {mode:?}"), bev(0, 0.2), noise(6, &[2, 4])),
            case(format!("no points, {mode:?}"), bev(5, 0.2), noise(7, &[0, 4])),
            case(format!("bounded, {mode:?}"), bev(5, 0.5), noise(8, &[11, 4]))
                .with_specs(vec![bounded_first(Element::F32, 100, &[4])]),
        ]
    });
    let rejected = |name: &str, points: Spec, dimension| {
        let operator = points_to_bev(4, 0.5, BevMode::Plain);
        Sample::rejected(name, operator, vec![points], "points", dimension)
    };
    let flat = points_to_bev(4, 0.0, BevMode::Plain);
    let large = points_to_bev(SIZE_MAX + 1, 0.2, BevMode::Plain);
    let some = [
        rejected("three features", Spec::f32([9, 3]), Some(1)),
        rejected("one axis", Spec::f32([4]), None),
        rejected("halves", Spec::new(Element::F16, [9, 4]), None),
        Sample::rejected("too large", large, vec![Spec::f32([9, 4])], "points", None),
        Sample::rejected("no resolution", flat, vec![Spec::f32([9, 4])], "points", None),
    ];
    every.chain(some).collect()
}

/// The expectation: each cell looks for the points between its edges, in `f64`.
fn by_cell(points: &Tensor, bev: PointsToBev) -> Tensor {
    let resolution = f64::from(bev.resolution_m);
    let half = bev.size as f64 / 2.0;
    // Rounded as the kernel's, so that a point near an edge is on the same side of it.
    let cell = |position: f64, centre: f64| {
        f64::from((position / resolution) as f32 + centre as f32).floor()
    };
    Tensor::from_fn(&[bev.size, bev.size], |place| {
        let inside = points.data.chunks(4).filter(|point| {
            let height = match bev.mode {
                BevMode::Voxels { depth, offset } => {
                    (0.0..f64::from(depth)).contains(&cell(point[2], f64::from(offset)))
                }
                _ => true,
            };
            let (row, column) = (cell(point[0], half), cell(point[1], half));
            height && [row, column] == [place[0] as f64, place[1] as f64]
        });
        let highest = inside.map(|point| point[2]).fold(0.0, f64::max);
        if bev.mode == BevMode::Heights { highest } else { f64::from(u8::from(highest > 0.0)) }
    })
}
