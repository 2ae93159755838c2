//! The host kernels: both come down to one scale and one shift for each channel.

use bytemuck::cast_slice_mut;
use synfire_runtime::crew::Crew;
use synfire_runtime::firing::{Firing, Pair};
use synfire_runtime::operator::{FireError, Kernel, PieceStage, Specs, Workspace};
use synfire_runtime::spec::Element;

use super::BatchNorm;
use crate::host::erased::{Stages, parts, shares};
use crate::host::real::Real;

/// The numbers that are normalised.
trait Number: Real + Into<f64> {}

impl<R: Real + Into<f64>> Number for R {}

/// What is done to each number of a channel.
#[derive(Clone)]
struct Affine {
    epsilon: f64,
    /// Scale and shift of each channel.
    lines: Vec<[f64; 2]>,
}

impl Affine {
    fn new(epsilon: f64, channels: usize) -> Self {
        Self { epsilon, lines: vec![[0.0; 2]; channels] }
    }

    /// Sets the line of one channel from its weight, bias, mean and variance.
    fn set(&mut self, channel: usize, [weight, bias, mean, variance]: [f64; 4]) {
        let scale = weight / (variance + self.epsilon).sqrt();
        self.lines[channel] = [scale, bias - mean * scale];
    }

    /// Sets every line from the inputs `first` and the three behind it.
    fn read<R: Number>(&mut self, firing: &Firing<'_>, first: usize) {
        let inputs = [0, 1, 2, 3].map(|index| firing.input(first + index).elements::<R>());
        for channel in 0..self.lines.len() {
            self.set(channel, inputs.map(|input| input[channel].into()));
        }
    }

    /// Normalises a piece that starts at flat element `offset`; `inner` elements of a channel
    /// follow each other.
    fn apply<R: Number>(&self, piece: &mut [R], offset: usize, inner: usize) {
        let (mut start, mut at) = (0, offset);
        while start < piece.len() {
            let length = (inner - at % inner).min(piece.len() - start);
            let [scale, shift] = self.lines[at / inner % self.lines.len()].map(R::of);
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
    element: Element,
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
            element: x.element,
            axis,
            inner: x.is_fixed().then(|| x.bounds()[axis + 1..].iter().product()),
            is_constant: specs.constant[1..].iter().all(|&constant| constant),
            stages: Stages::default(),
        }
    }
}

impl OnHost {
    fn read(&mut self, firing: &Firing<'_>) {
        match self.element {
            Element::F32 => self.affine.read::<f32>(firing, 1),
            _ => self.affine.read::<f64>(firing, 1),
        }
    }

    fn normalise<R: Number>(&self, firing: &mut Firing<'_>) {
        let (x, mut y) = match firing.pair(0, 0) {
            Pair::Same(y) => (None, y),
            Pair::Distinct(x, mut y) => {
                y.set_extents(&x.extents());
                (Some(x.elements::<R>()), y)
            }
        };
        let inner = y.extents()[self.axis + 1..].iter().product();
        parts(firing.crew(), y.bytes(), self.element, &|offset, bytes| {
            let part = cast_slice_mut(bytes);
            if let Some(x) = x {
                part.copy_from_slice(&x[offset..offset + part.len()]);
            }
            self.affine.apply::<R>(part, offset, inner);
            self.stages.apply(bytes, offset);
        });
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        Workspace { kept_bytes: size_of_val(&self.affine.lines[..]), scratch_bytes: 0 }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if self.is_constant {
            self.read(firing);
        }
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        if !self.is_constant {
            self.read(firing);
        }
        match self.element {
            Element::F32 => self.normalise::<f32>(firing),
            _ => self.normalise::<f64>(firing),
        }
        Ok(())
    }

    fn stage(&self) -> Option<Box<dyn PieceStage>> {
        let inner = self.inner.filter(|_| self.is_constant && self.element == Element::F32)?;
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
        self.affine.read::<f32>(firing, first);
    }

    fn apply(&self, piece: &mut [f32], offset: usize) {
        self.affine.apply(piece, offset, self.inner);
    }
}

/// The kernel of [`batch_norm_train`](super::batch_norm_train).
pub(super) struct Train {
    affine: Affine,
    element: Element,
    axis: usize,
    momentum: f64,
    /// Mean of each channel, and the sum of squares around it.
    moments: Vec<[f64; 2]>,
}

impl Train {
    pub(super) fn new(operator: &BatchNorm, momentum: f64, specs: &Specs<'_>) -> Self {
        let (axis, channels) = (operator.axis, specs.inputs[0].bound(operator.axis));
        let affine = Affine::new(operator.epsilon, channels);
        let (element, moments) = (specs.inputs[0].element, vec![[0.0; 2]; channels]);
        Self { affine, element, axis, momentum, moments }
    }

    fn measure<R: Number>(&mut self, crew: &Crew, x: &[R], inner: usize) {
        let channels = self.moments.len();
        let (moments, size) = (cast_slice_mut(&mut self.moments), size_of::<[f64; 2]>());
        shares(crew, moments, size, &|first, moments| {
            let channel = first / size;
            let values = || x.chunks_exact(inner).skip(channel).step_by(channels).flatten();
            let count = x.len() / channels;
            let mean = values().map(|&x| x.into()).sum::<f64>() / count as f64;
            let squares = values().map(|&x| (x.into() - mean).powi(2)).sum();
            cast_slice_mut(moments).copy_from_slice(&[mean, squares]);
        });
    }

    fn train<R: Number>(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let [mut y, mut mean, mut variance] = [0, 1, 2].map(|output| firing.output(output));
        let x = firing.input(0);
        let extents = x.extents();
        y.set_extents(&extents);
        let channels = self.moments.len();
        let (x, count) = (x.elements::<R>(), extents.elements().checked_div(channels));
        let Some(count) = count else { return Ok(()) };
        if count < 2 {
            let found = format!("port x holds {count} numbers of each channel");
            return Err(FireError::failed(format!("{found}, training takes two")));
        }
        let inner = extents[self.axis + 1..].iter().product();
        self.measure(firing.crew(), x, inner);
        let inputs = [1, 2, 3, 4].map(|input| firing.input(input).elements::<R>());
        let [mean, variance] = [mean.elements::<R>(), variance.elements::<R>()];
        for (channel, &[centre, squares]) in self.moments.iter().enumerate() {
            let [weight, bias, old_mean, old_variance] = inputs.map(|input| input[channel].into());
            self.affine.set(channel, [weight, bias, centre, squares / count as f64]);
            let blend = |old: f64, new: f64| R::of(old + self.momentum * (new - old));
            mean[channel] = blend(old_mean, centre);
            variance[channel] = blend(old_variance, squares / (count - 1) as f64);
        }
        parts(firing.crew(), y.bytes(), self.element, &|offset, part| {
            let part = cast_slice_mut(part);
            part.copy_from_slice(&x[offset..offset + part.len()]);
            self.affine.apply::<R>(part, offset, inner);
        });
        Ok(())
    }
}

impl Kernel for Train {
    fn workspace(&self) -> Workspace {
        let (lines, moments) = (&self.affine.lines[..], &self.moments[..]);
        Workspace { kept_bytes: size_of_val(lines) + size_of_val(moments), scratch_bytes: 0 }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F32 => self.train::<f32>(firing),
            _ => self.train::<f64>(firing),
        }
    }
}
