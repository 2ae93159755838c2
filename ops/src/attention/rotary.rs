//! Rotary position embedding, a composite: pairs of features turned by an angle for each position.
//!
//! A pair `(a, b)` becomes `(a cos - b sin, b cos + a sin)` (Su et al. 2021).
//!
//! # Shape
//! `x`: `f32` or `f64` `[.., feature]`; `cos` and `sin`: broadcast to `[.., pair]`, with a pair for
//! each two features, or fewer: the features behind are left as they are. `y`: as `x`. At most one
//! dimension may be bounded where pairs are neighbours.
//!
//! # Gradient
//! That of its parts: the turn the other way.
//!
//! # Numerics
//! Those of its parts.
//!
//! # Example
//! ```
//! use synfire_ops::attention::rotary::{Pairs, rotary};
//! use synfire_runtime::{define::Draft, spec::Spec};
//!
//! let mut draft = Draft::new();
//! let x = draft.feed("x", Spec::f32([2, 7, 4]));
//! let tables = ["cos", "sin"].map(|name| draft.feed(name, Spec::f32([7, 2])));
//! let y = rotary(&mut draft, x, tables, Pairs::Halves);
//! assert_eq!(draft.spec(y), Some(&Spec::f32([2, 7, 4])));
//! ```

use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::arrange::concat::concat;
use crate::arrange::slice::slice;
use crate::arrange::stack::stack;
use crate::attention::rotary_tables::rotary_tables;
use crate::broadcast::binary::{add, multiply, subtract};
use crate::broadcast::cast::cast;
use crate::dense::matmul::{names::find, regroup};
use crate::reject::reject;
use crate::require;
use crate::sample::{Expect, Sample, Tensor, noise, reference};
use crate::torch::{Case, Torch};

/// Which features are a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Feature `k` of the first half and of the second.
    Halves,
    /// Features `2 k` and `2 k + 1`.
    Neighbours,
}

/// What libraries for PyTorch call it; PyTorch itself has none.
pub const TORCH: &[Torch] =
    &[("rotary", from_case), ("rotary_embedding", from_case), ("rope", from_case)];

fn from_case(case: &mut Case<'_>) -> Result<Vec<Wire>, String> {
    let x = find(case, &["x", "q", "input"]).ok_or("no input `x`")?;
    let is_neighbours = case.flag("interleaved", false)?;
    let pairs = if is_neighbours { Pairs::Neighbours } else { Pairs::Halves };
    let last = case.spec_of(x)?.bounds().pop().unwrap_or(0);
    let (cos, sin) = (find(case, &["cos", "c"]), find(case, &["sin", "s"]));
    let tables = match (cos, sin, find(case, &["positions", "pos", "p", "position_ids"])) {
        (Some(cos), Some(sin), _) => [cos, sin].map(|table| {
            // Tables for every feature have each angle twice.
            let own = case.spec_of(table).ok();
            let Some(axis) = own.filter(|own| own.bounds().last() == Some(&last)) else {
                return table;
            };
            let axis = axis.rank() - 1;
            case.apply(
                match pairs {
                    Pairs::Halves => slice(axis, 0, last / 2, 1),
                    Pairs::Neighbours => slice(axis, 0, last, 2),
                },
                &[table],
            )
        }),
        (_, _, Some(positions)) => {
            let base = case.number("base", case.number("theta", 10_000.0)?)?;
            let positions = case.apply(cast(Element::F32), &[positions]);
            rotary_tables(case, positions, last, base)
        }
        _ => return Err("no inputs `cos` and `sin`, or `positions`".into()),
    };
    Ok(vec![rotary(case, x, tables, pairs)])
}

/// `x` turned by the angles whose cosines and sines are given.
///
/// Inputs that do not fit are a fault of the draft.
pub fn rotary(draft: &mut Draft, x: Wire, tables: [Wire; 2], pairs: Pairs) -> Wire {
    let built = check(draft, x, tables)
        .and_then(|(spec, count)| turned(draft, (x, &spec, count), tables, pairs));
    built.unwrap_or_else(|error| reject(draft, "rotary", ("x", &[x, tables[0], tables[1]]), error))
}

/// The spec of `x`, and the number of pairs.
fn check(draft: &Draft, x: Wire, tables: [Wire; 2]) -> Result<(Spec, usize), SpecError> {
    let fault = || SpecError::new("x0", "a fault", "a spec");
    let x = draft.spec(x).ok_or_else(fault)?.clone();
    require::element("x0", &x, &[Element::F32, Element::F64])?;
    require::axis("x0", &x, 0)?;
    let features = require::fixed("x0", &x, x.rank() - 1)?;
    let mut pairs = 0;
    for (port, wire) in ["x1", "x2"].into_iter().zip(tables) {
        let table = draft.spec(wire).ok_or_else(fault)?;
        require::element(port, table, &[x.element])?;
        require::axis(port, table, 0)?;
        let last = table.rank() - 1;
        let found = require::fixed(port, table, last)?;
        if 2 * found > features || (port == "x2" && found != pairs) {
            let wanted = format!("at most {} pairs, as many in both tables", features / 2);
            return Err(SpecError::new(port, found, wanted).at(last));
        }
        for (axis, &own) in table.dimensions[..last].iter().enumerate() {
            let place = (x.rank() + axis).checked_sub(table.rank());
            let wanted = place.map_or(Dimension::Fixed(1), |place| x.dimensions[place]);
            if own != wanted && own != Dimension::Fixed(1) {
                return Err(SpecError::new(port, own, format!("{wanted} or 1")).at(axis));
            }
        }
        pairs = found;
    }
    Ok((x, pairs))
}

