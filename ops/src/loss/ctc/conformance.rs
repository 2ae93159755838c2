//! Cases of PyTorch's `ctc_loss`.

use synfire_runtime::define::Wire;
use synfire_runtime::spec::Element;
use synfire_runtime::value::Value;

use super::{Infinite, ctc};
use crate::arrange::reshape::{Extent, reshape};
use crate::broadcast::cast::cast;
use crate::losses::Total;
use crate::torch::Case;

/// A batch, or one item alone; lengths as inputs or attributes.
pub(super) fn build(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let mut x = case.operand(&["log_probs", "x", "input", "logits"])?;
    let mut targets = whole(case, &["targets", "target", "t", "y", "labels"])?;
    let spec = case.spec_of(x)?;
    let is_single = spec.rank() == 2;
    if is_single {
        let column = [spec.bound(0), 1, spec.bound(1)].map(Extent::Is);
        x = case.apply(reshape(&column), &[x]);
    }
    if is_single && case.spec_of(targets)?.rank() == 1 {
        targets = case.apply(reshape(&[Extent::Is(1), Extent::Infer]), &[targets]);
    }
    let inputs = whole(case, &["input_lengths", "in_len", "il", "input_length"])?;
    let labels = whole(case, &["target_lengths", "target_len", "tl", "target_length"])?;
    let [inputs, labels] =
        [inputs, labels].map(|wire| case.apply(reshape(&[Extent::Infer]), &[wire]));
    let blank = case.integer("blank", 0)?;
    let blank = usize::try_from(blank).map_err(|_| format!("a blank of {blank}"))?;
    let zero = case.flag("zero_infinity", false)?;
    let infinite = if zero { Infinite::Zero } else { Infinite::Kept };
    let total = Total::of_case(case)?;
    let loss = ctc(case, [x, targets, inputs, labels], blank, infinite, total);
    if is_single && total == Total::Each {
        return Ok(vec![case.apply(reshape(&[]), &[loss])]);
    }
    Ok(vec![loss])
}

/// Whole numbers as `i64`.
fn whole(case: &mut Case<'_>, names: &[&'static str]) -> Result<Wire, String> {
    if let Some(wire) = case.either(names) {
        let is_wide = case.spec_of(wire)?.element == Element::I64;
        return Ok(if is_wide { wire } else { case.apply(cast(Element::I64), &[wire]) });
    }
    let name = case.spelling(names);
    let numbers = case.integers(name)?.ok_or_else(|| format!("no `{name}`"))?;
    Ok(case.constant(name, Value::new(&[numbers.len()], &numbers)))
}
