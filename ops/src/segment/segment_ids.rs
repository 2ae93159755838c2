//! Segment ids: for each of `n` places, which segment it is in, when segments follow each other:
//! `ids_i = s` where `offsets_s <= i < offsets_{s+1}`. The rows of a compressed sparse matrix, too.
//!
//! # Shape
//! `offsets`: `i64[segments + 1]`; `like`: `[n, ..]` of any element type, of which only `n` counts
//! -> `ids`: `i64[n]`, bounded where `n` is.
//!
//! # Gradient
//! None: the outputs are indices.
//!
//! # Numerics
//! Exact. Offsets start with 0, do not fall and end with `n`, else the firing fails; an accelerator
//! cannot tell, and gives the number of offsets behind the first that are at most `i`.
//!
//! # Example
//! ```
//! use synfire_ops::segment::segment_ids::segment_ids;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let offsets = Value::new(&[4], &[0_i64, 2, 2, 5]);
//! let ids = fire_once(&segment_ids(), &[offsets, Value::new(&[5], &[0.0_f32; 5])])?;
//! assert_eq!(ids[0].elements::<i64>(), [0, 0, 2, 2, 2]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{
    Axes, Backward, Contract, FireError, Gradient, Kernel, KernelError, Metadata, Operator,
    SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::pieces::pieces;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise};

/// The segment of each place.
#[must_use]
pub fn segment_ids() -> SegmentIds {
    SegmentIds
}

/// See [`segment_ids`].
#[derive(Clone, Copy, Debug)]
pub struct SegmentIds;

impl Operator for SegmentIds {
    fn contract(&self) -> Contract {
        let contract = Contract::new("segment_ids").input("offsets").input("like").output("ids");
        contract.tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let (offsets, like) = (&inputs[0], &inputs[1]);
        require::element("offsets", offsets, &[Element::I64])?;
        require::rank("offsets", offsets, 1)?;
        if require::fixed("offsets", offsets, 0)? == 0 {
            return Err(SpecError::new("offsets", 0, "at least the first 0").at(0));
        }
        require::axis("like", like, 0)?;
        Ok(vec![Spec { element: Element::I64, dimensions: vec![like.dimensions[0]] }])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.inputs[0][0] = inputs[1].rank() as u8;
        // Only the extents of `like` are read.
        let bytes = (inputs[0].bytes() + outputs[0].bytes()) as u64;
        Metadata { bytes, ..Metadata::streaming(inputs, outputs, axes) }
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Absent("an index has no derivative")
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost, cube: cube::OnCube)
    }
}

struct OnHost;

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (offsets, like, mut ids) = (firing.input(0), firing.input(1), firing.output(0));
        let (offsets, count) = (offsets.elements::<i64>(), like.extents()[0]);
        covers("segment_ids", offsets, count)?;
        ids.set_extents(&[count]);
        pieces(firing.crew(), ids.elements::<i64>(), 1, &|first, piece| {
            for (place, id) in (first as i64..).zip(piece) {
                *id = offsets[1..].partition_point(|&end| end <= place) as i64;
            }
        });
        Ok(())
    }
}

/// The segments follow each other from 0 to `count`.
pub(crate) fn covers(operator: &str, offsets: &[i64], count: usize) -> Result<(), FireError> {
    let failed = |place: usize, wanted: String| {
        let found = offsets[place];
        Err(FireError::failed(format!(
            "{operator}: port offsets: found {found} at [{place}]; wanted {wanted}"
        )))
    };
    let last = offsets.len() - 1;
    if offsets[0] != 0 {
        return failed(0, "0".into());
    }
    if let Some(place) = (1..=last).find(|&place| offsets[place] < offsets[place - 1]) {
        return failed(place, format!("at least {}", offsets[place - 1]));
    }
    if offsets[last] != count as i64 { failed(last, count.to_string()) } else { Ok(()) }
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::*;

    use super::FireError;
    use crate::device::kernel::{Call, CubeKernel, size};
    use crate::device::lookup::index_at;

    pub(super) struct OnCube;

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let (offsets, like) = (call.input(0), call.input(1));
            let ids = call.set_extents(0, &like.extents()[..1]);
            call.each(ids.elements(), |client, cubes, units| {
                let (count, ends) = (size(ids.elements()), size(offsets.elements()));
                let (offsets, ids) = (offsets.array(), ids.array());
                segment_ids::launch::<R>(client, cubes, units, offsets, ids, count, ends);
            })
        }
    }

    /// By halves: the number of ends that are at most the place.
    #[cube(launch)]
    fn segment_ids(offsets: &Array<u32>, ids: &mut Array<u32>, count: u32, ends: u32) {
        let place = ABSOLUTE_POS as u32;
        if place < count {
            let mut low = 1u32;
            let mut high = ends;
            while low < high {
                let middle = (low + high) / 2;
                if index_at(offsets, middle) <= place {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            ids[(2 * place) as usize] = low - 1;
            ids[(2 * place + 1) as usize] = 0;
        }
    }
}

/// Plain, segments without places, none, many, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, offsets: &[i64], like: Value| {
        let offsets_value = Value::new(&[offsets.len()], offsets);
        let lengths = offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let ids: Vec<f64> = lengths.enumerate().flat_map(|(s, n)| vec![s as f64; n]).collect();
        let expect = Expect::Outputs(vec![Tensor::new(&[ids.len()], ids)]);
        Sample::new(name, segment_ids(), vec![offsets_value, like], expect)
    };
    let fails = |name: &str, offsets: &[i64], words: &'static str| {
        let inputs = vec![Value::new(&[offsets.len()], offsets), noise(1, &[4])];
        Sample::new(name, segment_ids(), inputs, Expect::Fails(words))
    };
    let many: Vec<i64> = (0..=100).map(|k| k * k).collect();
    let bounded = vec![Spec::new(Element::I64, [3]), bounded_first(Element::F32, 9, &[2])];
    let specs = |offsets: Spec| vec![offsets, Spec::f32([4])];
    vec![
        case("plain", &[0, 2, 5], noise(1, &[5])),
        case("some without", &[0, 0, 3, 3, 4, 4], noise(1, &[4, 3])),
        case("one segment", &[0, 1], Value::new(&[1], &[7_i64])),
        case("none", &[0], noise(1, &[0])),
        case("many", &many, noise(1, &[10_000])),
        case("bounded", &[0, 2, 3], noise(1, &[3, 2])).with_specs(bounded),
        fails("no start", &[1, 4], "port offsets: found 1 at [0]; wanted 0"),
        fails("falling", &[0, 3, 2, 4], "found 2 at [2]; wanted at least 3"),
        fails("too short", &[0, 3], "found 3 at [1]; wanted 4"),
        Sample::rejected("no integers", segment_ids(), specs(Spec::f32([2])), "offsets", None),
        Sample::rejected(
            "no offsets",
            segment_ids(),
            specs(Spec::new(Element::I64, [0])),
            "offsets",
            Some(0),
        ),
    ]
}
