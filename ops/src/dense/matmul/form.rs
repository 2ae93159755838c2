//! What a product computes together with what it reads.

use synfire_runtime::mark::{Form, Part};

use crate::attention::attend::form::attention;
use crate::dense::linear::after_rows::after_rows;
use crate::marks::Product;

/// Attention, or rows that are made on the way into the product.
pub(super) fn form(last: &Part<'_>) -> Option<Form> {
    let product: &Product = last.mark()?;
    let [a_is_transposed, b_is_transposed] = product.is_transposed;
    let rows = || (!a_is_transposed).then(|| after_rows(last, b_is_transposed)).flatten();
    attention(last).or_else(rows)
}
