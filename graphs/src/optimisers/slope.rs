//! Slopes: parameters with their gradients, and what is done to all of them.

use synfire_ops::broadcast::binary::multiply;
use synfire_ops::differentiate::gradients;
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Element, Spec};

use super::TrainingError;
use crate::blocks::as_element;

/// A parameter with its gradient.
pub(super) struct Slope {
    pub(super) path: String,
    pub(super) parameter: Wire,
    pub(super) spec: Spec,
    pub(super) gradient: Wire,
    /// Its place in [`Training::groups`].
    pub(super) group: Option<usize>,
}

/// The gradients of the loss by what it depends on.
pub(super) fn slopes(
    draft: &mut Draft,
    loss: Wire,
    candidates: Vec<Slope>,
) -> Result<Vec<Slope>, TrainingError> {
    let by: Vec<Wire> = candidates.iter().map(|slope| slope.parameter).collect();
    let found = gradients(draft, loss, &by);
    let pairs = candidates.into_iter().zip(found);
    let slopes: Vec<Slope> =
        pairs.filter_map(|(own, gradient)| Some(Slope { gradient: gradient?, ..own })).collect();
    let wide = |slope: &&Slope| !matches!(slope.spec.element, Element::F32 | Element::F64);
    if let Some(narrow) = slopes.iter().find(wide) {
        let wanted = "f32 or f64, cast where it is read";
        return Err(TrainingError::new(narrow.path.clone(), narrow.spec.element, wanted));
    }
    // A draft with faults has no gradients; its check tells them.
    if slopes.is_empty() && draft.spec(loss).is_some() && draft.faults().is_empty() {
        let wanted = "a loss that depends on one that is not frozen";
        return Err(TrainingError::new("loss", "no parameter to train", wanted));
    }
    Ok(slopes)
}

/// Builds below a name of its own for a parameter, on the parameter's device.
pub(super) fn beside<R>(
    draft: &mut Draft,
    name: &str,
    slope: &Slope,
    build: impl FnOnce(&mut Draft) -> R,
) -> R {
    let named = |draft: &mut Draft| {
        draft.scope(name, |draft| draft.scope(&slope.path, |draft| build(draft)))
    };
    match draft.device(slope.parameter).map(str::to_owned) {
        Some(device) => draft.on(&device, named),
        None => named(draft),
    }
}

/// Every gradient times a scalar of `f32`.
pub(super) fn scale_all(draft: &mut Draft, slopes: &mut [Slope], factor: Wire) {
    for slope in slopes {
        slope.gradient = beside(draft, "scaled", slope, |draft| {
            let factor = as_element(draft, factor, slope.spec.element);
            draft.apply(multiply(), &[slope.gradient, factor])
        });
    }
}
