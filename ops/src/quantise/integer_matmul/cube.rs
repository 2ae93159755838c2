//! The product on accelerators: a unit for each output.

use cubecl::prelude::*;

use super::FireError;
use crate::device::kernel::{Call, CubeKernel, size};
use crate::device::words::load;

pub(super) struct OnCube {
    pub(super) b_is_plain: bool,
}

impl CubeKernel for OnCube {
    fn launch<R: Runtime>(&self, call: &mut Call<'_, R>) -> Result<(), FireError> {
        let (a, b) = (call.input(0), call.input(1));
        let (a_zero, b_zero) = (call.input(2), call.input(3));
        let mut extents = a.extents().to_vec();
        let inner = extents.pop().expect("the shape rule wants one dimension");
        let columns = b.extents()[usize::from(self.b_is_plain)];
        extents.push(columns);
        let y = call.set_extents(0, &extents);
        let [to_column, to_inner] = if self.b_is_plain { [1, columns] } else { [inner, 1] };
        call.each(y.elements(), |client, cubes, units| {
            product::launch::<R>(
                client,
                cubes,
                units,
                a.array(),
                b.array(),
                a_zero.array(),
                b_zero.array(),
                y.array(),
                [y.elements(), inner, columns.max(1), to_column, to_inner, b_zero.elements()]
                    .map(size)
                    .into_iter()
                    .collect(),
            );
        })
    }
}

/// `extents`: elements of `y`, inner, columns, from one column of `b` to the next, from one `k`
/// to the next, zero points of `b`.
#[cube(launch)]
fn product(
    a: &Array<u32>,
    b: &Array<u32>,
    a_zero: &Array<i32>,
    b_zero: &Array<i32>,
    y: &mut Array<i32>,
    extents: Sequence<u32>,
) {
    let at = ABSOLUTE_POS as u32;
    if at < extents[0] {
        let (row, column) = (at / extents[2], at % extents[2]);
        let zeros = (a_zero[0], b_zero[(column % extents[5]) as usize]);
        let mut sum = 0i32;
        for k in 0..extents[1] {
            let left = i32::cast_from(load(a, row * extents[1] + k, 4u32)) - zeros.0;
            let place = column * extents[3] + k * extents[4];
            let right = i32::cast_from(load(b, place, 4u32)) - zeros.1;
            sum += left * right;
        }
        y[at as usize] = sum;
    }
}
