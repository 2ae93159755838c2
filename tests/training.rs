//! Training as one graph: data as sources.

mod data; // batches through launched plans
