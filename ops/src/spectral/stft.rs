//! Short-time Fourier transforms: the spectra of overlapping frames of a signal under a window,
//! and the way back.
//!
//! | composite | |
//! |---|---|
//! | [`stft`] | `y[k, p] = scale * sum over j of w[j] x[p hop + j] e^(-2 pi i j k / n)` |
//! | [`istft`] | the frames of the spectra, windowed and added up, divided by the squared windows |
//!
//! # Shape
//! [`stft`]: `x`: `f32` or `f64` `[.., time]`; `window`: `[n]` of the same type -> `y`: `[..,
//! n / 2 + 1, frame, 2]`, pairs of real and imaginary part on the last axis. [`istft`]: the other
//! way round; the result has as many elements as the frames cover, or the given length. The time
//! and the number of frames are fixed; others may be bounded.
//!
//! # Gradient
//! Those of its parts, also by the window.
//!
//! # Numerics
//! As `rdft` and `irdft` with a norm as in `fft`. As PyTorch's `stft` and `istft` with `onesided`,
//! where `normalized` is [`Norm::Ortho`]. Where the windows add up to zero the way back is not a
//! number, which PyTorch refuses.
//!
//! # Example
//! ```
//! use synfire_ops::spectral::fft::Norm;
//! use synfire_ops::spectral::stft::{Hop, stft};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let sound = draft.feed("sound", Spec::f32([2, 16_000]));
//! let window = draft.feed("window", Spec::f32([400]));
//! let y = stft(&mut draft, [sound, window], Hop::plain(160), Norm::Backward);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 201, 98, 2])));
//! ```

use synfire_runtime::define::{Draft, Initial, Wire};
use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::dft::Direction;
use super::fft::{Norm, fit};
use super::rdft::{irdft, rdft};
use crate::arrange::frames::frames;
use crate::arrange::overlap_add::overlap_add;
use crate::arrange::pad::{PadMode, pad};
use crate::arrange::slice::slice;
use crate::arrange::transpose::transpose;
use crate::broadcast::binary::{divide, multiply};
use crate::pointwise::unary::fill;
use crate::sample::{Sample, Tensor, bounded_first, noise, reference, tensor};
use crate::torch::{Case, Torch};

/// How frames follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hop {
    /// Elements from one frame to the next.
    pub step: usize,
    /// Whether frames are around their places, and how the signal goes on beyond its ends for
    /// that; else frames begin at their places.
    pub centered: Option<PadMode>,
}

impl Hop {
    /// Frames that begin at their places.
    #[must_use]
    pub fn plain(step: usize) -> Self {
        Self { step, centered: None }
    }
}

/// The spectra of the frames of a signal under a window.
pub fn stft(draft: &mut Draft, [x, window]: [Wire; 2], hop: Hop, norm: Norm) -> Wire {
    let (Some(signal), Some(length)) = (draft.spec(x).cloned(), length_of(draft, window)) else {
        return x;
    };
    let rank = signal.rank();
    let mut x = x;
    if let Some(mode) = hop.centered {
        let mut sides = vec![0; rank];
        sides.iter_mut().rev().take(1).for_each(|side| *side = length / 2);
        x = draft.apply(pad(&sides, &sides, mode), &[x]);
    }
    let axis = rank.saturating_sub(1);
    let parts = draft.apply(frames(axis, length).stride(hop.step), &[x]);
    let parts = draft.apply(multiply(), &[parts, window]);
    let y = draft.apply(rdft(norm.scale(Direction::Forward, length)), &[parts]);
    draft.apply(transpose(&exchanged(rank + 2)), &[y])
}

