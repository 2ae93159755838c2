//! What PyTorch calls products of sparse matrices: the parts of the matrix are inputs of their own.

use synfire_runtime::define::Wire;

use super::coo_matmul;
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::slice::slice;
use crate::sparse::csr_matmul::csr_matmul;
use crate::torch::{Build, Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("sparse_mm", PRODUCT),
    ("sparse.mm", PRODUCT),
    ("spmm", PRODUCT),
    ("sparse_matmul", PRODUCT),
    ("coo_matmul", PRODUCT),
    ("csr_matmul", PRODUCT),
];

const PRODUCT: Build = |case| {
    let values = case.operand(&["values", "value", "w", "weight"])?;
    let x = case.operand(&["x", "dense", "y", "other", "b", "mat2", "mat"])?;
    let columns = ["column", "col", "cols", "columns", "col_indices", "col_index"];
    let offsets = ["crow_indices", "crow", "offsets", "row_offsets", "indptr", "rowptr"];
    let y = match (case.either(&offsets), case.either(&["indices", "edge_index", "index"])) {
        (Some(offsets), _) => {
            let column = case.either(&columns).or_else(|| case.either(&["indices", "index"]));
            let column = column.ok_or("no input `col_indices`")?;
            case.apply(csr_matmul(), &[values, offsets, column, x])
        }
        (None, Some(indices)) => {
            let [row, column] = [0, 1].map(|place| part(case, indices, place));
            let rows = rows(case)?;
            case.apply(coo_matmul(rows), &[values, row?, column?, x])
        }
        (None, None) => {
            let row = case.operand(&["row", "rows", "row_indices", "row_index"])?;
            let column = case.operand(&columns)?;
            let rows = rows(case)?;
            case.apply(coo_matmul(rows), &[values, row, column, x])
        }
    };
    Ok(vec![y])
};

/// Row `place` of a pair of index lists.
fn part(case: &mut Case<'_>, indices: Wire, place: usize) -> Result<Wire, String> {
    let edges = case.spec_of(indices)?.bound(1);
    let one = case.apply(slice(0, place, place + 1, 1), &[indices]);
    Ok(case.apply(reshape(&[Extent::Is(edges)]), &[one]))
}

/// The number of rows, from the shape of the matrix.
fn rows(case: &Case<'_>) -> Result<usize, String> {
    let name = case.spelling(&["rows", "num_rows", "m", "n", "size", "shape", "num_nodes"]);
    let rows = case.integers(name)?.and_then(|shape| shape.first().copied());
    rows.and_then(|rows| usize::try_from(rows).ok()).ok_or("no number of rows".into())
}
