//! What ONNX calls it.

use super::group_norm;
use crate::arrange::tile::repeat_interleave;
use crate::onnx::Onnx;

/// ONNX's name; before operator set 21 it has a scale for each group, not for each channel.
pub const ONNX: Onnx = Onnx::reads(&[("GroupNormalization", |node| {
    let x = node.input(0)?;
    let mut affine = [node.input(1)?, node.input(2)?];
    let epsilon = node.number("epsilon", 1e-5)?;
    node.integer("stash_type", 1)?;
    let groups = node.integer("num_groups", 0)?;
    let channels = node.spec_of(x)?.bounds().get(1).copied().unwrap_or(0);
    let groups = usize::try_from(groups).ok().filter(|&n| n > 0 && channels.is_multiple_of(n));
    let groups = groups.ok_or_else(|| format!("`num_groups` of {channels} channels"))?;
    if node.opset() < 21 {
        for own in &mut affine {
            if node.spec_of(*own)?.bounds() != [channels] {
                *own = repeat_interleave(node, *own, 0, channels / groups);
            }
        }
    }
    Ok(vec![group_norm(node, x, affine.map(Some), groups, epsilon)])
})]);
