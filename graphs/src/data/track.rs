//! A synthetic LiDAR: a seeded ray caster on a closed race track, with the exact label of every
//! point.
//!
//! It stands in for recorded race data in training, tests and benchmarks. A scan is a function of
//! (configuration, seed, index) alone, bit for bit the same on every machine and in any order.
//!
//! The frame of a scan: x forward, y to the left, z up, origin on the ego vehicle's axis, a little
//! above the ground. The ground lies at z = [`GROUND_M`] < 0, and whatever stands on it is seen
//! only where z > 0, so a bird's-eye cell shows an obstacle exactly if it holds a point with z > 0.
//! The sensor is at (0, 0, [`SENSOR_M`]). All points of a scan are taken at one instant.

mod cast;
mod course;
mod examples;
mod exact;
mod footprint;

pub use course::Pose;
pub use examples::{TrackExamples, TrackExamplesConfig, TrackExamplesError};

use course::Course;
use exact::{Dice, sine_cosine};
use thiserror::Error;

/// Height of the ground in the frame of a scan.
pub const GROUND_M: f64 = -0.3;
/// Height of the sensor in the frame of a scan: below the top of the walls, so the track is closed.
pub const SENSOR_M: f64 = 0.8;
/// Nearer returns are lost, as in a real sensor.
pub const RANGE_MIN_M: f64 = 0.5;

/// What a point was reflected by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Label {
    /// The plane below everything; the only label with z < 0.
    Ground,
    /// One of the two walls of the track.
    Wall,
    /// A cone at the edge of the track.
    Cone,
    /// Another car.
    Car,
}

impl Label {
    /// Every label, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Ground, Self::Wall, Self::Cone, Self::Car];

    /// The label's name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["ground", "wall", "cone", "car"][self as usize]
    }

    fn reflectivity(self) -> f64 {
        [0.25, 0.6, 0.95, 0.8][self as usize]
    }
}

/// The sensor, the course and how fast the ego vehicle goes round it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackConfig {
    /// Beams, one above the other: 1 to 128.
    pub beams: usize,
    /// Columns of a turn, the first one forward, then to the left: 1 to 14400.
    pub azimuth_steps: usize,
    /// Elevation of the lowest and of the highest beam, within -60 to 60 degrees.
    pub elevations_deg: [f64; 2],
    /// Farther returns are lost: 1 to 1000 m.
    pub range_max_m: f64,
    /// Standard deviation of a range, 0 to 0.05 m; no error exceeds 3.5 of it.
    pub noise_m: f64,
    /// Way of the ego vehicle from scan to scan: 0 to 100 m.
    pub ego_step_m: f64,
    /// Mean radius of the centre line: 60 to 2000 m.
    pub radius_m: f64,
    /// Mean distance of a wall from the centre line: 6 to 12 m.
    pub half_width_m: f64,
    /// Distance between two cones of a row: 2 to 1000 m.
    pub cone_spacing_m: f64,
    /// Other cars, in two lanes: at most one for 4 m of `radius_m`.
    pub car_count: usize,
}

impl TrackConfig {
    /// 16 beams and 28 800 rays a scan, 100 m.
    #[must_use]
    pub fn sixteen() -> Self {
        Self {
            beams: 16,
            azimuth_steps: 1800,
            elevations_deg: [-18.0, 2.0],
            range_max_m: 100.0,
            noise_m: 0.02,
            ego_step_m: 2.0,
            radius_m: 160.0,
            half_width_m: 7.5,
            cone_spacing_m: 9.0,
            car_count: 32,
        }
    }

    /// 32 beams and 57 600 rays a scan, 120 m.
    #[must_use]
    pub fn thirty_two() -> Self {
        Self { beams: 32, elevations_deg: [-24.0, 3.0], range_max_m: 120.0, ..Self::sixteen() }
    }

    fn check(&self) -> Result<(), TrackError> {
        let cars_max = self.radius_m / 4.0;
        let [low, high] = self.elevations_deg;
        for (field, found, least, most) in [
            ("beams", self.beams as f64, 1.0, 128.0),
            ("azimuth_steps", self.azimuth_steps as f64, 1.0, 14_400.0),
            ("elevations_deg[0]", low, -60.0, 60.0),
            ("elevations_deg[1]", high, low, 60.0),
            ("range_max_m", self.range_max_m, 1.0, 1000.0),
            ("noise_m", self.noise_m, 0.0, 0.05),
            ("ego_step_m", self.ego_step_m, 0.0, 100.0),
            ("radius_m", self.radius_m, 60.0, 2000.0),
            ("half_width_m", self.half_width_m, 6.0, 12.0),
            ("cone_spacing_m", self.cone_spacing_m, 2.0, 1000.0),
            ("car_count", self.car_count as f64, 0.0, cars_max),
        ] {
            if !(least..=most).contains(&found) {
                return Err(TrackError { field, found, least, most });
            }
        }
        Ok(())
    }
}

/// A field of a [`TrackConfig`] is out of its limits.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("track: {field} is {found}; it must lie within {least} and {most}")]
pub struct TrackError {
    /// The field's name.
    pub field: &'static str,
    /// Its value.
    pub found: f64,
    /// The least value allowed.
    pub least: f64,
    /// The greatest value allowed.
    pub most: f64,
}

