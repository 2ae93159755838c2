//! The gradients of scatter, as graphs.

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::{Backward, Gradient};

use super::{Reduction, Scatter, scatter_add, scatter_prod};
use crate::arrange::crop::crop;
use crate::arrange::inset::{excerpt, inset};
use crate::arrange::pad::{PadMode, pad};
use crate::broadcast::binary::{divide, equal, logical_and, multiply};
use crate::broadcast::{cast::cast, select::where_};
use crate::gradient::spec;
use crate::index::gather::gather;
use crate::pointwise::unary::fill;

pub(super) fn gradient(operator: Scatter, backward: &mut Backward<'_>) -> Gradient {
    let dy = backward.upstream(0);
    let [x, index, source] = [0, 1, 2].map(|input| backward.input(input));
    let node = Node { operator, x, index, source, y: backward.output(0), dy };
    let wants = [backward.wants(0), backward.wants(2)];
    let [dx, part] = match operator.reduction {
        Reduction::Add => node.add(backward, wants),
        Reduction::Replace => node.replace(backward, wants),
        Reduction::Max | Reduction::Min => node.extreme(backward),
        Reduction::Product => node.product(backward, wants),
    };
    let dsource = part.filter(|_| wants[1]).map(|part| all_of(backward, part, source));
    Gradient::Of(vec![dx, None, dsource])
}

/// The node that is being differentiated.
#[derive(Clone, Copy)]
struct Node {
    operator: Scatter,
    x: Wire,
    index: Wire,
    source: Wire,
    y: Wire,
    dy: Wire,
}

impl Node {
    /// `wire`, which is like `x`, at the indices.
    fn gathered(&self, draft: &mut Draft, wire: Wire) -> Wire {
        draft.apply(gather(self.operator.axis), &[wire, self.index])
    }

    fn add(&self, draft: &mut Draft, wants: [bool; 2]) -> [Option<Wire>; 2] {
        [Some(self.dy), wants[1].then(|| self.gathered(draft, self.dy))]
    }

    fn replace(&self, draft: &mut Draft, wants: [bool; 2]) -> [Option<Wire>; 2] {
        let dx = wants[0].then(|| {
            let zeros = draft.apply(fill(0.0), &[self.source]);
            draft.apply(self.operator, &[self.dy, self.index, zeros])
        });
        [dx, wants[1].then(|| self.gathered(draft, self.dy))]
    }

    /// `dy` in equal parts to all that are the extreme.
    fn extreme(&self, draft: &mut Draft) -> [Option<Wire>; 2] {
        let element = spec(draft, self.x).element;
        let source = part_like(draft, self.source, self.index);
        let of_source = self.gathered(draft, self.y);
        let [is_x, is_source] = [[self.x, self.y], [source, of_source]].map(|pair| {
            let is = draft.apply(equal(), &pair);
            draft.apply(cast(element), &[is])
        });
        let axis = self.operator.axis;
        let count = draft.apply(scatter_add(axis), &[is_x, self.index, is_source]);
        let share = draft.apply(divide(), &[self.dy, count]);
        let dx = draft.apply(multiply(), &[is_x, share]);
        let share = self.gathered(draft, share);
        [Some(dx), Some(draft.apply(multiply(), &[is_source, share]))]
    }

    /// `dy` times the product of the others: the whole product divided by each, but for zeros.
    fn product(&self, draft: &mut Draft, wants: [bool; 2]) -> [Option<Wire>; 2] {
        let [dx, dsource] = [Self::of_x, Self::of_source];
        [wants[0].then(|| dx(self, draft)), wants[1].then(|| dsource(self, draft))]
    }

    fn of_x(&self, draft: &mut Draft) -> Wire {
        let (_, safe) = without_zeros(draft, self.x);
        let product = scatter_prod(self.operator.axis);
        let y = draft.apply(product, &[safe, self.index, self.source]);
        let others = draft.apply(divide(), &[y, safe]);
        draft.apply(multiply(), &[self.dy, others])
    }

    fn of_source(&self, draft: &mut Draft) -> Wire {
        let element = spec(draft, self.x).element;
        let (axis, source) = (self.operator.axis, part_like(draft, self.source, self.index));
        let (is_zero, safe) = without_zeros(draft, source);
        // The only zero among the elements of a product sees the product of the others.
        let zero = draft.apply(cast(element), &[is_zero]);
        let none = draft.apply(fill(0.0), &[self.x]);
        let zeros = draft.apply(scatter_add(axis), &[none, self.index, zero]);
        let zeros = self.gathered(draft, zeros);
        let one = draft.apply(fill(1.0), &[zeros]);
        let is_one = draft.apply(equal(), &[zeros, one]);
        let is_only = draft.apply(logical_and(), &[is_zero, is_one]);
        let others = draft.apply(where_(), &[is_only, one, source]);
        let others = draft.apply(scatter_prod(axis), &[self.x, self.index, others]);
        let [of_only, of_rest] = [others, self.y].map(|product| {
            let weighed = draft.apply(multiply(), &[self.dy, product]);
            self.gathered(draft, weighed)
        });
        let of_rest = draft.apply(divide(), &[of_rest, safe]);
        draft.apply(where_(), &[is_only, of_only, of_rest])
    }
}

/// Where `wire` is zero, and `wire` with ones there.
fn without_zeros(draft: &mut Draft, wire: Wire) -> (Wire, Wire) {
    let [zero, one] = [0.0, 1.0].map(|value| draft.apply(fill(value), &[wire]));
    let is_zero = draft.apply(equal(), &[wire, zero]);
    (is_zero, draft.apply(where_(), &[is_zero, one, wire]))
}

/// What of `wire` lies inside the extents of `like`, which is nowhere longer.
fn part_like(draft: &mut Draft, wire: Wire, like: Wire) -> Wire {
    let (own, target) = (spec(draft, wire), spec(draft, like));
    let none = vec![0; own.rank()];
    // Equal bounds are no equal extents.
    if own.is_fixed() && own.dimensions == target.dimensions {
        return wire;
    }
    if own.is_fixed() && target.is_fixed() {
        let beyond = own.bounds().into_iter().zip(target.bounds()).map(|(own, part)| own - part);
        return draft.apply(crop(&none, &beyond.collect::<Vec<_>>()), &[wire]);
    }
    draft.apply(excerpt(&none, &vec![1; own.rank()]), &[wire, like])
}

/// `part` with zeros behind it, to the extents of `like`, which is nowhere shorter.
fn all_of(draft: &mut Draft, part: Wire, like: Wire) -> Wire {
    let (own, target) = (spec(draft, part), spec(draft, like));
    let none = vec![0; own.rank()];
    // Equal bounds are no equal extents.
    if own.is_fixed() && own.dimensions == target.dimensions {
        return part;
    }
    if own.is_fixed() && target.is_fixed() {
        let beyond = own.bounds().into_iter().zip(target.bounds()).map(|(own, all)| all - own);
        let beyond: Vec<usize> = beyond.collect();
        return draft.apply(pad(&none, &beyond, PadMode::Constant(0.0)), &[part]);
    }
    draft.apply(inset(&none, &vec![1; own.rank()]), &[part, like])
}
