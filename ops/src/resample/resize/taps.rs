//! The taps of a resized axis: a sparse matrix, one row for each output.

/// How pixels of both resolutions lie over each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// The outer edges of the first and last pixels meet (PyTorch: `align_corners=False`).
    Edges,
    /// Their centres meet (`align_corners=True`).
    Centers,
}

/// How an output is made of its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The pixel at the scaled index, rounded down.
    Nearest,
    /// The pixel that the centre of the output lies in.
    NearestExact,
    /// Between two pixels.
    Linear(Align),
    /// The cubic convolution of four pixels.
    Cubic(Align),
    /// Linear, with a kernel as wide as the outputs are apart: no aliasing when shrinking.
    SmoothLinear(Align),
    /// Cubic, likewise.
    SmoothCubic(Align),
    /// The mean of the pixels that the output touches.
    Area,
}

/// The extent of a resized axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// This one.
    Extent(usize),
    /// This many times the input's, rounded down; coordinates go by the factor as it is.
    Factor(f64),
}

impl From<usize> for Target {
    fn from(extent: usize) -> Self {
        Self::Extent(extent)
    }
}

impl From<f64> for Target {
    fn from(factor: f64) -> Self {
        Self::Factor(factor)
    }
}

impl Target {
    /// The extent that an axis of extent `from` gets; 0 where there is none.
    pub(super) fn of(self, from: usize) -> usize {
        match self {
            Self::Extent(extent) => extent,
            // The cast saturates, and NaN is 0.
            Self::Factor(factor) => (from as f64 * factor).floor() as usize,
        }
    }

    /// The factor that coordinates go by, if it is given.
    fn factor(self) -> Option<f64> {
        match self {
            Self::Extent(_) => None,
            Self::Factor(factor) => Some(factor),
        }
    }
}

/// What coordinates of the nearest methods are rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    /// `f32`.
    Single,
    /// `f64`.
    Double,
}

/// Output `o` takes `weights[k]` of input `places[k]` for `k` in `starts[o]..starts[o + 1]`,
/// ascending in `places`.
#[derive(Clone, Debug)]
pub(super) struct Taps {
    from: usize,
    pub(super) starts: Vec<u32>,
    pub(super) places: Vec<u32>,
    pub(super) weights: Vec<f64>,
}

impl Taps {
    /// Those of an axis that goes from one extent to another, both at least one.
    pub(super) fn new(
        [from, to]: [usize; 2],
        target: Target,
        method: Method,
        rounding: Rounding,
    ) -> Self {
        let mut taps = Self { from, starts: vec![0], places: Vec::new(), weights: Vec::new() };
        let axis = Axis { from, to, target, rounding };
        for o in 0..to {
            taps.push(&match method {
                Method::Nearest => vec![(axis.nearest(o), 1.0)],
                Method::NearestExact => vec![(axis.nearest_exact(o), 1.0)],
                Method::Linear(align) => axis.linear(o, align),
                Method::Cubic(align) => axis.cubic(o, align),
                Method::SmoothLinear(align) => axis.smooth(o, align, 1.0, |x| 1.0 - x.min(1.0)),
                Method::SmoothCubic(align) => axis.smooth(o, align, 2.0, |x| cubic(x, -0.5)),
                Method::Area => axis.area(o),
            });
        }
        taps
    }

    /// Adds an output; taps of one place are one.
    fn push(&mut self, taps: &[(usize, f64)]) {
        let first = self.places.len();
        for &(place, weight) in taps {
            if self.places.len() > first && self.places.last() == Some(&(place as u32)) {
                *self.weights.last_mut().expect("a place has a weight") += weight;
            } else {
                self.places.push(place as u32);
                self.weights.push(weight);
            }
        }
        self.starts.push(self.places.len() as u32);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// The same with inputs and outputs exchanged.
    pub(super) fn transposed(&self) -> Self {
        let mut starts = vec![0; self.from + 1];
        self.places.iter().for_each(|&place| starts[place as usize + 1] += 1);
        (0..self.from).for_each(|place| starts[place + 1] += starts[place]);
        let mut next = starts.clone();
        let (mut places, mut weights) = (vec![0; self.count()], vec![0.0; self.count()]);
        for (o, ends) in self.starts.windows(2).enumerate() {
            for k in ends[0] as usize..ends[1] as usize {
                let free = &mut next[self.places[k] as usize];
                places[*free as usize] = o as u32;
                weights[*free as usize] = self.weights[k];
                *free += 1;
            }
        }
        Self { from: self.starts.len() - 1, starts, places, weights }
    }
}

/// An axis and the coordinates of its outputs.
struct Axis {
    from: usize,
    to: usize,
    target: Target,
    rounding: Rounding,
}

impl Axis {
    /// Inputs from one output to the next.
    fn step(&self, align: Align) -> f64 {
        match align {
            Align::Centers if self.to == 1 => 0.0,
            Align::Centers => (self.from - 1) as f64 / (self.to - 1) as f64,
            Align::Edges => self
                .target
                .factor()
                .map_or(self.from as f64 / self.to as f64, |factor| 1.0 / factor),
        }
    }

