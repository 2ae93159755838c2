//! Owned payloads: what is fed, received, loaded and compared.

use serde::{Deserialize, Serialize};

use crate::spec::{Dimension, Element, Scalar, Spec};

/// An owned payload with its element type and extents, row-major.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Value {
    /// The element type.
    pub element: Element,
    /// The extents, outermost first.
    pub extents: Vec<usize>,
    #[serde(with = "whole")]
    bytes: Vec<u8>,
}

/// A value as read from a file, before it is believed.
#[derive(Deserialize)]
struct Stored {
    element: Element,
    extents: Vec<usize>,
    #[serde(with = "whole")]
    bytes: Vec<u8>,
}

impl TryFrom<Stored> for Value {
    type Error = String;

    fn try_from(Stored { element, extents, bytes }: Stored) -> Result<Self, String> {
        let elements = extents.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
        if elements.and_then(|n| n.checked_mul(element.bytes())) != Some(bytes.len()) {
            return Err(format!("{} bytes of {element} of extents {extents:?}", bytes.len()));
        }
        Ok(Self { element, extents, bytes })
    }
}

/// Bytes as one piece, not one by one.
mod whole {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Whole;

        impl Visitor<'_> for Whole {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Whole)
    }
}

impl Value {
    /// A value from elements.
    ///
    /// # Panics
    /// When the number of elements is not the product of the extents.
    #[must_use]
    pub fn new<T: Scalar>(extents: &[usize], elements: &[T]) -> Self {
        let wanted: usize = extents.iter().product();
        assert_eq!(elements.len(), wanted, "extents {extents:?} hold {wanted} elements");
        let bytes = bytemuck::cast_slice(elements).to_vec();
        Self { element: T::ELEMENTS[0], extents: extents.to_vec(), bytes }
    }

    /// A value from bytes of an element type.
    ///
    /// # Panics
    /// When the number of bytes does not follow from element type and extents.
    #[must_use]
    pub fn from_bytes(element: Element, extents: &[usize], bytes: Vec<u8>) -> Self {
        let wanted = extents.iter().product::<usize>() * element.bytes();
        assert_eq!(bytes.len(), wanted, "{element} of extents {extents:?} takes {wanted} bytes");
        Self { element, extents: extents.to_vec(), bytes }
    }

    /// Zeros of a spec, at its bounds.
    #[must_use]
    pub fn zeros(spec: &Spec) -> Self {
        Self::from_bytes(spec.element, &spec.bounds(), vec![0; spec.bytes()])
    }

    /// The payload.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements, copied out: the bytes of a value need not be aligned.
    ///
    /// # Panics
    /// When `T` is not the element type.
    #[must_use]
    pub fn elements<T: Scalar>(&self) -> Vec<T> {
        assert!(T::ELEMENTS.contains(&self.element), "the elements are {}", self.element);
        bytemuck::pod_collect_to_vec(&self.bytes)
    }

    /// The spec of exactly this value.
    #[must_use]
    pub fn spec(&self) -> Spec {
        Spec::new(self.element, self.extents.iter().copied())
    }

    /// Whether this value may be a token of `spec`.
    #[must_use]
    pub fn fits(&self, spec: &Spec) -> bool {
        self.element == spec.element
            && self.extents.len() == spec.rank()
            && self.extents.iter().zip(&spec.dimensions).all(|(&extent, dimension)| match dimension
            {
                Dimension::Fixed(n) => extent == *n,
                Dimension::UpTo(n) => extent <= *n,
            })
    }
}
