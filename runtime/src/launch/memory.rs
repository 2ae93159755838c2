//! The memory of a run: arenas, registers and their headers, as the plan says.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::actor::register::{Block, Headers, Payload};
use crate::actor::ring::{Ring, Slot};
use crate::device::{Buffer, Device};
use crate::plan::{Link, Plan, PlanData, Register, Storage};

/// Payload and headers of each register of a plan, where it has any.
pub(super) type Registers = Vec<Option<(Payload, Headers)>>;

/// Allocates every register; the error names the one that could not be had.
pub(super) fn memory(plan: &Plan) -> Result<Registers, (String, String)> {
    let data = &plan.data;
    let accelerator = |device: u32| match plan.placed.devices.device(device as usize) {
        Device::Accelerator(accelerator) => Some(accelerator.clone()),
        Device::Cpu(_) => None,
    };
    let mut arenas: Vec<(Option<Arc<Block>>, Option<Buffer>)> = Vec::new();
    for lane in &data.lanes {
        let bytes = lane.arena_bytes as usize;
        arenas.push(match accelerator(lane.device) {
            None => {
                let name = data.devices[lane.device as usize].clone();
                let block = Block::new(bytes).map_err(|error| (name, error))?;
                (Some(Arc::new(block)), None)
            }
            Some(_) if bytes == 0 => (None, None),
            Some(device) => {
                let name = data.devices[lane.device as usize].clone();
                let buffer = device.allocate(bytes).map_err(|error| (name, error))?;
                (None, Some(buffer))
            }
        });
    }
    let mut views: BTreeMap<(u32, u64, usize), Buffer> = BTreeMap::new();
    let mut registers = Vec::new();
    for (index, register) in data.registers.iter().enumerate() {
        let (slots, stride) = (register.slots as usize, register.stride() as usize);
        let payload = match (register.storage, register.memory) {
            (Storage::Nowhere, _) => {
                registers.push(None);
                continue;
            }
            (Storage::Own, None) => {
                let block = Block::new(stride * slots);
                let block = block.map_err(|error| (register.name.clone(), error))?;
                Payload::Host { block: Arc::new(block), offset: 0, stride }
            }
            (Storage::Own, Some(device)) => {
                let device = accelerator(device).expect("verified: memory of an accelerator");
                let bytes = register.spec.bytes();
                let buffers: Result<Vec<Buffer>, String> =
                    (0..slots).map(|_| device.allocate(bytes)).collect();
                let buffers = buffers.map_err(|error| (register.name.clone(), error))?;
                Payload::Accelerator { buffers: buffers.into() }
            }
            (Storage::Arena { lane, offset }, None) => {
                let block = arenas[lane as usize].0.clone().expect("host lanes have a block");
                Payload::Host { block, offset: offset as usize, stride }
            }
            (Storage::Arena { lane, offset }, Some(device)) => {
                let device = accelerator(device).expect("verified: memory of an accelerator");
                let arena = arenas[lane as usize].1.as_ref().expect("the arena is not empty");
                let bytes = register.spec.bytes();
                // In-place pairs are recognised by sharing one buffer.
                let view = |slot: usize| (lane, offset + (slot * stride) as u64, bytes);
                let buffers: Vec<Buffer> = (0..slots)
                    .map(view)
                    .map(|key| {
                        let make = || device.view(arena, key.1 as usize, bytes);
                        views.entry(key).or_insert_with(make).clone()
                    })
                    .collect();
                Payload::Accelerator { buffers: buffers.into() }
            }
        };
        registers.push(Some((payload, headers(data, index, register))));
    }
    Ok(registers)
}

fn headers(data: &PlanData, index: usize, register: &Register) -> Headers {
    let mut readers: Vec<&Link> =
        data.links.iter().filter(|link| link.register as usize == index).collect();
    readers.sort_by_key(|link| link.reader);
    let slots = register.slots as usize;
    if readers.is_empty() {
        return Headers::Private((0..slots).map(|_| Slot::new()).collect());
    }
    let delays: Vec<usize> = readers.iter().map(|link| link.delay as usize).collect();
    Headers::Ring(Arc::new(Ring::new(slots, register.initial as usize, &delays)))
}
