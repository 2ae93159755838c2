//! What ONNX calls recurrent networks: one layer, in one or both directions.
//!
//! Gates come in another order there, `i, o, f, c` and `z, r, h`, and the outputs have an axis of
//! directions.

use synfire_runtime::define::Wire;

use super::{Cell, GRU, LSTM, Layout, Network, RELU, TANH, run};
use crate::arrange::concat::concat;
use crate::arrange::flip::flip;
use crate::arrange::reshape::{Extent, extent_of, reshape};
use crate::arrange::slice::slice;
use crate::arrange::transpose::transpose;
use crate::broadcast::cast::cast;
use crate::onnx::{Attribute, Node, Onnx};
use crate::recurrent::cell::Weights;
use synfire_runtime::spec::Element;

/// ONNX's names.
pub const ONNX: Onnx = Onnx::reads(&[
    ("LSTM", |node| {
        if node.value(7).is_err() || node.value(7)?.is_some_and(|own| !is_zero(own.bytes())) {
            return Err("gates that see the state of the cell".into());
        }
        if node.integer("input_forget", 0)? != 0 {
            return Err("input and forget gates in one".into());
        }
        activations(node, &["Sigmoid", "Tanh", "Tanh"])?;
        read(node, LSTM, &[0, 2, 3, 1])
    }),
    ("GRU", |node| {
        if !node.flag("linear_before_reset", false)? {
            return Err("a reset before the product".into());
        }
        activations(node, &["Sigmoid", "Tanh"])?;
        read(node, GRU, &[1, 0, 2])
    }),
    ("RNN", |node| {
        let is_relu = matches!(node.attribute("activations"),
            Some(Attribute::Texts(own)) if own.iter().all(|own| own == "Relu"));
        activations(node, &[if is_relu { "Relu" } else { "Tanh" }])?;
        read(node, if is_relu { RELU } else { TANH }, &[0])
    }),
]);

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// All directions must have these.
fn activations(node: &Node<'_>, wanted: &[&str]) -> Result<(), String> {
    for name in ["activation_alpha", "activation_beta", "clip"] {
        if node.attribute(name).is_some() {
            return Err(format!("`{name}`"));
        }
    }
    match node.attribute("activations") {
        None => Ok(()),
        Some(Attribute::Texts(found)) if found.chunks(wanted.len()).all(|own| own == wanted) => {
            Ok(())
        }
        Some(found) => Err(format!("activations {found:?}, wanted {wanted:?}")),
    }
}

/// `order` says for each of our gates which of theirs it is.
fn read(node: &mut Node<'_>, cell: &'static Cell, order: &[usize]) -> Result<Vec<Wire>, String> {
    let inputs = [node.input(0)?, node.input(1)?, node.input(2)?];
    let [mut x, input, hidden] = inputs;
    let bias = node.optional(3);
    let direction = node.text("direction", "forward")?;
    let directions = match &*direction {
        "forward" | "reverse" => 1,
        "bidirectional" => 2,
        other => return Err(format!("a direction `{other}`")),
    };
    if node.integer("layout", 0)? != 0 {
        return Err("a layout with the batch first".into());
    }
    let size = node.spec_of(hidden)?.bounds().last().copied().unwrap_or(0);
    if node.integer("hidden_size", size as i64)? != size as i64 {
        return Err(format!("`hidden_size` is not {size}, that of the weights"));
    }
    let lengths = match node.optional(4) {
        Some(_) if direction == "reverse" => return Err("lengths in reverse".into()),
        Some(lengths) => Some(node.apply(cast(Element::I64), &[lengths])),
        None => None,
    };
    let mut weights = Vec::new();
    for side in 0..directions {
        let gates = Gates { side, size, order };
        let biases = match bias {
            None => None,
            Some(bias) => Some([gates.of(node, bias, 0)?, gates.of(node, bias, order.len())?]),
        };
        let [input, hidden] = [gates.of(node, input, 0)?, gates.of(node, hidden, 0)?];
        weights.push(Weights { input, hidden, biases });
    }
    let mut initial = Vec::new();
    for index in [5, 6].into_iter().take(cell.states) {
        let is_none = match node.value(index) {
            Ok(value) => value.is_none_or(|value| is_zero(value.bytes())),
            Err(_) => false,
        };
        initial.push(if is_none { None } else { node.optional(index) });
    }
    let initial = match initial.iter().flatten().count() {
        0 => Vec::new(),
        count if count == cell.states => initial.into_iter().flatten().collect(),
        _ => return Err("one part of the state alone".into()),
    };
    if direction == "reverse" {
        x = node.apply(flip(&[0]), &[x]);
    }
    let network = Network { weights: &weights, directions, layout: Layout::TimeFirst, lengths };
    let mut outputs = run(node, cell, x, &initial, &network);
    if direction == "reverse" {
        outputs[0] = node.apply(flip(&[0]), &[outputs[0]]);
    }
    outputs[0] = apart(node, outputs[0], directions)?;
    Ok(outputs)
}

/// Which part of all weights is wanted.
struct Gates<'a> {
    side: usize,
    size: usize,
    order: &'a [usize],
}

impl Gates<'_> {
    /// One direction's gates in our order, from gate `first` on.
    fn of(&self, node: &mut Node<'_>, all: Wire, first: usize) -> Result<Wire, String> {
        let side = node.apply(slice(0, self.side, self.side + 1, 1), &[all]);
        let own = node.spec_of(side)?.dimensions;
        let extents: Vec<Extent> = own.iter().skip(1).copied().map(extent_of).collect();
        let side = node.apply(reshape(&extents), &[side]);
        let gates: Vec<Wire> = self
            .order
            .iter()
            .map(|gate| {
                let start = (first + gate) * self.size;
                node.apply(slice(0, start, start + self.size, 1), &[side])
            })
            .collect();
        Ok(match gates[..] {
            [one] => one,
            _ => node.apply(concat(0, gates.len()), &gates),
        })
    }
}

/// `[time, batch, direction * hidden]` as `[time, direction, batch, hidden]`.
fn apart(node: &mut Node<'_>, y: Wire, directions: usize) -> Result<Wire, String> {
    let own = node.spec_of(y)?;
    let [time, batch] = [0, 1].map(|axis| extent_of(own.dimensions[axis]));
    let hidden = Extent::Is(own.bound(2) / directions);
    if directions == 1 {
        return Ok(node.apply(reshape(&[time, 1.into(), batch, hidden]), &[y]));
    }
    let y = node.apply(reshape(&[time, batch, directions.into(), hidden]), &[y]);
    Ok(node.apply(transpose(&[0, 2, 1, 3]), &[y]))
}
