//! Samples: instances of an operator with inputs and an independent expectation.

use std::sync::Arc;

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::Operator;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use crate::host::strided::pattern;

/// A tensor of the reference computations: extents and row-major `f64`, whatever the element type.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The extents, outermost first.
    pub extents: Vec<usize>,
    /// The elements, row-major.
    pub data: Vec<f64>,
}

impl Tensor {
    /// A tensor from its elements.
    #[must_use]
    pub fn new(extents: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(extents.iter().product::<usize>(), data.len(), "elements of {extents:?}");
        Self { extents: extents.to_vec(), data }
    }

    /// A tensor whose element at each index is `at(index)`.
    #[must_use]
    pub fn from_fn(extents: &[usize], mut at: impl FnMut(&[usize]) -> f64) -> Self {
        let mut data = Vec::with_capacity(extents.iter().product());
        let mut index = vec![0; extents.len()];
        for _ in 0..extents.iter().product() {
            data.push(at(&index));
            for axis in (0..extents.len()).rev() {
                index[axis] += 1;
                if index[axis] < extents[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Self { extents: extents.to_vec(), data }
    }

    /// The element at `index`.
    #[must_use]
    pub fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.extents.len(), "an index has one entry for each axis");
        let flat = index.iter().zip(&self.extents).fold(0, |flat, (&i, &n)| {
            assert!(i < n, "{index:?} lies inside {:?}", self.extents);
            flat * n + i
        });
        self.data[flat]
    }
}

/// A computation in `f64` of all outputs from all inputs.
pub type Computation = dyn Fn(&[Tensor]) -> Vec<Tensor> + Send + Sync;

/// What must come out of a sample.
pub enum Expect {
    /// These tensors, literally.
    Outputs(Vec<Tensor>),
    /// What this `f64` computation, written another way than the kernel, gives for the inputs.
    Reference(Box<Computation>),
    /// These tensors, or null where a branch is not taken.
    Routed(Vec<Option<Tensor>>),
    /// A firing that fails with a text which contains this.
    Fails(&'static str),
    /// A rejection by the shape rule that names this port and dimension.
    Rejected {
        /// The port to be named.
        port: &'static str,
        /// The dimension to be named.
        dimension: Option<usize>,
    },
}

/// Adds a composite to a draft: its outputs from its inputs.
pub type Composite = dyn Fn(&mut Draft, &[Wire]) -> Vec<Wire> + Send + Sync;

/// What a sample is of.
#[derive(Clone)]
pub enum Subject {
    /// A primitive with its parameters.
    Operator(Arc<dyn Operator>),
    /// A function over a draft, by name.
    Composite(&'static str, Arc<Composite>),
}

impl Subject {
    /// The operator's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Operator(operator) => operator.contract().name,
            Self::Composite(name, _) => name,
        }
    }

    /// Adds it to a draft.
    pub fn apply(&self, draft: &mut Draft, inputs: &[Wire]) -> Vec<Wire> {
        match self {
            Self::Operator(operator) => draft.apply_many(operator.clone(), inputs),
            Self::Composite(name, build) => draft.scope(name, |draft| build(draft, inputs)),
        }
    }
}

/// One instance of an operator under the laws.
pub struct Sample {
    /// What it shows.
    pub name: String,
    /// The operator.
    pub subject: Subject,
    /// The specs of its inputs; each defaults to the exact spec of its value.
    pub specs: Vec<Spec>,
    /// Its inputs, `None` for null; none at all for a rejected sample.
    pub inputs: Vec<Option<Value>>,
    /// What must come out.
    pub expect: Expect,
    /// Whether the law of gradients leaves it out: its gradient stands in for a derivative on
    /// purpose, such as one straight through a rounding, or its point has none.
    pub skips_gradient: bool,
    /// The axis of inputs and outputs along which nothing looks ahead, if that is so.
    pub causal_axis: Option<usize>,
}

impl Sample {
    /// A sample with values, whose ports are exactly as large as the values.
    pub fn new(
        name: impl Into<String>,
        operator: impl Operator,
        inputs: Vec<Value>,
        expect: Expect,
    ) -> Self {
        Self::of(name.into(), Subject::Operator(Arc::new(operator)), inputs, expect)
    }

    /// A sample of a composite.
    pub fn composite(
        name: impl Into<String>,
        composite: &'static str,
        build: impl Fn(&mut Draft, &[Wire]) -> Vec<Wire> + Send + Sync + 'static,
        inputs: Vec<Value>,
        expect: Expect,
    ) -> Self {
        Self::of(name.into(), Subject::Composite(composite, Arc::new(build)), inputs, expect)
    }

