//! The linear scans on the host: for each step one product of all rows, then the factors of each.

use synfire_runtime::crew::Crew;
use synfire_runtime::firing::{Firing, View};
use synfire_runtime::operator::{FireError, Kernel, Specs, Workspace};

use super::Linear;
use crate::host::Element;
use crate::host::kernel::Base;
use crate::host::pieces::pieces;
use crate::host::real::Real;
use crate::recurrent::recurrence::{Outputs, Room, STATES_MAX, StepProduct, Walk};

/// The kernel of [`Linear`].
pub(super) struct OnHost<T> {
    operator: Linear,
    hidden: usize,
    /// The most rows.
    batch: usize,
    product: StepProduct<T>,
}

impl<T: Real + Element> OnHost<T> {
    pub(super) fn new(operator: Linear, specs: &Specs<'_>) -> Self {
        let port = specs.inputs.len() - 1;
        let weight = specs.inputs[port].bounds();
        let batch = specs.inputs[0].bound(operator.walk.batch_axis());
        let (extents, is_constant) = ([weight[0], weight[1]], specs.constant[port]);
        let by_transposed = !operator.is_adjoint;
        let product = StepProduct::new(batch, extents, by_transposed, is_constant, specs.cores);
        Self { operator, hidden: weight[1], batch, product }
    }

    /// Elements of the gates, of the state and of one part of it, for `batch` rows.
    fn sizes(&self, batch: usize) -> [usize; 3] {
        let (gates, states) = (self.operator.cell.gates, self.operator.cell.states);
        [gates, states, 1].map(|parts| batch * parts * self.hidden)
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
        self.product.prepare(firing.input(firing.inputs() - 1).elements());
        Ok(())
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let (hidden, course) = (self.hidden, self.operator.course());
        let states = self.operator.cell.states;
        let sizes @ [time, batch] = self.operator.sizes(&|input| firing.input(input).extents())?;
        let factors = Factors::new(&self.operator, firing, (course, sizes));
        let weight = firing.input(firing.inputs() - 1).elements::<T>();
        let initial: [Option<View<'_>>; STATES_MAX] =
            std::array::from_fn(|part| (part < states).then(|| firing.input(states + part)));
        let crew = firing.crew();
        let mut room = Room(firing.scratch());
        let [gates, state, product] = self.sizes(batch).map(|count| room.take::<T>(count));
        let mut outputs = Outputs::new(firing, states);
        outputs.set_extents(&course.shape(sizes, hidden), &[batch, hidden]);
        Outputs::start(state, &initial, hidden);
        product.fill(T::of(0.0));
        for turn in 0..time {
            let place = course.place(turn, time);
            if self.operator.is_adjoint {
                factors.arrive(state, product, place, crew);
                outputs.keep(state, hidden, |row| course.at(place, row, sizes));
                factors.leave((state, gates), place, crew);
                let (rows, room) = ((&*gates, factors.gates * hidden), (&mut *room.0, crew));
                self.product.run(rows, (weight, Base::Zero), product, room);
            } else {
                let (rows, room) = ((&*state, states * hidden), (&mut *room.0, crew));
                self.product.run(rows, (weight, Base::Zero), gates, room);
                factors.advance(state, gates, place, crew);
                outputs.keep(state, hidden, |row| course.at(place, row, sizes));
            }
        }
        for (state, product) in state.chunks_exact_mut(states * hidden).zip(product.chunks(hidden))
        {
            state.iter_mut().zip(product).for_each(|(h, &product)| *h += product);
        }
        outputs.finish(state, hidden);
        Ok(())
    }
}

/// What the steps add and multiply by.
struct Factors<'a, T> {
    u: &'a [T],
    u_cell: &'a [T],
    keep: &'a [T],
    forget: &'a [T],
    link: &'a [T],
    slope: &'a [T],
    gates: usize,
    states: usize,
    hidden: usize,
    walk: (Walk, [usize; 2]),
}

impl<'a, T: Real + Element> Factors<'a, T> {
    fn new(operator: &Linear, firing: &Firing<'a>, walk: (Walk, [usize; 2])) -> Self {
        let (gates, states) = (operator.cell.gates, operator.cell.states);
        let port = |input: usize| firing.input(input).elements::<T>();
        let hidden = firing.input(0).extents()[2];
        // Without a second part, what belongs to it is not looked at.
        let [forget, link] = [1, 2].map(|k| if states > 1 { port(2 * states + k) } else { &[] });
        Self {
            u: port(0),
            u_cell: port(states - 1),
            keep: port(2 * states),
            forget,
            link,
            slope: port(4 * states - 1),
            gates,
            states,
            hidden,
            walk,
        }
    }

