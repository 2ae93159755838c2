//! Scales and zero points: one for all, or one for each place of an axis.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::arrange::reshape::{Extent, reshape};
use crate::require;

/// `spec` has one number, or one for each place of `axis` of `x`.
pub(crate) fn check(
    (port, spec): (&str, &Spec),
    element: Element,
    x: &Spec,
    axis: Option<usize>,
) -> Result<(), SpecError> {
    require::element(port, spec, &[element])?;
    let Some(axis) = axis else { return require::rank(port, spec, 0) };
    require::axis("x", x, axis)?;
    require::rank(port, spec, 1)?;
    let (found, wanted) = (spec.dimensions[0], require::fixed("x", x, axis)?);
    if found != Dimension::Fixed(wanted) {
        let wanted = format!("{wanted}, as dimension {axis} of port x");
        return Err(SpecError::new(port, found, wanted).at(0));
    }
    Ok(())
}

/// A number for each place of `axis`, as a tensor that is broadcast to one of `rank` dimensions.
pub(crate) fn beside(draft: &mut Draft, wire: Wire, axis: Option<usize>, rank: usize) -> Wire {
    let Some(axis) = axis.filter(|&axis| axis + 1 < rank) else { return wire };
    let extents = draft.spec(wire).map_or_else(Vec::new, Spec::bounds);
    let ones = (axis + 1..rank).map(|_| 1);
    let extents: Vec<Extent> = extents.into_iter().chain(ones).map(Extent::Is).collect();
    draft.apply(reshape(&extents), &[wire])
}
