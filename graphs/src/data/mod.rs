//! Where examples come from.

pub mod track; // a synthetic race track seen by a LiDAR
