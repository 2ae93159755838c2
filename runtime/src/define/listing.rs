//! What a draft holds so far: for whoever builds on what others built, such as a training.

use super::{Draft, Wire};

impl Draft {
    /// The device that a wire's node was built for, if for one.
    #[must_use]
    pub fn device(&self, wire: Wire) -> Option<&str> {
        let node = (wire.draft == self.id).then(|| &self.nodes[wire.node as usize])?;
        node.device.as_deref()
    }
}
