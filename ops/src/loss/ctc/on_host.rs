//! The recursions on the host: items are shared out among the cores.

use bytemuck::{cast_slice, cast_slice_mut};
use synfire_runtime::firing::Firing;
use synfire_runtime::operator::{FireError, Kernel, Specs, Workspace};
use synfire_runtime::spec::Element;

use super::Ctc;
use crate::host::erased::shares;
use crate::host::real::Real;

/// Time, batch, classes, and the most labels of an item.
pub(in crate::loss) type Extents = [usize; 4];

/// The items of a firing.
pub(in crate::loss) struct Items<'a, R> {
    pub(in crate::loss) log_probs: &'a [R],
    targets: &'a [i64],
    input_lengths: &'a [i64],
    target_lengths: &'a [i64],
    /// Where the labels of each item start.
    starts: &'a [usize],
    extents: Extents,
    blank: usize,
}

impl<'a, R: Real> Items<'a, R> {
    /// The items of inputs 0 to 3.
    ///
    /// # Errors
    /// The first length or label that is out of range.
    pub(in crate::loss) fn new(
        firing: &Firing<'a>,
        starts: &'a mut [usize],
        extents: Extents,
        blank: usize,
    ) -> Result<Self, FireError> {
        let [time, _, classes, labels] = extents;
        let [targets, input_lengths, target_lengths] =
            [1, 2, 3].map(|input| firing.input(input).elements::<i64>());
        let is_flat = firing.input(1).extents().len() == 1;
        let within = |port: &str, item: usize, found: i64, most: usize| {
            let fits = usize::try_from(found).is_ok_and(|found| found <= most);
            let cause = || format!("ctc: port {port}: found {found} at {item}; wanted 0 to {most}");
            if fits { Ok(found as usize) } else { Err(FireError::failed(cause())) }
        };
        let mut end = 0;
        for (item, start) in starts.iter_mut().enumerate() {
            within("input_lengths", item, input_lengths[item], time)?;
            *start = if is_flat { end } else { item * labels };
            let most = if is_flat { targets.len() - end } else { labels };
            let length = within("target_lengths", item, target_lengths[item], most)?;
            end = *start + length;
            for (at, &label) in targets[*start..end].iter().enumerate() {
                within("targets", *start + at, label, classes - 1)?;
            }
        }
        let log_probs = firing.input(0).elements::<R>();
        let starts = &*starts;
        Ok(Self { log_probs, targets, input_lengths, target_lengths, starts, extents, blank })
    }

    /// The time steps of an item.
    pub(in crate::loss) fn steps(&self, item: usize) -> usize {
        self.input_lengths[item] as usize
    }

    /// Its labels and the blanks around them.
    pub(in crate::loss) fn states(&self, item: usize) -> usize {
        2 * self.target_lengths[item] as usize + 1
    }

    /// The class of a state: every other one is blank.
    pub(in crate::loss) fn class(&self, item: usize, state: usize) -> usize {
        if state.is_multiple_of(2) {
            self.blank
        } else {
            self.targets[self.starts[item] + state / 2] as usize
        }
    }

    /// Whether a state may follow the one two before: a label other than the last.
    fn may_skip(&self, item: usize, state: usize) -> bool {
        state % 2 == 1 && state > 1 && self.class(item, state) != self.class(item, state - 2)
    }

    fn log_prob(&self, item: usize, time: usize, state: usize) -> R {
        let [_, batch, classes, _] = self.extents;
        self.log_probs[(time * batch + item) * classes + self.class(item, state)]
    }

    /// Fills the rows of one item, one for each time: its states, and at the end what was taken
    /// off them.
    fn forward(&self, item: usize, rows: &mut [R]) {
        rows.fill(nothing());
        let width = 2 * self.extents[3] + 2;
        for time in 0..self.steps(item) {
            let (before, row) = rows[..(time + 1) * width].split_at_mut(time * width);
            let before = &before[before.len().saturating_sub(width)..];
            for (state, now) in row[..self.states(item)].iter_mut().enumerate() {
                let from = |back: usize| match state.checked_sub(back) {
                    Some(state) if time > 0 => before[state],
                    None if time > 0 => nothing(),
                    // Time starts with the first blank or the first label.
                    _ => {
                        if back == 0 && state < 2 {
                            R::of(0.0)
                        } else {
                            nothing()
                        }
                    }
                };
                let skip = if self.may_skip(item, state) { from(2) } else { nothing() };
                let total = log_sum([from(0), from(1), skip]);
                *now = total + self.log_prob(item, time, state);
            }
            row[width - 1] = level(&mut row[..self.states(item)]);
        }
    }

