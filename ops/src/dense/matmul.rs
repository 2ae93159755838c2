//! The product of matrices: `y[m, n] = sum over k of a[m, k] * b[k, n]`, for batches of them.
//!
//! # Shape
//! `a`: any float `[.., row, inner]`, or `[.., inner, row]` with [`Matmul::transpose_a`]; `b`:
//! `[.., inner, column]`, or `[.., column, inner]` with [`Matmul::transpose_b`]; `y`:
//! `[.., row, column]`. The dimensions before the last two are broadcast: aligned from the right,
//! an extent of 1, or none, is repeated. A vector `[inner]` is a matrix of one row (`a`) or one
//! column (`b`), transposed or not, which `y` then lacks. Every dimension may be bounded.
//!
//! # Gradient
//! `da = dy * b^T` and `db = a^T * dy`, each summed over the dimensions that were repeated. One `b`
//! for a whole batch gets its gradient from one product. Of a vector with two bounded dimensions
//! beside it there is none.
//!
//! # Numerics
//! IEEE, sums in blocks whose order depends on the inner extent only, fused multiply-adds where the
//! CPU has them. A product over nothing is 0. As PyTorch's `matmul`.
//!
//! # Example
//! ```
//! use synfire_ops::dense::matmul::matmul;
//! use synfire_runtime::{solo::fire_once, value::Value};
//!
//! let a = Value::new(&[1, 2], &[1.0_f32, 2.0]);
//! let b = Value::new(&[2, 2], &[1.0_f32, 10.0, 100.0, 1000.0]);
//! let y = fire_once(&matmul(), &[a.clone(), b.clone()])?;
//! assert_eq!(y[0].elements::<f32>(), [201.0, 2010.0]);
//! let y = fire_once(&matmul().transpose_b(), &[a, b])?;
//! assert_eq!(y[0].elements::<f32>(), [21.0, 2100.0]);
//! # Ok::<(), synfire_runtime::operator::FireError>(())
//! ```

use synfire_runtime::device::Target;
use synfire_runtime::operator::{
    Backward, Contract, Fusion, Gradient, Kernel, KernelError, Metadata, Operator, SpecError,
    Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, Extents, RANK_MAX, Spec};

use crate::device::on_device;
use crate::host::broadcast::{axes, common};
use crate::host::widened::widened;
use crate::marks::Product;
use crate::require;
use crate::sample::{Expect, Sample, bounded_first, noise};

mod backward; // the gradient
mod expected; // the product by its definition
mod form; // what it computes with what it reads
pub(crate) mod names; // what PyTorch calls products
mod on_host; // batches of products
mod onnx; // what ONNX calls it
pub(crate) use backward::{as_rows, regroup};
use expected::by_definition;
pub(crate) use expected::doubled;
use on_host::OnHost;
pub use {names::PRODUCTS as TORCH, onnx::ONNX};

#[cfg(feature = "cube")]
mod cube; // one launch for a whole batch

/// The product of two matrices, or of batches of them.
#[must_use]
pub fn matmul() -> Matmul {
    Matmul { a_is_transposed: false, b_is_transposed: false }
}

/// See [`matmul`].
#[derive(Clone, Debug)]
pub struct Matmul {
    a_is_transposed: bool,
    b_is_transposed: bool,
}

impl Matmul {
    /// Takes `a` with rows and columns exchanged.
    #[must_use]
    pub fn transpose_a(mut self) -> Self {
        self.a_is_transposed = true;
        self
    }

    /// Takes `b` with rows and columns exchanged.
    #[must_use]
    pub fn transpose_b(mut self) -> Self {
        self.b_is_transposed = true;
        self
    }

    /// Which axes of `a`, counted from the end of the leading ones, are row and inner.
    fn a_axes(&self) -> [usize; 2] {
        if self.a_is_transposed { [1, 0] } else { [0, 1] }
    }

    /// Which axes of `b` are inner and column.
    fn b_axes(&self) -> [usize; 2] {
        if self.b_is_transposed { [1, 0] } else { [0, 1] }
    }

    /// The matrix that a vector stands for, whichever way the operand is transposed.
    fn promoted<T: Copy>(&self, input: usize, own: &[T], one: T) -> Option<[T; 2]> {
        let &[inner] = own else { return None };
        let one_is_first = [!self.a_is_transposed, self.b_is_transposed][input];
        Some(if one_is_first { [one, inner] } else { [inner, one] })
    }

    /// The spec of an operand as a matrix.
    fn as_matrix(&self, input: usize, spec: &Spec) -> Spec {
        let matrix = self.promoted(input, &spec.dimensions, Dimension::Fixed(1));
        matrix.map_or_else(|| spec.clone(), |matrix| Spec::new(spec.element, matrix))
    }

