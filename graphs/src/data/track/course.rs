//! The course: a closed, wavy race track with two walls, cones and other cars.
//!
//! The centre line is a polar curve with a few low harmonics, sampled into a closed polygon; a wall
//! is that polygon shifted along its normals by a half width that waves a little. Everything
//! static is made once from the seed; cars are a function of the scan index, so any scan can be
//! made without its predecessors. Invariants: the polygon is simple and runs counter-clockwise;
//! cars of one lane keep their order and never touch; nothing covers the centre line.

use super::{
    Label, TrackConfig,
    exact::{Dice, cross, dot, length, sine_cosine},
};

/// Vertices of the centre line and of each wall.
const VERTEX_COUNT: usize = 1024;
/// Harmonics of the polar radius, each with its largest share of the mean radius.
const HARMONICS: [(f64, f64); 4] = [(2.0, 0.15), (3.0, 0.08), (5.0, 0.03), (7.0, 0.02)];
/// How far a wall waves around its half width.
const WALL_WAVE_M: f64 = 0.6;
/// Top of the walls above the frame's zero plane.
const WALL_TOP_M: f64 = 1.0;
const CONE_RADIUS_M: f64 = 0.18;
const CONE_TOP_M: f64 = 0.45;
/// Distance of a cone from the mean position of its wall.
const CONE_INSET_M: f64 = 1.4;
const CAR_HALF_LENGTH_M: f64 = 2.4;
const CAR_HALF_WIDTH_M: f64 = 0.95;
const CAR_TOP_M: f64 = 0.7;
/// Lateral distance of a lane from the centre line, as a share of the half width.
const LANE_SHARE: f64 = 0.45;
/// Speed of the right and of the left lane, relative to the ego vehicle.
const LANE_SPEEDS: [f64; 2] = [0.7, 1.3];
/// A car drifts this far ahead of and behind its place in the lane.
const CAR_SWAY_M: f64 = 3.0;

/// A place and a direction on the ground, in the world frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Position (x, y) in metres.
    pub position_m: [f64; 2],
    /// Unit vector of the forward direction.
    pub heading: [f64; 2],
}

impl Pose {
    /// A world point as seen from this pose: x forward, y to the left.
    #[must_use]
    pub fn localise(&self, point_m: [f64; 2]) -> [f64; 2] {
        let [x, y] = [0, 1].map(|axis| point_m[axis] - self.position_m[axis]);
        self.turn([x, y])
    }

    /// A point seen from this pose, back in the world frame.
    #[must_use]
    pub fn globalise(&self, point_m: [f64; 2]) -> [f64; 2] {
        let [cosine, sine] = self.heading;
        let [x, y] = point_m;
        [self.position_m[0] + cosine * x - sine * y, self.position_m[1] + sine * x + cosine * y]
    }

    fn turn(&self, vector: [f64; 2]) -> [f64; 2] {
        [dot(self.heading, vector), cross(self.heading, vector)]
    }
}

/// The footprint of a solid with vertical sides.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Disc { centre: [f64; 2], radius_m: f64 },
    Rectangle { centre: [f64; 2], heading: [f64; 2], half_m: [f64; 2] },
}

/// A solid that stands on the ground.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solid {
    pub(super) shape: Shape,
    pub(super) top_m: f64,
    pub(super) label: Label,
}

/// What lies near the ego vehicle at one scan, in its frame.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) walls: Vec<[[f64; 2]; 2]>,
    pub(super) wall_top_m: f64,
    pub(super) solids: Vec<Solid>,
}

#[derive(Debug)]
struct Car {
    lane: usize,
    start_m: f64,
    sway_turns: f64,
}

/// The whole course in the world frame.
#[derive(Debug)]
pub(super) struct Course {
    centre: Vec<[f64; 2]>,
    tangents: Vec<[f64; 2]>,
    /// Distance along the centre line at each vertex, and the whole length at the end.
    distances_m: Vec<f64>,
    walls: [Vec<[f64; 2]>; 2],
    segment_m_max: f64,
    cones: Vec<[f64; 2]>,
    cars: Vec<Car>,
    ego_step_m: f64,
    lane_offset_m: f64,
}

impl Course {
    pub(super) fn new(config: &TrackConfig, seed: u64) -> Self {
        let centre = centre_line(config.radius_m, Dice::new(seed, 0));
        let around = |index: usize, shift: usize| centre[(index + shift) % VERTEX_COUNT];
        let tangents: Vec<[f64; 2]> = (0..VERTEX_COUNT)
            .map(|index| toward(around(index, VERTEX_COUNT - 1), around(index, 1)))
            .collect();
        let mut distances_m = vec![0.0];
        for index in 0..VERTEX_COUNT {
            distances_m.push(distances_m[index] + distance(around(index, 0), around(index, 1)));
        }
        let mut course = Self {
            centre,
            tangents,
            distances_m,
            walls: [Vec::new(), Vec::new()],
            segment_m_max: 0.0,
            cones: Vec::new(),
            cars: Vec::new(),
            ego_step_m: config.ego_step_m,
            lane_offset_m: config.half_width_m * LANE_SHARE,
        };
        course.walls = [1.0, -1.0].map(|side| course.wall(config.half_width_m, side, seed));
        course.segment_m_max = course.walls.iter().flat_map(|wall| gaps(wall)).fold(0.0, f64::max);
        course.cones = course.place_cones(config, Dice::new(seed, 3));
        course.cars = course.place_cars(config.car_count, Dice::new(seed, 4));
        course
    }

