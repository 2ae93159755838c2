//! Ray casting: what the beams of one azimuth hit first.
//!
//! Every obstacle has vertical sides, so all beams of one azimuth share one plan view: the
//! crossings of a horizontal ray with the footprints are found once, sorted, and each beam then
//! only compares heights. All intersections are analytic. The lowest strip of an obstacle, below
//! the frame's zero plane, is dark: it stops a beam and returns nothing, so obstacles always have
//! z > 0.

use super::{
    GROUND_M, Label, SENSOR_M,
    course::{Shape, Solid, Surroundings},
    exact::{cross, dot},
};

/// The part of a horizontal ray that lies inside one footprint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    enter_m: f64,
    leave_m: f64,
    top_m: f64,
    label: Label,
}

/// Fills `crossings` with all footprints in `direction` (a unit vector), nearest first.
pub(super) fn cross_footprints(
    around: &Surroundings,
    direction: [f64; 2],
    crossings: &mut Vec<Crossing>,
) {
    crossings.clear();
    for &[start, end] in &around.walls {
        if let Some(distance_m) = cross_segment(start, end, direction) {
            let (enter_m, leave_m) = (distance_m, distance_m);
            let top_m = around.wall_top_m;
            crossings.push(Crossing { enter_m, leave_m, top_m, label: Label::Wall });
        }
    }
    for &Solid { shape, top_m, label } in &around.solids {
        if let Some((enter_m, leave_m)) = cross_shape(shape, direction) {
            crossings.push(Crossing { enter_m, leave_m, top_m, label });
        }
    }
    crossings.sort_by(|left, right| left.enter_m.total_cmp(&right.enter_m));
}

/// The horizontal distance and the label of a beam's first hit; `slope` is metres up per metre.
pub(super) fn first_hit(crossings: &[Crossing], slope: f64) -> Option<(f64, Label)> {
    let ground_m = if slope < 0.0 { (GROUND_M - SENSOR_M) / slope } else { f64::INFINITY };
    for crossing in crossings.iter().take_while(|crossing| crossing.enter_m < ground_m) {
        let height_m = SENSOR_M + slope * crossing.enter_m;
        if height_m <= crossing.top_m {
            return (height_m > 0.0).then_some((crossing.enter_m, crossing.label));
        }
        let roof_m = (crossing.top_m - SENSOR_M) / slope;
        if slope < 0.0 && roof_m <= crossing.leave_m {
            return Some((roof_m, crossing.label));
        }
    }
    ground_m.is_finite().then_some((ground_m, Label::Ground))
}

/// Half-open in the sign of the side, so that a closed wall has no crack at its vertices.
fn cross_segment(start: [f64; 2], end: [f64; 2], direction: [f64; 2]) -> Option<f64> {
    let start_side = cross(direction, start);
    let end_side = cross(direction, end);
    if (start_side > 0.0) == (end_side > 0.0) {
        return None;
    }
    let share = start_side / (start_side - end_side);
    let distance_m = dot(direction, start) * (1.0 - share) + dot(direction, end) * share;
    (distance_m > 0.0).then_some(distance_m)
}

fn cross_shape(shape: Shape, direction: [f64; 2]) -> Option<(f64, f64)> {
    match shape {
        Shape::Disc { centre, radius_m } => {
            let aside_m = cross(direction, centre);
            let square = radius_m * radius_m - aside_m * aside_m;
            let middle_m = dot(direction, centre);
            let outside = middle_m > radius_m;
            (square > 0.0 && outside).then(|| (middle_m - square.sqrt(), middle_m + square.sqrt()))
        }
        Shape::Rectangle { centre, heading, half_m } => {
            let ray = [dot(heading, direction), cross(heading, direction)];
            let middle = [dot(heading, centre), cross(heading, centre)];
            let (mut enter_m, mut leave_m) = (0.0, f64::INFINITY);
            for axis in 0..2 {
                let (near, far) = cross_slab(middle[axis], half_m[axis], ray[axis])?;
                enter_m = f64::max(enter_m, near);
                leave_m = f64::min(leave_m, far);
            }
            (enter_m < leave_m && enter_m > 0.0).then_some((enter_m, leave_m))
        }
    }
}

/// Where a ray that moves `speed` per metre is within `half_m` of `middle_m`, on one axis.
fn cross_slab(middle_m: f64, half_m: f64, speed: f64) -> Option<(f64, f64)> {
    if speed == 0.0 {
        return (middle_m.abs() < half_m).then_some((f64::NEG_INFINITY, f64::INFINITY));
    }
    let (first, second) = ((middle_m - half_m) / speed, (middle_m + half_m) / speed);
    Some((first.min(second), first.max(second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(solids: Vec<Solid>, slope: f64) -> Option<(f64, Label)> {
        let walls = vec![[[30.0, -5.0], [30.0, 5.0]]];
        let around = Surroundings { walls, wall_top_m: 1.0, solids };
        let mut crossings = Vec::new();
        cross_footprints(&around, [1.0, 0.0], &mut crossings);
        first_hit(&crossings, slope)
    }

    fn car() -> Solid {
        let shape =
            Shape::Rectangle { centre: [10.0, 0.0], heading: [1.0, 0.0], half_m: [2.0, 1.0] };
        Solid { shape, top_m: 0.7, label: Label::Car }
    }

    fn cone() -> Solid {
        let shape = Shape::Disc { centre: [10.0, 0.0], radius_m: 0.5 };
        Solid { shape, top_m: 0.5, label: Label::Cone }
    }

    #[test]
    fn a_beam_meets_what_lies_in_its_way() {
        let near = |found: Option<(f64, Label)>, distance_m: f64, label: Label| {
            let (found_m, found_label) = found.expect("the beam returns");
            assert!((found_m - distance_m).abs() < 1e-9, "{found_m} m, wanted {distance_m} m");
            assert_eq!(found_label, label);
        };
        near(hit(vec![], 0.0), 30.0, Label::Wall);
        near(hit(vec![], -0.11), 10.0, Label::Ground);
        near(hit(vec![cone()], -0.05), 9.5, Label::Cone);
        near(hit(vec![cone()], -0.03), 10.0, Label::Cone);
        near(hit(vec![car()], -0.03), 8.0, Label::Car);
        near(hit(vec![car()], -0.01), 10.0, Label::Car);
        near(hit(vec![car()], 0.0), 30.0, Label::Wall);
    }

    #[test]
    fn a_beam_over_the_wall_and_a_beam_on_the_dark_strip_return_nothing() {
        assert_eq!(hit(vec![], 0.01), None);
        assert_eq!(hit(vec![], -0.03), None);
        assert_eq!(hit(vec![car()], -0.11), None);
    }
}
