//! What the gradients of many operators share: small composites over a draft.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Spec};

use crate::arrange::expand::expand;
use crate::broadcast::binary::multiply;
use crate::pointwise::unary::fill;
use crate::reduce::reduction::{Keep, sum};

mod term; // formulas over wires
pub(crate) use term::{Term, formula};

/// The spec of a wire of a draft without faults.
pub(crate) fn spec(draft: &Draft, wire: Wire) -> Spec {
    draft.spec(wire).expect("only drafts without faults are differentiated").clone()
}

/// `wire` repeated to the extents of `like`, which it is broadcast to: counted from the last, its
/// dimensions are one or those of `like`.
pub(crate) fn expand_like(draft: &mut Draft, wire: Wire, like: Wire) -> Wire {
    let target = spec(draft, like);
    if spec(draft, wire).dimensions == target.dimensions {
        return wire;
    }
    if target.is_fixed() {
        return draft.apply(expand(&target.bounds()), &[wire]);
    }
    // Only the stream itself knows its extents.
    let ones = draft.apply(fill(1.0), &[like]);
    draft.apply(multiply(), &[ones, wire])
}

/// The gradient of an operand that was broadcast: `dy` summed over the axes along which `operand`
/// was repeated.
pub(crate) fn sum_to(draft: &mut Draft, dy: Wire, operand: Wire) -> Wire {
    let target = spec(draft, operand);
    let missing = spec(draft, dy).rank() - target.rank();
    let mut dx = dy;
    if missing > 0 {
        dx = draft.apply(sum(&(0..missing).collect::<Vec<_>>(), Keep::Nothing), &[dx]);
    }
    let own = spec(draft, dx).dimensions;
    let repeated = |axis: &usize| {
        target.dimensions[*axis] == Dimension::Fixed(1) && own[*axis] != Dimension::Fixed(1)
    };
    let axes: Vec<usize> = (0..own.len()).filter(repeated).collect();
    if axes.is_empty() { dx } else { draft.apply(sum(&axes, Keep::Axes), &[dx]) }
}

#[cfg(test)]
mod tests {
    use synfire_runtime::define::{Draft, Initial, Wire};
    use synfire_runtime::spec::Spec;

    use crate::dense::bilinear::bilinear;
    use crate::dense::einsum::einsum;
    use crate::dense::matmul::matmul;
    use crate::differentiate::vector_jacobian;
    use crate::linalg::solve::solve;

    #[test]
    fn operators_and_gradients_take_parameters() {
        let mut draft = Draft::new();
        let x = draft.feed("x", Spec::f32([2, 3, 3]));
        let mut parameter = |name: &str, extents: &[usize]| {
            draft.parameter(name, Spec::f32(extents.to_vec()), Initial::Constant(1.0))
        };
        let (vector, batch) = (parameter("vector", &[3]), parameter("batch", &[2, 3, 3]));
        let weight = parameter("weight", &[4, 3, 3]);
        let outputs: [Wire; 4] = [
            draft.apply(matmul(), &[x, vector]),
            einsum(&mut draft, "bij,kji->bk", &[x, batch]),
            bilinear(&mut draft, [x, x], weight, None),
            draft.apply(solve(), &[batch, x]),
        ];
        let pairs = outputs.map(|wire| (wire, wire));
        let gradients = vector_jacobian(&mut draft, &pairs, &[x, vector, batch, weight]);
        for (index, wire) in gradients.into_iter().enumerate() {
            draft.outlet(&index.to_string(), wire.expect("all depend on all"));
        }
        assert!(draft.check().is_ok());
    }
}
