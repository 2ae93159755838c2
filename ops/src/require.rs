//! What shape rules demand of their inputs; each breach names the port and the dimension.

use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

/// The real number types, those of 16 bits as far as the host computes them in `f32`.
pub(crate) const FLOATS: [Element; 4] = [Element::F32, Element::F64, Element::F16, Element::BF16];

/// `spec` has an axis `axis`.
pub(crate) fn axis(port: &str, spec: &Spec, axis: usize) -> Result<(), SpecError> {
    let wanted = || format!("an axis {axis}");
    if axis < spec.rank() { Ok(()) } else { Err(SpecError::new(port, spec, wanted())) }
}

/// `spec` has rank `rank`.
pub(crate) fn rank(port: &str, spec: &Spec, rank: usize) -> Result<(), SpecError> {
    let wanted = || format!("{rank} dimensions");
    if spec.rank() == rank { Ok(()) } else { Err(SpecError::new(port, spec, wanted())) }
}

/// The element type of `spec` is one of `elements`.
pub(crate) fn element(port: &str, spec: &Spec, elements: &[Element]) -> Result<(), SpecError> {
    if elements.contains(&spec.element) {
        return Ok(());
    }
    let names: Vec<String> = elements.iter().map(Element::to_string).collect();
    Err(SpecError::new(port, spec.element, names.join(" or ")))
}

/// Dimension `axis` of `spec` is fixed; the extent.
pub(crate) fn fixed(port: &str, spec: &Spec, axis: usize) -> Result<usize, SpecError> {
    match spec.dimensions[axis] {
        Dimension::Fixed(extent) => Ok(extent),
        bounded @ Dimension::UpTo(_) => {
            Err(SpecError::new(port, bounded, "a fixed extent").at(axis))
        }
    }
}

/// `spec` is that of weights: real numbers of fixed extents.
pub(crate) fn weight(port: &str, spec: &Spec) -> Result<(), SpecError> {
    element(port, spec, &[Element::F32, Element::F64])?;
    (0..spec.rank()).try_for_each(|axis| fixed(port, spec, axis).map(|_| ()))
}

/// `spec` is `wanted`, but for the dimension `except`.
pub(crate) fn alike(
    port: &str,
    spec: &Spec,
    wanted: &Spec,
    except: Option<usize>,
) -> Result<(), SpecError> {
    element(port, spec, &[wanted.element])?;
    rank(port, spec, wanted.rank())?;
    let pairs = spec.dimensions.iter().zip(&wanted.dimensions).enumerate();
    match pairs.into_iter().find(|&(axis, (a, b))| a != b && Some(axis) != except) {
        Some((axis, (found, wanted))) => Err(SpecError::new(port, found, wanted).at(axis)),
        None => Ok(()),
    }
}

/// A list of inputs or outputs has from 1 to `most` entries.
pub(crate) fn count(port: &str, found: usize, most: usize) -> Result<(), SpecError> {
    let wanted = || format!("1 to {most}");
    if (1..=most).contains(&found) { Ok(()) } else { Err(SpecError::new(port, found, wanted())) }
}

/// Dimension `axis` of `spec` is never longer than `limit`; what is bounded may still be at run
/// time, so a kernel checks that again.
pub(crate) fn within(
    port: &str,
    spec: &Spec,
    axis: usize,
    limit: &Dimension,
) -> Result<(), SpecError> {
    let found = spec.dimensions[axis];
    // A fixed extent cannot stay inside one that may shrink.
    if found.bound() > limit.bound() || (limit.is_bounded() && !found.is_bounded()) {
        return Err(SpecError::new(port, found, format!("at most {limit}")).at(axis));
    }
    Ok(())
}
