//! Cases that PyTorch computed: what an operator of its name is here.
//!
//! An operator file may hold `pub const TORCH: &[Torch]`, a table from names of PyTorch's
//! functional operators to a builder of the same thing. The conformance runner asks every file of
//! the catalogue; no list of names stands anywhere else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

/// Builds the operator of a case: outputs in PyTorch's order, or a sentence that says what is not
/// supported.
pub type Build = fn(&mut Case<'_>) -> Result<Vec<Wire>, String>;

/// PyTorch's name of an operator, and what builds it.
pub type Torch = (&'static str, Build);

/// The table of an operator file that has none of its own.
pub(crate) const TORCH: &[Torch] = &[];

/// An attribute of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// Given as nothing.
    Null,
    /// True or false.
    Flag(bool),
    /// A number, whole or not.
    Number(f64),
    /// A word.
    Text(String),
    /// Several.
    List(Vec<Attribute>),
}

/// One case while it is built; it is used as the [`Draft`] that it is built in.
pub struct Case<'a> {
    draft: &'a mut Draft,
    attributes: &'a BTreeMap<String, Attribute>,
    inputs: &'a BTreeMap<String, Wire>,
    read: RefCell<BTreeSet<String>>,
    fed: BTreeMap<String, Value>,
}

impl<'a> Case<'a> {
    /// A case over the wires of its inputs, which are named without `in_`.
    pub fn new(
        draft: &'a mut Draft,
        attributes: &'a BTreeMap<String, Attribute>,
        inputs: &'a BTreeMap<String, Wire>,
    ) -> Self {
        Self { draft, attributes, inputs, read: RefCell::default(), fed: BTreeMap::new() }
    }

