//! One-hot: 1 at the index of a class, 0 elsewhere, along a new last axis.
//!
//! # Shape
//! `index`: `i64`, any of at most 7 dimensions -> `y`: the same and `classes`, `f32` or the element
//! type asked for. Bounded dimensions stay bounded.
//!
//! # Gradient
//! None: the index is no quantity.
//!
//! # Numerics
//! Exact. An index outside `0..classes`, negative ones too, fails the firing. As PyTorch's
//! `one_hot`, but for the element type. An accelerator cannot fail for one index: it gives zeros
//! there.
//!
//! # Example
//! ```
//! use synfire_ops::index::one_hot::one_hot;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let y = fire_once(&one_hot(3), &[Value::new(&[2], &[2_i64, 0])])?;
//! assert_eq!(y[0].elements::<f32>(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
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
use synfire_runtime::spec::{Dimension, Element, RANK_MAX, Spec};
use synfire_runtime::value::Value;

use crate::device::on_device;
use crate::host::indices::in_range;
use crate::host::pieces::pieces;
use crate::host::strided::{by_size, pattern};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, reference};
use crate::torch::Torch;

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's name; its classes must be given.
pub const TORCH: &[Torch] = &[("one_hot", |case| {
    let index = case.operand_of(Element::I64, &["x", "index", "idx", "indices", "input"])?;
    let classes = case.integer(case.spelling(&["num_classes", "classes"]), -1)?;
    let classes = usize::try_from(classes).map_err(|_| "as many classes as the data has")?;
    Ok(vec![case.apply(one_hot(classes).with_element(Element::I64), &[index])])
})];

/// `classes` places, `f32`, with a 1 at the index.
#[must_use]
pub fn one_hot(classes: usize) -> OneHot {
    OneHot { classes, element: Element::F32 }
}

/// See [`one_hot`].
#[derive(Clone, Copy, Debug)]
pub struct OneHot {
    classes: usize,
    element: Element,
}

impl OneHot {
    /// The same in another element type.
    #[must_use]
    pub fn with_element(self, element: Element) -> Self {
        Self { element, ..self }
    }
}

impl Operator for OneHot {
    fn contract(&self) -> Contract {
        Contract::new("one_hot").input("index").output("y").tolerance(Tolerance::EXACT)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        require::element("index", &inputs[0], &[Element::I64])?;
        let mut y = inputs[0].with_element(self.element);
        if y.rank() == RANK_MAX {
            let wanted = format!("at most {} dimensions", RANK_MAX - 1);
            return Err(SpecError::new("index", y, wanted));
        }
        y.dimensions.push(Dimension::Fixed(self.classes));
        Ok(vec![y])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        Metadata::streaming(inputs, outputs, Axes::pointwise(inputs, outputs))
    }

    fn gradient(&self, _backward: &mut Backward<'_>) -> Gradient {
        Gradient::Of(vec![None])
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(target, specs, host: OnHost(*self), cube: cube::OnCube(*self))
    }
}

struct OnHost(OneHot);

impl Kernel for OnHost {
    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let OneHot { classes, element } = self.0;
        let (index, mut y) = (firing.input(0), firing.output(0));
        let places = index.extents();
        let indices = index.elements::<i64>();
        in_range("one_hot", "index", indices, &places, classes)?;
        let mut extents = [classes; RANK_MAX];
        extents[..places.len()].copy_from_slice(&places);
        y.set_extents(&extents[..=places.len()]);
        let one = pattern(element, 1.0);
        by_size!(element, on_rows(firing.crew(), indices, one, y.bytes()));
        Ok(())
    }
}

fn on_rows<T: Pod + Send + Sync>(crew: &Crew, indices: &[i64], one: [u8; 8], y: &mut [u8]) {
    let one: T = bytemuck::pod_read_unaligned(&one[..size_of::<T>()]);
    let y: &mut [T] = bytemuck::cast_slice_mut(y);
    let classes = y.len() / indices.len().max(1);
    pieces(crew, y, classes, &|offset, piece| {
        // Zero is all bits zero in every element type.
        piece.fill(T::zeroed());
        for (y, &index) in piece.chunks_exact_mut(classes).zip(&indices[offset / classes..]) {
            y[index as usize] = one;
        }
    });
}

