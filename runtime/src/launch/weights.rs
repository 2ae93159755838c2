//! The first values of parameters and delays.

use std::collections::BTreeMap;
use std::sync::Arc;

use half::{bf16, f16};

use crate::define::Initial;
use crate::fault::{Code, Fault, Stage};
use crate::graph::{Graph, GraphData, Node, Role};
use crate::operator::FireError;
use crate::random::Seed;
use crate::solo::fire_once;
use crate::spec::{Element, Spec};
use crate::value::Value;

/// Values of parameters by path.
#[derive(Clone, Debug, Default)]
pub struct Weights(Arc<BTreeMap<String, Value>>);

impl Weights {
    /// These values and no others: once any is given, every parameter must be.
    #[must_use]
    pub fn new(values: BTreeMap<String, Value>) -> Self {
        Self(Arc::new(values))
    }

    /// Whether every parameter is initialised from the seed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of every parameter of `graph`: the one given, else that of its own from the
    /// seed.
    #[must_use]
    pub fn values(&self, graph: &Graph, seed: Seed) -> BTreeMap<String, Value> {
        let nodes = graph.0.nodes.iter().enumerate().filter(|(_, node)| node.is_weight());
        let value = |(index, node): (usize, &Node)| {
            let value = self.value(&graph.0, index, seed).expect("a parameter is not computed");
            (node.path.clone(), value)
        };
        nodes.map(value).collect()
    }

    /// What does not fit the graph.
    pub(super) fn misfits(&self, graph: &GraphData) -> Vec<Fault> {
        if self.is_empty() {
            return Vec::new();
        }
        let fault = |path: &str| Fault::new(Stage::Launch, Code::Weight, path);
        let mut faults = Vec::new();
        for node in graph.nodes.iter().filter(|node| node.is_weight()) {
            let wanted = &node.outputs[0];
            match self.0.get(&node.path) {
                Some(value) if value.fits(wanted) => {}
                Some(value) => faults
                    .push(fault(&node.path).found(value.spec()).wanted(wanted).line(node.line)),
                None => {
                    faults.push(fault(&node.path).found("no value").wanted(wanted).line(node.line))
                }
            }
        }
        for path in self.0.keys() {
            if !graph.index_of(path).is_some_and(|index| graph.nodes[index].is_weight()) {
                faults.push(fault(path).found("a value for no parameter"));
            }
        }
        faults
    }

    /// The given value of a parameter, if one is given.
    pub(super) fn given(&self, path: &str) -> Option<&Value> {
        self.0.get(path)
    }

    /// The value of a constant.
    ///
    /// # Errors
    /// When one that is derived cannot be computed.
    pub(crate) fn value(
        &self,
        graph: &GraphData,
        node: usize,
        seed: Seed,
    ) -> Result<Value, FireError> {
        let node = &graph.nodes[node];
        if let Some(value) = self.given(&node.path) {
            return Ok(value.clone());
        }
        match &node.role {
            Role::Parameter(initial) => {
                let value = self::value(initial, &node.outputs[0], seed.named(&node.path));
                Ok(value.expect("a parameter's initial value is not null"))
            }
            Role::Derived { operator, sources } => {
                let index = |path| graph.index_of(path).expect("sources are nodes of the graph");
                let values = sources.iter().map(|path| self.value(graph, index(path), seed));
                let values: Vec<Value> = values.collect::<Result<_, _>>()?;
                Ok(fire_once(&**operator, &values)?.swap_remove(0))
            }
            _ => unreachable!("only constants have values"),
        }
    }
}

/// The value of an initial token; none for null.
pub(crate) fn value(initial: &Initial, spec: &Spec, seed: Seed) -> Option<Value> {
    match initial {
        Initial::Null => None,
        Initial::Value(value) => Some((**value).clone()),
        _ => {
            let mut bytes = vec![0; spec.bytes()];
            write(initial, spec, seed, &mut bytes);
            Some(Value::from_bytes(spec.element, &spec.bounds(), bytes))
        }
    }
}

/// Writes an initial token in place, so that launching takes no memory beside the registers.
pub(super) fn write(initial: &Initial, spec: &Spec, seed: Seed, bytes: &mut [u8]) {
    let number = |index: usize| match *initial {
        Initial::Constant(number) => number,
        Initial::Uniform { bound } => bound * (2.0 * seed.uniform(index as u64) - 1.0),
        Initial::Normal { deviation } => deviation * seed.normal(index as u64),
        Initial::Zeros | Initial::Value(_) | Initial::Null => unreachable!("handled below"),
    };
    match initial {
        Initial::Null | Initial::Zeros => bytes.fill(0),
        Initial::Value(value) => bytes.copy_from_slice(value.bytes()),
        _ => fill(spec.element, number, bytes),
    }
}

fn fill(element: Element, number: impl Fn(usize) -> f64, bytes: &mut [u8]) {
    macro_rules! of {
        ($scalar:ty, $from:expr) => {{
            let pieces = bytes.chunks_exact_mut(size_of::<$scalar>());
            for (index, piece) in pieces.enumerate() {
                let element: $scalar = $from(number(index));
                piece.copy_from_slice(bytemuck::bytes_of(&element));
            }
        }};
    }
    match element {
        Element::F32 => of!(f32, |x| x as f32),
        Element::F64 => of!(f64, |x| x),
        Element::F16 => of!(f16, f16::from_f64),
        Element::BF16 => of!(bf16, bf16::from_f64),
        Element::I32 => of!(i32, |x| x as i32),
        Element::I64 => of!(i64, |x| x as i64),
        Element::U8 => of!(u8, |x| x as u8),
        Element::Bool => of!(u8, |x| u8::from(x != 0.0)),
    }
}
