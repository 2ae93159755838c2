//! The samples of lookups, and a definition that weighs every pixel by its distance.

use synfire_runtime::spec::{Element, Spec};
use synfire_runtime::value::Value;

use super::{GridSample, Method, Padding, grid_sample};
use crate::resample::resize::Align;
use crate::sample::{Expect, Sample, Tensor, bounded_first, noise, reference, tensor};

pub(super) fn samples() -> Vec<Sample> {
    let wide = |value: Value| Value::new(&value.extents, &tensor(&value).data);
    let case = |name: String, operator: GridSample, inputs: [Value; 2]| {
        let own = operator.clone();
        let expect = reference(move |inputs| vec![by_distance(&inputs[0], &inputs[1], &own)]);
        Sample::new(name, operator, inputs.to_vec(), expect)
    };
    let flat = |key| [noise(key, &[2, 3, 4, 5]), noise(key + 1, &[2, 3, 7, 2])];
    let mut samples = Vec::new();
    for method in [Method::Nearest, Method::Linear, Method::Cubic] {
        for padding in [Padding::Zeros, Padding::Border, Padding::Reflection] {
            for align in [Align::Edges, Align::Centers] {
                let name = |what: &str| format!("{method:?}, {padding:?}, {align:?}, {what}");
                let operator = || grid_sample(method, padding, align);
                samples.push(case(name("flat"), operator(), flat(1)));
                let back = [noise(3, &[1, 2, 3, 2]), noise(4, &[1, 3, 2, 2])].map(wide);
                samples.push(case(name("transposed, f64"), operator().transposed(&[2, 4]), back));
                for coordinate in 0..2 {
                    let Some(slope) = operator().derivative(coordinate) else { continue };
                    let name = name(&format!("slope {coordinate}"));
                    samples.push(case(name, slope, flat(5).map(wide)));
                }
            }
        }
        let operator = || grid_sample(method, Padding::Reflection, Align::Edges);
        let deep = [noise(7, &[1, 2, 2, 3, 4]), noise(8, &[1, 2, 2, 3, 3])];
        samples.push(case(format!("{method:?}, deep"), operator(), deep));
        let back = [noise(9, &[1, 1, 2, 1, 2]), noise(10, &[1, 2, 1, 2, 3])];
        let onto = operator().transposed(&[2, 3, 2]);
        samples.push(case(format!("{method:?}, deep, transposed"), onto, back));
    }
    let linear = || grid_sample(Method::Linear, Padding::Zeros, Align::Edges);
    let many = [noise(11, &[1, 2, 5, 3]), noise(12, &[1, 101, 97, 2])];
    let bounded = vec![
        bounded_first(Element::F32, 4, &[1, 2, 2]),
        bounded_first(Element::F32, 4, &[2, 1, 2]),
    ];
    samples.extend([
        case("several pieces".into(), linear(), many),
        case("one pixel".into(), linear(), [noise(13, &[1, 1, 1, 1]), noise(14, &[1, 2, 2, 2])]),
        case("no points".into(), linear(), [noise(15, &[1, 2, 2, 2]), noise(16, &[1, 0, 2, 2])]),
        case("no batch".into(), linear(), [noise(17, &[0, 2, 2, 2]), noise(18, &[0, 1, 2, 2])]),
        case("bounded".into(), linear(), [noise(19, &[2, 1, 2, 2]), noise(20, &[2, 2, 1, 2])])
            .with_specs(bounded),
    ]);
    samples.extend(special());
    samples.extend(rejected());
    samples
}

/// A grid that is no number, infinite or at the very corners; PyTorch 2.15 says what comes out.
fn special() -> Vec<Sample> {
    let image = Value::new(&[1, 1, 2, 3], &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let columns = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e20, -1.0, 1.0];
    let points: Vec<f32> = columns.into_iter().flat_map(|x| [x, 0.0]).collect();
    let grid = Value::new(&[1, 1, 6, 2], &points);
    let case = |method: Method, padding, y: [f64; 6]| {
        let name = format!("{method:?}, {padding:?}, special");
        let literal = Expect::Outputs(vec![Tensor::new(&[1, 1, 1, 6], y.to_vec())]);
        let operator = grid_sample(method, padding, Align::Centers);
        Sample::new(name, operator, vec![image.clone(), grid.clone()], literal)
    };
    let none = f64::NAN;
    vec![
        case(Method::Linear, Padding::Zeros, [none, none, none, 0.0, 2.5, 4.5]),
        case(Method::Linear, Padding::Border, [2.5, 4.5, 2.5, 4.5, 2.5, 4.5]),
        case(Method::Linear, Padding::Reflection, [2.5, 2.5, 2.5, 2.5, 2.5, 4.5]),
        case(Method::Nearest, Padding::Zeros, [0.0, 0.0, 0.0, 0.0, 1.0, 3.0]),
        case(Method::Nearest, Padding::Border, [1.0, 3.0, 1.0, 3.0, 1.0, 3.0]),
        case(Method::Nearest, Padding::Reflection, [1.0, 1.0, 1.0, 1.0, 1.0, 3.0]),
        case(Method::Cubic, Padding::Border, [none, none, none, 4.5, 2.5, 4.5]),
    ]
}

