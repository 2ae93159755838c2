//! What PyTorch, and libraries around it, call segment reductions.

use synfire_runtime::define::{Initial, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{segment_max, segment_mean, segment_min, segment_sum};
use crate::arrange::concat::concat;
use crate::broadcast::binary::{Binary, add, maximum, minimum};
use crate::pointwise::unary::fill;
use crate::reduce::reduction::one_axis;
use crate::scan::cumulative::cumsum;
use crate::segment::segment_ids::segment_ids;
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("segment_reduce", |case| {
        let reduce = case.text(case.spelling(&["reduce", "reduction"]), "sum")?;
        reduced(case, &reduce)
    }),
    ("segment_sum", |case| reduced(case, "sum")),
    ("segment_mean", |case| reduced(case, "mean")),
    ("segment_max", |case| reduced(case, "max")),
    ("segment_min", |case| reduced(case, "min")),
];

fn reduced(case: &mut Case<'_>, reduce: &str) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "data", "input", "src"])?;
    let axis = one_axis_of(case, x)?;
    let (ids, count) = segments_of(case, x, axis)?;
    // An initial value counts as an element of each segment, but not for the mean's divisor.
    let initial = case.attribute("initial").map(|_| case.number("initial", 0.0)).transpose()?;
    let with = |case: &mut Case<'_>, y: Wire, join: fn() -> Binary| {
        let Some(initial) = initial else { return y };
        let initial = case.apply(fill(initial), &[y]);
        case.apply(join(), &[y, initial])
    };
    let y = match (reduce, initial) {
        ("sum", _) => {
            let y = case.apply(segment_sum(axis, count), &[x, ids]);
            with(case, y, add)
        }
        ("max" | "amax", _) => {
            let y = case.apply(segment_max(axis, count), &[x, ids]);
            with(case, y, maximum)
        }
        ("min" | "amin", _) => {
            let y = case.apply(segment_min(axis, count), &[x, ids]);
            with(case, y, minimum)
        }
        ("mean", None) => segment_mean(case, x, ids, axis, count),
        (other, _) => return Err(format!("a segment reduction `{other}` with {initial:?}")),
    };
    Ok(vec![y])
}

fn one_axis_of(case: &Case<'_>, x: Wire) -> Result<usize, String> {
    match case.optional("x") {
        Some(_) => Ok(one_axis(case)?.unwrap_or(0)),
        None => case.axis(case.spelling(&["axis", "dim"]), x, 0),
    }
}

/// The identity of each slice and the number of segments: given themselves, or by the lengths or
/// offsets of segments that follow each other.
pub(crate) fn segments_of(
    case: &mut Case<'_>,
    x: Wire,
    axis: usize,
) -> Result<(Wire, usize), String> {
    let names = ["ids", "segment_ids", "index", "idx", "indices", "segments", "batch"];
    if let Some(ids) = case.either(&names) {
        let spellings = ["num_segments", "count", "segments", "dim_size", "size", "n"];
        let spelling = case.spelling(&spellings);
        let count = case.attribute(spelling).map(|_| case.integer(spelling, 0)).transpose()?;
        let count = count.and_then(|count| usize::try_from(count).ok());
        return count.map(|count| (ids, count)).ok_or("no number of segments".to_owned());
    }
    let offsets = match (case.optional("offsets"), case.optional("lengths")) {
        (Some(offsets), _) => offsets,
        (None, Some(lengths)) => offsets_of(case, lengths),
        (None, None) => return constant_ids(case),
    };
    let count = case.spec_of(offsets)?.bound(0).saturating_sub(1);
    // Any stream with one place for each slice tells how many there are.
    let slices = slices_of(case, x, axis)?;
    Ok((case.apply(segment_ids(), &[offsets, slices]), count))
}

/// The identities and the number of segments whose lengths or offsets are attributes.
fn constant_ids(case: &mut Case<'_>) -> Result<(Wire, usize), String> {
    let lengths: Vec<i64> = match (case.integers("lengths")?, case.integers("offsets")?) {
        (Some(lengths), _) => lengths,
        (None, Some(offsets)) => offsets.windows(2).map(|pair| pair[1] - pair[0]).collect(),
        (None, None) => return Err("no ids, lengths or offsets of segments".into()),
    };
    let mut ids: Vec<i64> = Vec::new();
    for (id, &length) in (0..).zip(&lengths) {
        let length = usize::try_from(length).map_err(|_| format!("a segment of {length}"))?;
        ids.extend(std::iter::repeat_n(id, length));
    }
    let (value, spec) = (Value::new(&[ids.len()], &ids), Spec::new(Element::I64, [ids.len()]));
    Ok((case.parameter("ids", spec, Initial::Value(value.into())), lengths.len()))
}

/// `0` and the running sum of the lengths.
fn offsets_of(case: &mut Case<'_>, lengths: Wire) -> Wire {
    let ends = case.apply(cumsum(0), &[lengths]);
    let value = Value::new(&[1], &[0_i64]);
    let spec = Spec::new(Element::I64, [1]);
    let zero = case.parameter("zero", spec, Initial::Value(value.into()));
    case.apply(concat(0, 2), &[zero, ends])
}

/// A vector as long as `axis` of `x`.
fn slices_of(case: &mut Case<'_>, x: Wire, axis: usize) -> Result<Wire, String> {
    let length = case.spec_of(x)?.bound(axis);
    let value = Value::new(&[length], &vec![0.0_f32; length]);
    let spec = Spec::f32([length]);
    Ok(case.parameter("slices", spec, Initial::Value(value.into())))
}