fn turned(
    draft: &mut Draft,
    (x, spec, pairs): (Wire, &Spec, usize),
    [cos, sin]: [Wire; 2],
    order: Pairs,
) -> Result<Wire, SpecError> {
    let last = spec.rank() - 1;
    let cut = |draft: &mut Draft, [start, end, step]: [usize; 3]| {
        draft.apply(slice(last, start, end, step), &[x])
    };
    let [first, second] = match order {
        Pairs::Halves => [[0, pairs, 1], [pairs, 2 * pairs, 1]],
        Pairs::Neighbours => [[0, 2 * pairs, 2], [1, 2 * pairs, 2]],
    };
    let (a, b) = (cut(draft, first), cut(draft, second));
    let mut times = |x, table| draft.apply(multiply(), &[x, table]);
    let (a_cos, b_sin, b_cos, a_sin) = (times(a, cos), times(b, sin), times(b, cos), times(a, sin));
    let a = draft.apply(subtract(), &[a_cos, b_sin]);
    let b = draft.apply(add(), &[b_cos, a_sin]);
    let features = spec.bound(last);
    let mut parts = match order {
        Pairs::Halves => vec![a, b],
        Pairs::Neighbours => {
            let beside = draft.apply(stack(last + 1, 2), &[a, b]);
            let mut to = spec.dimensions.clone();
            to[last] = Dimension::Fixed(2 * pairs);
            let joined = draft.spec(beside).is_some().then(|| regroup(draft, beside, &to));
            let wanted = "one bounded dimension, and one dimension less than the most";
            vec![joined.flatten().ok_or_else(|| SpecError::new("x0", spec, wanted))?]
        }
    };
    if 2 * pairs < features {
        parts.push(cut(draft, [2 * pairs, features, 1]));
    }
    match parts[..] {
        [all] => Ok(all),
        _ => Ok(draft.apply(concat(last, parts.len()), &parts)),
    }
}

/// Both orders, features left over, tables of other ranks, one pair, none; what does not fit.
#[must_use]
pub fn samples() -> Vec<Sample> {
    use Pairs::{Halves, Neighbours};
    let wrong = sample("too many pairs", &[7, 4], &[7, 3], Halves);
    let expect = Expect::Rejected { port: "x1", dimension: Some(1) };
    vec![
        sample("halves", &[2, 3, 5, 8], &[5, 4], Halves),
        sample("neighbours", &[2, 3, 5, 8], &[5, 4], Neighbours),
        sample("halves, some left", &[3, 7], &[3, 2], Halves),
        sample("neighbours, some left", &[3, 7], &[3, 2], Neighbours),
        sample("tables of a batch", &[2, 3, 5, 4], &[2, 1, 5, 2], Halves),
        sample("one pair", &[2], &[1], Neighbours),
        sample("no positions", &[0, 4], &[0, 2], Halves),
        Sample { inputs: Vec::new(), expect, ..wrong },
    ]
}

fn sample(name: &str, x: &[usize], table: &[usize], pairs: Pairs) -> Sample {
    let build = move |draft: &mut Draft, wires: &[Wire]| {
        vec![rotary(draft, wires[0], [wires[1], wires[2]], pairs)]
    };
    let expect = reference(move |inputs| {
        let x = &inputs[0];
        let last = x.extents.len() - 1;
        let count = inputs[1].extents[inputs[1].extents.len() - 1];
        vec![Tensor::from_fn(&x.extents, |at| {
            let (pair, is_second) = match pairs {
                Pairs::Halves => (at[last] % count, at[last] / count),
                Pairs::Neighbours => (at[last] / 2, at[last] % 2),
            };
            if at[last] >= 2 * count {
                return x.at(at);
            }
            let feature = |second: usize| match pairs {
                Pairs::Halves => pair + second * count,
                Pairs::Neighbours => 2 * pair + second,
            };
            let read = |second| x.at(&[&at[..last], &[feature(second)]].concat());
            let angle = |table: &Tensor| {
                let before = &at[at.len() - table.extents.len()..last];
                let before = before.iter().zip(&table.extents).map(|(&i, &n)| i.min(n - 1));
                table.at(&before.chain([pair]).collect::<Vec<_>>())
            };
            // A product of complex numbers.
            let sign = if is_second == 1 { 1.0 } else { -1.0 };
            read(is_second) * angle(&inputs[1]) + sign * read(1 - is_second) * angle(&inputs[2])
        })]
    });
    let inputs = vec![noise(1, x), noise(2, table), noise(3, table)];
    Sample::composite(name, "rotary", build, inputs, expect)
}
