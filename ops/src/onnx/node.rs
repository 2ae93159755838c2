//! One node while it is built: its inputs and attributes, in words of ours.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;

use super::{Attribute, Operand};
use crate::broadcast::binary::remainder;
use crate::broadcast::cast::cast;

/// What a node says of itself.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The version of the operator set.
    pub opset: i64,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Which of its outputs somebody reads.
    pub outputs: Vec<bool>,
}

/// One node while it is built; it is used as the [`Draft`] that it is built in.
pub struct Node<'a> {
    draft: &'a mut Draft,
    head: &'a Head,
    inputs: Vec<Option<Operand>>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Node<'a> {
    /// A node over its inputs; one that is left out is none.
    pub fn new(draft: &'a mut Draft, head: &'a Head, inputs: Vec<Option<Operand>>) -> Self {
        Self { draft, head, inputs, read: RefCell::default() }
    }

    /// The attributes that nothing has asked for.
    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.head.attributes.keys().filter(|name| !read.contains(*name)).cloned().collect()
    }

    /// The version of the operator set.
    #[must_use]
    pub fn opset(&self) -> i64 {
        self.head.opset
    }

    /// How many inputs are given, those left out included.
    #[must_use]
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// How many outputs it has.
    #[must_use]
    pub fn output_count(&self) -> usize {
        self.head.outputs.len()
    }

    /// Whether somebody reads an output.
    #[must_use]
    pub fn wants(&self, output: usize) -> bool {
        self.head.outputs.get(output).copied().unwrap_or(false)
    }

    /// The wire of an input.
    ///
    /// # Errors
    /// When it is left out.
    pub fn input(&mut self, index: usize) -> Result<Wire, String> {
        self.optional(index).ok_or_else(|| format!("no input {index}"))
    }

    /// The wire of an input, if it is given.
    pub fn optional(&mut self, index: usize) -> Option<Wire> {
        let operand = self.inputs.get(index)?.as_ref()?;
        Some(operand.demand(self.draft))
    }

    /// The wires of all inputs.
    ///
    /// # Errors
    /// When one is left out, or none is given.
    pub fn all(&mut self) -> Result<Vec<Wire>, String> {
        if self.inputs.is_empty() {
            return Err("no inputs".into());
        }
        (0..self.inputs.len()).map(|index| self.input(index)).collect()
    }

    /// The constant of an input, if it is given.
    ///
    /// # Errors
    /// When it is a stream.
    pub fn value(&self, index: usize) -> Result<Option<Arc<Value>>, String> {
        match self.inputs.get(index).and_then(Option::as_ref) {
            None => Ok(None),
            Some(operand) => operand.value.clone().map(Some).ok_or_else(|| {
                format!("input {index} is computed while running, wanted a constant")
            }),
        }
    }

    /// The whole numbers of a constant input, if it is given.
    ///
    /// # Errors
    /// When it is a stream, or holds other numbers.
    pub fn integers_at(&self, index: usize) -> Result<Option<Vec<i64>>, String> {
        let Some(value) = self.value(index)? else { return Ok(None) };
        match value.element {
            Element::I64 => Ok(Some(value.elements::<i64>())),
            Element::I32 => Ok(Some(value.elements::<i32>().into_iter().map(i64::from).collect())),
            other => Err(format!("input {index} is of {other}, wanted whole numbers")),
        }
    }

    /// The numbers of a constant input, if it is given.
    ///
    /// # Errors
    /// When it is a stream.
    pub fn numbers_at(&self, index: usize) -> Result<Option<Vec<f64>>, String> {
        Ok(self.value(index)?.map(|value| crate::sample::tensor(&value).data))
    }

    /// The one number of a constant input, if it is given.
    ///
    /// # Errors
    /// When it is a stream, or holds more than one number.
    pub fn number_at(&self, index: usize) -> Result<Option<f64>, String> {
        match self.numbers_at(index)?.as_deref() {
            None => Ok(None),
            Some([number]) => Ok(Some(*number)),
            Some(several) => Err(format!("input {index} has {} numbers, wanted 1", several.len())),
        }
    }

    /// The wire of an input of indices into an axis of an extent; negative ones count from its end.
    ///
    /// # Errors
    /// When it is left out.
    pub fn index(&mut self, index: usize, extent: usize) -> Result<Wire, String> {
        let is_plain = match self.integers_at(index) {
            Ok(Some(numbers)) => numbers.iter().all(|&n| n >= 0),
            _ => false,
        };
        let mut wire = self.input(index)?;
        if self.spec_of(wire)?.element != Element::I64 {
            wire = self.apply(cast(Element::I64), &[wire]);
        }
        if is_plain || extent == 0 {
            return Ok(wire);
        }
        let extent = Value::new(&[], &[extent as i64]);
        let (spec, initial) = (extent.spec(), Initial::Value(extent.into()));
        let extent = self.parameter("extent", spec, initial);
        Ok(self.apply(remainder(), &[wire, extent]))
    }

    /// The spec of a wire.
    ///
    /// # Errors
    /// When something before it is faulty.
    pub fn spec_of(&self, wire: Wire) -> Result<Spec, String> {
        self.draft.spec(wire).cloned().ok_or_else(|| "an input is faulty".into())
    }

    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.read.borrow_mut().insert(name.to_owned());
        self.head.attributes.get(name)
    }

    /// A whole number, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integer(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Integer(integer)) => Ok(*integer),
            Some(other) => Err(odd(name, other, "a whole number")),
        }
    }

    /// Whether an attribute is set, or its default.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        Ok(self.integer(name, i64::from(default))? != 0)
    }

    /// A number, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Number(number)) => Ok(*number),
            Some(other) => Err(odd(name, other, "a number")),
        }
    }

    /// A word, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str, default: &str) -> Result<String, String> {
        match self.attribute(name) {
            None => Ok(default.to_owned()),
            Some(Attribute::Text(text)) => Ok(text.clone()),
            Some(other) => Err(odd(name, other, "a word")),
        }
    }

    /// Whole numbers, if given.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Integers(integers)) => Ok(Some(integers.clone())),
            Some(other) => Err(odd(name, other, "whole numbers")),
        }
    }

    /// One step for each of `N` axes, or the default for all.
    ///
    /// # Errors
    /// When it is something else.
    pub fn steps<const N: usize>(&self, name: &str, default: usize) -> Result<[usize; N], String> {
        let Some(given) = self.integers(name)? else { return Ok([default; N]) };
        let sizes = bounded(name, &given, STEP_MAX)?;
        sizes.try_into().map_err(|_| format!("`{name}` is {given:?}, wanted {N} of them"))
    }

    /// An axis of a wire, counted from the end where it is negative.
    ///
    /// # Errors
    /// When it is none of its axes.
    pub fn axis(&self, name: &str, wire: Wire, default: i64) -> Result<usize, String> {
        crate::torch::place(self.integer(name, default)?, self.spec_of(wire)?.rank())
    }

    /// Axes: an attribute up to some version of the operator set, then input `index`.
    ///
    /// # Errors
    /// When they are something else, or computed while running.
    pub fn axes_at(&self, index: usize, rank: usize) -> Result<Option<Vec<usize>>, String> {
        let given = match self.integers("axes")? {
            Some(axes) => Some(axes),
            None => self.integers_at(index)?,
        };
        let place = |axis: i64| crate::torch::place(axis, rank);
        given.map(|axes| axes.into_iter().map(place).collect()).transpose()
    }

    /// The extents of a wire.
    ///
    /// # Errors
    /// When one is bounded only.
    pub fn extents_of(&self, wire: Wire) -> Result<Vec<usize>, String> {
        let spec = self.spec_of(wire)?;
        let is = |dimension: &Dimension| match dimension {
            Dimension::Fixed(extent) => Ok(*extent),
            bounded @ Dimension::UpTo(_) => {
                Err(format!("a dimension is {bounded}, wanted it fixed"))
            }
        };
        spec.dimensions.iter().map(is).collect()
    }
}

