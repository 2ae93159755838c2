//! The product of matrices: `y[m, n] = sum over k of a[m, k] * b[k, n]`, for batches of them.
//!
//! # Shape
//! `a`: `f32` `[.., row, inner]`, or `[.., inner, row]` with [`Matmul::transpose_a`]; `b`:
//! `[.., inner, column]`, or `[.., column, inner]` with [`Matmul::transpose_b`]; `y`:
//! `[.., row, column]`. The dimensions before the last two are broadcast: aligned from the right,
//! an extent of 1, or none, is repeated. Every dimension may be bounded.
//!
//! # Gradient
//! `da = dy * b^T` and `db = a^T * dy`, each summed over the dimensions that were repeated.
//!
//! # Numerics
//! IEEE `f32`, sums in blocks whose order depends on the inner extent only, fused multiply-adds
//! where the CPU has them. A product over nothing is 0. As PyTorch's `matmul` of at least two
//! dimensions.
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
    Contract, Fusion, Kernel, KernelError, Metadata, Operator, SpecError, Specs, Tolerance,
};
use synfire_runtime::spec::{Dimension, Element, RANK_MAX, Spec};

use crate::device::on_device;
use crate::host::broadcast::{axes, common};
use crate::require;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference};

mod on_host; // batches of products
use on_host::OnHost;

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
        contract.fusion(Fusion::Producer).tolerance(Tolerance::SUM)
    }

    fn shape(&self, inputs: &[Spec]) -> Result<Vec<Spec>, SpecError> {
        let [a, b] = [&inputs[0], &inputs[1]];
        for (name, spec) in [("a", a), ("b", b)] {
            require::element(name, spec, &[Element::F32])?;
            if spec.rank() < 2 {
                let error = SpecError::new(name, spec, "at least 2 dimensions");
                return Err(error.hint("reshape a vector to a matrix before"));
            }
        }
        let ([row, inner], [b_inner, column]) =
            (matrix(a, self.a_axes()), matrix(b, self.b_axes()));
        if b_inner != inner {
            let dimension = b.rank() - 2 + self.b_axes()[0];
            let wanted = format!("{inner}, as the inner dimension of port a");
            return Err(SpecError::new("b", b_inner, wanted).at(dimension));
        }
        let mut dimensions = common(&[("a", &leading(a)), ("b", &leading(b))])?;
        dimensions.extend([row, column]);
        if dimensions.len() > RANK_MAX {
            return Err(SpecError::new("b", b, format!("at most {RANK_MAX} dimensions of y")));
        }
        Ok(vec![Spec { element: a.element, dimensions }])
    }

    fn metadata(&self, inputs: &[Spec], outputs: &[Spec]) -> Metadata {
        let [_, inner] = matrix(&inputs[0], self.a_axes());
        let macs = outputs[0].elements() as u64 * inner.bound() as u64;
        let mut axes = axes(&[leading(&inputs[0]), leading(&inputs[1])], &[leading(&outputs[0])]);
        let first = outputs[0].rank() as u8 - 2;
        let [row, column, inner] = [first, first + 1, first + 2];
        axes.inputs[0].extend(self.a_axes().map(|axis| [row, inner][axis]));
        axes.inputs[1].extend(self.b_axes().map(|axis| [inner, column][axis]));
        axes.outputs[0].extend([row, column]);
        Metadata::streaming(inputs, outputs, axes).with_macs(macs)
    }

    fn kernel(
        &self,
        target: Target<'_>,
        specs: &Specs<'_>,
    ) -> Result<Box<dyn Kernel>, KernelError> {
        on_device!(
            target,
            specs,
            host: OnHost::new(self, specs),
            cube: cube::OnCube::new(self, specs)
        )
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
    let rejected = |name: &str, operator: Matmul, [a, b]: [&[usize]; 2], port, dimension| {
        let specs = vec![Spec::f32(a.to_vec()), Spec::f32(b.to_vec())];
        Sample::rejected(name, operator, specs, port, dimension)
    };
    let (a, b, both) = (
        || matmul().transpose_a(),
        || matmul().transpose_b(),
        || matmul().transpose_a().transpose_b(),
    );
    let bounded = vec![
        Spec::f32([Dimension::UpTo(5), Dimension::UpTo(40), Dimension::UpTo(600)]),
        Spec::f32([Dimension::UpTo(600), Dimension::UpTo(70)]),
    ];
    let rows = vec![bounded_first(Element::F32, 400, &[31]), Spec::f32([31, 17])];
    let integers = vec![Spec::new(Element::I32, [2, 2]), Spec::f32([2, 2])];
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
        rejected("vector", matmul(), [&[3], &[3, 5]], "a", None),
        Sample::rejected("integers", matmul(), integers, "a", None),
    ]
}

/// The definition, element by element.
fn by_definition(operator: Matmul) -> Expect {
    reference(move |inputs| {
        let specs = [0, 1].map(|input| Spec::f32(inputs[input].extents.clone()));
        let extents = operator.shape(&specs).expect("samples are right")[0].bounds();
        let read = |input: usize, leading: &[usize], matrix: [usize; 2]| {
            let tensor: &Tensor = &inputs[input];
            let own = &tensor.extents[..tensor.extents.len() - 2];
            let aligned = &leading[leading.len() - own.len()..];
            let before = own.iter().zip(aligned).map(|(&n, &i)| if n == 1 { 0 } else { i });
            tensor.at(&before.chain(matrix).collect::<Vec<_>>())
        };
        let inner = operator.a_axes()[1];
        let inner = inputs[0].extents[inputs[0].extents.len() - 2 + inner];
        vec![Tensor::from_fn(&extents, |at| {
            let (leading, place) = at.split_at(at.len() - 2);
            let term = |k: usize| {
                let a = operator.a_axes().map(|axis| [place[0], k][axis]);
                let b = operator.b_axes().map(|axis| [k, place[1]][axis]);
                read(0, leading, a) * read(1, leading, b)
            };
            (0..inner).map(term).sum()
        })]
    })
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