    /// The loss of one item from its rows.
    fn loss(&self, item: usize, rows: &[R]) -> R
    where
        R: Into<f64>,
    {
        let (width, states) = (2 * self.extents[3] + 2, self.states(item));
        let Some(last) = self.steps(item).checked_sub(1) else {
            return if states == 1 { R::of(0.0) } else { R::of(f64::INFINITY) };
        };
        let row = &rows[last * width..][..states];
        let label = if states > 1 { row[states - 2] } else { nothing() };
        let end: f64 = log_sum([row[states - 1], label, nothing()]).into();
        let taken = rows.chunks_exact(width).take(last + 1).map(|row| row[width - 1].into());
        R::of(-(end + taken.sum::<f64>()))
    }

    /// Fills the rows of one item, one for each time, with the logarithms of the probabilities of
    /// what follows each state, less the largest.
    pub(in crate::loss) fn backward(&self, item: usize, rows: &mut [R], width: usize) {
        let (steps, states) = (self.steps(item), self.states(item));
        for time in (0..steps).rev() {
            let (row, after) = rows[time * width..].split_at_mut(width);
            let onward = |state: usize| match state < states {
                true => after[state] + self.log_prob(item, time + 1, state),
                false => nothing(),
            };
            for (state, now) in row[..states].iter_mut().enumerate() {
                *now = if time + 1 == steps {
                    if state + 2 >= states { R::of(0.0) } else { nothing() }
                } else {
                    let skips = state + 2 < states && self.may_skip(item, state + 2);
                    let skip = if skips { onward(state + 2) } else { nothing() };
                    log_sum([onward(state), onward(state + 1), skip])
                };
            }
            level(&mut row[..states]);
        }
    }
}

/// The logarithm of no probability.
pub(in crate::loss) fn nothing<R: Real>() -> R {
    R::of(f64::NEG_INFINITY)
}

/// The larger number; NaN where one is.
#[expect(clippy::eq_op, reason = "only NaN differs from itself")]
pub(in crate::loss) fn larger<R: Real>(a: R, b: R) -> R {
    if a > b || a != a { a } else { b }
}

/// The logarithm of the sum of three powers.
fn log_sum<R: Real>(terms: [R; 3]) -> R {
    let largest = terms.into_iter().fold(nothing(), larger);
    if largest == nothing() {
        return largest;
    }
    let powers = terms.map(|term| (term - largest).exp());
    largest + (powers[0] + powers[1] + powers[2]).ln()
}

/// Takes the largest number off all; what was taken, 0 where there is none.
fn level<R: Real>(row: &mut [R]) -> R {
    let largest = row.iter().copied().fold(nothing(), larger);
    if largest == nothing() {
        return R::of(0.0);
    }
    row.iter_mut().for_each(|x| *x = *x - largest);
    largest
}

/// The kernel of [`ctc_each`](super::ctc_each).
pub(in crate::loss) struct Forward {
    element: Element,
    extents: Extents,
    blank: usize,
    starts: Vec<usize>,
}

impl Forward {
    pub(super) fn new(operator: &Ctc, specs: &Specs<'_>) -> Self {
        let extents = operator.extents(specs.inputs).expect("the shape rule saw them");
        let element = specs.inputs[0].element;
        Self { element, extents, blank: operator.blank, starts: vec![0; extents[1]] }
    }

    fn run<R: Real + Into<f64>>(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (mut loss, mut forward) = (firing.output(0), firing.output(1));
        let items = Items::<R>::new(firing, &mut self.starts, self.extents, self.blank)?;
        let [time, _, _, labels] = self.extents;
        let rows = time * (2 * labels + 2);
        let bytes = (rows * size_of::<R>()).max(1);
        shares(firing.crew(), forward.bytes(), bytes, &|first, rows| {
            items.forward(first / bytes, cast_slice_mut(rows));
        });
        let forward: &[R] = cast_slice(forward.bytes());
        for (item, loss) in loss.elements::<R>().iter_mut().enumerate() {
            *loss = items.loss(item, &forward[item * rows..][..rows]);
        }
        Ok(())
    }
}

impl Kernel for Forward {
    fn workspace(&self) -> Workspace {
        Workspace { kept_bytes: size_of_val(&self.starts[..]), scratch_bytes: 0 }
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match self.element {
            Element::F32 => self.run::<f32>(firing),
            _ => self.run::<f64>(firing),
        }
    }
}
