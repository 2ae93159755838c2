//! The recurrence on the host: for each step one product of all rows, then the gates of each row.

use synfire_runtime::firing::{Firing, View, ViewMut};
use synfire_runtime::operator::{FireError, Kernel, Specs, Workspace};

use super::product::{Room, StepProduct};
use super::{Cell, Kind, Recurrence, STATES_MAX};
use crate::host::Element;
use crate::host::kernel::Base;
use crate::host::pieces::pieces;
use crate::host::real::Real;

/// The kernel of [`Recurrence`].
pub(super) struct OnHost<T> {
    operator: Recurrence,
    hidden: usize,
    /// The most rows.
    batch: usize,
    product: StepProduct<T>,
}

impl<T: Real + Element> OnHost<T> {
    pub(super) fn new(operator: Recurrence, specs: &Specs<'_>) -> Self {
        let weight = specs.inputs[1].bounds();
        let batch = specs.inputs[0].bound(operator.walk.batch_axis());
        let extents = [weight[0], weight[1]];
        let product = StepProduct::new(batch, extents, true, specs.constant[1], specs.cores);
        Self { operator, hidden: weight[1], batch, product }
    }

    /// Elements of the gates and of the state of `batch` rows.
    fn sizes(&self, batch: usize) -> [usize; 2] {
        let Cell { gates, states, .. } = *self.operator.cell;
        [batch * gates * self.hidden, batch * states * self.hidden]
    }
}

impl<T: Real + Element> Kernel for OnHost<T> {
    fn workspace(&self) -> Workspace {
        let buffers = self.sizes(self.batch).map(Room::bytes::<T>).iter().sum::<usize>();
        Workspace {
            kept_bytes: self.product.kept_bytes(),
            scratch_bytes: self.product.scratch_bytes() + buffers,
        }
    }

    fn prepare(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        self.product.prepare(firing.input(1).elements());
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let Recurrence { cell, walk, .. } = self.operator;
        let (hidden, states) = (self.hidden, cell.states);
        let sizes @ [time, batch] = self.operator.sizes(&|input| firing.input(input).extents())?;
        let ports = self.operator.ports();
        let view = |input: usize| firing.input(input);
        let (x, weight) = (view(0).elements::<T>(), view(1).elements::<T>());
        let bias = ports.bias.map(|input| view(input).elements::<T>());
        let lengths = ports.lengths.map(|input| view(input).elements::<i64>());
        if let Some(lengths) = lengths {
            lie_within(cell.scan, lengths, time)?;
        }
        let parts = ports.initial.map_or(0..0, |first| first..first + states);
        let initial = std::array::from_fn(|part| parts.clone().nth(part).map(view));
        let crew = firing.crew();
        let mut room = Room(firing.scratch());
        let [gates_count, state_count] = self.sizes(batch);
        let (gates, state) = (room.take::<T>(gates_count), room.take::<T>(state_count));
        let mut outputs = Outputs::new(firing, states);
        outputs.set_extents(&walk.shape(sizes, hidden), &[batch, hidden]);
        state.fill(T::of(0.0));
        Outputs::start(state, &initial, hidden);
        let width = states * hidden;
        for turn in 0..time {
            let place = walk.place(turn, time);
            let base = bias.map_or(Base::Zero, Base::Column);
            self.product.run((state, width), (weight, base), gates, (&mut *room.0, crew));
            let gates = &*gates;
            pieces(crew, state, width, &|offset, piece| {
                for (row, state) in (offset / width..).zip(piece.chunks_exact_mut(width)) {
                    if lengths.is_none_or(|lengths| (place as i64) < lengths[row]) {
                        let count = cell.gates * hidden;
                        let x = &x[walk.at(place, row, sizes) * count..][..count];
                        advance(cell, state, x, &gates[row * count..][..count]);
                    }
                }
            });
            outputs.keep(state, hidden, |row| walk.at(place, row, sizes));
        }
        outputs.finish(state, hidden);
        Ok(())
    }
}

/// Every length lies in `0..=time`.
fn lie_within(operator: &str, lengths: &[i64], time: usize) -> Result<(), FireError> {
    let outside = |&length: &i64| !usize::try_from(length).is_ok_and(|length| length <= time);
    let Some(row) = lengths.iter().position(outside) else { return Ok(()) };
    Err(FireError::failed(format!(
        "{operator}: port lengths: found {} at [{row}]; wanted 0 to {time}",
        lengths[row]
    )))
}

