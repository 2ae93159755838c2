//! Terms: formulas over the wires of a draft, so that a derivative reads as it is printed.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::Operator;
use synfire_runtime::spec::Element;

use super::spec;
use crate::broadcast::binary::{add, divide, multiply, subtract};
use crate::broadcast::cast::cast;
use crate::broadcast::select::where_;
use crate::pointwise::unary::{fill, neg, recip, scale, shift, step};

/// A stream in a formula. Every operation adds a node to the draft.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    draft: &'a RefCell<&'a mut Draft>,
    /// The stream.
    pub(crate) wire: Wire,
}

/// What `formula` of `wires` gives.
pub(crate) fn formula<const N: usize, R>(
    draft: &mut Draft,
    wires: [Wire; N],
    formula: impl for<'a> FnOnce([Term<'a>; N]) -> R,
) -> R {
    let draft = RefCell::new(draft);
    formula(wires.map(|wire| Term { draft: &draft, wire }))
}

impl Term<'_> {
    /// Another stream of the same draft, made by an operator over these.
    pub(crate) fn with(self, operator: impl Operator, others: &[Self]) -> Self {
        let wires: Vec<Wire> = [self].iter().chain(others).map(|term| term.wire).collect();
        let wire = self.draft.borrow_mut().apply(operator, &wires);
        Self { wire, ..self }
    }

    /// An operator of one input over this.
    pub(crate) fn to(self, operator: impl Operator) -> Self {
        self.with(operator, &[])
    }

    /// The square.
    pub(crate) fn squared(self) -> Self {
        self * self
    }

    /// 0 wherever this has an element, whatever it is.
    pub(crate) fn zeros(self) -> Self {
        self.to(fill(0.0))
    }

    /// 1 where this is above `bound`, else 0, for NaN too.
    pub(crate) fn above(self, bound: f64) -> Self {
        let from = if bound == 0.0 { self } else { self - bound };
        from.to(step())
    }

    /// `a` where this is true or not 0, else `b`; what is not chosen has no influence.
    pub(crate) fn choose(self, a: Self, b: Self) -> Self {
        let is_truth = spec(&self.draft.borrow(), self.wire).element == Element::Bool;
        let truth = if is_truth { self } else { self.to(cast(Element::Bool)) };
        truth.with(where_(), &[a, b])
    }
}

macro_rules! binary {
    ($($trait:ident $function:ident: $operator:ident;)+) => {
        $(impl<'a> $trait for Term<'a> {
            type Output = Self;
            fn $function(self, other: Self) -> Self {
                self.with($operator(), &[other])
            }
        })+
    };
}
binary! {
    Add add: add;
    Sub sub: subtract;
    Mul mul: multiply;
    Div div: divide;
}

macro_rules! with_number {
    ($($trait:ident $function:ident:
        |$term:ident, $number:ident| $right:expr, |$first:ident, $last:ident| $left:expr;)+) => {
        $(impl<'a> $trait<f64> for Term<'a> {
            type Output = Self;
            fn $function(self, $number: f64) -> Self {
                let $term = self;
                $right
            }
        }
        impl<'a> $trait<Term<'a>> for f64 {
            type Output = Term<'a>;
            fn $function(self, $last: Term<'a>) -> Term<'a> {
                let $first = self;
                $left
            }
        })+
    };
}
with_number! {
    Add add: |x, c| x.to(shift(c)), |c, x| x.to(shift(c));
    Sub sub: |x, c| x.to(shift(-c)), |c, x| (-x).to(shift(c));
    Mul mul: |x, c| x.to(scale(c)), |c, x| x.to(scale(c));
    Div div: |x, c| x.to(scale(1.0 / c)), |c, x| x.to(recip()).to(scale(c));
}

impl Neg for Term<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.to(neg())
    }
}