/// More than any dimension of a model has, so that products of a few of them fit 64 bits.
const SIZE_MAX: usize = 1 << 31;

/// More than any stride, dilation or kernel has.
const STEP_MAX: usize = 1 << 16;

/// Whole numbers as sizes.
///
/// # Errors
/// When one is negative, or larger than any dimension.
pub fn sizes(name: &str, given: &[i64]) -> Result<Vec<usize>, String> {
    bounded(name, given, SIZE_MAX)
}

fn bounded(name: &str, given: &[i64], most: usize) -> Result<Vec<usize>, String> {
    let size = |&n: &i64| {
        let size = usize::try_from(n).ok().filter(|&n| n <= most);
        size.ok_or_else(|| format!("`{name}` is {given:?}, wanted sizes up to {most}"))
    };
    given.iter().map(size).collect()
}

/// The number of elements of a value of these extents, as if an extent of 0 were 1, so that every
/// part of the product is in bounds too.
///
/// # Errors
/// When that is more than any value has.
pub fn elements(extents: &[usize]) -> Result<usize, String> {
    let product = extents.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent.max(1)));
    let product = product.filter(|&n| n <= ELEMENTS_MAX);
    product.ok_or_else(|| format!("extents {extents:?}, wanted at most {ELEMENTS_MAX} elements"))
}

/// More elements than any value has.
const ELEMENTS_MAX: usize = 1 << 36;

fn odd(name: &str, found: &Attribute, wanted: &str) -> String {
    let found = match found {
        Attribute::Tensor(value) => format!("a tensor {}", value.spec()),
        Attribute::Other(kind) => (*kind).to_owned(),
        other => format!("{other:?}"),
    };
    format!("`{name}` is {found}, wanted {wanted}")
}

impl Deref for Node<'_> {
    type Target = Draft;
    fn deref(&self) -> &Draft {
        self.draft
    }
}

impl DerefMut for Node<'_> {
    fn deref_mut(&mut self) -> &mut Draft {
        self.draft
    }
}
