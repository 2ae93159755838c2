//! Examples from the synthetic track, as PPN is trained: the last maps that the sensor saw, and the
//! obstacles that stand around it now and a little later.
//!
//! A map is the bird's-eye view of one scan, by the very operator of the model. The obstacle maps
//! are exact, seen or hidden, in the frame of the ego vehicle at their own time. All maps are made
//! once and kept as bits: 2 times 8 kB a scan of 256 x 256 cells.

use synfire_ops::perception::points_to_bev::{BevMode, points_to_bev};
use synfire_runtime::crew::Crew;
use synfire_runtime::operator::FireError;
use synfire_runtime::solo::Solo;
use synfire_runtime::spec::{Dimension, Element, Spec};
use synfire_runtime::value::Value;
use thiserror::Error;

use super::super::dataset::{Examples, Target};
use super::{Track, TrackConfig, TrackError};

/// Which examples.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackExamplesConfig {
    /// The sensor and the kind of course.
    pub track: TrackConfig,
    /// The courses; each gives `scans` examples.
    pub seeds: Vec<u64>,
    /// The scan of each course with which its first example begins.
    pub first: u64,
    /// How many examples each course gives, one for each scan.
    pub scans: usize,
    /// Maps of an example, oldest first.
    pub maps: usize,
    /// Scans from now to the later of the two targets: 2 are 0.2 s at 10 Hz.
    pub ahead: usize,
    /// Cells along each side of a map.
    pub size: usize,
    /// Metres of a cell.
    pub resolution_m: f32,
}

/// Why there are no examples.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TrackExamplesError {
    /// Of the track.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// Of the map that is made from a scan.
    #[error("track: maps of scans: {0}")]
    Map(#[from] FireError),
}

/// Examples over several courses: `x` is `[maps, size, size]`, the target `[2, size, size]`, now
/// and later.
pub struct TrackExamples {
    config: TrackExamplesConfig,
    extents: [usize; 3],
    target: Target,
    /// Of each course: what was seen in each of its scans.
    seen: Vec<Vec<Bits>>,
    /// Of each course: what stands around each scan from the first that is a target on.
    standing: Vec<Vec<Bits>>,
}

/// Truth values of the cells of a map.
type Bits = Box<[u64]>;

impl TrackExamples {
    /// Takes all scans, one after the other.
    ///
    /// # Errors
    /// When a field is out of its limits.
    pub fn new(config: &TrackExamplesConfig) -> Result<Self, TrackExamplesError> {
        let resolution_m = f64::from(config.resolution_m);
        for (field, found, least, most) in [
            ("maps", config.maps as f64, 1.0, 1024.0),
            ("scans", config.scans as f64, 1.0, 1e6),
            ("ahead", config.ahead as f64, 0.0, 1024.0),
            ("size", config.size as f64, 1.0, 8192.0),
            ("resolution_m", resolution_m, 0.001, 100.0),
            ("seeds", config.seeds.len() as f64, 1.0, 1024.0),
        ] {
            if !(least..=most).contains(&found) {
                return Err(TrackError { field, found, least, most }.into());
            }
        }
        let (mut seen, mut standing) = (Vec::new(), Vec::new());
        for &seed in &config.seeds {
            let track = Track::new(&config.track, seed)?;
            seen.push(views(&track, config)?);
            let now = config.first + config.maps as u64 - 1;
            let targets = now..now + (config.scans + config.ahead) as u64;
            let map = |scan| packed(&track.obstacle_map(scan, config.size, resolution_m));
            standing.push(targets.map(map).collect());
        }
        let size = config.size;
        Ok(Self {
            config: config.clone(),
            extents: [config.maps, size, size],
            target: Target::Numbers(vec![2, size, size]),
            seen,
            standing,
        })
    }

    /// The course and the scan that is now of an example.
    ///
    /// # Panics
    /// When `index` is not below the count.
    #[must_use]
    pub fn scan(&self, index: usize) -> (u64, u64) {
        let (course, scan) = self.place(index);
        (self.config.seeds[course], self.config.first + (self.config.maps - 1 + scan) as u64)
    }

    fn place(&self, index: usize) -> (usize, usize) {
        (index / self.config.scans, index % self.config.scans)
    }
}