fn rejected() -> Vec<Sample> {
    let case = |name: &str, specs: [&[usize]; 2], port, dimension| {
        let operator = grid_sample(Method::Linear, Padding::Zeros, Align::Edges);
        let specs = specs.map(|extents| Spec::f32(extents.to_vec()));
        Sample::rejected(name, operator, specs.to_vec(), port, dimension)
    };
    vec![
        case("no pixels", [&[1, 1, 0, 2], &[1, 1, 1, 2]], "x", Some(2)),
        case("three coordinates", [&[1, 1, 2, 2], &[1, 1, 1, 3]], "grid", Some(3)),
        case("another batch", [&[1, 1, 2, 2], &[2, 1, 1, 2]], "grid", Some(0)),
        case("another rank", [&[1, 1, 2, 2], &[1, 1, 2]], "grid", None),
        case("a line", [&[1, 1, 2], &[1, 1, 1]], "x", None),
        Sample::rejected(
            "points of another grid",
            grid_sample(Method::Linear, Padding::Zeros, Align::Edges).transposed(&[2, 2]),
            vec![Spec::f32([1, 1, 2, 3]), Spec::f32([1, 2, 2, 2])],
            "x",
            Some(3),
        ),
    ]
}

/// The definition: every pixel, and those that mirror or continue it, by its distance.
fn by_distance(x: &Tensor, grid: &Tensor, operator: &GridSample) -> Tensor {
    let axes = x.extents.len() - 2;
    let own = |values: &Tensor| values.extents[2..].to_vec();
    let image = operator.onto.clone().unwrap_or_else(|| own(x));
    let points: Vec<usize> = grid.extents[1..=axes].to_vec();
    // How much of a pixel a point has: the product over axes.
    let share = |point: &[usize], pixel: &[usize]| {
        let mut index = point.to_vec();
        index.push(0);
        let along = (0..axes).map(|axis| {
            index[axes + 1] = axes - 1 - axis;
            let order = operator.orders[axes - 1 - axis];
            slope(grid.at(&index), order, |at| weight(operator, at, image[axis], pixel[axis]))
        });
        along.product::<f64>()
    };
    let to = if operator.onto.is_some() { image.clone() } else { points.clone() };
    let from = if operator.onto.is_some() { points } else { image.clone() };
    let extents = [&x.extents[..2], &to].concat();
    Tensor::from_fn(&extents, |index| {
        let mut sum = 0.0;
        let _ = Tensor::from_fn(&from, |other| {
            let (point, pixel) =
                if operator.onto.is_some() { (other, &index[2..]) } else { (&index[2..], other) };
            let point = [&index[..1], point].concat();
            let value = x.at(&[&index[..2], other].concat());
            sum += value * share(&point, pixel);
            0.0
        });
        sum
    })
}

/// The derivative of an order, by differences.
fn slope(at: f64, order: u32, f: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 1e-5;
    if order == 0 { f(at) } else { (f(at + STEP) - f(at - STEP)) / (2.0 * STEP) }
}

/// How much of pixel `pixel` of an axis a coordinate has.
fn weight(operator: &GridSample, at: f64, extent: usize, pixel: usize) -> f64 {
    let pixels = extent as f64;
    let place = match operator.align {
        Align::Centers => (at + 1.0) / 2.0 * (pixels - 1.0),
        Align::Edges => (at + 1.0) / 2.0 * pixels - 0.5,
    };
    let by_distance = |distance: f64| match operator.method {
        Method::Nearest => f64::from(u8::from(distance.abs() < 0.5)),
        Method::Linear => (1.0 - distance.abs()).max(0.0),
        Method::Cubic => {
            let d = distance.abs();
            let near = 1.25 * d.powi(3) - 2.25 * d.powi(2) + 1.0;
            let far = -0.75 * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0);
            if d < 1.0 { near } else { far * f64::from(u8::from(d < 2.0)) }
        }
    };
    // Where the place is, as if the image went on; only pixels near it count.
    let around = |place: f64| (place.floor() as i64 - 3)..(place.floor() as i64 + 5);
    let is_cubic = operator.method == Method::Cubic;
    let held = |place: f64| place.clamp(0.0, pixels - 1.0);
    match operator.padding {
        Padding::Zeros => by_distance(place - pixel as f64),
        _ if !is_cubic => {
            let mirrored = operator.padding == Padding::Reflection;
            let place = if mirrored { folded(place, operator.align, pixels) } else { place };
            by_distance(held(place) - pixel as f64)
        }
        padding => around(place)
            .filter(|&tap| {
                let tap = tap as f64;
                let mirrored = padding == Padding::Reflection;
                let tap = if mirrored { folded(tap, operator.align, pixels) } else { tap };
                held(tap) == pixel as f64
            })
            .map(|tap| by_distance(place - tap as f64))
            .sum(),
    }
}

/// A place mirrored at the ends until it is between them.
fn folded(mut place: f64, align: Align, pixels: f64) -> f64 {
    let edge = if align == Align::Edges { 0.5 } else { 0.0 };
    let (low, high) = (-edge, pixels - 1.0 + edge);
    for _ in 0..100 {
        if place < low {
            place = 2.0 * low - place;
        } else if place > high {
            place = 2.0 * high - place;
        }
    }
    if low == high { low } else { place }
}
