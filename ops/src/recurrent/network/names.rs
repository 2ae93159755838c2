//! How PyTorch describes a recurrent network.

use synfire_runtime::define::{Initial, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{Cell, Layout, Network, run};
use crate::arrange::reshape::{Extent, reshape};
use crate::arrange::slice::slice;
use crate::recurrent::cell::{Weights, first};
use crate::torch::Case;

/// The network of a case.
pub(super) fn build(case: &mut Case<'_>, cell: &'static Cell) -> Result<Vec<Wire>, String> {
    let mut x = first(case, &["x", "input"]).ok_or("no input `x`")?;
    let (weights, directions) = weights(case)?;
    if case.number("dropout", 0.0)? != 0.0 {
        return Err("dropout between layers".into());
    }
    if case.integer("proj_size", 0)? != 0 {
        return Err("a projection of the state".into());
    }
    let states: [&[&str]; 2] = [&["h0", "h_0", "hx", "h"], &["c0", "c_0", "cx", "c"]];
    let mut initial: Vec<Wire> =
        states[..cell.states].iter().filter_map(|names| first(case, names)).collect();
    if ![0, cell.states].contains(&initial.len()) {
        return Err("one of `h0` and `c0` alone".into());
    }
    let is_single = case.spec_of(x)?.rank() == 2;
    let is_batch_first = case.flag("batch_first", false)? && !is_single;
    if is_single {
        // One sequence without a batch.
        x = with_batch(case, x)?;
        for part in &mut initial {
            *part = with_batch(case, *part)?;
        }
    }
    let layout = if is_batch_first { Layout::BatchFirst } else { Layout::TimeFirst };
    let (lengths, longest) = lengths(case)?;
    let network = Network { weights: &weights, directions, layout, lengths };
    let mut outputs = run(case, cell, x, &initial, &network);
    if let Some(longest) = longest {
        // Padded again, sequences are as long as the longest.
        let axis = usize::from(is_batch_first);
        if longest < case.spec_of(outputs[0])?.bound(axis) {
            outputs[0] = case.apply(slice(axis, 0, longest, 1), &[outputs[0]]);
        }
    }
    if is_single {
        for output in &mut outputs {
            let own = case.spec_of(*output)?;
            let extents = [Extent::Infer, own.bound(2).into()];
            *output = case.apply(reshape(&extents), &[*output]);
        }
    }
    Ok(outputs)
}

fn with_batch(case: &mut Case<'_>, wire: Wire) -> Result<Wire, String> {
    let last = case.spec_of(wire)?.bound(1).into();
    Ok(case.apply(reshape(&[Extent::Infer, 1.into(), last]), &[wire]))
}

/// Those of all layers, as many as there are, and the directions of each.
fn weights(case: &Case<'_>) -> Result<(Vec<Weights>, usize), String> {
    let has = |suffix: &str| {
        let names = [format!("weight_ih{suffix}"), format!("w_ih{suffix}")];
        first(case, &[&names[0], &names[1]]).is_some()
    };
    let found = (0..).take_while(|layer| has(&format!("_l{layer}"))).count() as i64;
    let layers = case.integer("num_layers", case.integer("layers", found)?)?;
    let is_both = case.flag("bidirectional", has("_l0_reverse"))?;
    let mut weights = Vec::new();
    for layer in 0..layers {
        weights.push(Weights::named(case, &format!("_l{layer}"))?);
        if is_both {
            weights.push(Weights::named(case, &format!("_l{layer}_reverse"))?);
        }
    }
    Ok((weights, if is_both { 2 } else { 1 }))
}

/// The lengths, if any, and the longest where they are known.
fn lengths(case: &mut Case<'_>) -> Result<(Option<Wire>, Option<usize>), String> {
    if let Some(lengths) = first(case, &["lengths", "length"]) {
        return Ok((Some(lengths), None));
    }
    let Some(lengths) = case.integers("lengths")? else { return Ok((None, None)) };
    let longest = lengths.iter().copied().max().and_then(|longest| usize::try_from(longest).ok());
    let (spec, value) =
        (Spec::new(Element::I64, [lengths.len()]), Value::new(&[lengths.len()], &lengths));
    Ok((Some(case.parameter("lengths", spec, Initial::Value(value.into()))), longest))
}
