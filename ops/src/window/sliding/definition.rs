//! Convolutions over any axes by their definition, for samples.

use super::Sliding;
use crate::arrange::pad::PadMode;
use crate::sample::Tensor;

/// The convolution of `x` with `weight`, and `bias` if there is a third input.
pub(crate) fn convolved<const N: usize>(inputs: &[Tensor], sliding: &Sliding<N>) -> Tensor {
    let (x, weight) = (&inputs[0], &inputs[1]);
    let batch = x.extents.len() - N - 1;
    let (filters, seen) = (weight.extents[0], weight.extents[1]);
    let mut extents = [&x.extents[..batch], &[filters]].concat();
    extents.extend((0..N).map(|axis| {
        let padded = sliding.before[axis] + x.extents[batch + 1 + axis] + sliding.after[axis];
        let span = sliding.dilation[axis] * (weight.extents[2 + axis] - 1) + 1;
        (padded - span) / sliding.stride[axis] + 1
    }));
    Tensor::from_fn(&extents, |at| {
        let filter = at[batch];
        let first = filter / (filters / sliding.groups) * seen;
        let products = Tensor::from_fn(&weight.extents[1..], |tap| {
            let mut source = [&at[..batch], &[first + tap[0]]].concat();
            for axis in 0..N {
                let place = at[batch + 1 + axis] * sliding.stride[axis];
                let place = place + tap[1 + axis] * sliding.dilation[axis];
                let place = place as isize - sliding.before[axis] as isize;
                match inside(place, x.extents[batch + 1 + axis] as isize, sliding.mode) {
                    Some(place) => source.push(place as usize),
                    None => return 0.0,
                }
            }
            x.at(&source) * weight.at(&[&[filter], tap].concat())
        });
        products.data.iter().sum::<f64>() + inputs.get(2).map_or(0.0, |bias| bias.data[filter])
    })
}

/// Where a place of a padded axis lies inside it.
fn inside(place: isize, extent: isize, mode: PadMode) -> Option<isize> {
    match mode {
        _ if (0..extent).contains(&place) => Some(place),
        PadMode::Constant(_) => None,
        PadMode::Reflect => Some((extent - 1) - ((extent - 1) - place.abs()).abs()),
        PadMode::Replicate => Some(place.clamp(0, extent - 1)),
        PadMode::Circular => Some(place.rem_euclid(extent)),
    }
}

/// The transposed convolution, likewise.
pub(crate) fn transposed<const N: usize>(
    inputs: &[Tensor],
    sliding: &Sliding<N>,
    output_padding: [usize; N],
) -> Tensor {
    let (x, weight) = (&inputs[0], &inputs[1]);
    let batch = x.extents.len() - N - 1;
    let (channels, seen) = (weight.extents[0], weight.extents[1]);
    let mut extents = [&x.extents[..batch], &[seen * sliding.groups]].concat();
    extents.extend((0..N).map(|axis| {
        let last = (x.extents[batch + 1 + axis] - 1) * sliding.stride[axis];
        let whole = last + sliding.dilation[axis] * (weight.extents[2 + axis] - 1) + 1;
        whole + output_padding[axis] - sliding.before[axis] - sliding.after[axis]
    }));
    let own = channels / sliding.groups;
    let taps = [&[own], &weight.extents[2..]].concat();
    Tensor::from_fn(&extents, |at| {
        let (group, filter) = (at[batch] / seen, at[batch] % seen);
        let products = Tensor::from_fn(&taps, |tap| {
            let channel = group * own + tap[0];
            let mut source = [&at[..batch], &[channel]].concat();
            for axis in 0..N {
                let reach = at[batch + 1 + axis] + sliding.before[axis];
                let Some(reach) = reach.checked_sub(tap[1 + axis] * sliding.dilation[axis]) else {
                    return 0.0;
                };
                let place = reach / sliding.stride[axis];
                if reach % sliding.stride[axis] != 0 || place >= x.extents[batch + 1 + axis] {
                    return 0.0;
                }
                source.push(place);
            }
            x.at(&source) * weight.at(&[&[channel, filter], &tap[1..]].concat())
        });
        products.data.iter().sum::<f64>() + inputs.get(2).map_or(0.0, |bias| bias.data[at[batch]])
    })
}