    /// Length of the centre line.
    pub(super) fn length_m(&self) -> f64 {
        self.distances_m[VERTEX_COUNT]
    }

    /// Where the ego vehicle is at scan `index`.
    pub(super) fn ego(&self, index: u64) -> Pose {
        self.pose(index as f64 * self.ego_step_m, 0.0)
    }

    /// Everything within `reach_m` of the ego vehicle at scan `index`, in its frame.
    pub(super) fn surroundings(&self, index: u64, reach_m: f64) -> Surroundings {
        let ego = self.ego(index);
        let reach_m = reach_m + self.segment_m_max + CAR_HALF_LENGTH_M;
        let mut walls = Vec::new();
        for wall in &self.walls {
            let local: Vec<[f64; 2]> = wall.iter().map(|&vertex| ego.localise(vertex)).collect();
            let next = local.iter().cycle().skip(1);
            let near = local.iter().zip(next).filter(|(vertex, _)| length(**vertex) <= reach_m);
            walls.extend(near.map(|(&vertex, &next)| [vertex, next]));
        }
        let cones = self.cones.iter().map(|&centre| {
            let shape = Shape::Disc { centre: ego.localise(centre), radius_m: CONE_RADIUS_M };
            Solid { shape, top_m: CONE_TOP_M, label: Label::Cone }
        });
        let cars = self.cars.iter().map(|car| {
            let pose = self.car_pose(car, index);
            let shape = Shape::Rectangle {
                centre: ego.localise(pose.position_m),
                heading: ego.turn(pose.heading),
                half_m: [CAR_HALF_LENGTH_M, CAR_HALF_WIDTH_M],
            };
            Solid { shape, top_m: CAR_TOP_M, label: Label::Car }
        });
        let near = |solid: &Solid| length(solid.shape.centre()) <= reach_m;
        let solids = cones.chain(cars).filter(near).collect();
        Surroundings { walls, wall_top_m: WALL_TOP_M, solids }
    }

    /// The pose `along_m` metres down the centre line (any number of laps), shifted to the left.
    fn pose(&self, along_m: f64, left_m: f64) -> Pose {
        let along_m = along_m % self.length_m();
        let along_m = if along_m < 0.0 { along_m + self.length_m() } else { along_m };
        let after = self.distances_m.partition_point(|&mark| mark <= along_m);
        let index = after.clamp(1, VERTEX_COUNT) - 1;
        let next = (index + 1) % VERTEX_COUNT;
        let span_m = self.distances_m[index + 1] - self.distances_m[index];
        let share = (along_m - self.distances_m[index]) / span_m;
        let heading = unit(blend(self.tangents[index], self.tangents[next], share));
        let centre = blend(self.centre[index], self.centre[next], share);
        Pose { position_m: beside(centre, heading, left_m), heading }
    }

    fn car_pose(&self, car: &Car, index: u64) -> Pose {
        let time = index as f64;
        let sway = sine_cosine(car.sway_turns + time / 160.0).0 * CAR_SWAY_M;
        let speed = LANE_SPEEDS[car.lane] * self.ego_step_m;
        let left_m = if car.lane == 0 { -self.lane_offset_m } else { self.lane_offset_m };
        self.pose(car.start_m + speed * time + sway, left_m)
    }

    fn wall(&self, half_width_m: f64, side: f64, seed: u64) -> Vec<[f64; 2]> {
        let dice = Dice::new(seed, if side > 0.0 { 1 } else { 2 });
        (0..VERTEX_COUNT)
            .map(|index| {
                let turns = index as f64 / VERTEX_COUNT as f64;
                let slow = sine_cosine(23.0 * turns + dice.unit(0)).0;
                let fast = sine_cosine(61.0 * turns + dice.unit(1)).0;
                let offset_m = half_width_m + WALL_WAVE_M * (0.7 * slow + 0.3 * fast);
                beside(self.centre[index], self.tangents[index], side * offset_m)
            })
            .collect()
    }

    /// A row of cones along each wall, evenly spaced but for a little scatter.
    fn place_cones(&self, config: &TrackConfig, dice: Dice) -> Vec<[f64; 2]> {
        let count = (self.length_m() / config.cone_spacing_m).floor() as u64;
        let left_m = config.half_width_m - CONE_INSET_M;
        (0..2 * count)
            .map(|index| {
                let side = if index % 2 == 0 { 1.0 } else { -1.0 };
                let along_m = (index as f64 / 2.0 + 0.25 * dice.signed(2 * index))
                    * (self.length_m() / count as f64);
                let scatter_m = 0.3 * dice.signed(2 * index + 1);
                self.pose(along_m, side * (left_m + scatter_m)).position_m
            })
            .collect()
    }

