//! Channel shuffle: groups of channels interleaved, so that the next grouped convolution sees all.
//!
//! Channel `g * n + k` of `groups` groups of `n` goes to place `k * groups + g`. After Zhang et
//! al., "ShuffleNet" (2018). A composite of `reshape` and `transpose`.
//!
//! # Shape
//! `x`: `[batch, channel, ..]`, the channels a multiple of the groups -> the same. One dimension
//! but the channels may be bounded. Any element type.
//!
//! # Gradient
//! `dx` is `dy` shuffled back.
//!
//! # Numerics
//! Exact: bytes are moved. As PyTorch's `channel_shuffle`.
//!
//! # Example
//! ```
//! use synfire_ops::arrange::channel_shuffle::channel_shuffle;
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([1, 6, 5, 5]));
//! let y = channel_shuffle(&mut draft, x, 3);
//! assert_eq!(draft.spec(y), draft.spec(x));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::spec::{Dimension, Element};

use super::reshape::{Extent, extent_of, reshape};
use super::transpose::transpose;
use crate::sample::{Sample, Tensor, bounded_first, ramp, reference};
use crate::torch::{Case, Torch};

/// PyTorch's names.
pub const TORCH: &[Torch] = &[("channel_shuffle", torch), ("native_channel_shuffle", torch)];

fn torch(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = case.operand(&["x", "input", "self"])?;
    let groups = case.sizes("groups", 1, 1)?[0];
    Ok(vec![channel_shuffle(case, x, groups)])
}

/// Axis 1 as `groups` groups, of which each place takes one channel in turn.
pub fn channel_shuffle(draft: &mut Draft, x: Wire, groups: usize) -> Wire {
    let Some(spec) = draft.spec(x).cloned() else { return x };
    let channels = match spec.dimensions.get(1) {
        Some(&Dimension::Fixed(channels)) => channels,
        // No channels, or a bounded number of them: rejected below.
        _ => return draft.apply(reshape(&[Extent::Is(groups); 2]), &[x]),
    };
    let own: Vec<Extent> = spec.dimensions.iter().copied().map(extent_of).collect();
    let each = channels.checked_div(groups).unwrap_or(0);
    let apart = [&own[..1], &[Extent::Is(groups), Extent::Is(each)], &own[2..]].concat();
    let grouped = draft.apply(reshape(&apart), &[x]);
    let mut order: Vec<usize> = (0..apart.len()).collect();
    order.swap(1, 2);
    let turned = draft.apply(transpose(&order), &[grouped]);
    draft.apply(reshape(&own), &[turned])
}

/// Images, a sequence, one group, a group each, an element of two bytes, bounded.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let case = |name: &str, element: Element, extents: &[usize], groups: usize| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![channel_shuffle(draft, x[0], groups)];
        let expect = reference(move |inputs| {
            let x = &inputs[0];
            vec![Tensor::from_fn(&x.extents, |place| {
                let (mut place, each) = (place.to_vec(), x.extents[1] / groups);
                place[1] = place[1] % groups * each + place[1] / groups;
                x.at(&place)
            })]
        });
        Sample::composite(name, "channel_shuffle", build, vec![ramp(element, extents)], expect)
    };
    let f32 = Element::F32;
    vec![
        case("images", f32, &[2, 6, 3, 5], 3),
        case("sequence", Element::F16, &[1, 10, 7], 2),
        case("features", f32, &[3, 8], 4),
        case("one group", f32, &[2, 3, 2], 1),
        case("a group each", f32, &[2, 3, 2], 3),
        case("bounded", f32, &[2, 6, 5], 2).with_specs(vec![bounded_first(f32, 4, &[6, 5])]),
    ]
}
