//! What ONNX calls it: `Reshape`, and what only adds, takes away or joins axes.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Dimension;
use synfire_runtime::value::Value;

use super::{Extent, Reshape, extent_of, reshape};
use crate::onnx::{Node, Onnx, elements};

/// ONNX's names, both ways.
pub const ONNX: Onnx = Onnx::reads(&[
    ("Reshape", given),
    ("Flatten", flattened),
    ("Squeeze", squeezed),
    ("Unsqueeze", unsqueezed),
])
.writes(|operator, emit| {
    let extents = &operator.downcast_ref::<Reshape>()?.extents;
    let numbers = extents.iter().map(|extent| match extent {
        Extent::Is(extent) => *extent as i64,
        Extent::Infer => -1,
    });
    let numbers: Vec<i64> = numbers.collect();
    let has_none = numbers.contains(&0);
    if has_none && numbers.contains(&-1) {
        return Some(Err("an extent of 0 beside one that is inferred".into()));
    }
    let target = emit.constant(Value::new(&[numbers.len()], &numbers));
    let inputs = [emit.input(0), target];
    emit.last("Reshape", &inputs, &[("allowzero", i64::from(has_none).into())]);
    Some(Ok(()))
});

/// The same elements under these dimensions; nothing where they are under them already.
fn under(node: &mut Node<'_>, x: Wire, dimensions: &[Dimension]) -> Result<Vec<Wire>, String> {
    if node.spec_of(x)?.dimensions == dimensions {
        return Ok(vec![x]);
    }
    let extents: Vec<Extent> = dimensions.iter().copied().map(extent_of).collect();
    Ok(vec![node.apply(reshape(&extents), &[x])])
}

fn given(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let target = node.integers_at(1)?.ok_or("no shape")?;
    let own = node.spec_of(x)?.dimensions;
    let keeps = !node.flag("allowzero", false)?;
    let mut extents = Vec::new();
    for (axis, &extent) in target.iter().enumerate() {
        extents.push(match (extent, usize::try_from(extent)) {
            (-1, _) => Extent::Infer,
            (0, _) if keeps => {
                let own = own.get(axis).copied();
                extent_of(own.ok_or_else(|| format!("shape {target:?} keeps axis {axis}"))?)
            }
            (_, Ok(extent)) => Extent::Is(extent),
            (_, Err(_)) => return Err(format!("shape {target:?}")),
        });
    }
    let known = extents.iter().map(|extent| if let Extent::Is(n) = extent { *n } else { 1 });
    elements(&known.collect::<Vec<_>>())?;
    Ok(vec![node.apply(reshape(&extents), &[x])])
}

fn flattened(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let own = node.spec_of(x)?.dimensions;
    let axis = node.integer("axis", 1)?;
    let axis = if axis < 0 { axis + own.len() as i64 } else { axis };
    let axis = usize::try_from(axis).ok().filter(|&axis| axis <= own.len());
    let axis = axis.ok_or_else(|| format!("an axis outside of {} dimensions", own.len()))?;
    elements(&node.spec_of(x)?.bounds())?;
    let joined = |part: &[Dimension]| {
        let bound = part.iter().map(|dimension| dimension.bound()).product();
        let is_bounded = part.iter().any(|dimension| dimension.is_bounded());
        if is_bounded { Dimension::UpTo(bound) } else { Dimension::Fixed(bound) }
    };
    under(node, x, &[joined(&own[..axis]), joined(&own[axis..])])
}

fn squeezed(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let own = node.spec_of(x)?.dimensions;
    let ones = || (0..own.len()).filter(|&axis| own[axis] == Dimension::Fixed(1)).collect();
    let axes = node.axes_at(1, own.len())?.unwrap_or_else(ones);
    if let Some(axis) = axes.iter().find(|&&axis| own[axis] != Dimension::Fixed(1)) {
        return Err(format!("axis {axis} has extent {}, wanted 1", own[*axis]));
    }
    let rest = own.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    let rest: Vec<Dimension> = rest.map(|(_, own)| *own).collect();
    under(node, x, &rest)
}

fn unsqueezed(node: &mut Node<'_>) -> Result<Vec<Wire>, String> {
    let x = node.input(0)?;
    let own = node.spec_of(x)?.dimensions;
    let count = match node.integers("axes")? {
        Some(axes) => axes.len(),
        None => node.integers_at(1)?.ok_or("no axes")?.len(),
    };
    let axes = node.axes_at(1, own.len() + count)?.unwrap_or_default();
    let mut rest = own.iter();
    let all = (0..own.len() + count).filter_map(|axis| match axes.contains(&axis) {
        true => Some(Dimension::Fixed(1)),
        false => rest.next().copied(),
    });
    let all: Vec<Dimension> = all.collect();
    under(node, x, &all)
}