    /// Where the centre of output `o` lies between the centres of the inputs.
    fn position(&self, o: usize, align: Align) -> f64 {
        match align {
            Align::Centers => self.step(align) * o as f64,
            Align::Edges => self.step(align) * (o as f64 + 0.5) - 0.5,
        }
    }

    /// As [`Axis::step`], rounded once.
    fn single_step(&self) -> f32 {
        let exact = |factor| (1.0 / factor) as f32;
        self.target.factor().map_or(self.from as f32 / self.to as f32, exact)
    }

    fn inside(&self, place: f64) -> usize {
        // The cast saturates below.
        (place as usize).min(self.from - 1)
    }

    fn nearest(&self, o: usize) -> usize {
        self.inside(match self.rounding {
            Rounding::Single => f64::from((self.single_step() * o as f32).floor()),
            Rounding::Double => f64::from(((self.step(Align::Edges) * o as f64) as f32).floor()),
        })
    }

    fn nearest_exact(&self, o: usize) -> usize {
        let center = match self.rounding {
            // One rounding, then another when the half is added back.
            Rounding::Single => self.single_step().mul_add(o as f32 + 0.5, -0.5) + 0.5,
            Rounding::Double => (self.position(o, Align::Edges) + 0.5) as f32,
        };
        self.inside(f64::from(center.floor()))
    }

    fn linear(&self, o: usize, align: Align) -> Vec<(usize, f64)> {
        if self.from == self.to {
            return vec![(o, 1.0)];
        }
        let position = self.position(o, align).max(0.0);
        let left = self.inside(position);
        let right = (left + 1).min(self.from - 1);
        let share = (position - left as f64).clamp(0.0, 1.0);
        vec![(left, 1.0 - share), (right, share)]
    }

    fn cubic(&self, o: usize, align: Align) -> Vec<(usize, f64)> {
        let position = self.position(o, align);
        let last = self.from as f64 - 1.0;
        let left = position.floor().min(last);
        let share = (position - left).clamp(0.0, 1.0);
        let tap = |k: f64| (self.inside(left + k), cubic((share - k).abs(), -0.75));
        [-1.0, 0.0, 1.0, 2.0].map(tap).to_vec()
    }

    /// `kernel` of `radius`, as wide as the outputs are apart, over the inputs that there are.
    ///
    /// With [`Align::Centers`] the centres are still half a step from the edges, as in PyTorch.
    fn smooth(
        &self,
        o: usize,
        align: Align,
        radius: f64,
        kernel: fn(f64) -> f64,
    ) -> Vec<(usize, f64)> {
        let step = self.step(align);
        let (center, width) = (step * (o as f64 + 0.5), step.max(1.0));
        let first = (center - radius * width + 0.5).max(0.0) as usize;
        let end = ((center + radius * width + 0.5) as usize).min(self.from);
        let weight = |i: usize| kernel(((i as f64 - center + 0.5) / width).abs());
        let total: f64 = (first..end).map(weight).sum();
        (first..end).map(|i| (i, weight(i) / total)).collect()
    }

    fn area(&self, o: usize) -> Vec<(usize, f64)> {
        let first = o * self.from / self.to;
        let end = ((o + 1) * self.from).div_ceil(self.to);
        (first..end).map(|i| (i, 1.0 / (end - first) as f64)).collect()
    }
}

/// The cubic convolution kernel (Keys 1981) at a distance `x`, with slope `a` at 1.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}
