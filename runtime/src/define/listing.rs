//! What a draft holds so far: for whoever builds on what others built, such as a training.

use super::{Draft, Kind, Wire};
use crate::spec::Spec;

impl Draft {
    /// Path, wire and spec of every parameter that nothing updates, in the order of definition.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, Wire, &Spec)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| matches!(node.kind, Kind::Parameter(_))).filter_map(
            |(index, node)| {
                let wire = Wire { draft: self.id, node: index as u32, port: 0 };
                node.outputs.first().map(|spec| (node.path.as_str(), wire, spec))
            },
        )
    }

    /// The device that a wire's node was built for, if for one.
    #[must_use]
    pub fn device(&self, wire: Wire) -> Option<&str> {
        let node = (wire.draft == self.id).then(|| &self.nodes[wire.node as usize])?;
        node.device.as_deref()
    }

    /// Whether no fault has been noted so far.
    #[must_use]
    pub fn is_faultless(&self) -> bool {
        self.faults.is_empty()
    }
}
