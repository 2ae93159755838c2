//! What a job shows: pictures and tables.

pub mod picture; // maps and point clouds as PNG
