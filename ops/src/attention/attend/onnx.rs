//! How attention is written for ONNX: by its definition.

use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::Attend;
use crate::onnx::{Attribute, Emit, Onnx};

/// Only the way to ONNX.
pub const ONNX: Onnx =
    Onnx::NONE.writes(|operator, emit| Some(write(operator.downcast_ref::<Attend>()?, emit)));

fn write(own: &Attend, emit: &mut Emit<'_>) -> Result<(), String> {
    let (q, k) = (emit.input_spec(0).clone(), emit.input_spec(1).clone());
    let rank = q.rank();
    if emit.is_read(1) {
        return Err("the logarithms of the sums".into());
    }
    if rank > 2 && q.dimensions[rank - 3] != k.dimensions[rank - 3] {
        return Err("heads that share keys".into());
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    let turned = [("perm", Attribute::from(&order[..]))];
    let keys = emit.step("Transpose", &[emit.input(1)], &turned);
    let scores = emit.step("MatMul", &[emit.input(0), keys], &[]);
    let factor = emit.number(own.factor(q.bound(rank - 1)));
    let mut scores = emit.step("Mul", &[scores, factor], &[]);
    let mut allowed = Vec::new();
    if own.is_masked {
        match emit.input_spec(3).element {
            Element::Bool => allowed.push(emit.input(3)),
            _ => scores = emit.step("Add", &[scores, emit.input(3)], &[]),
        }
    }
    if let Some(window) = window(own, &q, &k)? {
        allowed.push(emit.constant(window));
    }
    // As far below as a softmax can see, so that no row is without a number.
    let far = emit.number(-1e30);
    for mask in &allowed {
        scores = emit.step("Where", &[mask.clone(), scores, far.clone()], &[]);
    }
    let last = [("axis", Attribute::Integer(-1))];
    let mut shares = emit.step("Softmax", &[scores], &last);
    // A query that may attend to nothing gives 0.
    let zero = emit.number(0.0);
    for mask in &allowed {
        shares = emit.step("Where", &[mask.clone(), shares, zero.clone()], &[]);
    }
    let output = [emit.output(0)];
    emit.node("MatMul", &[shares, emit.input(2)], &output, &[]);
    Ok(())
}

/// Which keys each query may attend to by their places, if not all.
fn window(own: &Attend, q: &Spec, k: &Spec) -> Result<Option<Value>, String> {
    let [low, high] = own.diagonals();
    if low.is_none() && high.is_none() {
        return Ok(None);
    }
    let axis = q.rank() - 2;
    if q.dimensions[axis].is_bounded() || k.dimensions[axis].is_bounded() {
        return Err("a window over bounded extents".into());
    }
    let [rows, columns] = [q.bound(axis), k.bound(axis)];
    let is_inside = |index: usize| {
        let diagonal = (index % columns) as i64 - (index / columns) as i64;
        low.is_none_or(|low| diagonal >= low) && high.is_none_or(|high| diagonal <= high)
    };
    let inside = (0..rows * columns).map(|index| u8::from(is_inside(index))).collect();
    Ok(Some(Value::from_bytes(Element::Bool, &[rows, columns], inside)))
}
