//! Transpose: the axes in another order.
//!
//! # Shape
//! `x`: any -> `y`: dimension `k` is dimension `permutation[k]` of `x`, bounded ones too. Any
//! element type.
//!
//! # Gradient
//! `dx` is `dy` transposed by the inverse permutation.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `permute`, but the output is dense.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::transpose::transpose;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let x = Value::new(&[2, 3], &[0_i32, 1, 2, 3, 4, 5]);
//! let y = fire_once(&transpose(&[1, 0]), &[x])?;
//! assert_eq!(y[0].elements::<i32>(), [0, 3, 1, 4, 2, 5]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::define::Wire;
use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Axes, Backward, Contract, Gradient, Kernel, KernelError, Metadata, Operator, SpecError, Specs,
    Tolerance,
};
use synfire_runtime::spec::{Element, Spec};

use crate::device::on_device;
use crate::host::strided::{Strided, Viewed};
use crate::marks::Order;
use crate::require;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Case, Torch};

mod onnx; // what ONNX calls it
pub use onnx::ONNX;

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("permute", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axes = case.axes(case.spelling(&["dims", "dim", "axes"]), x)?;
        Ok(vec![case.apply(transpose(&axes), &[x])])
    }),
    ("transpose", swapped),
    ("swapaxes", swapped),
    ("swapdims", swapped),
    ("t", |case| {
        let x = case.operand(&["x", "input", "self"])?;
        let axes: Vec<usize> = (0..case.spec_of(x)?.rank()).rev().collect();
        Ok(vec![case.apply(transpose(&axes), &[x])])
    }),
    ("movedim", moved),
    ("moveaxis", moved),
];

fn swapped(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let mut axes: Vec<usize> = (0..case.spec_of(x)?.rank()).collect();
    let list = case.spelling(&["dims", "axes"]);
    let [a, b] = match case.attribute(list) {
        Some(_) => case.axes(list, x)?.try_into().map_err(|_| "two dims wanted")?,
        None => [
            case.axis(case.spelling(&["dim0", "axis0"]), x, 0)?,
            case.axis(case.spelling(&["dim1", "axis1"]), x, 1)?,
        ],
    };
    axes.swap(a, b);
    Ok(vec![case.apply(transpose(&axes), &[x])])
}

fn moved(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let rank = case.spec_of(x)?.rank();
    let from = case.axes(case.spelling(&["source", "src"]), x)?;
    let to = case.axes(case.spelling(&["destination", "dst"]), x)?;
    let mut places = vec![None; rank];
    to.iter().zip(&from).for_each(|(&to, &from)| places[to] = Some(from));
    let mut rest = (0..rank).filter(|axis| !from.contains(axis));
    let permutation: Vec<usize> =
        places.into_iter().filter_map(|place| place.or_else(|| rest.next())).collect();
    Ok(vec![case.apply(transpose(&permutation), &[x])])
}

/// Axis `k` of the output is axis `permutation[k]` of the input.
#[must_use]
pub fn transpose(permutation: &[usize]) -> Transpose {
    Transpose { permutation: permutation.to_vec() }
}

/// See [`transpose`].
#[derive(Clone, Debug)]
pub struct Transpose {
    permutation: Vec<usize>,
}

impl Operator for Transpose {
    fn contract(&self) -> Contract {
        let contract = Contract::new("transpose").input("x").output("y");
        contract.tolerance(Tolerance::EXACT).mark(Order(self.permutation.clone()))
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let x = &inputs[0];
        require::rank("x", x, self.permutation.len())?;
        if let Some(axis) = (0..x.rank()).find(|axis| !self.permutation.contains(axis)) {
            let wanted = format!("a place in the permutation {:?}", self.permutation);
            return Err(SpecError::new("x", x.dimensions[axis], wanted).at(axis));
        }
        let dimensions = self.permutation.iter().map(|&axis| x.dimensions[axis]);
        Ok(vec![Spec::new(x.element, dimensions)])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let mut axes = Axes::pointwise(inputs, outputs);
        axes.outputs[0] = self.permutation.iter().map(|&axis| axis as u8).collect();
        Metadata::streaming(inputs, outputs, axes)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        let mut inverse = vec![0; self.permutation.len()];
        self.permutation.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        let dy = backward.upstream(0);
        Gradient::one(backward.apply(transpose(&inverse), &[dy]))
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        let permutation = self.permutation.clone();
        let view = move |extents: &[usize]| Strided::dense(extents).permute(&permutation);
        on_device!(target, specs, host: Viewed(view), cube: Viewed(view))
    }
}

/// Every element type, two, three and four axes, odd sizes, scalars, bounded, and rejections.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let f32 = Element::F32;
    let by = |permutation: &'static [usize]| {
        reference(move |inputs| vec![by_index(&inputs[0], permutation)])
    };
    let case = |name: &str, permutation: &'static [usize], extents: &[usize]| {
        Sample::new(name, transpose(permutation), vec![ramp(f32, extents)], by(permutation))
    };
    let every = Element::ALL.map(|element| {
        let x = vec![ramp(element, &[19, 37])];
        Sample::new(format!("matrix, {element}"), transpose(&[1, 0]), x, by(&[1, 0]))
    });
    let some = vec![
        case("several pieces", &[1, 0], &[211, 307]),
        case("long rows", &[1, 0], &[17_011, 3]),
        case("batch of matrices", &[0, 2, 1], &[5, 17, 23]),
        case("heads", &[0, 2, 1, 3], &[2, 7, 3, 5]),
        case("reversed", &[2, 1, 0], &[7, 11, 13]),
        case("channels last", &[0, 2, 3, 1], &[2, 3, 11, 17]),
        case("as it is", &[0, 1], &[3, 5]),
        case("ones", &[2, 0, 1], &[1, 5, 1]),
        case("scalar", &[], &[]),
        case("empty", &[1, 0], &[0, 5]),
        case("bounded", &[1, 0], &[4, 3]).with_specs(vec![bounded_first(f32, 9, &[3])]),
        Sample::rejected("another rank", transpose(&[0]), vec![Spec::f32([2, 2])], "x", None),
        Sample::rejected("twice", transpose(&[1, 1]), vec![Spec::f32([2, 2])], "x", Some(0)),
    ];
    every.into_iter().chain(some).collect()
}

/// The expectation: puts each index of the output back in the order of the input.
fn by_index(x: &Tensor, permutation: &[usize]) -> Tensor {
    let extents: Vec<usize> = permutation.iter().map(|&axis| x.extents[axis]).collect();
    Tensor::from_fn(&extents, |index| {
        let mut source = vec![0; index.len()];
        permutation.iter().zip(index).for_each(|(&axis, &place)| source[axis] = place);
        x.at(&source)
    })
}
