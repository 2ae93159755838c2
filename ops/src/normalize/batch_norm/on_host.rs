//! The host kernels: both come down to one scale and one shift for each channel.

use bytemuck::cast_slice_mut;
use synfire_runtime::crew::Crew;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs, Workspace};
use synfire_runtime::spec::Element;

use super::BatchNorm;
use crate::host::erased::{Stages, parts, shares};

/// What is done to each number of a channel.
#[derive(Clone)]
struct Affine {
    epsilon: f64,
    /// Scale and shift of each channel.
    lines: Vec<[f32; 2]>,
}

impl Affine {
    fn new(epsilon: f64, channels: usize) -> Self {
        Self { epsilon, lines: vec![[0.0; 2]; channels] }
    }

    /// Sets the line of one channel from its weight, bias, mean and variance.
    fn set(&mut self, channel: usize, [weight, bias, mean, variance]: [f64; 4]) {
        let scale = weight / (variance + self.epsilon).sqrt();
        self.lines[channel] = [scale as f32, (bias - mean * scale) as f32];
    }

    /// Sets every line from the inputs `first` and the three behind it.
    fn read(&mut self, firing: &Firing<'_>, first: usize) {
        let inputs = [0, 1, 2, 3].map(|index| firing.input(first + index).elements::<f32>());
        for channel in 0..self.lines.len() {
            self.set(channel, inputs.map(|input| f64::from(input[channel])));
        }
    }

    /// Normalises a piece that starts at flat element `offset`; `inner` elements of a channel
    /// follow each other.
    fn apply(&self, piece: &mut [f32], offset: usize, inner: usize) {
        let (mut start, mut at) = (0, offset);
        while start < piece.len() {
            let length = (inner - at % inner).min(piece.len() - start);
            let [scale, shift] = self.lines[at / inner % self.lines.len()];
            for y in &mut piece[start..start + length] {
                *y = *y * scale + shift;
            }
            (start, at) = (start + length, at + length);
        }
    }
}

/// The kernel of [`batch_norm`](super::batch_norm).
pub(super) struct OnHost {
    affine: Affine,
    axis: usize,
    /// Elements of a channel that follow each other, when all tokens have the same extents.
    inner: Option<usize>,
    is_constant: bool,
    stages: Stages,
}

impl OnHost {
    pub(super) fn new(operator: &BatchNorm, specs: &Specs<'_>) -> Self {
        let (x, axis) = (&specs.inputs[0], operator.axis);
        Self {
            affine: Affine::new(operator.epsilon, x.bound(axis)),
            axis,
            inner: x.is_fixed().then(|| x.bounds()[axis + 1..].iter().product()),
            is_constant: specs.constant[1..].iter().all(|&constant| constant),
            stages: Stages::default(),
        }
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        Workspace { kept_bytes: size_of_val(&self.affine.lines[..]), scratch_bytes: 0 }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.is_constant {
            self.affine.read(firing, 1);
        }
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if !self.is_constant {
            self.affine.read(firing, 1);
        }
        let (x, mut y) = match firing.pair(0, 0) {
            Pair::Same(y) => (None, y),
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                (Some(x.elements::<f32>()), y)
            }
        };
        let inner = y.extents()[self.axis + 1..].iter().product();
        parts(firing.crew(), y.bytes(), Element::F32, &|offset, part| {
            let part = cast_slice_mut(part);
            if let Some(x) = x {
                part.copy_from_slice(&x[offset..offset + part.len()]);
            }
            self.affine.apply(part, offset, inner);
            self.stages.finish(part, offset);
        });
        Ok(())
    }

    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        let inner = self.inner.filter(|_| self.is_constant)?;
        Some(Box::new(Stage { affine: self.affine.clone(), inner }))
    }

    fn absorb(&mut self, stages: Vec<Box<dyn PieceStage>>) {
        self.stages.absorb(stages);
    }
}

struct Stage {
    affine: Affine,
    inner: usize,
}

impl PieceStage for Stage {
    fn prepare(&mut self, firing: &Firing<'_>, first: usize) {
        self.affine.read(firing, first);
    }

    fn apply(&self, piece: &mut [f32], offset: usize) {
        self.affine.apply(piece, offset, self.inner);
    }
}

/// The kernel of [`batch_norm_train`](super::batch_norm_train).
pub(super) struct Train {
    affine: Affine,
    axis: usize,
    momentum: f64,
    /// Mean of each channel, and the sum of squares around it.
    moments: Vec<[f64; 2]>,
}

impl Train {
    pub(super) fn new(operator: &BatchNorm, momentum: f64, specs: &Specs<'_>) -> Self {
        let (axis, channels) = (operator.axis, specs.inputs[0].bound(operator.axis));
        let affine = Affine::new(operator.epsilon, channels);
        Self { affine, axis, momentum, moments: vec![[0.0; 2]; channels] }
    }

    fn measure(&mut self, crew: &Crew, x: &[f32], inner: usize) {
        let channels = self.moments.len();
        let (moments, size) = (cast_slice_mut(&mut self.moments), size_of::<[f64; 2]>());
        shares(crew, moments, size, &|first, moments| {
            let channel = first / size;
            let values = || x.chunks_exact(inner).skip(channel).step_by(channels).flatten();
            let count = x.len() / channels;
            let mean = values().map(|&x| f64::from(x)).sum::<f64>() / count as f64;
            let squares = values().map(|&x| (f64::from(x) - mean).powi(2)).sum();
            cast_slice_mut(moments).copy_from_slice(&[mean, squares]);
        });
    }
}

impl Kernel for Train {
    fn workspace(&self) -> Workspace {
        let (lines, moments) = (&self.affine.lines[..], &self.moments[..]);
        Workspace { kept_bytes: size_of_val(lines) + size_of_val(moments), scratch_bytes: 0 }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let [mut y, mut mean, mut variance] = [0, 1, 2].map(|output| firing.output(output));
        let x = firing.input(0);
        let extents = x.extents();
        y.set_extents(&extents);
        let channels = self.moments.len();
        let (x, count) = (x.elements::<f32>(), extents.elements().checked_div(channels));
        let Some(count) = count else { return Ok(()) };
        if count < 2 {
            let found = format!("port x holds {count} numbers of each channel");
            return Err(FireError::failed(format!("{found}, training takes two")));
        }
        let inner = extents[self.axis + 1..].iter().product();
        self.measure(firing.crew(), x, inner);
        let inputs = [1, 2, 3, 4].map(|input| firing.input(input).elements::<f32>());
        let [mean, variance] = [mean.elements::<f32>(), variance.elements::<f32>()];
        for (channel, &[centre, squares]) in self.moments.iter().enumerate() {
            let [weight, bias, old_mean, old_variance] =
                inputs.map(|input| f64::from(input[channel]));
            self.affine.set(channel, [weight, bias, centre, squares / count as f64]);
            let blend = |old: f64, new: f64| (old + self.momentum * (new - old)) as f32;
            mean[channel] = blend(old_mean, centre);
            variance[channel] = blend(old_variance, squares / (count - 1) as f64);
        }
        parts(firing.crew(), y.bytes(), Element::F32, &|offset, part| {
            let part = cast_slice_mut(part);
            part.copy_from_slice(&x[offset..offset + part.len()]);
            self.affine.apply(part, offset, inner);
        });
        Ok(())
    }
}
