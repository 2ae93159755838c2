//! Models: each file is a configuration, a definition and a tiny instance.

pub mod perception {
    //! Seeing the surroundings.

    pub mod ppn; // parallel perception network
}