    /// The dimensions of the batch, of inputs that fit.
    fn batch(&self, inputs: &[Spec]) -> Spec {
        let [a, b] = [0, 1].map(|input| leading(&self.as_matrix(input, &inputs[input])));
        let batch = common(&[("a", &a), ("b", &b)]).expect("the shape rule saw that they fit");
        Spec::new(a.element, batch)
    }

    /// The extents of an operand as a matrix.
    fn extents(&self, input: usize, own: &Extents) -> Extents {
        self.promoted(input, own, 1).map_or(*own, |matrix| Extents::new(&matrix))
    }
}

/// The dimensions of `y`, without those that vectors lack.
fn outcome<T: Copy>(batch: &[T], matrix: [T; 2], ranks: [usize; 2]) -> impl Iterator<Item = T> {
    let kept = matrix.into_iter().zip(ranks).filter(|(_, rank)| *rank > 1);
    batch.iter().copied().chain(kept.map(|(extent, _)| extent))
}

/// The dimensions before the matrix.
fn leading(spec: &Spec) -> Spec {
    Spec::new(spec.element, spec.dimensions[..spec.rank() - 2].iter().copied())
}

/// The dimensions of the matrix, in the order of `axes`.
fn matrix(spec: &Spec, axes: [usize; 2]) -> [Dimension; 2] {
    axes.map(|axis| spec.dimensions[spec.rank() - 2 + axis])
}

impl Operator for Matmul {
    fn contract(&self) -> Contract {
        let contract = Contract::new("matmul").input("a").input("b").output("y");
        let contract = contract.fusion(Fusion::Producer).tolerance(Tolerance::SUM);
        let is_transposed = [self.a_is_transposed, self.b_is_transposed];
        contract.mark(Product { is_transposed }).form(form::form)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        for (name, spec) in [("a", &inputs[0]), ("b", &inputs[1])] {
            require::element(name, spec, &require::FLOATS)?;
            require::axis(name, spec, 0)?;
        }
        require::element("b", &inputs[1], &[inputs[0].element])?;
        let [a, b] = [0, 1].map(|input| self.as_matrix(input, &inputs[input]));
        let ([row, inner], [b_inner, column]) =
            (matrix(&a, self.a_axes()), matrix(&b, self.b_axes()));
        if b_inner != inner {
            let own = inputs[1].rank();
            let dimension = if own == 1 { 0 } else { own - 2 + self.b_axes()[0] };
            let wanted = format!("{inner}, as the inner dimension of port a");
            return Err(SpecError::new("b", b_inner, wanted).at(dimension));
        }
        let batch = common(&[("a", &leading(&a)), ("b", &leading(&b))])?;
        if batch.len() + 2 > RANK_MAX {
            let wanted = format!("at most {RANK_MAX} dimensions of y");
            return Err(SpecError::new("b", &inputs[1], wanted));
        }
        let ranks = [inputs[0].rank(), inputs[1].rank()];
        Ok(vec![Spec::new(a.element, outcome(&batch, [row, column], ranks))])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let own = [0, 1].map(|input| self.as_matrix(input, &inputs[input]));
        let inner = matrix(&own[0], self.a_axes())[1].bound();
        let macs = outputs[0].elements() as u64 * inner as u64;
        let mut axes = axes(&[leading(&own[0]), leading(&own[1])], &[self.batch(inputs)]);
        let first = axes.outputs[0].len() as u8;
        let [row, column, inner] = [first, first + 1, first + 2];
        let ranks = [inputs[0].rank(), inputs[1].rank()];
        let a = self.a_axes().map(|axis| [row, inner][axis]);
        let b = self.b_axes().map(|axis| [inner, column][axis]);
        for (input, own) in [a, b].into_iter().enumerate() {
            match ranks[input] {
                1 => axes.inputs[input].push(inner),
                _ => axes.inputs[input].extend(own),
            }
        }
        axes.outputs[0] = outcome(&axes.outputs[0], [row, column], ranks).collect();
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn gradient(&self, backward: &mut Backward<'_>) -> Gradient {
        backward::gradient(self, backward)
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
            Element::F64 => on_device!(target, specs, host: OnHost::<f64>::new(self, specs)),
            _ => on_device!(target, specs, host: OnHost::<f32>::new(self, specs),
                cube: cube::OnCube::new(self, specs)),
        }
    }
}

