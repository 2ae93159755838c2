//! What PyTorch calls attention of several heads.

use synfire_runtime::define::Wire;

use super::{Layer, Projections, multi_head_attention};
use crate::arrange::slice::slice;
use crate::arrange::transpose::transpose;
use crate::attention::attend::attend;
use crate::dense::matmul::names::find;
use crate::torch::{Case, Torch};

/// The names.
pub(super) const NAMES: &[Torch] = &[
    ("multi_head_attention", from_case),
    ("multihead_attention", from_case),
    ("multi_head_attention_forward", from_case),
];

/// The projection of a kind: its own weight, or its third of the weight of all.
fn layer(case: &mut Case<'_>, letter: &str, third: usize) -> Result<Layer, String> {
    let own = [format!("{letter}_proj_weight"), format!("w{letter}"), format!("w_{letter}")];
    let of_own: Vec<&str> = own.iter().map(String::as_str).collect();
    let part = |case: &mut Case<'_>, wire: Wire| -> Result<Wire, String> {
        let count = case.spec_of(wire)?.bound(0) / 3;
        Ok(case.apply(slice(0, third * count, (third + 1) * count, 1), &[wire]))
    };
    let weight = match find(case, &of_own) {
        Some(weight) => weight,
        None => {
            let names = ["in_proj_weight", "in_proj_w", "w_in", "wi", "in_w"];
            let all = find(case, &names).ok_or_else(|| format!("no input `{}`", of_own[0]))?;
            part(case, all)?
        }
    };
    let own = [format!("{letter}_proj_bias"), format!("b{letter}"), format!("b_{letter}")];
    let of_own: Vec<&str> = own.iter().map(String::as_str).collect();
    let bias = match find(case, &of_own) {
        Some(bias) => Some(bias),
        None => match find(case, &["in_proj_bias", "in_proj_b", "b_in", "bi", "in_b"]) {
            Some(all) => Some(part(case, all)?),
            None => None,
        },
    };
    Ok(Layer { weight, bias })
}

fn from_case(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let query = find(case, &["q", "query", "x"]).ok_or("no input `q`")?;
    let key = find(case, &["k", "key"]).unwrap_or(query);
    let value = find(case, &["v", "value"]).unwrap_or(key);
    let heads = case.integer("num_heads", case.integer("heads", 1)?)?;
    let names = ["out_proj_weight", "out_proj.weight", "out_w", "w_out", "wo", "w_o"];
    let weight = find(case, &names).ok_or("no input `out_proj_weight`")?;
    let names = ["out_proj_bias", "out_proj.bias", "out_b", "b_out", "bo", "b_o"];
    let projections = Projections {
        query: layer(case, "q", 0)?,
        key: layer(case, "k", 1)?,
        value: layer(case, "v", 2)?,
        output: Layer { weight, bias: find(case, &names) },
        heads: usize::try_from(heads).map_err(|_| "heads below 0")?,
    };
    if case.number("dropout", 0.0)?.max(case.number("dropout_p", 0.0)?) != 0.0 {
        return Err("attention with dropout is random".into());
    }
    case.flag("need_weights", false)?;
    let mut operator = attend();
    if case.flag("causal", false)? || case.flag("is_causal", false)? {
        operator = operator.causal();
    }
    // Here PyTorch's mask is true where a query may not attend; one that is added is plain.
    let mask = find(case, &["attn_mask", "mask"]);
    let mut inverted = None;
    if let Some(mask) = mask {
        operator = operator.masked();
        let is_bool = case.spec_of(mask)?.element == synfire_runtime::spec::Element::Bool;
        inverted = Some(if is_bool { negated(case, mask) } else { mask });
    }
    let batch_first = case.flag("batch_first", true)?;
    let inputs = [query, key, value];
    let is_turned = !batch_first && case.spec_of(query)?.rank() == 3;
    let turn = transpose(&[1, 0, 2]);
    let inputs = if is_turned { inputs.map(|x| case.apply(turn.clone(), &[x])) } else { inputs };
    let y = multi_head_attention(case, &projections, &operator, (inputs, inverted));
    Ok(vec![if is_turned { case.apply(turn, &[y]) } else { y }])
}

/// Where the mask does not hold.
fn negated(case: &mut Case<'_>, mask: Wire) -> Wire {
    // A truth is not equal to itself exclusive-or true; equal operands give all true.
    let all = case.apply(crate::broadcast::binary::equal(), &[mask, mask]);
    case.apply(crate::broadcast::binary::logical_xor(), &[mask, all])
}
