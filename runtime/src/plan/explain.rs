//! Plans for people: a text table, a DOT graph and a Mermaid flowchart.

use std::fmt::Write;

use super::{Actor, Plan, PlanData, Register, Storage};

impl Plan {
    /// The plan as a text table: lanes, volleys and steps, links with their credits, copies,
    /// memory, and the cycle that sets the period. The same plan gives the same text.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string cannot fail");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let data = &self.data;
        for (index, lane) in data.lanes.iter().enumerate() {
            let device = &data.devices[lane.device as usize];
            writeln!(
                text,
                "lane {index} on {device}: {} volley(s), arena {} (live bytes need {}), scratch {}",
                lane.volleys.len(),
                bytes(lane.arena_bytes),
                bytes(lane.arena_bound_bytes),
                bytes(lane.scratch_bytes)
            )?;
            for &volley in &lane.volleys {
                writeln!(text, "  volley {volley}")?;
                for step in &data.volleys[volley as usize].steps {
                    self.write_step(text, &data.actors[step.actor as usize], step.times)?;
                }
            }
        }
        if !data.links.is_empty() {
            writeln!(text, "links")?;
        }
        for link in &data.links {
            let register = &data.registers[link.register as usize];
            writeln!(
                text,
                "  {:<44} {:>3} slots of {:>10}, {} initial  {} -> {} ({} -> {})",
                register.name,
                register.slots,
                bytes(register.spec.bytes() as u64),
                link.delay,
                data.place(link.from),
                data.place(link.to),
                data.actors[link.from as usize].path,
                data.actors[link.to as usize].path,
            )?;
        }
        for copy in self.placed.copies() {
            let size = bytes(copy.bytes as u64);
            writeln!(text, "copy {} of {size}: {} -> {}", copy.stream, copy.from, copy.to)?;
        }
        for row in self.memory() {
            writeln!(
                text,
                "memory {}: {} = arenas {} + registers {} + parameters {} + \
                 kept by kernels {} + scratch {} + tables {}",
                row.memory,
                bytes(row.total_bytes()),
                bytes(row.arena_bytes),
                bytes(row.register_bytes),
                bytes(row.parameter_bytes),
                bytes(row.kept_bytes),
                bytes(row.scratch_bytes),
                bytes(row.control_bytes)
            )?;
        }
        writeln!(text, "expected period {:.3} ms, set by", data.period.seconds * 1e3)?;
        for arc in &data.period.cycle {
            writeln!(text, "  {arc}")?;
        }
        writeln!(text, "every cycle of the extended graph carries a token: no deadlock")
    }

    fn write_step(&self, text: &mut String, actor: &Actor, times: u32) -> std::fmt::Result {
        let data = &self.data;
        let mut names = actor.operator.clone();
        let path = super::rematerialise::original(&actor.path);
        if let Some(absorbed) = data.absorbed.iter().find(|absorbed| absorbed.into == path) {
            write!(names, " for {}", absorbed.operators.join(" + "))?;
        }
        for &stage in &actor.stages {
            write!(names, " + {}", data.actors[stage as usize].operator)?;
        }
        let repeats = if times > 1 { format!(" x {times}") } else { String::new() };
        let outputs: Vec<String> = actor
            .outputs
            .iter()
            .map(|&register| describe(&data.registers[register as usize]))
            .collect();
        writeln!(
            text,
            "    {:<44} {names}{repeats} -> {}  {:.1} us",
            actor.path,
            outputs.join(", "),
            actor.seconds * 1e6
        )
    }

    /// The plan as a DOT graph: lanes are clusters, edges carry credits.
    #[must_use]
    pub fn dot(&self) -> String {
        let data = &self.data;
        let mut text = String::from("digraph plan {\n  rankdir=LR; node [shape=box];\n");
        for (index, lane) in data.lanes.iter().enumerate() {
            let device = quoted(&data.devices[lane.device as usize]);
            let _ = writeln!(text, "  subgraph cluster_{index} {{ label={device};");
            for (actor, row) in data.fired().filter(|(_, row)| row.lane == Some(index as u32)) {
                let label = quoted(&format!("{}\\n{}", row.path, row.operator));
                let _ = writeln!(text, "    n{actor} [label={label}];");
            }
            text.push_str("  }\n");
        }
        for (actor, row) in data.ends() {
            let _ = writeln!(text, "  n{actor} [label={}, shape=ellipse];", quoted(&row.path));
        }
        data.edges(|from, to, label| {
            let _ = writeln!(text, "  n{from} -> n{to} [label={}];", quoted(&label));
        });
        text.push_str("}\n");
        text
    }

    /// The plan as a Mermaid flowchart.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let data = &self.data;
        let mut text = String::from("flowchart LR\n");
        for (index, lane) in data.lanes.iter().enumerate() {
            let device = &data.devices[lane.device as usize];
            let _ = writeln!(text, "  subgraph lane{index} [\"{device}\"]");
            for (actor, row) in data.fired().filter(|(_, row)| row.lane == Some(index as u32)) {
                let _ = writeln!(text, "    n{actor}[\"{}<br/>{}\"]", row.path, row.operator);
            }
            text.push_str("  end\n");
        }
        for (actor, row) in data.ends() {
            let _ = writeln!(text, "  n{actor}([\"{}\"])", row.path);
        }
        data.edges(|from, to, label| {
            let _ = writeln!(text, "  n{from} -->|\"{label}\"| n{to}");
        });
        text
    }
}