/// The signal of spectra of frames under a window: of `length` elements, or of all that there are.
pub fn istft(
    draft: &mut Draft,
    [x, window]: [Wire; 2],
    hop: Hop,
    (norm, length): (Norm, Option<usize>),
) -> Wire {
    let (Some(spectra), Some(taps)) = (draft.spec(x).cloned(), length_of(draft, window)) else {
        return x;
    };
    let rank = spectra.rank();
    let count = spectra.dimensions.iter().rev().nth(1).map_or(1, |dimension| dimension.bound());
    let covered = taps + hop.step * count.saturating_sub(1);
    let x = draft.apply(transpose(&exchanged(rank)), &[x]);
    let parts = draft.apply(irdft(taps, norm.scale(Direction::Inverse, taps)), &[x]);
    // Of a stream, for the window may be a constant, and those are not computed with alone.
    let ones = draft.apply(fill(1.0), &[parts]);
    let ones = draft.apply(multiply(), &[ones, window]);
    let power = draft.apply(multiply(), &[ones, window]);
    let parts = draft.apply(multiply(), &[parts, window]);
    let axis = rank.saturating_sub(3);
    let [signal, power] = [parts, power]
        .map(|x| draft.apply(overlap_add(axis, taps, covered).stride(hop.step), &[x]));
    let first = if hop.centered.is_some() { taps / 2 } else { 0 };
    let end = length.map_or(covered - first, |length| (first + length).min(covered));
    // Cut before they are divided: at the ends windows may be zero.
    let signal = draft.apply(slice(axis, first, end, 1), &[signal]);
    let power = draft.apply(slice(axis, first, end, 1), &[power]);
    let y = draft.apply(divide(), &[signal, power]);
    fit(draft, y, axis, length)
}

/// The extent of a window.
fn length_of(draft: &Draft, window: Wire) -> Option<usize> {
    draft.spec(window).map(|spec| spec.elements())
}

/// All axes of a complex tensor, the last two before that of the pairs exchanged.
fn exchanged(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    if let [.., a, b, _] = &mut order[..] {
        std::mem::swap(a, b);
    }
    order
}

/// PyTorch's names.
pub const TORCH: &[Torch] = &[
    ("stft", |case| {
        let (x, window, hop, norm) = arguments(case)?;
        Ok(vec![stft(case, [x, window], hop, norm)])
    }),
    ("istft", |case| {
        let (x, window, hop, norm) = arguments(case)?;
        let length = usize::try_from(case.integer("length", -1)?).ok();
        Ok(vec![istft(case, [x, window], hop, (norm, length))])
    }),
];

/// What both take: the signal or the spectra, the window at full length, the frames and the norm.
fn arguments(case: &mut Case<'_>) -> Result<(Wire, Wire, Hop, Norm), String> {
    let x = case.input("x").or_else(|_| case.input("input"))?;
    let size = |case: &Case<'_>, name: &str, default: usize| {
        let size = case.integer(name, default as i64)?;
        usize::try_from(size).map_err(|_| format!("`{name}` is {size}"))
    };
    let length = size(case, "n_fft", 0)?;
    let hop = size(case, "hop_length", length / 4)?;
    let window = match case.optional("window").or_else(|| case.optional("w")) {
        Some(window) => {
            let own = case.spec_of(window)?.elements();
            let before = length.saturating_sub(own) / 2;
            let sides = [[before], [length.saturating_sub(own + before)]];
            let padding = pad(&sides[0], &sides[1], PadMode::Constant(0.0));
            if own < length { case.apply(padding, &[window]) } else { window }
        }
        None => {
            let ones = size(case, "win_length", length)?.min(length);
            let before = (length - ones) / 2;
            let is_inside = |k: usize| f32::from(u8::from((before..before + ones).contains(&k)));
            let window = Value::new(&[length], &(0..length).map(is_inside).collect::<Vec<f32>>());
            let spec = window.spec();
            case.parameter("window", spec, Initial::Value(window.into()))
        }
    };
    let mode = match case.text("pad_mode", "reflect")?.as_str() {
        "reflect" => PadMode::Reflect,
        "constant" | "zeros" => PadMode::Constant(0.0),
        "replicate" => PadMode::Replicate,
        "circular" => PadMode::Circular,
        other => return Err(format!("no padding `{other}`")),
    };
    if !case.flag("onesided", true)? {
        return Err("only one-sided spectra".into());
    }
    let _ = (size(case, "win_length", length)?, case.flag("return_complex", true)?);
    let centered = case.flag("center", true)?.then_some(mode);
    let norm = if case.flag("normalized", false)? { Norm::Ortho } else { Norm::Backward };
    Ok((x, window, Hop { step: hop.max(1), centered }, norm))
}

