//! Mixed precision: a network computes in floats of 16 bits, its parameters stay in `f32`.
//!
//! Micikevicius et al., "Mixed precision training", 2018. A parameter is cast where it is read, so
//! its gradient comes back in `f32` and small updates are not lost; losses and norms are computed
//! in `f32`. For `f16` scale the loss: [`LossScale`](crate::optimisers::LossScale).

use synfire_ops::broadcast::cast::cast;
use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Dimension, Element, Spec};

/// What a network computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision(pub Element);

impl Precision {
    /// `f32` throughout.
    pub const FULL: Self = Self(Element::F32);

    /// A parameter of `f32` as the network reads it.
    #[track_caller]
    pub fn parameter<D: Into<Dimension>>(
        self,
        draft: &mut Draft,
        name: &str,
        extents: impl IntoIterator<Item = D>,
        initial: Initial,
    ) -> Wire {
        let own = draft.parameter(name, Spec::new(Element::F32, extents), initial);
        self.enter(draft, own)
    }

    /// A stream as the network computes with it.
    pub fn enter(self, draft: &mut Draft, x: Wire) -> Wire {
        as_element(draft, x, self.0)
    }

    /// What the network gives, in `f32`.
    pub fn leave(self, draft: &mut Draft, y: Wire) -> Wire {
        as_element(draft, y, Element::F32)
    }
}

/// A stream as one of an element type.
pub(crate) fn as_element(draft: &mut Draft, wire: Wire, element: Element) -> Wire {
    if draft.spec(wire).is_none_or(|spec| spec.element == element) {
        return wire;
    }
    draft.apply(cast(element), &[wire])
}