    /// A composite that cannot be built over these specs.
    pub fn composite_rejected(
        name: impl Into<String>,
        composite: &'static str,
        build: impl Fn(&mut Draft, &[Wire]) -> Vec<Wire> + Send + Sync + 'static,
        specs: Vec<Spec>,
    ) -> Self {
        let subject = Subject::Composite(composite, Arc::new(build));
        let expect = Expect::Rejected { port: "", dimension: None };
        Self {
            name: name.into(),
            subject,
            specs,
            inputs: Vec::new(),
            expect,
            skips_gradient: false,
            causal_axis: None,
        }
    }

    fn of(name: String, subject: Subject, inputs: Vec<Value>, expect: Expect) -> Self {
        let specs = inputs.iter().map(Value::spec).collect();
        let inputs = inputs.into_iter().map(Some).collect();
        Self { name, subject, specs, inputs, expect, skips_gradient: false, causal_axis: None }
    }

    /// The same sample with bounded ports larger than the values.
    #[must_use]
    pub fn with_specs(mut self, specs: Vec<Spec>) -> Self {
        self.specs = specs;
        self
    }

    /// The same sample with null in place of these inputs.
    #[must_use]
    pub fn with_nulls(mut self, inputs: &[usize]) -> Self {
        inputs.iter().for_each(|&input| self.inputs[input] = None);
        self
    }

    /// The same sample, left out by the law of gradients.
    #[must_use]
    pub fn without_gradient(mut self) -> Self {
        self.skips_gradient = true;
        self
    }

    /// The same sample, held against the law of causal operators along an axis.
    #[must_use]
    pub fn causal(mut self, axis: Option<usize>) -> Self {
        self.causal_axis = axis;
        self
    }

    /// A sample that the shape rule must reject.
    pub fn rejected(
        name: impl Into<String>,
        operator: impl Operator,
        specs: Vec<Spec>,
        port: &'static str,
        dimension: Option<usize>,
    ) -> Self {
        let expect = Expect::Rejected { port, dimension };
        let subject = Subject::Operator(Arc::new(operator));
        Self {
            name: name.into(),
            subject,
            specs,
            inputs: Vec::new(),
            expect,
            skips_gradient: false,
            causal_axis: None,
        }
    }
}

/// Expects what `reference` computes in `f64`.
pub fn reference(reference: impl Fn(&[Tensor]) -> Vec<Tensor> + Send + Sync + 'static) -> Expect {
    Expect::Reference(Box::new(reference))
}

/// Reproducible `f32` values of about unit size, different for each `key`.
#[must_use]
pub fn noise(key: u64, extents: &[usize]) -> Value {
    let count: usize = extents.iter().product();
    let elements: Vec<f32> = (0..count as u64).map(|index| unit(key, index)).collect();
    Value::new(extents, &elements)
}

/// The same numbers as `f64`.
#[must_use]
pub fn wide(value: &Value) -> Value {
    Value::new(&value.extents, &tensor(value).data)
}

/// A number in -2..2 from a counter: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn unit(key: u64, index: u64) -> f32 {
    let mut z = key.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index + 1);
    z = z.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((z >> 40) as f32 / (1_u64 << 24) as f32).mul_add(4.0, -2.0)
}

/// The numbers 0, 1, 2, ... as elements of any type, as far as it holds them exactly; bools
/// alternate.
#[must_use]
pub fn ramp(element: Element, extents: &[usize]) -> Value {
    let period = match element {
        Element::Bool => 2,
        Element::U8 | Element::BF16 => 251,
        Element::F16 => 2039,
        _ => usize::MAX,
    };
    let numbers = (0..extents.iter().product()).map(|index| (index % period) as f64);
    let bytes = numbers.flat_map(|x| pattern(element, x).into_iter().take(element.bytes()));
    Value::from_bytes(element, extents, bytes.collect())
}

/// The elements of a value as `f64`, whatever their type.
#[must_use]
pub fn tensor(value: &Value) -> Tensor {
    let data: Vec<f64> = match value.element {
        Element::F32 => value.elements::<f32>().into_iter().map(f64::from).collect(),
        Element::F64 => value.elements::<f64>(),
        Element::F16 => value.elements::<half::f16>().into_iter().map(f64::from).collect(),
        Element::BF16 => value.elements::<half::bf16>().into_iter().map(f64::from).collect(),
        Element::I32 => value.elements::<i32>().into_iter().map(f64::from).collect(),
        Element::I64 => value.elements::<i64>().into_iter().map(|n| n as f64).collect(),
        Element::U8 | Element::Bool => value.elements::<u8>().into_iter().map(f64::from).collect(),
    };
    Tensor { extents: value.extents.clone(), data }
}

/// A spec whose first dimension is bounded.
#[must_use]
pub fn bounded_first(element: Element, bound: usize, rest: &[usize]) -> Spec {
    let rest = rest.iter().map(|&n| Dimension::Fixed(n));
    Spec::new(element, std::iter::once(Dimension::UpTo(bound)).chain(rest))
}
