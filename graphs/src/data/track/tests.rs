//! What a scan promises: determinism, true labels, limits, a closed track, agreement of scans.

use super::*;

fn track(config: &TrackConfig) -> Track {
    Track::new(config, 7).expect("the configuration is within its limits")
}

fn scan(track: &Track, index: u64) -> (Vec<[f32; 4]>, Vec<Label>) {
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    track.scan(index, &mut points, &mut labels);
    (points, labels)
}

fn noiseless() -> TrackConfig {
    TrackConfig { noise_m: 0.0, ..TrackConfig::sixteen() }
}

/// FNV-1a over the bits of all points and labels.
fn hash(points: &[[f32; 4]], labels: &[Label]) -> u64 {
    let bits = points.iter().flatten().flat_map(|value| value.to_bits().to_le_bytes());
    let bytes = bits.chain(labels.iter().map(|&label| label as u8));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether `cells` marks the cell of (x, y), with a tenth of a millimetre to spare for rounding.
fn is_marked(cells: &[f32], size: usize, resolution_m: f64, [x, y]: [f64; 2]) -> bool {
    let cell = |place: f64| (place / resolution_m + size as f64 / 2.0).floor() as usize;
    [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
        .iter()
        .any(|[ahead, left]| cells[cell(x + 1e-4 * ahead) * size + cell(y + 1e-4 * left)] == 1.0)
}

#[test]
fn a_scan_is_the_same_on_every_machine() {
    let sixteen = track(&TrackConfig::sixteen());
    let hashes = [0, 1234, 1 << 40].map(|index| {
        let (points, labels) = scan(&sixteen, index);
        hash(&points, &labels)
    });
    assert_eq!(
        hashes,
        [12_574_725_538_921_067_301, 2_921_555_853_907_858_778, 8_965_614_908_705_783_159]
    );
    let (points, labels) = scan(&track(&TrackConfig::thirty_two()), 5);
    assert_eq!(hash(&points, &labels), 17_191_187_043_376_974_464);
}

#[test]
fn a_scan_does_not_depend_on_the_scans_before_it() {
    let track = track(&TrackConfig::sixteen());
    let forward = [3, 4, 900].map(|index| scan(&track, index));
    let backward = [900, 4, 3].map(|index| scan(&track, index));
    assert!(forward.iter().eq(backward.iter().rev()));
    let other = Track::new(&TrackConfig::sixteen(), 8).expect("the limits do not depend on seeds");
    assert_ne!(forward[0], scan(&other, 3));
}

#[test]
fn points_are_finite_in_range_and_on_the_side_of_their_label() {
    for config in [TrackConfig::sixteen(), TrackConfig::thirty_two()] {
        let track = track(&config);
        for index in [0, 31, 999] {
            let (points, labels) = scan(&track, index);
            let rays = config.beams * config.azimuth_steps;
            assert!(points.len() > rays / 2 && points.len() <= rays, "{} points", points.len());
            for (point, &label) in points.iter().zip(&labels) {
                assert!(point.iter().all(|value| value.is_finite()), "{point:?}");
                let [x, y, z, intensity] = point.map(f64::from);
                let range_m = (x * x + y * y + (z - SENSOR_M) * (z - SENSOR_M)).sqrt();
                assert!(range_m >= RANGE_MIN_M - 1e-4, "{range_m} m is too near");
                assert!(range_m <= config.range_max_m + 1e-4, "{range_m} m is too far");
                assert!((0.0..=1.0).contains(&intensity));
                let noise_m = 3.5 * config.noise_m;
                if label == Label::Ground {
                    assert!(z < 0.0 && (z - GROUND_M).abs() <= noise_m * 0.5);
                } else {
                    assert!(z > 0.0 && z <= 1.0 + noise_m, "{label:?} at z = {z}");
                }
            }
        }
    }
}

#[test]
fn every_label_is_seen() {
    let track = track(&TrackConfig::sixteen());
    for label in Label::ALL {
        let seen = (0..3).any(|index| scan(&track, 40 * index).1.contains(&label));
        assert!(seen, "no {}", label.name());
    }
}

#[test]
fn obstacles_are_seen_exactly_where_the_map_has_them() {
    let (size, resolution_m) = (1100, 0.2);
    let track = track(&noiseless());
    for index in [77, 1500] {
        let cells = track.obstacle_map(index, size, resolution_m);
        let (points, labels) = scan(&track, index);
        for ([x, y, z, _], label) in points.iter().map(|point| point.map(f64::from)).zip(labels) {
            if label == Label::Ground {
                assert!((z - GROUND_M).abs() < 1e-6);
            } else {
                let marked = is_marked(&cells, size, resolution_m, [x, y]);
                assert!(marked, "a {} point at ({x}, {y}) stands on nothing", label.name());
            }
        }
    }
}

#[test]
fn noise_moves_a_point_along_its_ray_only() {
    let noisy = track(&TrackConfig::sixteen());
    let (points, labels) = scan(&noisy, 11);
    for [x, y, z, _] in points.iter().map(|point| point.map(f64::from)) {
        let plan_m = exact::length([x, y]);
        let slope = (z - SENSOR_M) / plan_m;
        let aside_m = |direction: &[f64; 2]| exact::cross(*direction, [x, y]).abs();
        assert!(noisy.beams.iter().any(|beam| (beam.slope - slope).abs() < 1e-6));
        assert!(noisy.directions.iter().any(|direction| aside_m(direction) < 1e-4));
    }
    let quiet_count = scan(&track(&noiseless()), 11).1.len();
    let difference = quiet_count.abs_diff(labels.len());
    assert!(difference < quiet_count / 100, "{difference} points came or went");
}

#[test]
fn nothing_escapes_from_the_track_horizontally() {
    let level = TrackConfig {
        beams: 1,
        azimuth_steps: 1800,
        elevations_deg: [0.0, 0.0],
        range_max_m: 1000.0,
        ..noiseless()
    };
    let track = track(&level);
    for index in (0..600).step_by(67) {
        let (points, labels) = scan(&track, index);
        assert_eq!(points.len(), 1800, "the track is open at scan {index}");
        assert!(labels.iter().all(|&label| label == Label::Wall), "only walls reach the sensor");
    }
}

#[test]
fn neighbouring_scans_see_the_same_walls() {
    let (size, resolution_m) = (1100, 0.2);
    let track = track(&noiseless());
    let cells = track.obstacle_map(20, size, resolution_m);
    let (here, there) = (track.pose(20), track.pose(21));
    let step_m = exact::length(here.localise(there.position_m));
    assert!((step_m - 2.0).abs() < 1e-3, "the ego vehicle moved {step_m} m");
    let (points, labels) = scan(&track, 21);
    for ([x, y, ..], label) in points.iter().map(|point| point.map(f64::from)).zip(labels) {
        if matches!(label, Label::Wall | Label::Cone) {
            let place = here.localise(there.globalise([x, y]));
            assert!(is_marked(&cells, size, resolution_m, place), "{label:?} at {place:?} moved");
        }
    }
}

#[test]
fn a_lap_later_the_walls_are_where_they_were() {
    let config = TrackConfig { car_count: 0, ..noiseless() };
    let lap_m = track(&config).lap_m();
    let track = track(&TrackConfig { ego_step_m: lap_m / 100.0, ..config });
    let maps = [3, 103].map(|index| track.obstacle_map(index, 232, 0.4));
    let differing = maps[0].iter().zip(&maps[1]).filter(|(left, right)| left != right).count();
    assert!(differing <= 4, "{differing} cells differ after a lap");
    assert!(maps[0].contains(&1.0));
}

#[test]
fn a_value_out_of_its_limits_is_rejected_by_name() {
    let sixteen = TrackConfig::sixteen;
    for (config, expect) in [
        (TrackConfig { beams: 0, ..sixteen() }, "track: beams is 0; it must lie within 1 and 128"),
        (
            TrackConfig { noise_m: f64::NAN, ..sixteen() },
            "track: noise_m is NaN; it must lie within 0 and 0.05",
        ),
        (
            TrackConfig { elevations_deg: [5.0, -5.0], ..sixteen() },
            "track: elevations_deg[1] is -5; it must lie within 5 and 60",
        ),
        (
            TrackConfig { car_count: 41, ..sixteen() },
            "track: car_count is 41; it must lie within 0 and 40",
        ),
    ] {
        let error = Track::new(&config, 0).expect_err(expect);
        assert_eq!(error.to_string(), expect);
    }
}
