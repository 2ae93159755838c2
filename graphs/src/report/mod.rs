//! What a job shows: pictures and tables.

pub mod curves; // what a training measured, as one page
pub mod picture; // maps and point clouds as PNG
