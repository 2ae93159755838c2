//! The coverage page: what every operator has, asked of the operators themselves.
//!
//! A cell says what was found when the operator was asked, never what a list claims: kernels are
//! built, derivatives are held against central differences over the operator's own samples.

use std::any::Any;
use std::fmt::Write;

use synfire_runtime::device::{Accelerator, Buffer, Device, Target};
use synfire_runtime::operator::{KernelError, Operator, Specs};
use synfire_runtime::spec::{Element, Spec};

use crate::catalog::Entry;
use crate::laws::{self, Derivative};
use crate::sample::{Expect, Sample, Subject};

/// The page as Markdown. With a device, its kernels are built there.
#[must_use]
pub fn coverage(device: Option<&Device>) -> String {
    let tried = match device {
        None => "CubeCL".to_owned(),
        Some(Device::Cpu(_)) => "host again".to_owned(),
        Some(Device::Accelerator(accelerator)) => accelerator.to_string(),
    };
    let mut page = format!(
        "| operator | kind | host | {tried} | gradient | second order | f16 / bf16 |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for entry in crate::CATALOG {
        for (name, samples) in by_name(entry) {
            let row = Row { samples: &samples };
            let _ = writeln!(
                page,
                "| {name} | {} | {} | {} | {} | {} | {} |",
                entry.kind,
                row.host(),
                row.device(device),
                row.derivative(1),
                row.derivative(2),
                row.halves(),
            );
        }
    }
    page.push_str(LEGEND);
    page
}

const LEGEND: &str = "\n\
    host: `kernel`, or `composite` of other operators. A device: `built` there, `kernel` where it \
    has a CubeCL kernel that was not tried (the same source serves wgpu and CUDA), `composite`. \
    Derivatives: the number of central differences that agree with it; `differs` is a fault; \
    `smooth` where only kinks were sampled. `-`: none.\n";

/// The samples of a file by operator, in order.
fn by_name(entry: &Entry) -> Vec<(&'static str, Vec<Sample>)> {
    let mut rows: Vec<(&'static str, Vec<Sample>)> = Vec::new();
    for sample in (entry.samples)() {
        let name = sample.subject.name();
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, samples)) => samples.push(sample),
            None => rows.push((name, vec![sample])),
        }
    }
    rows
}

/// One operator.
struct Row<'a> {
    samples: &'a [Sample],
}

impl Row<'_> {
    /// Its valid instances that are primitives, with the specs of their ports.
    fn primitives(&self) -> impl Iterator<Item = (&dyn Operator, &[Spec])> {
        self.samples.iter().filter_map(|sample| match (&sample.subject, &sample.expect) {
            (_, Expect::Rejected { .. }) => None,
            (Subject::Operator(operator), _) => Some((&**operator, &sample.specs[..])),
            _ => None,
        })
    }

    fn is_composite(&self) -> bool {
        self.samples.iter().all(|sample| matches!(sample.subject, Subject::Composite(..)))
    }

    fn host(&self) -> &'static str {
        if self.is_composite() {
            return "composite";
        }
        let built = |(operator, specs)| kernel(operator, specs, Target::Host).is_ok_and(|k| k);
        if self.primitives().any(built) { "kernel" } else { "-" }
    }

    fn device(&self, device: Option<&Device>) -> String {
        if self.is_composite() {
            return "composite".into();
        }
        let probe = Probe;
        let target = device.map_or(Target::Accelerator(&probe), Device::target);
        let mut refused = None;
        for (operator, specs) in self.primitives() {
            match kernel(operator, specs, target) {
                Ok(true) => return "built".into(),
                Ok(false) => {}
                Err(reason) => refused = Some(reason),
            }
        }
        match (refused, device) {
            (None, _) => "-".into(),
            (Some(_), None) => "kernel".into(),
            (Some(reason), Some(_)) => reason,
        }
    }

    fn derivative(&self, order: u32) -> String {
        let mut agreed = None;
        for sample in self.samples {
            match laws::gradient(sample, order) {
                Ok(Derivative::Agrees(count)) => agreed = Some(agreed.unwrap_or(0) + count),
                Ok(Derivative::Absent(_)) => {}
                Err(_) => return "differs".into(),
            }
        }
        match agreed {
            None => "-".into(),
            Some(0) => "smooth".into(),
            Some(count) => count.to_string(),
        }
    }

    fn halves(&self) -> String {
        let takes = |element: Element| {
            self.primitives().any(|(operator, specs)| {
                let is_float = specs.iter().any(|spec| spec.element.is_float());
                let narrow = |spec: &Spec| match spec.element.is_float() {
                    true => spec.with_element(element),
                    false => spec.clone(),
                };
                let specs: Vec<Spec> = specs.iter().map(narrow).collect();
                is_float && kernel(operator, &specs, Target::Host).is_ok_and(|k| k)
            })
        };
        let word = |takes: bool, word: &'static str| if takes { word } else { "-" };
        let halves = (word(takes(Element::F16), "f16"), word(takes(Element::BF16), "bf16"));
        if halves == ("-", "-") { "-".into() } else { format!("{} / {}", halves.0, halves.1) }
    }
}

/// Whether an operator has a kernel for a target; the target's reason where it refuses it.
fn kernel(operator: &dyn Operator, inputs: &[Spec], target: Target<'_>) -> Result<bool, String> {
    let Ok(outputs) = operator.shape(inputs) else { return Ok(false) };
    let constant = vec![false; inputs.len()];
    let specs = Specs { inputs, outputs: &outputs, constant: &constant, cores: 1 };
    match operator.kernel(target, &specs) {
        Ok(_) => Ok(true),
        Err(KernelError::Absent) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// An accelerator that nothing runs on: an operator with a kernel for accelerators refuses it, one
/// without says so.
#[derive(Debug)]
struct Probe;

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("none")
    }
}

impl Accelerator for Probe {
    fn allocate(&self, _bytes: usize) -> Result<Buffer, String> {
        Err("it has no memory".into())
    }

    fn view(&self, buffer: &Buffer, _offset: usize, _bytes: usize) -> Buffer {
        buffer.clone()
    }

    fn upload(&self, _from: &[u8], _to: &Buffer) -> Result<(), String> {
        Err("it has no memory".into())
    }

    fn download(&self, _from: &Buffer, _to: &mut [u8]) -> Result<(), String> {
        Err("it has no memory".into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
