//! Mixed operations: all candidates of an edge at once, each weighed by its gate.
//!
//! `y(x) = sum_o p_o o(x)` with `p = softmax(alpha)`: Liu, Simonyan and Yang, "DARTS:
//! differentiable architecture search", 2019, equation 2. Its derivative by a logit is
//! `dL/dalpha_o = p_o (<g, o(x)> - sum_k p_k <g, k(x)>)`, which the graph of gates and candidates
//! gives by itself. With gates that are 1 for one candidate and 0 for the others, the same graph is
//! the discrete network.
//!
//! The candidates of an edge are independent of each other, so each may have a device of its own:
//! what is weighed there is summed on the edge's device, in the order of the candidates, so the sum
//! has the same bits wherever they run.

use synfire_ops::arrange::split::split;
use synfire_ops::broadcast::binary::{add, multiply};
use synfire_ops::normalize::softmax::softmax;
use synfire_ops::pointwise::unary::fill;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::Spec;

/// An operation that an edge may become.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its name.
    pub name: &'static str,
    /// Builds it; none for the one that is zero everywhere, DARTS' `none`: it takes its share of
    /// the gates and adds nothing.
    pub apply: Option<fn(&mut Draft, Wire) -> Wire>,
}

/// The gates of all edges: the softmax of each row of `architecture`, `[edge, candidate]`, apart.
pub fn softmax_gates(draft: &mut Draft, architecture: Wire) -> Vec<Vec<Wire>> {
    let gates = draft.apply(softmax(1), &[architecture]);
    apart(draft, gates)
}

/// A table `[edge, candidate]` as a stream of one number, `[1, 1]`, for each edge and candidate.
pub fn apart(draft: &mut Draft, table: Wire) -> Vec<Vec<Wire>> {
    let extents = draft.spec(table).map(Spec::bounds);
    let Some(&[edges, candidates]) = extents.as_deref() else { return Vec::new() };
    let rows = draft.apply_many(split(0, &vec![1; edges]), &[table]);
    rows.into_iter().map(|row| draft.apply_many(split(1, &vec![1; candidates]), &[row])).collect()
}

/// One edge: the candidates of `x`, weighed by `gates` and summed. Candidate `o` is built for
/// device `o` modulo their number, or where the draft stands, if there are none.
pub fn mixed(
    draft: &mut Draft,
    x: Wire,
    gates: &[Wire],
    candidates: &[Candidate],
    devices: &[String],
) -> Wire {
    let mut sum = None;
    for (index, (candidate, &gate)) in candidates.iter().zip(gates).enumerate() {
        let Some(apply) = candidate.apply else { continue };
        let weighed = |draft: &mut Draft| {
            draft.scope(candidate.name, |draft| {
                let y = apply(draft, x);
                draft.apply(multiply(), &[y, gate])
            })
        };
        let part = match devices.get(index % devices.len().max(1)) {
            Some(device) => draft.on(device, weighed),
            None => weighed(draft),
        };
        sum = Some(match sum {
            Some(sum) => draft.apply(add(), &[sum, part]),
            None => part,
        });
    }
    sum.unwrap_or_else(|| draft.apply(fill(0.0), &[x]))
}
