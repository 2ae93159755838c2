//! Copies of tokens one by one on accelerators, for [`collect`](super) and `deal`.

use cubecl::prelude::*;
use synfire_runtime::operator::FireError;

use crate::device::kernel::{Call, CubeKernel};
use crate::device::strided::copy;
use crate::host::strided::Strided;

/// Token `k` of all inputs becomes token `k` of all outputs.
pub(in crate::route) struct TokenByToken;

impl CubeKernel for TokenByToken {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        for token in 0..call.inputs().min(call.outputs()) {
            let x = call.input(token);
            let y = call.set_extents(token, &x.extents());
            copy(call, &Strided::dense(&x.extents()), &x, &y)?;
        }
        Ok(())
    }
}
