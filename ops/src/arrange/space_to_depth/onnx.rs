//! What ONNX calls them.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Dimension;

use super::depth_to_space;
use crate::arrange::reshape::{Extent, extent_of, reshape};
use crate::arrange::transpose::transpose;
use crate::onnx::{Node, Onnx};

/// ONNX's names.
pub const ONNX: Onnx = Onnx::reads(&[("DepthToSpace", spread), ("SpaceToDepth", gathered)]);

/// The block, and batch, channels, rows and columns.
fn given(node: &Node<'_>, x: Wire) -> Result<(usize, Dimension, [usize; 3]), String> {
    let block = node.integer("blocksize", 0)?;
    let block = usize::try_from(block).ok().filter(|n| (1..1 << 16).contains(n));
    let block = block.ok_or("`blocksize` is out of bounds")?;
    match node.spec_of(x)?.dimensions[..] {
        [batch, Dimension::Fixed(channels), Dimension::Fixed(rows), Dimension::Fixed(columns)] => {
            Ok((block, batch, [channels, rows, columns]))
        }
        ref other => Err(format!("{} dimensions, wanted 4, fixed behind the batch", other.len())),
    }
}

/// In the default order the place in a block counts before the channel.
fn spread(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let mode = node.text("mode", "DCR")?;
    let (block, batch, [channels, rows, columns]) = given(node, x)?;
    if !channels.is_multiple_of(block * block) {
        return Err(format!("{channels} channels for blocks of {block} by {block}"));
    }
    match &*mode {
        "CRD" => Ok(vec![depth_to_space(node, x, block)]),
        "DCR" => {
            let deep = channels / (block * block);
            let apart = [block, block, deep, rows, columns].map(Extent::Is);
            let apart = [&[extent_of(batch)], &apart[..]].concat();
            let y = node.apply(reshape(&apart), &[x]);
            let y = node.apply(transpose(&[0, 3, 4, 1, 5, 2]), &[y]);
            let joined = [deep, rows * block, columns * block].map(Extent::Is);
            Ok(vec![node.apply(reshape(&[&[extent_of(batch)], &joined[..]].concat()), &[y])])
        }
        other => Err(format!("a mode `{other}`")),
    }
}

fn gathered(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let (block, batch, [channels, rows, columns]) = given(node, x)?;
    if !rows.is_multiple_of(block) || !columns.is_multiple_of(block) {
        return Err(format!("{rows} by {columns} pixels in blocks of {block} by {block}"));
    }
    let apart = [channels, rows / block, block, columns / block, block].map(Extent::Is);
    let y = node.apply(reshape(&[&[extent_of(batch)], &apart[..]].concat()), &[x]);
    let y = node.apply(transpose(&[0, 3, 5, 1, 2, 4]), &[y]);
    let joined = [channels * block * block, rows / block, columns / block].map(Extent::Is);
    Ok(vec![node.apply(reshape(&[&[extent_of(batch)], &joined[..]].concat()), &[y])])
}
