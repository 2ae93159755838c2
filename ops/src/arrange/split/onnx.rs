//! What ONNX calls it.

use synfire_runtime::define::Wire;

use super::{Split, equal_parts, split};
use crate::onnx::{Node, Onnx, sizes};

/// ONNX's name, both ways.
pub const ONNX: Onnx = Onnx::reads(&[("Split", read)]).writes(|operator, emit| {
    let Split { axis, sizes } = operator.downcast_ref::<Split>()?;
    let sizes = emit.integers(sizes);
    let inputs = [emit.input(0), sizes];
    emit.last("Split", &inputs, &[("axis", (*axis).into())]);
    Some(Ok(()))
});

/// More parts than any node has.
const MOST: usize = 1 << 16;

fn read(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let axis = node.axis("axis", x, 0)?;
    let extent = node.extents_of(x)?.get(axis).copied().unwrap_or(0);
    let count = node.integer("num_outputs", node.output_count() as i64)?;
    let count = usize::try_from(count).ok().filter(|&n| n > 0).ok_or("no outputs")?;
    let sizes = match node.integers_at(1)? {
        Some(given) => sizes("split", &given)?,
        None => {
            // Those behind the end are empty.
            let mut parts = equal_parts(extent, extent.div_ceil(count));
            parts.resize(count.min(MOST), 0);
            parts
        }
    };
    if sizes.len() != node.output_count() || sizes.iter().sum::<usize>() != extent {
        return Err(format!("parts {sizes:?} of {extent} for {} outputs", node.output_count()));
    }
    match sizes.len() {
        1 => Ok(vec![x]),
        _ => Ok(node.apply_many(split(axis, &sizes), &[x])),
    }
}
