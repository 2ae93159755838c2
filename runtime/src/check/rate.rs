//! The balance equations: how often each node fires in one iteration.
//!
//! For every edge, firings of the source times its rate equal firings of the target times its
//! rate (Lee and Messerschmitt, "Synchronous data flow", 1987). The smallest positive solution is
//! found by walking the edges; a second way that disagrees is a fault that names both nodes.

use crate::fault::{Code, Fault, Stage};
use crate::graph::Node;

/// More firings of one node in one iteration than anyone means.
const REPETITIONS_MAX: u64 = 1 << 20;

/// A positive fraction in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fraction {
    over: u64,
    under: u64,
}

impl Fraction {
    fn times(self, over: u64, under: u64) -> Option<Self> {
        let over = self.over.checked_mul(over)?;
        let under = self.under.checked_mul(under)?;
        let common = gcd(over, under).max(1);
        Some(Self { over: over / common, under: under / common })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Sets `repetitions` of every node, or says where rates contradict.
pub(super) fn balance(nodes: &mut [Node], faults: &mut Vec<Fault>) {
    // Both directions of every token edge: (from, to, over, under) with q_to = q_from over/under.
    let mut steps: Vec<Vec<(usize, u64, u64)>> = vec![Vec::new(); nodes.len()];
    for (target, node) in nodes.iter().enumerate() {
        for (input, edge) in node.inputs.iter().enumerate() {
            if nodes[edge.source].is_parameter() {
                continue;
            }
            let out = u64::from(nodes[edge.source].contract.outputs[edge.port].rate);
            let take = u64::from(node.contract.inputs[input].rate);
            if out == 0 || take == 0 {
                let fault = Fault::new(Stage::Check, Code::Rate, node.path.clone());
                let fault = fault.port(node.contract.inputs[input].name.clone());
                faults.push(fault.found("a rate of 0").wanted("at least 1").line(node.line));
                return;
            }
            steps[edge.source].push((target, out, take));
            steps[target].push((edge.source, take, out));
        }
    }
    let mut firings: Vec<Option<Fraction>> = vec![None; nodes.len()];
    for start in 0..nodes.len() {
        if firings[start].is_none() && !nodes[start].is_parameter() {
            let found = component(start, &steps, &mut firings, nodes);
            match found {
                Ok(members) => {
                    if let Err(fault) = scale(&members, &firings, nodes) {
                        faults.push(fault);
                    }
                }
                Err(fault) => return faults.push(fault),
            }
        }
    }
}

/// Walks one connected part from `start`, giving every node its fraction.
fn component(
    start: usize,
    steps: &[Vec<(usize, u64, u64)>],
    firings: &mut [Option<Fraction>],
    nodes: &[Node],
) -> Result<Vec<usize>, Fault> {
    firings[start] = Some(Fraction { over: 1, under: 1 });
    let mut members = vec![start];
    let mut next = 0;
    while next < members.len() {
        let from = members[next];
        next += 1;
        let own = firings[from].expect("members have fractions");
        for &(to, over, under) in &steps[from] {
            let Some(wanted) = own.times(over, under) else { return Err(too_many(&nodes[to])) };
            match firings[to] {
                None => {
                    firings[to] = Some(wanted);
                    members.push(to);
                }
                Some(found) if found != wanted => {
                    return Err(contradiction(&nodes[from], &nodes[to], found, wanted));
                }
                Some(_) => {}
            }
        }
    }
    Ok(members)
}

fn contradiction(from: &Node, to: &Node, found: Fraction, wanted: Fraction) -> Fault {
    let text = |f: Fraction| format!("{}/{}", f.over, f.under);
    let fault = Fault::new(Stage::Check, Code::Rate, to.path.clone());
    let fault = fault.found(format!("{} firings an iteration by one path", text(found)));
    let fault = fault.wanted(format!("{} by the edge with {}", text(wanted), from.path));
    let fault = fault.line(to.line).line(from.line);
    fault.hint("make the rates along the two paths multiply to the same number")
}

fn too_many(node: &Node) -> Fault {
    let fault = Fault::new(Stage::Check, Code::Rate, node.path.clone());
    let fault = fault.found(format!("more than {REPETITIONS_MAX} firings in one iteration"));
    fault.wanted("rates with small common multiples").line(node.line)
}

/// Brings the fractions of one part to the smallest whole numbers.
fn scale(members: &[usize], firings: &[Option<Fraction>], nodes: &mut [Node]) -> Result<(), Fault> {
    let fraction = |&member: &usize| firings[member].expect("members have fractions");
    let mut multiple = 1_u64;
    for member in members {
        let under = fraction(member).under;
        multiple = (multiple / gcd(multiple, under))
            .checked_mul(under)
            .filter(|&m| m <= REPETITIONS_MAX)
            .ok_or_else(|| too_many(&nodes[*member]))?;
    }
    let common = members.iter().fold(0, |common, member| {
        let Fraction { over, under } = fraction(member);
        gcd(common, over.saturating_mul(multiple / under))
    });
    for member in members {
        let Fraction { over, under } = fraction(member);
        let count = over.saturating_mul(multiple / under) / common;
        if count > REPETITIONS_MAX {
            return Err(too_many(&nodes[*member]));
        }
        nodes[*member].repetitions = count;
    }
    Ok(())
}
