//! What a port carries: an element type and dimensions.
//!
//! A dimension is fixed (`n`) or bounded (`up to n`). Registers are sized for the bound, each token
//! carries its actual extents, so memory is exact before a run and yet a point cloud may vary.
//!
//! Invariants: a checked [`Spec`] has at most [`RANK_MAX`] dimensions, [`BYTES_MAX`] bytes, and
//! bounds that a token can say in 32 bits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest number of dimensions a port may have.
pub const RANK_MAX: usize = 8;

/// The largest number of bytes that a token may have: 1 TiB, so that sums over a plan fit 64 bits.
pub const BYTES_MAX: usize = 1 << 40;

/// The element types of the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Element {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// IEEE 754 binary64.
    F64,
    /// Two's complement, 32 bits.
    I32,
    /// Two's complement, 64 bits.
    I64,
    /// Unsigned byte.
    U8,
    /// A byte that is 0 or 1.
    Bool,
}

impl Element {
    /// Every element type, in the order of declaration.
    pub const ALL: [Self; 8] =
        [Self::F32, Self::F16, Self::BF16, Self::F64, Self::I32, Self::I64, Self::U8, Self::Bool];

    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::U8 | Self::Bool => 1,
        }
    }

    /// True for the four floating-point types.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::F64)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::Bool => "bool",
        })
    }
}

/// A Rust type that views an [`Element`]; `bool` elements are viewed as `u8`, 0 or 1.
pub trait Scalar: bytemuck::Pod + Send + Sync {
    /// The element types whose bytes may be read as this type.
    const ELEMENTS: &'static [Element];
}

macro_rules! scalars {
    ($($scalar:ty: $($element:ident),+;)*) => {
        $(impl Scalar for $scalar {
            const ELEMENTS: &'static [Element] = &[$(Element::$element),+];
        })*
    };
}
scalars! {
    f32: F32;
    half::f16: F16;
    half::bf16: BF16;
    f64: F64;
    i32: I32;
    i64: I64;
    u8: U8, Bool;
}

/// One dimension of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dimension {
    /// Every token has exactly this extent.
    Fixed(usize),
    /// A token has any extent from zero to this bound.
    UpTo(usize),
}

impl Dimension {
    /// The largest extent a token may have.
    #[must_use]
    pub const fn bound(self) -> usize {
        match self {
            Self::Fixed(n) | Self::UpTo(n) => n,
        }
    }

    /// True when tokens may differ in this extent.
    #[must_use]
    pub const fn is_bounded(self) -> bool {
        matches!(self, Self::UpTo(_))
    }
}

impl From<usize> for Dimension {
    fn from(extent: usize) -> Self {
        Self::Fixed(extent)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::UpTo(n) => write!(f, "up to {n}"),
        }
    }
}

/// Element type and dimensions of a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spec {
    /// The element type.
    pub element: Element,
    /// The dimensions, outermost first; no dimension is a scalar.
    pub dimensions: Vec<Dimension>,
}

impl Spec {
    /// A spec of any element type.
    pub fn new<D: Into<Dimension>>(
        element: Element,
        dimensions: impl IntoIterator<Item = D>,
    ) -> Self {
        Self { element, dimensions: dimensions.into_iter().map(Into::into).collect() }
    }

    /// A spec of `f32` elements.
    pub fn f32<D: Into<Dimension>>(dimensions: impl IntoIterator<Item = D>) -> Self {
        Self::new(Element::F32, dimensions)
    }

    /// The number of dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.dimensions.len()
    }

    /// The bound of each dimension.
    #[must_use]
    pub fn bounds(&self) -> Vec<usize> {
        self.dimensions.iter().map(|dimension| dimension.bound()).collect()
    }

    /// The bound of one dimension.
    #[must_use]
    pub fn bound(&self, axis: usize) -> usize {
        self.dimensions[axis].bound()
    }

    /// True when no dimension is bounded: every token has the same extents.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        !self.dimensions.iter().any(|dimension| dimension.is_bounded())
    }

    /// The largest number of elements a token may have.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.dimensions.iter().map(|dimension| dimension.bound()).product()
    }

    /// The largest number of bytes a token may have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.elements() * self.element.bytes()
    }

    /// The same dimensions with another element type.
    #[must_use]
    pub fn with_element(&self, element: Element) -> Self {
        Self { element, dimensions: self.dimensions.clone() }
    }

    /// Whether rank and size stay inside what registers can hold.
    pub(crate) fn fits(&self) -> bool {
        let bytes = self.dimensions.iter().try_fold(self.element.bytes(), |bytes, dimension| {
            bytes.checked_mul(dimension.bound()).filter(|&n| n <= BYTES_MAX)
        });
        let sayable = |d: &Dimension| !d.is_bounded() || u32::try_from(d.bound()).is_ok();
        self.rank() <= RANK_MAX && bytes.is_some() && self.dimensions.iter().all(sayable)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.element)?;
        for (axis, dimension) in self.dimensions.iter().enumerate() {
            write!(f, "{}{dimension}", if axis == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

/// The actual extents of one token; plain data of fixed size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extents {
    rank: u8,
    extents: [usize; RANK_MAX],
}

impl Extents {
    /// The extents of `slice`.
    ///
    /// # Panics
    /// When `slice` has more than [`RANK_MAX`] entries.
    #[must_use]
    pub fn new(slice: &[usize]) -> Self {
        assert!(slice.len() <= RANK_MAX, "a token has at most {RANK_MAX} dimensions");
        let mut extents = [0; RANK_MAX];
        extents[..slice.len()].copy_from_slice(slice);
        Self { rank: slice.len() as u8, extents }
    }

    /// The number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.iter().product()
    }
}

impl std::ops::Deref for Extents {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.extents[..self.rank as usize]
    }
}

impl fmt::Debug for Extents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_print_as_users_write_them() {
        assert_eq!(Spec::f32([16, 256, 256]).to_string(), "f32[16, 256, 256]");
        let cloud = Spec::f32([Dimension::UpTo(120_000), Dimension::Fixed(4)]);
        assert_eq!(cloud.to_string(), "f32[up to 120000, 4]");
        assert_eq!(Spec::new::<usize>(Element::Bool, []).to_string(), "bool[]");
        assert_eq!(cloud.bytes(), 120_000 * 16);
    }

    #[test]
    fn absurd_sizes_do_not_fit() {
        assert!(!Spec::f32([usize::MAX, 2]).fits());
        assert!(!Spec::f32([1; 9]).fits());
        assert!(!Spec::new(Element::U8, [Dimension::UpTo(1 << 33)]).fits());
        assert!(Spec::f32([0, usize::MAX / 8]).fits() || usize::BITS < 64);
    }
}
