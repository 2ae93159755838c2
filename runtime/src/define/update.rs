//! Parameters that change: training is a graph whose weights are feedback edges.

use super::{Draft, DraftNode, Kind, Wire};
use crate::fault::{Code, Fault, Line, Stage};

impl Draft {
    /// Gives a parameter another value in each iteration: it becomes a feedback edge whose first
    /// token is its initial value and whose next is `next`. Everybody who reads it, also from
    /// before this call, reads the value before the update. An operator that may work in place, and
    /// comes after all other readers, writes the parameter's own register.
    #[track_caller]
    pub fn update(&mut self, parameter: Wire, next: Wire) {
        self.update_after(parameter, next, 1);
    }

    /// [`Draft::update`] by `next` of `steps` iterations ago: the first `steps` iterations read the
    /// initial value. A pipeline of `steps` iterations in flight trains with such delayed updates.
    #[track_caller]
    pub fn update_after(&mut self, parameter: Wire, next: Wire, steps: usize) {
        if parameter.draft != self.id || next.draft != self.id {
            return self.foreign(self.path("update"));
        }
        let path = self.nodes[parameter.node as usize].path.clone();
        self.absent(&path, next);
        let found = self.known(next);
        let node = &mut self.nodes[parameter.node as usize];
        let fault = Fault::new(Stage::Define, Code::Feedback, path).line(Line::here());
        let Kind::Parameter(initial) = &node.kind else {
            let fault = fault.found("an update of what is no parameter, or of one twice");
            let fault = fault.wanted("a parameter, once").line(node.line);
            return self.faults.push(fault.hint("update what `Draft::parameter` gave"));
        };
        if found.first().is_some_and(|found| *found != node.outputs[0]) || steps == 0 {
            let fault = fault.found(format!("{} after {steps} steps", found[0]));
            let fault = fault.wanted(format!("{} after at least one", node.outputs[0]));
            let fault = fault.line(node.line);
            return self.faults.push(fault.hint("the next value has the parameter's spec"));
        }
        node.kind = Kind::Delay { steps, initial: initial.clone(), is_parameter: true };
        node.inputs = vec![next];
    }

    /// Path and wire of every parameter that is not updated yet, in the order of definition.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, Wire)> {
        let is_parameter =
            |(_, node): &(usize, &DraftNode)| matches!(node.kind, Kind::Parameter(_));
        let nodes = self.nodes.iter().enumerate().filter(is_parameter);
        nodes.map(|(index, node)| (node.path.clone(), self.outlet_of(index, 0))).collect()
    }
}
