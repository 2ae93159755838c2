//! Index tensors: their range, and how a walk over them meets the tensors they point into.

use synfire_runtime::operator::FireError;
use synfire_runtime::spec::{Extents, RANK_MAX};

use super::strided::dense_strides;

/// Every index lies in `0..bound`.
///
/// # Errors
/// The first that does not, with its position and the bound.
pub fn in_range(
    operator: &str,
    port: &str,
    indices: &[i64],
    extents: &[usize],
    bound: usize,
) -> Result<(), FireError> {
    let outside = |&index: &i64| !usize::try_from(index).is_ok_and(|index| index < bound);
    let Some(mut flat) = indices.iter().position(outside) else { return Ok(()) };
    let found = indices[flat];
    let mut position = [0; RANK_MAX];
    for axis in (0..extents.len()).rev() {
        position[axis] = flat % extents[axis];
        flat /= extents[axis];
    }
    let position = &position[..extents.len()];
    Err(FireError::failed(format!(
        "{operator}: port {port}: found {found} at {position:?}; wanted 0 to below {bound}"
    )))
}

/// An index tensor is nowhere longer than the tensor it meets, but along the axis `except`. The
/// shape rule can only say so of bounds.
///
/// # Errors
/// The first dimension that is longer.
pub fn fits(
    operator: &str,
    places: &[usize],
    limits: &[usize],
    except: Option<usize>,
) -> Result<(), FireError> {
    let longer = |&axis: &usize| Some(axis) != except && places[axis] > limits[axis];
    let Some(axis) = (0..places.len()).find(longer) else { return Ok(()) };
    let (found, most) = (places[axis], limits[axis]);
    Err(FireError::failed(format!(
        "{operator}: port index, dimension {axis}: found {found}; wanted at most {most}"
    )))
}

/// How one row of an index tensor (its last axis) meets a tensor of the same rank.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    /// Strides of the tensor, zero along the axis that the indices replace.
    pub strides: [isize; RANK_MAX],
    /// Elements from one place of that axis to the next.
    pub place: usize,
    /// Elements from one index of the row to the next.
    pub step: usize,
}

impl Targets {
    /// Indices along `axis` of a dense tensor of these extents.
    #[must_use]
    pub fn new(extents: &Extents, axis: usize) -> Self {
        let mut strides = dense_strides(extents);
        let place = strides[axis] as usize;
        strides[axis] = 0;
        Self { strides, place, step: usize::from(axis + 1 != extents.len()) }
    }
}