/// Plain and centered, even and odd lengths, `f64`, bounded; there and back.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let forth = |name: &str, hop: Hop, norm: Norm, inputs: [Value; 2]| {
        let build = move |draft: &mut Draft, x: &[Wire]| vec![stft(draft, [x[0], x[1]], hop, norm)];
        let expect = reference(move |inputs| {
            let scale = norm.scale(Direction::Forward, inputs[1].data.len());
            vec![by_definition(&inputs[0], &inputs[1], hop, scale)]
        });
        Sample::composite(name, "stft", build, inputs.to_vec(), expect)
    };
    let back = |name: &str, hop: Hop, norm: Norm, inputs: [Value; 2]| {
        let length = inputs[0].extents.last().copied();
        let build = move |draft: &mut Draft, x: &[Wire]| {
            let y = stft(draft, [x[0], x[1]], hop, norm);
            vec![istft(draft, [y, x[1]], hop, (norm, length))]
        };
        let expect = reference(|inputs| vec![inputs[0].clone()]);
        Sample::composite(name, "istft", build, inputs.to_vec(), expect)
    };
    let wide = |value: Value| Value::new(&value.extents, &tensor(&value).data);
    let window = |length: usize| {
        let step = std::f32::consts::PI / length as f32;
        let values = (0..length).map(|k| ((k as f32 + 0.5) * step).sin());
        Value::new(&[length], &values.collect::<Vec<f32>>())
    };
    let mirrored = Some(PadMode::Reflect);
    let centered = |step: usize| Hop { step, centered: mirrored };
    let bounded = vec![bounded_first(Element::F32, 4, &[17]), Spec::f32([6])];
    vec![
        forth("plain", Hop::plain(3), Norm::Backward, [noise(1, &[2, 20]), window(8)]),
        forth("centered", centered(2), Norm::Ortho, [noise(2, &[13]), window(6)]),
        forth("odd, f64", centered(4), Norm::Backward, [noise(3, &[11]), window(5)].map(wide)),
        forth("bounded", Hop::plain(5), Norm::Forward, [noise(4, &[3, 17]), window(6)])
            .with_specs(bounded),
        back("centered", centered(2), Norm::Ortho, [noise(5, &[2, 14]), window(6)]),
        back("plain, f64", Hop::plain(1), Norm::Backward, [noise(6, &[9]), window(4)].map(wide)),
    ]
}

/// The definition; what lies beyond the ends is mirrored.
fn by_definition(x: &Tensor, window: &Tensor, hop: Hop, scale: f64) -> Tensor {
    let (time, n) = (x.extents.len() - 1, window.data.len());
    let length = x.extents[time] as i64;
    let first = if hop.centered.is_some() { n as i64 / 2 } else { 0 };
    let count = (length + 2 * first - n as i64) as usize / hop.step + 1;
    let extents = [&x.extents[..time], &[n / 2 + 1, count, 2]].concat();
    Tensor::from_fn(&extents, |index| {
        let (bin, frame, part) = (index[time], index[time + 1], index[time + 2]);
        let terms = (0..n).map(|j| {
            let at = (frame * hop.step + j) as i64 - first;
            let at = if at < 0 { -at } else { at };
            let at = if at >= length { 2 * (length - 1) - at } else { at };
            let angle = std::f64::consts::TAU * (j * bin) as f64 / n as f64;
            let wave = if part == 0 { angle.cos() } else { -angle.sin() };
            window.data[j] * wave * x.at(&[&index[..time], &[at as usize]].concat())
        });
        scale * terms.sum::<f64>()
    })
}
