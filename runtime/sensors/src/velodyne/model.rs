//! The Velodyne models: which laser looks where, and when it fires.
//!
//! Sources, by table: VLP-16 User Manual 63-9243 (vertical angles and corrections; 55.296 us per
//! firing sequence, 2.304 us per laser), VLP-32C User Manual 63-9325 (tables 9-2 and 9-6; lasers
//! fire in pairs), HDL-32E User's Manual 63-9113 (46.08 us per sequence, 1.152 us per laser).
//! The factory byte of a packet selects the model.

/// Channels of a block, and so the firings that one block holds.
pub(crate) const CHANNEL_COUNT: usize = 32;

/// The published numbers of a model.
pub(crate) struct Model {
    /// The last factory byte of its packets.
    pub(crate) product_id: u8,
    /// Metres per unit of distance.
    pub(crate) distance_unit_m: f64,
    /// From the first firing of a block to the first of the next, single return.
    pub(crate) block_us: f64,
    /// Firing sequences of one block: the VLP-16 fits its 16 lasers twice.
    sequences_per_block: usize,
    /// From one laser to the next, and how many fire at once.
    step_us: f64,
    lasers_at_once: usize,
    elevation_deg: &'static [f64],
    azimuth_offset_deg: Option<&'static [f64]>,
    height_mm: Option<&'static [f64]>,
}

/// One channel of a block, ready for use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beam {
    pub(crate) elevation_sin: f64,
    pub(crate) elevation_cos: f64,
    /// Added to the azimuth of the block.
    pub(crate) azimuth_offset_deg: f64,
    /// Where the laser sits above or below the origin.
    pub(crate) height_m: f64,
    /// How much of the block has passed when the laser fires, 0..1.
    pub(crate) block_share: f64,
}

impl Model {
    /// The beams in the order of the channels of a block.
    pub(crate) fn beams(&self) -> [Beam; CHANNEL_COUNT] {
        let lasers = CHANNEL_COUNT / self.sequences_per_block;
        let sequence_us = self.block_us / self.sequences_per_block as f64;
        std::array::from_fn(|channel| {
            let (sequence, laser) = (channel / lasers, channel % lasers);
            let fired_us =
                sequence as f64 * sequence_us + (laser / self.lasers_at_once) as f64 * self.step_us;
            let elevation = self.elevation_deg[laser].to_radians();
            Beam {
                elevation_sin: elevation.sin(),
                elevation_cos: elevation.cos(),
                azimuth_offset_deg: self.azimuth_offset_deg.map_or(0.0, |table| table[laser]),
                height_m: self.height_mm.map_or(0.0, |table| table[laser] / 1000.0),
                block_share: fired_us / self.block_us,
            }
        })
    }
}

/// Every model that can be decoded.
pub(crate) static MODELS: [Model; 3] = [HDL_32E, VLP_16, VLP_32C];

const HDL_32E: Model = Model {
    product_id: 0x21,
    distance_unit_m: 0.002,
    block_us: 46.08,
    sequences_per_block: 1,
    step_us: 1.152,
    lasers_at_once: 1,
    elevation_deg: &[
        -30.67, -9.33, -29.33, -8.00, -28.00, -6.67, -26.67, -5.33, -25.33, -4.00, -24.00, -2.67,
        -22.67, -1.33, -21.33, 0.00, -20.00, 1.33, -18.67, 2.67, -17.33, 4.00, -16.00, 5.33,
        -14.67, 6.67, -13.33, 8.00, -12.00, 9.33, -10.67, 10.67,
    ],
    azimuth_offset_deg: None,
    height_mm: None,
};

/// Also the Puck LITE, which shares angles and factory byte.
const VLP_16: Model = Model {
    product_id: 0x22,
    distance_unit_m: 0.002,
    block_us: 110.592,
    sequences_per_block: 2,
    step_us: 2.304,
    lasers_at_once: 1,
    elevation_deg: &[
        -15.0, 1.0, -13.0, 3.0, -11.0, 5.0, -9.0, 7.0, -7.0, 9.0, -5.0, 11.0, -3.0, 13.0, -1.0,
        15.0,
    ],
    azimuth_offset_deg: None,
    height_mm: Some(&[
        11.2, -0.7, 9.7, -2.2, 8.1, -3.7, 6.6, -5.1, 5.1, -6.6, 3.7, -8.1, 2.2, -9.7, 0.7, -11.2,
    ]),
};

const VLP_32C: Model = Model {
    product_id: 0x28,
    distance_unit_m: 0.004,
    block_us: 55.296,
    sequences_per_block: 1,
    step_us: 2.304,
    lasers_at_once: 2,
    elevation_deg: &[
        -25.0, -1.0, -1.667, -15.639, -11.31, 0.0, -0.667, -8.843, -7.254, 0.333, -0.333, -6.148,
        -5.333, 1.333, 0.667, -4.0, -4.667, 1.667, 1.0, -3.667, -3.333, 3.333, 2.333, -2.667, -3.0,
        7.0, 4.667, -2.333, -2.0, 15.0, 10.333, -1.333,
    ],
    azimuth_offset_deg: Some(&[
        1.4, -4.2, 1.4, -1.4, 1.4, -1.4, 4.2, -1.4, 1.4, -4.2, 1.4, -1.4, 4.2, -1.4, 4.2, -1.4,
        1.4, -4.2, 1.4, -4.2, 4.2, -1.4, 1.4, -1.4, 1.4, -1.4, 1.4, -4.2, 4.2, -1.4, 1.4, -1.4,
    ]),
    height_mm: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_one_entry_per_laser() {
        for model in &MODELS {
            let lasers = CHANNEL_COUNT / model.sequences_per_block;
            assert_eq!(model.elevation_deg.len(), lasers);
            let tables = [model.azimuth_offset_deg, model.height_mm];
            assert!(tables.iter().flatten().all(|table| table.len() == lasers));
            assert!(model.beams().iter().all(|beam| (0.0..1.0).contains(&beam.block_share)));
        }
    }

    #[test]
    fn no_two_lasers_of_a_model_share_an_elevation() {
        for model in &MODELS {
            let mut angles = model.elevation_deg.to_vec();
            angles.sort_by(f64::total_cmp);
            assert!(angles.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
