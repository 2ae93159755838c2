//! The product on accelerators.

use cubecl::prelude::Runtime;
use synfire_runtime::operator::{FireError, Specs};
use synfire_runtime::spec::{Extents, Spec};

use super::{Matmul, leading, outcome};
use crate::device::gemm::Gemm;
use crate::device::kernel::{Call, CubeKernel};
use crate::host::broadcast::{Walk, actual};

pub(super) struct OnCube {
    operator: Matmul,
    /// Dimensions before the matrices: of `a`, `b` and their batch.
    leading: [Spec; 3],
}

impl OnCube {
    pub(super) fn new(operator: &Matmul, specs: &Specs<'_>) -> Self {
        let own = [0, 1].map(|input| leading(&operator.as_matrix(input, &specs.inputs[input])));
        let [a, b] = own;
        Self { operator: operator.clone(), leading: [a, b, operator.batch(specs.inputs)] }
    }
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (a, b) = (call.input(0), call.input(1));
        let ranks = [a.extents().len(), b.extents().len()];
        let a_extents = self.operator.extents(0, &a.extents());
        let b_extents = self.operator.extents(1, &b.extents());
        let split = |extents: &Extents| {
            let last = extents.len() - 2;
            (Extents::new(&extents[..last]), [extents[last], extents[last + 1]])
        };
        let ((a_before, a_matrix), (b_before, b_matrix)) = (split(&a_extents), split(&b_extents));
        let (a_axes, b_axes) = (self.operator.a_axes(), self.operator.b_axes());
        let [rows, inner] = a_axes.map(|axis| a_matrix[axis]);
        let [b_inner, columns] = b_axes.map(|axis| b_matrix[axis]);
        if inner != b_inner {
            let text = format!("port b has inner extent {b_inner}, port a has {inner}");
            return Err(FireError::failed(text));
        }
        let [a_leading, b_leading, y_leading] = &self.leading;
        let ports = [("a", a_leading, a_before), ("b", b_leading, b_before)];
        let batch = actual(&y_leading.dimensions, &ports)?;
        let extents: Vec<usize> = outcome(&batch, [rows, columns], ranks).collect();
        let y = call.set_extents(0, &extents);
        let walk = Walk::new(&[&a_before, &b_before], &batch);
        let strides = [(0, rows * inner), (1, inner * columns)].map(|(operand, matrix)| {
            walk.strides().iter().map(|own| own[operand] * matrix).collect::<Vec<_>>()
        });
        let gemm = Gemm {
            rows,
            inner,
            columns,
            a_strides: a_axes.map(|axis| [a_matrix[1], 1][axis]),
            b_strides: b_axes.map(|axis| [b_matrix[1], 1][axis]),
            batch: walk.extents(),
            batch_strides: [&strides[0], &strides[1]],
        };
        gemm.launch(call, [&a, &b, &y], None)
    }
}