/// What is seen in each scan that an example needs.
fn views(track: &Track, config: &TrackExamplesConfig) -> Result<Vec<Bits>, FireError> {
    let points_max = config.track.beams * config.track.azimuth_steps;
    let points = [Dimension::UpTo(points_max), Dimension::Fixed(4)];
    let view = points_to_bev(config.size, config.resolution_m, BevMode::Plain);
    let mut solo = Solo::new(&view, &[Spec::new(Element::F32, points)], &[])?;
    let (mut cloud, mut labels) = (Vec::new(), Vec::new());
    let scans = config.first..config.first + (config.scans + config.maps - 1) as u64;
    let see = |scan| {
        track.scan(scan, &mut cloud, &mut labels);
        let cloud = Value::new(&[cloud.len(), 4], cloud.as_flattened());
        let mut maps = solo.fire(&[Some(cloud)], &Crew::solo())?;
        let map = maps.swap_remove(0).ok_or_else(|| FireError::failed("a map is null"))?;
        Ok(packed(&map.elements::<f32>()))
    };
    scans.map(see).collect()
}

fn packed(cells: &[f32]) -> Bits {
    let word = |cells: &[f32]| {
        let bits = cells.iter().enumerate();
        bits.fold(0, |word, (at, &cell)| word | u64::from(cell > 0.0) << at)
    };
    cells.chunks(64).map(word).collect()
}

fn unpack(bits: &Bits, cells: &mut [f32]) {
    for (cells, word) in cells.chunks_mut(64).zip(bits) {
        let own = cells.iter_mut().enumerate();
        own.for_each(|(at, cell)| *cell = f32::from((word >> at & 1) as u8));
    }
}

/// The configuration, of which all else is a function.
impl std::fmt::Debug for TrackExamples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TrackExamples").field(&self.config).finish()
    }
}

impl Examples for TrackExamples {
    fn count(&self) -> usize {
        self.config.seeds.len() * self.config.scans
    }

    fn extents(&self) -> &[usize] {
        &self.extents
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn read(&self, index: usize, x: &mut [f32]) {
        let (course, scan) = self.place(index);
        let maps = &self.seen[course][scan..scan + self.config.maps];
        let cells = self.config.size * self.config.size;
        maps.iter().zip(x.chunks_exact_mut(cells)).for_each(|(map, x)| unpack(map, x));
    }

    fn answer(&self, index: usize, y: &mut [f32]) {
        let (course, scan) = self.place(index);
        let (now, later) = y.split_at_mut(y.len() / 2);
        unpack(&self.standing[course][scan], now);
        unpack(&self.standing[course][scan + self.config.ahead], later);
    }
}

#[cfg(test)]
mod tests {
    use synfire_runtime::solo::fire_once;

    use super::*;

    fn config() -> TrackExamplesConfig {
        TrackExamplesConfig {
            track: TrackConfig { azimuth_steps: 200, ..TrackConfig::sixteen() },
            seeds: vec![3, 8],
            first: 40,
            scans: 5,
            maps: 4,
            ahead: 2,
            size: 50,
            resolution_m: 0.8,
        }
    }

    #[test]
    fn examples_are_the_models_own_maps_and_the_exact_obstacles() {
        let config = config();
        let examples = TrackExamples::new(&config).expect("it is within its limits");
        assert_eq!((examples.count(), examples.extents()), (10, &[4, 50, 50][..]));
        for index in [0, 4, 7] {
            let (seed, now) = examples.scan(index);
            assert_eq!((seed, now), (config.seeds[index / 5], 43 + index as u64 % 5));
            let track = Track::new(&config.track, seed).expect("it is within its limits");
            let (mut points, mut labels) = (Vec::new(), Vec::new());
            let mut x = vec![9.0; 4 * 2500];
            examples.read(index, &mut x);
            for (x, scan) in x.chunks_exact(2500).zip(now - 3..) {
                track.scan(scan, &mut points, &mut labels);
                let cloud = Value::new(&[points.len(), 4], points.as_flattened());
                let view = points_to_bev(50, 0.8, BevMode::Plain);
                let map = fire_once(&view, &[cloud]).expect("it fires");
                assert_eq!(x, map[0].elements::<f32>());
                assert!(x.contains(&1.0));
            }
            let mut y = vec![9.0; 2 * 2500];
            examples.answer(index, &mut y);
            let resolution_m = f64::from(config.resolution_m);
            for (y, scan) in y.chunks_exact(2500).zip([now, now + 2]) {
                assert_eq!(y, track.obstacle_map(scan, 50, resolution_m));
            }
        }
    }

    #[test]
    fn a_field_out_of_its_limits_is_refused_by_name() {
        let refused = |config| TrackExamples::new(&config).expect_err("it is wrong").to_string();
        let text = refused(TrackExamplesConfig { maps: 0, ..config() });
        assert_eq!(text, "track: maps is 0; it must lie within 1 and 1024");
        let track = TrackConfig { beams: 0, ..TrackConfig::sixteen() };
        let text = refused(TrackExamplesConfig { track, ..config() });
        assert_eq!(text, "track: beams is 0; it must lie within 1 and 128");
    }
}