impl PlanData {
    /// Device name of an actor, or `host` for feeds and outlets.
    pub(crate) fn place(&self, actor: u32) -> &str {
        let lane = self.actors[actor as usize].lane.map(|lane| &self.lanes[lane as usize]);
        lane.map_or("host", |lane| &self.devices[lane.device as usize])
    }

    fn fired(&self) -> impl Iterator<Item = (usize, &Actor)> {
        self.actors.iter().enumerate().filter(|(_, actor)| actor.lane.is_some())
    }

    /// Feeds and outlets.
    fn ends(&self) -> impl Iterator<Item = (usize, &Actor)> {
        let ends = self.actors.iter().enumerate();
        ends.filter(|(_, actor)| actor.lane.is_none() && actor.times > 0)
    }

    /// Calls `edge(from, to, label)` for every stream; parameters are left out.
    fn edges(&self, mut edge: impl FnMut(usize, usize, String)) {
        let writer = |register: u32| {
            let writes = |actor: &Actor| actor.outputs.contains(&register);
            // A fused stage and its producer share a register: the stage is the node's own writer.
            self.actors.iter().rposition(writes)
        };
        for (to, actor) in self.actors.iter().enumerate() {
            for inlet in &actor.inputs {
                let register = &self.registers[inlet.register as usize];
                if register.tokens == 0 {
                    continue;
                }
                let Some(from) = writer(inlet.register).or_else(|| self.fused_source(to)) else {
                    continue;
                };
                let mut label = register.spec.to_string();
                if inlet.link.is_some() {
                    let _ = write!(label, ", {} slots", register.slots);
                }
                if inlet.delay > 0 {
                    let _ = write!(label, ", {} initial", inlet.delay);
                }
                if register.storage == Storage::Nowhere {
                    label.push_str(", fused");
                }
                edge(from, to, label);
            }
        }
    }

    /// The actor before a fused stage in its chain.
    fn fused_source(&self, stage: usize) -> Option<usize> {
        let producer = self.actors[stage].fused_into? as usize;
        let stages = &self.actors[producer].stages;
        let place = stages.iter().position(|&own| own as usize == stage)?;
        Some(place.checked_sub(1).map_or(producer, |before| stages[before] as usize))
    }
}

fn describe(register: &Register) -> String {
    let place = match register.storage {
        Storage::Arena { offset, .. } => format!("arena+{offset}"),
        Storage::Own => format!("{} own slot(s)", register.slots),
        Storage::Nowhere => "fused away".to_owned(),
    };
    format!("{} at {place}", register.spec)
}

/// Bytes in the largest binary unit that keeps the number at 1 or more.
fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.2} {}", units[unit]) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "'"))
}
