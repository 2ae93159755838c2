//! Where a point of a grid lies along one axis of the image, and what its taps weigh.

use super::GridSample;
use crate::host::real::Real;
use crate::resample::resize::Align;

/// How a point is made of the pixels around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The nearest pixel; the even one of two.
    Nearest,
    /// Between two pixels along each axis.
    Linear,
    /// The cubic convolution with `a = -0.75` of four pixels along each axis.
    Cubic,
}

/// What lies beyond the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros.
    Zeros,
    /// The pixels of the border.
    Border,
    /// The image mirrored: at the centres of the outermost pixels where these are aligned, else
    /// at their edges.
    Reflection,
}

/// The most taps along an axis.
pub(super) const TAPS_MAX: usize = 4;

/// The coefficients of a polynomial, lowest power first.
pub(super) type Polynomial = [f64; 4];

impl Method {
    /// How many pixels a point takes along an axis.
    pub(super) fn taps(self) -> usize {
        match self {
            Self::Nearest => 1,
            Self::Linear => 2,
            Self::Cubic => 4,
        }
    }

    /// How often its weights can be differentiated.
    pub(super) fn degree(self) -> u32 {
        match self {
            Self::Nearest => 0,
            Self::Linear => 1,
            Self::Cubic => 3,
        }
    }

    /// The weight of each tap by the way from the tap before the point to the point; differentiated
    /// `order` times.
    pub(super) fn weights(self, order: u32) -> [Polynomial; TAPS_MAX] {
        const A: f64 = -0.75;
        let mut weights = match self {
            Self::Nearest => [[1.0, 0.0, 0.0, 0.0], [0.0; 4], [0.0; 4], [0.0; 4]],
            Self::Linear => [[1.0, -1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0; 4], [0.0; 4]],
            Self::Cubic => [
                [0.0, A, -2.0 * A, A],
                [1.0, 0.0, -(A + 3.0), A + 2.0],
                [0.0, -A, 2.0 * A + 3.0, -(A + 2.0)],
                [0.0, 0.0, A, -A],
            ],
        };
        for _ in 0..order {
            weights = weights.map(|[_, one, two, three]| [one, 2.0 * two, 3.0 * three, 0.0]);
        }
        weights
    }

    /// Taps before the one just before the point.
    pub(super) fn lead(self) -> usize {
        if self == Self::Cubic { 1 } else { 0 }
    }
}

/// One axis of an image under a grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis<T> {
    method: Method,
    padding: Padding,
    align: Align,
    extent: T,
    order: u32,
    weights: [[T; 4]; TAPS_MAX],
}

impl<T: Real> Axis<T> {
    /// The axis of `extent` that the coordinate of number `coordinate` goes along.
    pub(super) fn new(operator: &GridSample, coordinate: usize, extent: usize) -> Self {
        let order = operator.orders[coordinate];
        Self {
            method: operator.method,
            padding: operator.padding,
            align: operator.align,
            extent: T::of(extent as f64),
            order,
            weights: operator.method.weights(order).map(|weight| weight.map(T::of)),
        }
    }

    /// Fills the weights of the taps of a point, and their pixels; -1 for none.
    pub(super) fn taps(&self, at: T, weights: &mut [T], places: &mut [T]) {
        let (one, half) = (T::of(1.0), T::of(0.5));
        let (mut place, mut slope) = match self.align {
            Align::Centers => ((at + one) * half * (self.extent - one), half * (self.extent - one)),
            Align::Edges => (((at + one) * self.extent - one) * half, half * self.extent),
        };
        let is_padded_by_tap = self.method == Method::Cubic;
        if !is_padded_by_tap {
            let side;
            (place, side) = self.padded(place);
            slope = slope * side;
        }
        let before = match self.method {
            Method::Nearest => place.round_ties_even(),
            _ => place.floor(),
        };
        let share = if self.method == Method::Nearest { T::of(0.0) } else { place - before };
        let factor = (0..self.order).fold(one, |factor, _| factor * slope);
        let first = before - T::of(self.method.lead() as f64);
        let taps = weights.iter_mut().zip(places).zip(&self.weights);
        for (k, ((weight, tap), polynomial)) in taps.enumerate() {
            let [zero, first_power, second, third] = *polynomial;
            *weight = factor * (((third * share + second) * share + first_power) * share + zero);
            let own = first + T::of(k as f64);
            let own = if is_padded_by_tap { self.padded(own).0 } else { own };
            let is_inside = own >= T::of(0.0) && own < self.extent;
            *tap = if is_inside { own } else { T::of(-1.0) };
        }
    }

    /// A place brought into the image, and the derivative of that.
    fn padded(&self, place: T) -> (T, T) {
        match self.padding {
            Padding::Zeros => (place, T::of(1.0)),
            Padding::Border => self.held(place, T::of(1.0)),
            Padding::Reflection => {
                let half = T::of(0.5);
                let (low, span) = match self.align {
                    Align::Centers => (T::of(0.0), self.extent - T::of(1.0)),
                    Align::Edges => (-half, self.extent),
                };
                if span <= T::of(0.0) {
                    return (T::of(0.0), T::of(0.0));
                }
                let (period, way) = (span + span, (place - low).abs());
                let rest = way - (way / period).floor() * period;
                let is_back = rest > period - rest;
                let mirrored = low + if is_back { period - rest } else { rest };
                let side = if is_back == (place < low) { T::of(1.0) } else { T::of(-1.0) };
                self.held(mirrored, side)
            }
        }
    }

    /// A place held at the borders, where it has no derivative; what is no number is held at 0.
    fn held(&self, place: T, side: T) -> (T, T) {
        let (zero, last) = (T::of(0.0), self.extent - T::of(1.0));
        if place >= last {
            (last, zero)
        } else if place > zero {
            (place, side)
        } else {
            (zero, zero)
        }
    }
}
