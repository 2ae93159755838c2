//! Presence: where a stream behind a switch has values.
//!
//! A stream inside a branch is null where the branch was not taken, and so is every gradient that
//! comes from there. A stream outside has a value always, and wants a gradient always.

use std::collections::BTreeMap;

use super::Arithmetic;
use crate::define::{Draft, Kind, Wire};
use crate::operator::Routing;

/// For each selector (node, port), the branch that it must have chosen, and of how many.
type Condition = BTreeMap<(usize, usize), (usize, usize)>;

/// When the streams of a draft have values; grows with the draft.
#[derive(Default)]
pub(super) struct Presence {
    /// Conditions by node and port; absent where a stream always has a value.
    conditions: BTreeMap<(usize, usize), Condition>,
    /// Nodes looked at so far.
    nodes: usize,
}

impl Presence {
    /// `part` with zeros where it is null and `wire` is not.
    pub(super) fn fill(
        &mut self,
        draft: &mut Draft,
        arithmetic: Arithmetic,
        wire: Wire,
        part: Wire,
    ) -> Wire {
        self.look(draft);
        let outside = self.of(draft, wire);
        let mut beyond: Vec<_> = self.of(draft, part).into_iter().collect();
        beyond.retain(|(selector, _)| !outside.contains_key(selector));
        // A selector inside a branch of another has more conditions of its own: it goes first.
        let depth = |at: &(usize, usize)| self.conditions.get(at).map_or(0, Condition::len);
        beyond.sort_by_key(|(selector, _)| std::cmp::Reverse(depth(selector)));
        let mut filled = part;
        for (selector, (branch, branches)) in beyond {
            let zeros = draft.zeros_like(arithmetic, wire);
            let mut choice = vec![zeros; branches];
            choice[branch] = filled;
            let selector = draft.outlet_of(selector.0, selector.1);
            filled = (arithmetic.merge)(draft, selector, &choice);
        }
        filled
    }

    fn of(&self, draft: &Draft, wire: Wire) -> Condition {
        self.conditions.get(&draft.source(wire)).cloned().unwrap_or_default()
    }

    /// Looks at the nodes that were added since the last time.
    fn look(&mut self, draft: &Draft) {
        for node in self.nodes..draft.nodes.len() {
            // A delayed stream is shifted against its selector: nothing is known about it.
            let Kind::Operator(operator) = &draft.nodes[node].kind else { continue };
            let (contract, inputs) = (operator.contract(), &draft.nodes[node].inputs);
            let mut joined = Condition::new();
            for (input, &wire) in inputs.iter().enumerate() {
                match contract.routing {
                    Routing::Merge { first } if input >= first => {}
                    _ => joined.append(&mut self.of(draft, wire)),
                }
            }
            let branches = contract.outputs.len();
            for port in 0..branches {
                let mut condition = joined.clone();
                if let Routing::Switch { selector } = contract.routing {
                    condition.insert(draft.source(inputs[selector]), (port, branches));
                }
                if !condition.is_empty() {
                    self.conditions.insert((node, port), condition);
                }
            }
        }
        self.nodes = draft.nodes.len();
    }
}
