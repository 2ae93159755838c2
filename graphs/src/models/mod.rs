//! Models: each file is a configuration, a definition and a tiny instance.

pub mod vision {
    //! Telling images apart.

    pub mod mlp; // fully connected layers
    pub mod cnn; // two convolutions
    pub mod resnet; // residual blocks
    pub mod simplenet; // thirteen plain convolutions
}

pub mod perception {
    //! Seeing the surroundings.

    pub mod ppn; // parallel perception network
}
