//! The first values of parameters and delays.

mod draws; // numbers that need more than one draw each

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use half::{bf16, f16};

use crate::define::Initial;
use crate::fault::{Code, Fault, Stage};
use crate::graph::{First, Graph, GraphData, Role};
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

    /// The first value of every parameter of a graph, by path: the given one, or else the one from
    /// the seed.
    #[must_use]
    pub fn first_values(&self, graph: &Graph, seed: Seed) -> BTreeMap<String, Value> {
        let graph = &*graph.0;
        let constants = graph.nodes.iter().filter_map(|node| match &node.role {
            Role::Parameter(initial) => Some((&node.path, initial, &node.outputs[0])),
            _ => None,
        });
        let updated = graph.updated.iter().map(|own| (&own.path, &own.initial, &own.spec));
        let first = |(path, initial, spec): (&String, &Initial, &Spec)| {
            let given = self.given(path).cloned();
            let value = given.or_else(|| value(initial, spec, seed.named(path)));
            (path.clone(), value.expect("a parameter's initial value is not null"))
        };
        constants.chain(updated).map(first).collect()
    }

    /// What does not fit the graph.
    pub(super) fn misfits(&self, graph: &GraphData) -> Vec<Fault> {
        if self.is_empty() {
            return Vec::new();
        }
        let fault = |path: &str| Fault::new(Stage::Launch, Code::Weight, path);
        let mut faults = Vec::new();
        let mut known = BTreeSet::new();
        for (path, wanted, line) in graph.parameters() {
            known.insert(path);
            let found = match self.0.get(path) {
                Some(value) if value.fits(wanted) => continue,
                Some(value) => value.spec().to_string(),
                None => "no value".to_owned(),
            };
            faults.push(fault(path).found(found).wanted(wanted).line(line));
        }
        let foreign = self.0.keys().filter(|path| !known.contains(path.as_str()));
        faults.extend(foreign.map(|path| fault(path).found("a value for no parameter")));
        faults
    }

    /// The given value of a parameter, if one is given.
    pub(super) fn given(&self, path: &str) -> Option<&Value> {
        self.0.get(path)
    }

    /// The value of an initial token; none for null.
    pub(crate) fn first(&self, first: &First, spec: &Spec, seed: Seed) -> Option<Value> {
        let Some(path) = &first.parameter else { return value(&first.initial, spec, seed) };
        let given = self.given(path).cloned();
        given.or_else(|| value(&first.initial, spec, seed.named(path)))
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

/// Writes an initial token in place, so that launching takes no memory beside the registers; an
/// orthogonal matrix takes its elements in `f64` for as long as it is made.
pub(super) fn write(initial: &Initial, spec: &Spec, seed: Seed, bytes: &mut [u8]) {
    let number = |index: usize| match *initial {
        Initial::Constant(number) => number,
        Initial::Uniform { bound } => bound * (2.0 * seed.uniform(index as u64) - 1.0),
        Initial::Normal { deviation } => deviation * seed.normal(index as u64),
        Initial::TruncatedNormal { deviation, bound } => {
            draws::truncated_normal(deviation, bound, seed, index as u64)
        }
        _ => unreachable!("handled below"),
    };
    match initial {
        Initial::Null | Initial::Zeros => bytes.fill(0),
        Initial::Value(value) => bytes.copy_from_slice(value.bytes()),
        Initial::Orthogonal { gain } => {
            let matrix = draws::orthogonal(&spec.bounds(), seed);
            fill(spec.element, |index| gain * matrix[index], bytes);
        }
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