    /// The row of features of one batch row at a place.
    fn row(&self, sequence: &'a [T], place: usize, row: usize) -> &'a [T] {
        let (walk, sizes) = self.walk;
        &sequence[walk.at(place, row, sizes) * self.hidden..][..self.hidden]
    }

    /// The factors of all gates of one row at a place, gate by gate.
    fn slopes(&self, place: usize, row: usize) -> std::slice::ChunksExact<'a, T> {
        let (walk, sizes) = self.walk;
        let count = self.gates * self.hidden;
        self.slope[walk.at(place, row, sizes) * count..][..count].chunks_exact(self.hidden)
    }

    /// Calls `body(row, state)` for each row.
    fn rows(&self, crew: &Crew, values: &mut [T], body: &(dyn Fn(usize, &mut [T]) + Sync)) {
        let width = values.len() / self.walk.1[1].max(1);
        pieces(crew, values, width, &|offset, piece| {
            for (row, values) in (offset / width..).zip(piece.chunks_exact_mut(width)) {
                body(row, values);
            }
        });
    }

    /// A step of a tangent, with the products of all gates.
    fn advance(&self, state: &mut [T], products: &[T], place: usize, crew: &Crew) {
        self.rows(crew, state, &|row, state| {
            let (h, c) = state.split_at_mut(self.hidden);
            grow(h, self.row(self.u, place, row), self.row(self.keep, place, row));
            if self.states > 1 {
                grow(c, self.row(self.u_cell, place, row), self.row(self.forget, place, row));
            }
            let products = products[row * self.gates * self.hidden..].chunks_exact(self.hidden);
            for (gate, (slope, product)) in self.slopes(place, row).zip(products).enumerate() {
                let is_inner = self.states > 1 && gate + 1 < self.gates;
                add_products(if is_inner { c } else { h }, slope, product);
            }
            if self.states > 1 {
                add_products(h, self.row(self.link, place, row), c);
            }
        });
    }

    /// The first half of a step of an adjoint: what comes in, and the product with the last gates.
    fn arrive(&self, state: &mut [T], products: &[T], place: usize, crew: &Crew) {
        self.rows(crew, state, &|row, state| {
            let (h, c) = state.split_at_mut(self.hidden);
            let product = &products[row * self.hidden..][..self.hidden];
            let own = self.row(self.u, place, row).iter().zip(product);
            h.iter_mut().zip(own).for_each(|(h, (&u, &product))| *h = (*h + product) + u);
            if self.states > 1 {
                let own = self.row(self.u_cell, place, row);
                c.iter_mut().zip(own).for_each(|(c, &u)| *c += u);
                add_products(c, self.row(self.link, place, row), h);
            }
        });
    }

    /// The second half: the gates that meet the weight, and what stays of the state.
    fn leave(&self, (state, gates): (&mut [T], &mut [T]), place: usize, crew: &Crew) {
        let (hidden, before) = (self.hidden, &*state);
        self.rows(crew, gates, &|row, gates| {
            let (h, c) =
                before[row * self.states * hidden..][..self.states * hidden].split_at(hidden);
            let slopes = self.slopes(place, row).zip(gates.chunks_exact_mut(hidden));
            for (gate, (slope, product)) in slopes.enumerate() {
                let part = if self.states > 1 && gate + 1 < self.gates { c } else { h };
                product
                    .iter_mut()
                    .zip(slope.iter().zip(part))
                    .for_each(|(to, (&a, &b))| *to = a * b);
            }
        });
        self.rows(crew, state, &|row, state| {
            let (h, c) = state.split_at_mut(hidden);
            let scale = |part: &mut [T], by: &[T]| {
                part.iter_mut().zip(by).for_each(|(state, &by)| *state = *state * by);
            };
            scale(h, self.row(self.keep, place, row));
            if self.states > 1 {
                scale(c, self.row(self.forget, place, row));
            }
        });
    }
}

/// `state = u + factor * state`.
fn grow<T: Real + Element>(state: &mut [T], u: &[T], factor: &[T]) {
    let own = u.iter().zip(factor);
    state.iter_mut().zip(own).for_each(|(state, (&u, &factor))| *state = u + factor * *state);
}

/// `state += a * b`.
fn add_products<T: Real + Element>(state: &mut [T], a: &[T], b: &[T]) {
    state.iter_mut().zip(a.iter().zip(b)).for_each(|(state, (&a, &b))| *state += a * b);
}