#[cfg(feature = "cube")]
mod cube {
    use cubecl::prelude::*;

    use super::{FireError, OneHot, pattern};
    use crate::device::kernel::{Call, CubeKernel, size};
    use crate::device::lookup::index_at;
    use crate::device::words::{per_word, words_of};

    pub(super) struct OnCube(pub(super) OneHot);

    impl CubeKernel for OnCube {
        fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
            let OneHot { classes, element } = self.0;
            let index = call.input(0);
            let y = call.set_extents(0, &[&index.extents()[..], &[classes]].concat());
            let [low, high]: [u32; 2] = bytemuck::cast(pattern(element, 1.0));
            let (per_word, words) = (per_word(element), words_of(element));
            let count = y.elements() * words;
            call.each(count.div_ceil(per_word as usize), |client, cubes, units| {
                let (count, row) = (size(count), size(classes * words));
                let (index, y) = (index.array(), y.array());
                one_hot::launch::<R>(
                    client,
                    cubes,
                    units,
                    index,
                    y,
                    count,
                    row,
                    low,
                    high,
                    size(words),
                    per_word,
                );
            })
        }
    }

    /// Rows of `row` words or parts of words, each place of `words` of them.
    #[cube(launch)]
    fn one_hot(
        index: &Array<u32>,
        y: &mut Array<u32>,
        count: u32,
        row: u32,
        low: u32,
        high: u32,
        #[comptime] words: u32,
        #[comptime] per_word: u32,
    ) {
        let word = ABSOLUTE_POS as u32;
        if word * per_word < count {
            let mut bits = 0u32;
            #[unroll]
            for k in 0..per_word {
                let element = word * per_word + k;
                if element < count && index_at(index, element / row) == element % row / words {
                    let one = select(element & comptime!(words - 1) > 0, high, low);
                    bits |= one << comptime!(k * (32 / per_word));
                }
            }
            y[word as usize] = bits;
        }
    }
}

/// Element types, scalars, one class, several pieces, none, bounded, failures and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let by_comparing = |classes: usize| {
        reference(move |inputs| {
            let x = &inputs[0];
            let extents: Vec<usize> = x.extents.iter().copied().chain([classes]).collect();
            vec![Tensor::from_fn(&extents, |place| {
                let (class, place) = place.split_last().expect("the class axis is there");
                f64::from(u8::from(x.at(place) == *class as f64))
            })]
        })
    };
    let case = |name: &str, classes: usize, extents: &[usize], indices: &[i64]| {
        let inputs = vec![Value::new(extents, indices)];
        Sample::new(name, one_hot(classes), inputs, by_comparing(classes))
    };
    let every = Element::ALL.map(|element| {
        let inputs = vec![Value::new(&[2, 3], &[0_i64, 4, 2, 2, 1, 0])];
        let operator = one_hot(5).with_element(element);
        Sample::new(format!("classes, {element}"), operator, inputs, by_comparing(5))
    });
    let many: Vec<i64> = (0..1009).map(|k| k * k % 101).collect();
    let outside = "one_hot: port index: found 5 at [0, 1]; wanted 0 to below 5";
    let some = vec![
        case("scalar", 3, &[], &[1]),
        case("one class", 1, &[3], &[0, 0, 0]),
        case("several pieces", 101, &[1009], &many),
        case("none", 3, &[0, 2], &[]),
        case("bounded", 3, &[2], &[1, 2]).with_specs(vec![bounded_first(Element::I64, 7, &[])]),
        Sample::new(
            "outside",
            one_hot(5),
            vec![Value::new(&[1, 2], &[0_i64, 5])],
            Expect::Fails(outside),
        ),
        Sample::rejected("no integers", one_hot(5), vec![Spec::f32([2])], "index", None),
        Sample::rejected(
            "too many axes",
            one_hot(5),
            vec![Spec::new(Element::I64, [1; 8])],
            "index",
            None,
        ),
    ];
    every.into_iter().chain(some).collect()
}
