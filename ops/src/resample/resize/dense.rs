//! The weights of a resized axis for the samples, as kernels over every pair of pixels.

use super::{Align, Method, Resize, Target, Tensor};

/// The expectation: a dense matrix of kernels that are asked about every pair of pixels.
pub(super) fn resized(x: &Tensor, operator: Resize, from: usize) -> Tensor {
    let to = operator.target.of(from);
    let axis = operator.axis;
    let mut extents = x.extents.clone();
    extents[axis] = if operator.from.is_some() { from } else { to };
    Tensor::from_fn(&extents, |index| {
        let mut other = index.to_vec();
        let terms = (0..x.extents[axis]).map(|k| {
            other[axis] = k;
            let pair = if operator.from.is_some() { [k, index[axis]] } else { [index[axis], k] };
            let weight = weight(operator, [from, to], pair);
            if weight == 0.0 { 0.0 } else { weight * x.at(&other) }
        });
        terms.sum()
    })
}

/// How much of input `i` output `o` has.
fn weight(operator: Resize, [from, to]: [usize; 2], [o, i]: [usize; 2]) -> f64 {
    let step = |align| match (align, operator.target) {
        (Align::Centers, _) => (from as f64 - 1.0) / (to as f64 - 1.0).max(1.0),
        (_, Target::Factor(factor)) => factor.recip(),
        _ => from as f64 / to as f64,
    };
    let half = |align| if align == Align::Edges { 0.5 } else { 0.0 };
    let position = |align| (o as f64 + half(align)) * step(align) - half(align);
    let last = from as f64 - 1.0;
    let is_at = |place: f64| f64::from(u8::from(place.floor().min(last) == i as f64));
    let same = from == to;
    match operator.method {
        // A hair more, for quotients that are whole.
        Method::Nearest => is_at(o as f64 * step(Align::Edges) + 1e-9),
        Method::NearestExact => is_at(position(Align::Edges) + 0.5 + 1e-9),
        Method::Linear(_) if same => is_at(o as f64),
        Method::Linear(align) => hat(position(align).clamp(0.0, last) - i as f64),
        Method::Cubic(align) => {
            // Pixels beyond the ends are the ends.
            let places = -4..from as i64 + 4;
            let here = places.filter(|&place| place.clamp(0, from as i64 - 1) == i as i64);
            here.map(|place| keys(position(align) - place as f64, -0.75)).sum()
        }
        Method::SmoothLinear(align) => share(step(align), [o, i], from, hat),
        Method::SmoothCubic(align) => share(step(align), [o, i], from, |x| keys(x, -0.5)),
        Method::Area => {
            let covers = |i: usize| i * to < (o + 1) * from && (i + 1) * to > o * from;
            let count = (0..from).filter(|&i| covers(i)).count();
            f64::from(u8::from(covers(i))) / count as f64
        }
    }
}

fn hat(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Keys' kernel from its conditions: a cubic on each side of 1, in powers.
fn keys(x: f64, a: f64) -> f64 {
    let x = x.abs();
    let near = (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0;
    let far = a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a;
    if x < 1.0 { near } else { far * f64::from(u8::from(x < 2.0)) }
}

/// The kernel's part at one input of what it has at all.
fn share(step: f64, [o, i]: [usize; 2], from: usize, kernel: impl Fn(f64) -> f64) -> f64 {
    let center = step * (o as f64 + 0.5);
    let at = |i: usize| kernel((i as f64 + 0.5 - center) / step.max(1.0));
    at(i) / (0..from).map(at).sum::<f64>()
}