/// One elevation: metres up, and metres of range, per horizontal metre.
#[derive(Debug, Clone, Copy)]
struct Beam {
    slope: f64,
    stretch: f64,
}

/// One ray of a scan; `number` counts beams first, then columns.
#[derive(Debug, Clone, Copy)]
struct Ray {
    direction: [f64; 2],
    beam: Beam,
    number: u64,
}

/// A course and a sensor that drives along its centre line.
#[derive(Debug)]
pub struct Track {
    config: TrackConfig,
    seed: u64,
    course: Course,
    directions: Vec<[f64; 2]>,
    beams: Vec<Beam>,
}

impl Track {
    /// Lays out the course that belongs to `seed`.
    ///
    /// # Errors
    /// A field of `config` is out of its limits.
    pub fn new(config: &TrackConfig, seed: u64) -> Result<Self, TrackError> {
        config.check()?;
        let steps = config.azimuth_steps;
        let directions = (0..steps).map(|step| {
            let (sine, cosine) = sine_cosine(step as f64 / steps as f64);
            [cosine, sine]
        });
        let [low, high] = config.elevations_deg;
        let spacing = (high - low) / config.beams.saturating_sub(1).max(1) as f64;
        let beams = (0..config.beams).map(|beam| {
            let (sine, cosine) = sine_cosine((low + spacing * beam as f64) / 360.0);
            Beam { slope: sine / cosine, stretch: 1.0 / cosine }
        });
        Ok(Self {
            config: config.clone(),
            seed,
            course: Course::new(config, seed),
            directions: directions.collect(),
            beams: beams.collect(),
        })
    }

    /// Length of one lap.
    #[must_use]
    pub fn lap_m(&self) -> f64 {
        self.course.length_m()
    }

    /// Where the ego vehicle is at scan `index`.
    #[must_use]
    pub fn pose(&self, index: u64) -> Pose {
        self.course.ego(index)
    }

    /// Takes scan `index`: replaces `points` (x, y, z, intensity) and their `labels`.
    ///
    /// Points come column by column, from the lowest beam up; lost rays leave no gap. There are at
    /// most `beams * azimuth_steps` of them, all finite, with an intensity in 0 to 1. Up to index
    /// 2^40 positions are exact to a millimetre.
    pub fn scan(&self, index: u64, points: &mut Vec<[f32; 4]>, labels: &mut Vec<Label>) {
        points.clear();
        labels.clear();
        let around = self.course.surroundings(index, self.config.range_max_m);
        // Streams below 2^32 belong to the course.
        let dice = Dice::new(self.seed, index.wrapping_add(1 << 32));
        let mut crossings = Vec::new();
        let mut number = 0;
        for &direction in &self.directions {
            cast::cross_footprints(&around, direction, &mut crossings);
            for &beam in &self.beams {
                let ray = Ray { direction, beam, number };
                number += 1;
                let Some((plan_m, label)) = cast::first_hit(&crossings, beam.slope) else {
                    continue;
                };
                if let Some(point) = self.measure(ray, plan_m, label, dice) {
                    points.push(point);
                    labels.push(label);
                }
            }
        }
        assert_eq!(points.len(), labels.len(), "every point has a label");
    }

    /// The exact obstacle map around the ego vehicle at scan `index`, seen or hidden: cell
    /// `ix * size + iy` is 1 if an obstacle stands in it, else 0.
    ///
    /// As in the bird's-eye map of points, `ix = floor(x / resolution_m + size / 2)`, and `iy`
    /// likewise from y.
    ///
    /// # Panics
    /// `size` is not within 1 to 8192, or `resolution_m` is not within 0.001 to 100.
    #[must_use]
    pub fn obstacle_map(&self, index: u64, size: usize, resolution_m: f64) -> Vec<f32> {
        assert!((1..=8192).contains(&size), "a map has 1 to 8192 cells a side, not {size}");
        assert!(
            (0.001..=100.0).contains(&resolution_m),
            "a cell measures 0.001 to 100 m, not {resolution_m}"
        );
        // Half the diagonal of the map, rounded up.
        let reach_m = 0.75 * size as f64 * resolution_m;
        footprint::draw(&self.course.surroundings(index, reach_m), size, resolution_m)
    }

    /// The point that a return at `plan_m` along the ground gives, unless it is lost.
    fn measure(&self, ray: Ray, plan_m: f64, label: Label, dice: Dice) -> Option<[f32; 4]> {
        let noise_m = self.config.noise_m * dice.bell(2 * ray.number);
        let range_m = plan_m * ray.beam.stretch + noise_m;
        let plan_m = range_m / ray.beam.stretch;
        let [x, y] = ray.direction.map(|part| part * plan_m);
        let z = SENSOR_M + plan_m * ray.beam.slope;
        // Noise must not carry a point across the zero plane, which tells ground from obstacles.
        let true_side = if label == Label::Ground { z < 0.0 } else { z > 0.0 };
        let within = (RANGE_MIN_M..=self.config.range_max_m).contains(&range_m);
        let fading = 1.0 / (1.0 + (range_m / 60.0) * (range_m / 60.0));
        let speckle = 1.0 + 0.05 * dice.signed(2 * ray.number + 1);
        let intensity = label.reflectivity() * fading * speckle;
        (true_side && within).then_some([x, y, z, intensity].map(|part| part as f32))
    }
}

#[cfg(test)]
mod tests;
