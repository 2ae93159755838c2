//! What PyTorch calls attention.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::{Dimension, Spec};

use super::attend;
use crate::arrange::expand::expand;
use crate::arrange::reshape::reshape;
use crate::dense::matmul::names::find;
use crate::torch::{Case, Torch};

/// The names.
pub(super) const NAMES: &[Torch] =
    &[("scaled_dot_product_attention", attention), ("sdpa", attention), ("attention", attention)];

fn attention(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let [q, k, v] = [["q", "query"], ["k", "key"], ["v", "value"]]
        .map(|names| find(case, &names).ok_or_else(|| format!("no input `{}`", names[0])));
    let (q, k, v) = (q?, k?, v?);
    let mask = find(case, &["mask", "attn_mask", "attention_mask", "bias", "m"]);
    let dropout = case.number("dropout", 0.0)?.max(case.number("dropout_p", 0.0)?);
    if dropout != 0.0 {
        return Err("attention with dropout is random".into());
    }
    let is_causal = case.flag("causal", false)? || case.flag("is_causal", false)?;
    // Heads are shared by their numbers alone.
    case.flag("enable_gqa", false)?;
    let mut operator = attend();
    if case.attribute("scale").is_some() {
        operator = operator.scale(case.number("scale", 1.0)?);
    }
    if is_causal {
        operator = operator.causal();
    }
    for name in ["window", "window_size", "sliding_window"] {
        if let Some(window) = case.integers(name)? {
            let [before, after] = match window[..] {
                [one] => [one - 1, if is_causal { 0 } else { one - 1 }],
                [before, after] => [before, after],
                _ => return Err(format!("`{name}` is {window:?}, wanted one or two sizes")),
            };
            let size = |n: i64| usize::try_from(n).unwrap_or(usize::MAX / 2);
            operator = operator.window(size(before), size(after));
        }
    }
    let [q, k, v] = broadcast(case, [q, k, v])?;
    let mut inputs = vec![q, k, v];
    if let Some(mask) = mask {
        operator = operator.masked();
        inputs.push(aligned(case, mask, q)?);
    }
    let outputs = case.apply_many(operator, &inputs);
    Ok(vec![outputs[0]])
}

/// The dimensions before the heads repeated to what all three have in common.
fn broadcast(case: &mut Case<'_>, wires: [Wire; 3]) -> Result<[Wire; 3], String> {
    let mut specs = Vec::new();
    for wire in wires {
        specs.push(case.spec_of(wire)?);
    }
    let rank = specs.iter().map(Spec::rank).max().unwrap_or(0);
    let mut wires = wires;
    let before = rank.saturating_sub(3);
    let at = |spec: &Spec, axis: usize| {
        (axis + spec.rank()).checked_sub(rank).map_or(1, |axis| spec.bound(axis))
    };
    let common: Vec<usize> = (0..before)
        .map(|axis| specs.iter().map(|spec| at(spec, axis)).find(|&n| n != 1).unwrap_or(1))
        .collect();
    for (wire, spec) in wires.iter_mut().zip(&specs) {
        let own: Vec<usize> = (before..rank).map(|axis| at(spec, axis)).collect();
        let target = [&common[..], &own].concat();
        if spec.dimensions.iter().all(|d| !d.is_bounded()) && spec.bounds() != target {
            *wire = case.apply(expand(&target), &[*wire]);
        }
    }
    Ok(wires)
}

/// A mask without dimensions that are 1 in front of those that `q` has.
fn aligned(case: &mut Case<'_>, mask: Wire, q: Wire) -> Result<Wire, String> {
    let (own, rank) = (case.spec_of(mask)?, case.spec_of(q)?.rank());
    let surplus = own.rank().saturating_sub(rank);
    if surplus == 0 || own.dimensions[..surplus].iter().any(|&d| d != Dimension::Fixed(1)) {
        return Ok(mask);
    }
    let extents: Vec<_> = own.bounds()[surplus..].iter().map(|&n| n.into()).collect();
    Ok(case.apply(reshape(&extents), &[mask]))
}
