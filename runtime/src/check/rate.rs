//! The balance equations: how often each node fires in one iteration.
//!
//! For every edge, firings of the source times its rate equal firings of the target times its
//! rate (Lee and Messerschmitt, "Synchronous data flow", 1987). The smallest positive solution is
//! found by walking the edges; a second way that disagrees is a fault that names both nodes.

use crate::fault::{Code, Fault, Stage};
use crate::graph::Node;

/// More firings of one node, or tokens of one port, in one iteration than anyone means.
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

/// Sets `repetitions` of every node, or says where rates contradict; whether all is well.
pub(super) fn balance(nodes: &mut [Node], faults: &mut Vec<Fault>) -> bool {
    let before = faults.len();
    zeros(nodes, faults);
    if faults.len() > before {
        return false;
    }
    // Both directions of every token edge: (from, to, over, under) with q_to = q_from over/under.
    let mut steps: Vec<Vec<(usize, u64, u64)>> = vec![Vec::new(); nodes.len()];
    for (target, node) in nodes.iter().enumerate() {
        for (input, edge) in node.inputs.iter().enumerate() {
            if nodes[edge.source].is_parameter() {
                continue;
            }
            let out = u64::from(nodes[edge.source].contract.outputs[edge.port].rate);
            let take = u64::from(node.contract.inputs[input].rate);
            steps[edge.source].push((target, out, take));
            steps[target].push((edge.source, take, out));
        }
    }
    let mut firings: Vec<Option<Fraction>> = vec![None; nodes.len()];
    for start in 0..nodes.len() {
        if firings[start].is_none() && !nodes[start].is_parameter() {
            let found = component(start, &steps, &mut firings, nodes);
            let scaled = found.and_then(|members| scale(&members, &firings, nodes));
            faults.extend(scaled.err().map(|fault| *fault));
        }
    }
    faults.len() == before
}

/// Ports that no token ever passes.
fn zeros(nodes: &[Node], faults: &mut Vec<Fault>) {
    for node in nodes {
        let ports = node.contract.inputs.iter().chain(&node.contract.outputs);
        for port in ports.filter(|port| port.rate == 0) {
            let fault = Fault::new(Stage::Check, Code::Rate, node.path.clone());
            let fault = fault.port(port.name.clone()).found("a rate of 0").wanted("at least 1");
            faults.push(fault.line(node.line).hint("leave the port out of the contract"));
        }
    }
}

/// Walks one connected part from `start` to its end, giving every node its fraction; the first
/// contradiction on the way is the fault, as others follow from it.
fn component(
    start: usize,
    steps: &[Vec<(usize, u64, u64)>],
    firings: &mut [Option<Fraction>],
    nodes: &[Node],
) -> Result<Vec<usize>, Box<Fault>> {
    firings[start] = Some(Fraction { over: 1, under: 1 });
    let mut members = vec![start];
    let mut fault = None;
    let mut next = 0;
    while next < members.len() {
        let from = members[next];
        next += 1;
        let own = firings[from].expect("members have fractions");
        for &(to, over, under) in &steps[from] {
            let Some(wanted) = own.times(over, under) else {
                fault.get_or_insert_with(|| too_many(&nodes[to]));
                continue;
            };
            match firings[to] {
                None => {
                    firings[to] = Some(wanted);
                    members.push(to);
                }
                Some(found) if found != wanted => {
                    let told = || contradiction(&nodes[from], &nodes[to], found, wanted);
                    fault.get_or_insert_with(told);
                }
                Some(_) => {}
            }
        }
    }
    fault.map_or(Ok(members), |fault| Err(Box::new(fault)))
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
    let fault = fault.found(format!("more than {REPETITIONS_MAX} tokens in one iteration"));
    let fault = fault.wanted("rates with small common multiples").line(node.line);
    fault.hint("let the rates that meet share their factors")
}

/// Brings the fractions of one part to the smallest whole numbers.
fn scale(
    members: &[usize],
    firings: &[Option<Fraction>],
    nodes: &mut [Node],
) -> Result<(), Box<Fault>> {
    let fraction = |&member: &usize| firings[member].expect("members have fractions");
    let mut multiple = 1_u64;
    for member in members {
        let under = fraction(member).under;
        multiple = (multiple / gcd(multiple, under))
            .checked_mul(under)
            .filter(|&m| m <= REPETITIONS_MAX)
            .ok_or_else(|| Box::new(too_many(&nodes[*member])))?;
    }
    let common = members.iter().fold(0, |common, member| {
        let Fraction { over, under } = fraction(member);
        gcd(common, over.saturating_mul(multiple / under))
    });
    for member in members {
        let Fraction { over, under } = fraction(member);
        let count = over.saturating_mul(multiple / under) / common;
        let contract = &nodes[*member].contract;
        let rates = contract.inputs.iter().chain(&contract.outputs).map(|port| port.rate);
        let tokens = count.saturating_mul(u64::from(rates.max().unwrap_or(1)));
        if tokens > REPETITIONS_MAX {
            return Err(Box::new(too_many(&nodes[*member])));
        }
        nodes[*member].repetitions = count;
    }
    Ok(())
}