/// The sequence and the last value of each part of a state.
pub(in crate::recurrent) struct Outputs<'a> {
    sequences: [Option<ViewMut<'a>>; STATES_MAX],
    last: [Option<ViewMut<'a>>; STATES_MAX],
}

impl<'a> Outputs<'a> {
    /// Takes the outputs: first the sequences of all parts, then their last values.
    pub(in crate::recurrent) fn new(firing: &mut Firing<'a>, states: usize) -> Self {
        let mut take = |first: usize| {
            std::array::from_fn(|part| (part < states).then(|| firing.output(first + part)))
        };
        let sequences = take(0);
        Self { sequences, last: take(states) }
    }

    /// The state before the first step: rows of all parts after each other.
    pub(in crate::recurrent) fn start<T: Real>(
        state: &mut [T],
        initial: &[Option<View<'_>>; STATES_MAX],
        hidden: usize,
    ) {
        let states = initial.iter().flatten().count();
        for (part, view) in initial.iter().flatten().enumerate() {
            let from = view.elements::<T>().chunks_exact(hidden);
            for (row, from) in state.chunks_exact_mut(states * hidden).zip(from) {
                row[part * hidden..][..hidden].copy_from_slice(from);
            }
        }
    }

    pub(in crate::recurrent) fn set_extents(&mut self, sequence: &[usize], last: &[usize]) {
        self.sequences.iter_mut().flatten().for_each(|view| view.set_extents(sequence));
        self.last.iter_mut().flatten().for_each(|view| view.set_extents(last));
    }

    /// Writes the state of all rows at the place of a step; `at` gives that of a row.
    pub(in crate::recurrent) fn keep<T: Real>(
        &mut self,
        state: &[T],
        hidden: usize,
        at: impl Fn(usize) -> usize,
    ) {
        let states = self.sequences.iter().flatten().count();
        for (part, view) in self.sequences.iter_mut().flatten().enumerate() {
            let to = view.elements::<T>();
            for (row, state) in state.chunks_exact(states * hidden).enumerate() {
                let from = &state[part * hidden..][..hidden];
                to[at(row) * hidden..][..hidden].copy_from_slice(from);
            }
        }
    }

    /// Writes the state of all rows as the last.
    pub(in crate::recurrent) fn finish<T: Real>(&mut self, state: &[T], hidden: usize) {
        std::mem::swap(&mut self.sequences, &mut self.last);
        self.keep(state, hidden, |row| row);
    }
}

fn sigmoid<T: Real>(x: T) -> T {
    T::of(1.0) / (T::of(1.0) + (-x).exp())
}

/// One step of one row, from the input's part of the gates and the state's.
fn advance<T: Real>(cell: &Cell, state: &mut [T], x: &[T], own: &[T]) {
    let hidden = state.len() / cell.states;
    let gate = |k: usize| {
        let part = k * hidden..(k + 1) * hidden;
        x[part.clone()].iter().zip(&own[part])
    };
    match cell.kind {
        Kind::Tanh => {
            state.iter_mut().zip(gate(0)).for_each(|(h, (&x, &own))| *h = (x + own).tanh());
        }
        Kind::Relu => state.iter_mut().zip(gate(0)).for_each(|(h, (&x, &own))| {
            let sum = x + own;
            *h = if sum <= T::of(0.0) { T::of(0.0) } else { sum };
        }),
        Kind::Gru => {
            let gates = gate(0).zip(gate(1)).zip(gate(2));
            for (h, ((r, z), n)) in state.iter_mut().zip(gates) {
                let (reset, update) = (sigmoid(*r.0 + *r.1), sigmoid(*z.0 + *z.1));
                let new = (*n.0 + reset * *n.1).tanh();
                *h = (*h - new) * update + new;
            }
        }
        Kind::Lstm => {
            let (h, c) = state.split_at_mut(hidden);
            let gates = gate(0).zip(gate(1)).zip(gate(2).zip(gate(3)));
            for ((h, c), ((i, f), (g, o))) in h.iter_mut().zip(c).zip(gates) {
                let (input, forget) = (sigmoid(*i.0 + *i.1), sigmoid(*f.0 + *f.1));
                *c = forget * *c + input * (*g.0 + *g.1).tanh();
                *h = sigmoid(*o.0 + *o.1) * c.tanh();
            }
        }
    }
}