/// Both orders of both operands, batches, every kind of broadcasting, odd extents, nothing,
/// bounded dimensions; wrong dimensions and types.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, operator: Matmul, a: &[usize], b: &[usize]| {
        let expect = by_definition(operator.clone());
        Sample::new(name, operator, vec![noise(1, a), noise(2, b)], expect)
    };
    let wide = |name: &str, operator: Matmul, a: &[usize], b: &[usize]| {
        let expect = by_definition(operator.clone());
        let inputs = vec![doubled(&noise(1, a)), doubled(&noise(2, b))];
        Sample::new(name, operator, inputs, expect)
    };
    let rejected = |name: &str, operator: Matmul, [a, b]: [&[usize]; 2], port, dimension| {
        let specs = vec![Spec::f32(a.to_vec()), Spec::f32(b.to_vec())];
        Sample::rejected(name, operator, specs, port, dimension)
    };
    let (a, b) = (|| matmul().transpose_a(), || matmul().transpose_b());
    let both = || a().transpose_b();
    let bounded = vec![
        Spec::f32([Dimension::UpTo(5), Dimension::UpTo(40), Dimension::UpTo(600)]),
        Spec::f32([Dimension::UpTo(600), Dimension::UpTo(70)]),
    ];
    let rows = vec![bounded_first(Element::F32, 400, &[31]), Spec::f32([31, 17])];
    let integers = vec![Spec::new(Element::I32, [2, 2]), Spec::f32([2, 2])];
    let mixed = vec![Spec::f32([2, 2]), Spec::new(Element::F64, [2, 2])];
    let disagree = Sample::new(
        "actual extents differ",
        matmul(),
        vec![noise(1, &[1, 2, 3]), noise(2, &[4, 2])],
        Expect::Fails("port b has inner extent 4"),
    );
    vec![
        case("plain", matmul(), &[37, 53], &[53, 61]),
        case("one element", matmul(), &[1, 1], &[1, 1]),
        case("row by matrix", matmul(), &[1, 129], &[129, 67]),
        case("column by row", matmul(), &[19, 1], &[1, 23]),
        case("long sums", matmul(), &[3, 1201], &[1201, 5]),
        case("left transposed", a(), &[53, 37], &[53, 61]),
        case("right transposed", b(), &[37, 53], &[61, 53]),
        case("both transposed", both(), &[53, 37], &[61, 53]),
        case("batch", matmul(), &[3, 5, 7], &[3, 7, 11]),
        case("two batch dimensions", b(), &[2, 3, 5, 7], &[2, 3, 11, 7]),
        case("one b", matmul(), &[2, 3, 5, 7], &[7, 11]),
        case("one b, left transposed", a(), &[2, 3, 7, 5], &[7, 11]),
        case("one a", both(), &[7, 5], &[2, 3, 11, 7]),
        case("crossed", matmul(), &[2, 1, 5, 7], &[3, 7, 11]),
        case("repeated inside", matmul(), &[2, 1, 3, 5, 7], &[2, 4, 3, 7, 2]),
        case("inner nothing", matmul(), &[2, 3, 0], &[0, 5]),
        case("no rows", matmul(), &[2, 0, 3], &[3, 5]),
        case("no batch", matmul(), &[0, 2, 3], &[3, 5]),
        case("bounded", matmul(), &[3, 7, 577], &[577, 61]).with_specs(bounded.clone()),
        case("bounded rows", matmul(), &[201, 31], &[31, 17]).with_specs(rows),
        disagree.with_specs(bounded),
        rejected("inner", matmul(), [&[2, 3], &[4, 5]], "b", Some(0)),
        rejected("inner, transposed", b(), [&[2, 3], &[5, 4]], "b", Some(1)),
        rejected("batches", matmul(), [&[2, 2, 3], &[3, 3, 5]], "b", Some(0)),
        case("vector by matrix", matmul(), &[7], &[7, 5]),
        case("vector by batch", b(), &[7], &[2, 3, 5, 7]),
        case("matrix by vector", a(), &[7, 5], &[7]),
        case("batch by vector", matmul(), &[2, 3, 5, 7], &[7]),
        case("vectors", both(), &[129], &[129]),
        wide("of f64", matmul(), &[2, 5, 7], &[7, 11]),
        wide("of f64, transposed", both(), &[3, 1, 7, 5], &[2, 11, 7]),
        wide("vectors of f64", matmul(), &[7], &[7]),
        rejected("vector of another length", matmul(), [&[2, 3], &[4]], "b", Some(0)),
        rejected("scalar", matmul(), [&[], &[3, 5]], "a", None),
        Sample::rejected("integers", matmul(), integers, "a", None),
        Sample::rejected("mixed", matmul(), mixed, "b", None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiply_adds_are_exact() {
        let inputs = [Spec::f32([2, 1, 5, 7]), Spec::f32([3, 7, 11])];
        let outputs = matmul().shape(&inputs).expect("shapes fit");
        assert_eq!(outputs, [Spec::f32([2, 3, 5, 11])]);
        assert_eq!(matmul().metadata(&inputs, &outputs).macs, 2 * 3 * 5 * 11 * 7);
    }
}
