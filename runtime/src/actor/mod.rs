//! The data plane: registers, rings, bells and the lanes that fire actors.

pub(crate) mod register; // planned memory
pub(crate) mod ring; // tokens and credits between volleys
pub(crate) mod bell; // waking without a lost wake-up
pub(crate) mod body; // an actor's kernel, ports and states
pub(crate) mod cell; // what is kept between iterations
pub(crate) mod volley; // actors that fire as one line
pub(crate) mod lane; // firing, volley by volley