    fn place_cars(&self, count: usize, dice: Dice) -> Vec<Car> {
        (0..count)
            .map(|index| {
                let share = (index as f64 + 0.5) / count.max(1) as f64;
                let sway_turns = dice.unit(index as u64);
                Car { lane: index % 2, start_m: share * self.length_m(), sway_turns }
            })
            .collect()
    }
}

impl Shape {
    pub(super) fn centre(&self) -> [f64; 2] {
        match *self {
            Self::Disc { centre, .. } | Self::Rectangle { centre, .. } => centre,
        }
    }
}

fn centre_line(radius_m: f64, dice: Dice) -> Vec<[f64; 2]> {
    (0..VERTEX_COUNT)
        .map(|index| {
            let turns = index as f64 / VERTEX_COUNT as f64;
            let mut radius = radius_m;
            for (number, &(order, share)) in HARMONICS.iter().enumerate() {
                let number = 2 * number as u64;
                let strength = share * (0.6 + 0.4 * dice.unit(number));
                let wave = sine_cosine(order * turns + dice.unit(number + 1)).0;
                radius += radius_m * strength * wave;
            }
            let (sine, cosine) = sine_cosine(turns);
            [radius * cosine, radius * sine]
        })
        .collect()
}

/// The lengths of a closed polygon's edges, the closing edge last.
fn gaps(polygon: &[[f64; 2]]) -> impl Iterator<Item = f64> {
    let next = polygon.iter().cycle().skip(1);
    polygon.iter().zip(next).map(|(&vertex, &next)| distance(vertex, next))
}

fn distance(from: [f64; 2], to: [f64; 2]) -> f64 {
    length([to[0] - from[0], to[1] - from[1]])
}

fn toward(from: [f64; 2], to: [f64; 2]) -> [f64; 2] {
    unit([to[0] - from[0], to[1] - from[1]])
}

fn unit(vector: [f64; 2]) -> [f64; 2] {
    let size = length(vector);
    assert!(size > 0.0, "a direction needs a non-zero vector");
    [vector[0] / size, vector[1] / size]
}

fn blend(from: [f64; 2], to: [f64; 2], share: f64) -> [f64; 2] {
    [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * share)
}

fn beside(point: [f64; 2], heading: [f64; 2], left_m: f64) -> [f64; 2] {
    [point[0] - heading[1] * left_m, point[1] + heading[0] * left_m]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn courses() -> impl Iterator<Item = (TrackConfig, Course)> {
        (0..2).map(|seed| {
            let config = TrackConfig::sixteen();
            let course = Course::new(&config, seed);
            (config, course)
        })
    }

    #[test]
    fn walls_are_closed_and_keep_their_distance() {
        for (config, course) in courses() {
            for wall in &course.walls {
                let gap_m = gaps(wall).fold(0.0, f64::max);
                assert!(gap_m < 2.5, "a wall has a gap of {gap_m} m");
                for &vertex in wall {
                    let near = |centre: &[f64; 2]| distance(vertex, *centre);
                    let nearest = course.centre.iter().map(near).fold(f64::MAX, f64::min);
                    let clearance = config.half_width_m - WALL_WAVE_M - 0.3;
                    assert!(nearest > clearance, "a wall comes within {nearest} m");
                }
            }
        }
    }

    #[test]
    fn a_lap_ends_where_it_started() {
        for (_, course) in courses() {
            let (start, end) = (course.pose(0.0, 0.0), course.pose(course.length_m(), 0.0));
            assert_eq!(start, end);
            let before = course.pose(-1e-6, 0.0);
            assert!(distance(before.position_m, start.position_m) < 1e-5);
            assert!(distance(before.heading, start.heading) < 1e-5);
        }
    }

    #[test]
    fn cars_never_touch_each_other_or_the_ego_vehicle() {
        for (_, course) in courses() {
            for index in (0..3000).step_by(31) {
                let poses: Vec<Pose> =
                    course.cars.iter().map(|car| course.car_pose(car, index)).collect();
                let ego = course.ego(index).position_m;
                for (first, pose) in poses.iter().enumerate() {
                    assert!(distance(pose.position_m, ego) > 2.0 * CAR_HALF_WIDTH_M + 0.2);
                    let rest = poses.iter().skip(first + 1);
                    for other in rest {
                        let gap_m = distance(pose.position_m, other.position_m);
                        assert!(gap_m > 5.0, "two cars are {gap_m} m apart at scan {index}");
                    }
                }
            }
        }
    }

    #[test]
    fn localise_and_globalise_are_inverse() {
        let (_, course) = courses().next().expect("there is a first course");
        let pose = course.ego(37);
        let point = [3.0, -4.0];
        assert!(distance(pose.localise(pose.globalise(point)), point) < 1e-12);
        assert!(distance(pose.localise(pose.position_m), [0.0, 0.0]) < 1e-12);
    }
}
