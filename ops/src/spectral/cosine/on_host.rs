//! Sums of cosines as the real part of a Fourier transform of the line followed by zeros:
//! `cos(angle(j, k)) = Re(before[j] e^(-2 pi i j k / period) after[k])`.

use num_complex::Complex;

use super::Kind;
use crate::host::lines::{Edges, Lines, Number, complex};
use crate::host::real::Real;
use crate::spectral::dft::{Direction, OnHost};

/// The transform of lines of one length.
pub(super) struct Waves<T: Number> {
    transform: OnHost<T>,
    /// Elements of the longer line.
    period: usize,
    before: Vec<Complex<T>>,
    after: Vec<Complex<T>>,
}

impl<T: Number> Waves<T> {
    pub(super) fn new((kind, [before, after]): (Kind, [Edges; 2]), length: usize) -> Self {
        let period = if kind == Kind::One { 2 * (length - 1) } else { 2 * length };
        // Half turns before and after; the halves of both places of the fourth kind meet in one.
        let half = |place: usize, offset: f64| (place as f64 + offset) / (2.0 * length as f64);
        let waves = |edges: Edges, turns: &dyn Fn(usize) -> f64| {
            let wave = |place: usize| {
                let (sin, cos) = (-std::f64::consts::PI * turns(place)).sin_cos();
                let factor = edges.at(place, length);
                Complex::new(<T as Real>::of(factor * cos), <T as Real>::of(factor * sin))
            };
            (0..length).map(wave).collect::<Vec<_>>()
        };
        let [of_input, of_output]: [&dyn Fn(usize) -> f64; 2] = match kind {
            Kind::One => [&|_| 0.0, &|_| 0.0],
            Kind::Two => [&|_| 0.0, &|k| half(k, 0.0)],
            Kind::Three => [&|j| half(j, 0.0), &|_| 0.0],
            Kind::Four => [&|j| half(j, 0.0), &|k| half(k, 0.5)],
        };
        let (before, after) = (waves(before, of_input), waves(after, of_output));
        Self { transform: OnHost::new(period, Direction::Forward, 1.0), period, before, after }
    }
}

impl<T: Number> Lines<T> for Waves<T> {
    fn scratch(&self) -> usize {
        2 * self.period + self.transform.scratch()
    }

    fn transform(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let (line, scratch) = scratch.split_at_mut(2 * self.period);
        let line = complex(line);
        for ((to, &x), wave) in line.iter_mut().zip(x).zip(&self.before) {
            *to = wave * x;
        }
        line[x.len()..].fill(Complex::new(T::ZERO, T::ZERO));
        self.transform.in_place(line, scratch);
        for ((y, from), wave) in y.iter_mut().zip(line).zip(&self.after) {
            *y = from.re * wave.re - from.im * wave.im;
        }
    }
}