    /// The attributes that nothing has asked for.
    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.attributes.keys().filter(|name| !read.contains(*name)).cloned().collect()
    }

    /// The feeds that attributes became, with their values.
    #[must_use]
    pub fn into_feeds(self) -> BTreeMap<String, Value> {
        self.fed
    }

    /// The input of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn input(&self, name: &str) -> Result<Wire, String> {
        self.optional(name).ok_or_else(|| format!("no input `{name}`"))
    }

    /// The input of this name, if there is one.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<Wire> {
        self.inputs.get(name).copied()
    }

    /// The input that has one of these names; the first of them counts.
    #[must_use]
    pub fn either(&self, names: &[&str]) -> Option<Wire> {
        names.iter().find_map(|name| self.optional(name))
    }

    /// The input that has one of these names.
    ///
    /// # Errors
    /// When there is none.
    pub fn operand(&self, names: &[&str]) -> Result<Wire, String> {
        self.either(names).ok_or_else(|| format!("no input `{}`", names.join("` or `")))
    }

    /// The factors of an affine operator, if there are some.
    #[must_use]
    pub fn weight(&self) -> Option<Wire> {
        self.either(&["g", "gamma", "w", "weight"])
    }

    /// The offsets of an affine operator, if there are some.
    #[must_use]
    pub fn bias(&self) -> Option<Wire> {
        self.either(&["b", "bias", "beta"])
    }

    /// The one of these names under which an attribute is given, else the first.
    #[must_use]
    pub fn spelling(&self, names: &[&'static str]) -> &'static str {
        let given = names.iter().find(|name| self.attribute(name).is_some());
        given.or(names.first()).copied().unwrap_or_default()
    }

    /// The input that has one of these names, else the first of this element type.
    ///
    /// # Errors
    /// When there is none.
    pub fn operand_of(&self, element: Element, names: &[&str]) -> Result<Wire, String> {
        let is = |wire: &Wire| self.spec_of(*wire).is_ok_and(|spec| spec.element == element);
        let named = self.either(names).filter(is);
        let found = named.or_else(|| self.inputs.values().copied().find(is));
        found.ok_or_else(|| format!("no input of {element}, such as `{}`", names.join("` or `")))
    }

    /// The names of the inputs.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().map(String::as_str)
    }

    /// The spec of a wire.
    ///
    /// # Errors
    /// When something before it is faulty.
    pub fn spec_of(&self, wire: Wire) -> Result<Spec, String> {
        self.draft.spec(wire).cloned().ok_or_else(|| "an input is faulty".into())
    }

    /// The attribute of this name, unless it is absent or null.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.read.borrow_mut().insert(name.to_owned());
        self.attributes.get(name).filter(|attribute| **attribute != Attribute::Null)
    }

    /// A flag, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Flag(flag)) => Ok(*flag),
            Some(other) => Err(format!("`{name}` is {other:?}, wanted a flag")),
        }
    }

    /// A number, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, name: &str, default: f64) -> Result<f64, String> {
        self.attribute(name).map_or(Ok(default), |attribute| number(name, attribute))
    }

    /// A whole number, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integer(&self, name: &str, default: i64) -> Result<i64, String> {
        self.attribute(name).map_or(Ok(default), |attribute| integer(name, attribute))
    }

    /// A word, or its default.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str, default: &str) -> Result<String, String> {
        match self.attribute(name) {
            None => Ok(default.to_owned()),
            Some(Attribute::Text(text)) => Ok(text.clone()),
            Some(other) => Err(format!("`{name}` is {other:?}, wanted a word")),
        }
    }

    /// Whole numbers, if given: a list, or one number for a list of one.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::List(list)) => {
                list.iter().map(|one| integer(name, one)).collect::<Result<_, _>>().map(Some)
            }
            Some(one) => Ok(Some(vec![integer(name, one)?])),
        }
    }

    /// `count` sizes: a list of them, one number for all, or the default for all.
    ///
    /// # Errors
    /// When it is something else.
    pub fn sizes(&self, name: &str, count: usize, default: usize) -> Result<Vec<usize>, String> {
        let Some(given) = self.integers(name)? else { return Ok(vec![default; count]) };
        let given = if given.len() == 1 { vec![given[0]; count] } else { given };
        let sizes: Vec<usize> = given.iter().filter_map(|&n| usize::try_from(n).ok()).collect();
        let fits = sizes.len() == count && given.len() == count;
        fits.then_some(sizes).ok_or_else(|| format!("`{name}` is {given:?}, wanted {count} sizes"))
    }

    /// An axis of a wire, counted from the end where it is negative.
    ///
    /// # Errors
    /// When it is none of its axes.
    pub fn axis(&self, name: &str, wire: Wire, default: i64) -> Result<usize, String> {
        place(self.integer(name, default)?, self.spec_of(wire)?.rank())
    }

    /// Axes of a wire; all of them where none is given.
    ///
    /// # Errors
    /// When one is none of its axes.
    pub fn axes(&self, name: &str, wire: Wire) -> Result<Vec<usize>, String> {
        let rank = self.spec_of(wire)?.rank();
        match self.integers(name)? {
            None => Ok((0..rank).collect()),
            Some(axes) => axes.into_iter().map(|axis| place(axis, rank)).collect(),
        }
    }

    /// Numbers as a stream of one vector of `f32`, or of one number, if given: a feed of the
    /// attribute's name.
    ///
    /// # Errors
    /// When it is something else.
    pub fn vector(&mut self, name: &str) -> Result<Option<Wire>, String> {
        let mut extents = Vec::new();
        let numbers: Vec<f32> = match self.attribute(name) {
            None => return Ok(None),
            Some(Attribute::Number(one)) => vec![*one as f32],
            Some(Attribute::List(list)) => {
                extents.push(list.len());
                let numbers = list.iter().map(|one| number(name, one).map(|x| x as f32));
                numbers.collect::<Result<_, _>>()?
            }
            Some(other) => return Err(format!("`{name}` is {other:?}, wanted numbers")),
        };
        Ok(Some(self.constant(name, Value::new(&extents, &numbers))))
    }

    /// A value as a stream of its own, so that it may be an output too.
    pub fn constant(&mut self, name: &str, value: Value) -> Wire {
        let wire = self.draft.feed(name, value.spec());
        self.fed.insert(name.to_owned(), value);
        wire
    }
}

fn number(name: &str, attribute: &Attribute) -> Result<f64, String> {
    match attribute {
        Attribute::Number(number) => Ok(*number),
        other => Err(format!("`{name}` is {other:?}, wanted a number")),
    }
}

fn integer(name: &str, attribute: &Attribute) -> Result<i64, String> {
    let number = number(name, attribute)?;
    let whole = number.fract() == 0.0 && number.abs() < 1e15;
    whole.then_some(number as i64).ok_or_else(|| format!("`{name}` is {number}, wanted it whole"))
}

/// An axis or index, counted from the end where it is negative.
pub(crate) fn place(axis: i64, rank: usize) -> Result<usize, String> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    let place = usize::try_from(from_front).ok().filter(|&place| place < rank.max(1));
    place.ok_or_else(|| format!("axis {axis} of {rank} dimensions"))
}

impl Deref for Case<'_> {
    type Target = Draft;
    fn deref(&self) -> &Draft {
        self.draft
    }
}

impl DerefMut for Case<'_> {
    fn deref_mut(&mut self) -> &mut Draft {
        self.draft
    }
}
